/**
 * The answer to an action of the admin API: lines of JSON that say how far it is, and a last one that says
 * what it came to. An answer without a last line is one that broke off, whatever was said before.
 */
import type { IncomingMessage } from "node:http";
import type { AdminAnswer } from "./admin-answer.ts";

type Line = {
  readonly progress?: string;
  readonly outcome?: unknown;
  readonly failed?: { readonly code: string; readonly message: string };
};

export async function lastLine(
  response: IncomingMessage,
  { place, onProgress }: { readonly place: string; readonly onProgress: (line: string) => void },
): Promise<AdminAnswer> {
  let rest = "";
  response.setEncoding("utf8");
  for await (const piece of response as AsyncIterable<string>) {
    const lines = `${rest}${piece}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const { progress, outcome, failed } = lineOf(line);
      if (outcome !== undefined) return { kind: "answered", body: outcome };
      if (failed !== undefined) return { kind: "refused", status: 200, message: failed.message };
      if (progress === undefined) {
        const message = `${place}: the answer is not ours; is this Thermocline's admin address?`;
        return { kind: "refused", status: 200, message };
      }
      if (progress !== "") onProgress(progress);
    }
  }
  throw new Error("the answer broke off before its end; what was done stays done, so ask again");
}

function lineOf(text: string): Line {
  try {
    const line: unknown = JSON.parse(text);
    return typeof line === "object" && line !== null ? line : {};
  } catch {
    // Somebody else answered: told apart by having none of the fields.
    return {};
  }
}
