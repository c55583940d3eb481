/**
 * If-Match and If-None-Match of a write, in the words of the log.
 */
import { unreachable } from "../base/assert.ts";
import { parseWritePrecondition } from "../s3/preconditions.ts";
import type { WriteCondition } from "../state/command.ts";
import type { WritePrecondition } from "../s3/preconditions.ts";
import type { Exchange } from "./exchange.ts";

const NO_CONDITION: WriteCondition = { kind: "none" };

export function writeCondition(exchange: Exchange): WriteCondition {
  const { headers } = exchange;
  if (headers["if-match"] === undefined && headers["if-none-match"] === undefined) return NO_CONDITION;
  return conditionOf(parseWritePrecondition(headers));
}

export function conditionOf(precondition: WritePrecondition): WriteCondition {
  switch (precondition.kind) {
    case "none":
      return NO_CONDITION;
    case "ifAbsent":
      return { kind: "absent" };
    case "ifMatch":
      return { kind: "etag", etag: precondition.etag };
    default:
      return unreachable(precondition);
  }
}
