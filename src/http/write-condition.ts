/**
 * If-Match and If-None-Match of a write, in the words of the log, and what its client is told when apply
 * decided against it.
 */
import { unreachable } from "../base/assert.ts";
import { s3Error } from "../s3/errors.ts";
import { parseWritePrecondition } from "../s3/preconditions.ts";
import type { WriteCondition } from "../state/command.ts";
import type { WritePrecondition } from "../s3/preconditions.ts";
import type { Exchange } from "./exchange.ts";
import { noSuchBucket, noSuchKey } from "./require-bucket.ts";

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

/** The same for every write of a key. */
export function refusedWrite(
  exchange: Exchange,
  reason: "noSuchBucket" | "noSuchKey" | "preconditionFailed",
): Error {
  const { bucket, key } = exchange.target;
  switch (reason) {
    case "noSuchBucket":
      return noSuchBucket(bucket);
    case "noSuchKey":
      return noSuchKey(key);
    case "preconditionFailed": {
      const condition = exchange.headers["if-match"] === undefined ? "If-None-Match" : "If-Match";
      return s3Error("PreconditionFailed", { fields: { Condition: condition } });
    }
    default:
      return unreachable(reason);
  }
}
