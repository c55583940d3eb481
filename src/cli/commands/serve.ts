/**
 * `thermocline dev` and `thermocline server`: the same server with different manners.
 *
 * `dev` is for a laptop: on loopback it brings its own credentials and prints how to use them. `server`
 * refuses to start without credentials and says nothing but its log. The work is done by main.ts.
 */
import type { CliContext, RunServerOptions } from "../cli-context.ts";
import type { Command, CommandCall, CommandOption } from "../command.ts";
import { load } from "../load.ts";

/**
 * No setting, so that it can stand in no file and no environment: it is decided anew at each start, by
 * whoever has seen what is damaged.
 */
const salvageOption: CommandOption = {
  name: "salvage",
  description: "serve, read-only, what a damaged data directory still holds; nothing in it is changed",
};

export const dev: Command = {
  name: "dev",
  summary:
    "run a server for trying things out, with credentials of its own while it listens on loopback only",
  options: [salvageOption],
  takesSettings: true,
  run: (context, call) => serve(context, call, { banner: true, command: "dev", ...choices(call) }),
};

export const server: Command = {
  name: "server",
  summary: "run a server; the root pair must be set",
  options: [salvageOption],
  takesSettings: true,
  run: (context, call) => serve(context, call, { banner: false, command: "server", ...choices(call) }),
};

function choices(call: CommandCall): Pick<RunServerOptions, "salvage"> {
  return { salvage: call.options.has(salvageOption.name) };
}

async function serve(context: CliContext, call: CommandCall, options: RunServerOptions): Promise<number> {
  const { config } = load(context, { argv: call.argv, command: options.command });
  const main = await context.loadMain();
  return main.runServer(config, options);
}
