/**
 * Runs a command in this process, with a world that keeps what was written and a main.ts that records its
 * calls.
 */
import type { Config } from "../../src/config/config.ts";
import type {
  CliContext,
  MainModule,
  RestoreRequest,
  RunServerOptions,
  VerifyReport,
} from "../../src/cli/cli-context.ts";
import { runCommand } from "../../src/cli/run-command.ts";

export interface Outcome {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
  readonly servers: readonly { readonly config: Config; readonly options: RunServerOptions }[];
  readonly restores: readonly { readonly config: Config; readonly request: RestoreRequest }[];
}

export interface RunWorld {
  readonly env?: Readonly<Record<string, string>>;
  readonly report?: VerifyReport;
  readonly runServer?: MainModule["runServer"];
  readonly runRestore?: MainModule["runRestore"];
}

export async function run(argv: readonly string[], world: RunWorld = {}): Promise<Outcome> {
  let out = "";
  let err = "";
  const servers: { readonly config: Config; readonly options: RunServerOptions }[] = [];
  const restores: { readonly config: Config; readonly request: RestoreRequest }[] = [];
  const main: MainModule = {
    runServer: async (config, options) => {
      servers.push({ config, options });
      return world.runServer?.(config, options) ?? 0;
    },
    runVerify: async () => world.report ?? { ok: true, lines: [] },
    runRestore: async (config, request) => {
      restores.push({ config, request });
      if (world.runRestore === undefined) return { kind: "finished", dataDir: config.dataDir };
      return await world.runRestore(config, request);
    },
  };
  const context: CliContext = {
    env: world.env ?? {},
    readFile: () => {
      throw Object.assign(new Error("no such file"), { code: "ENOENT" });
    },
    memoryBytes: 4 * 1024 ** 3,
    write: (text) => (out += text),
    writeError: (text) => (err += text),
    loadMain: async () => main,
  };
  const exitCode = await runCommand(context, argv);
  return { exitCode, out, err, servers, restores };
}
