/**
 * `thermocline verify`: reads the whole data directory, without a server, and checks every checksum in it.
 *
 * Exit 0 when everything is sound, 1 when something is not. The lines come from main.ts; this only prints
 * them.
 */
import { exitCodes } from "../cli-context.ts";
import { outputOption } from "../command.ts";
import type { Command } from "../command.ts";
import { load } from "../load.ts";

export const verify: Command = {
  name: "verify",
  summary: "read the whole store and check it; the server must not be running",
  options: [outputOption],
  takesSettings: true,
  run: async (context, call) => {
    const { config } = load(context, { argv: call.argv, command: "verify" });
    const main = await context.loadMain();
    const { ok, lines } = await main.runVerify(config);
    if (call.options.get("output") === "json")
      context.write(`${JSON.stringify({ ok, lines }, undefined, 2)}\n`);
    else context.write(lines.map((line) => `${line}\n`).join(""));
    return ok ? exitCodes.done : exitCodes.failed;
  },
};
