/**
 * `thermocline status`: what the running server says about itself.
 *
 * Speaks to the admin address with the root pair, so the server's own environment is all it needs. Exit 3
 * when nobody answers there, 1 when the server refuses. The table is the answer flattened: what the server
 * adds shows up here.
 */
import { endWith } from "../admin-answer.ts";
import { adminRequest } from "../admin-request.ts";
import { exitCodes } from "../cli-context.ts";
import { outputOption } from "../command.ts";
import type { Command } from "../command.ts";
import { formatTable } from "../format-table.ts";
import { load } from "../load.ts";

export const status: Command = {
  name: "status",
  summary: "ask the running server how it is",
  options: [outputOption],
  takesSettings: true,
  run: async (context, call) => {
    const { config } = load(context, { argv: call.argv, command: "status" });
    const answer = await adminRequest(config, { path: "/-/status" });
    const asJson = call.options.get("output") === "json";
    return endWith(context, answer, (body) => {
      context.write(asJson ? `${JSON.stringify(body, undefined, 2)}\n` : statusTable(body));
      return exitCodes.done;
    });
  },
};

export function statusTable(body: unknown): string {
  return formatTable(["NAME", "VALUE"], flatten("", body));
}

function flatten(name: string, value: unknown): readonly (readonly [string, string])[] {
  if (typeof value !== "object" || value === null) return [[name, String(value)]];
  return Object.entries(value).flatMap(([key, inner]) =>
    flatten(name === "" ? key : `${name}.${key}`, inner),
  );
}
