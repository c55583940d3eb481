/** What came of a request to the admin API, and how a command ends that got this and not what it wanted. */
import { unreachable } from "../base/assert.ts";
import { exitCodes } from "./cli-context.ts";
import type { CliContext } from "./cli-context.ts";

export type AdminAnswer =
  | { readonly kind: "answered"; readonly body: unknown }
  | { readonly kind: "refused"; readonly status: number; readonly message: string }
  | { readonly kind: "unreachable"; readonly message: string };

/** `print` gets the body and says how it went; everything else is one line and an exit code. */
export function endWith(context: CliContext, answer: AdminAnswer, print: (body: unknown) => number): number {
  switch (answer.kind) {
    case "answered":
      return print(answer.body);
    case "refused":
      context.writeError(`thermocline: ${answer.message}\n`);
      return exitCodes.failed;
    case "unreachable":
      context.writeError(`thermocline: ${answer.message}\n`);
      return exitCodes.unreachable;
    default:
      return unreachable(answer);
  }
}
