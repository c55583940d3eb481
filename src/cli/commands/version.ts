/**
 * `thermocline version`: the package's version, bare, so that a script can compare it.
 */
import { exitCodes } from "../cli-context.ts";
import { outputOption } from "../command.ts";
import type { Command } from "../command.ts";
import { version as packageVersion } from "../version.ts";

export const version: Command = {
  name: "version",
  summary: "print the version",
  options: [outputOption],
  takesSettings: false,
  run: async (context, call) => {
    const asJson = call.options.get("output") === "json";
    context.write(asJson ? `${JSON.stringify({ version: packageVersion })}\n` : `${packageVersion}\n`);
    return exitCodes.done;
  },
};
