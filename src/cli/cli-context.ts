/**
 * What a command may touch of the world, so that each can be tested without a process of its own.
 *
 * thermocline.ts makes the real one. Commands write through it, return an exit code, and leave no handle
 * open; they never call `process.exit`, which would cut off output that is still being written.
 */
import type { Environment } from "../config/read-environment.ts";
import type { ReadTextFile } from "../config/resolve.ts";
import type { Config } from "../config/config.ts";

export interface CliContext {
  readonly env: Environment;
  readonly readFile: ReadTextFile;
  readonly memoryBytes: number;
  /** Standard output; `text` ends with its line break. */
  readonly write: (text: string) => void;
  /** Standard error. */
  readonly writeError: (text: string) => void;
  /** Late, as it pulls in the whole server: `help` should not wait for it. */
  readonly loadMain: () => Promise<MainModule>;
}

/** What the command line needs of main.ts. */
export interface MainModule {
  /** Serves until a signal ends it; the answer is the exit code. */
  runServer(config: Config, options: RunServerOptions): Promise<number>;
  /** Reads the whole store, offline. */
  runVerify(config: Config): Promise<VerifyReport>;
}

export interface RunServerOptions {
  /** Print endpoint, credentials and the `export` lines for people who just started it. */
  readonly banner: boolean;
  readonly command: "dev" | "server";
  /** Read what a damaged directory still holds, and write nothing into it. */
  readonly salvage: boolean;
}

export interface VerifyReport {
  readonly ok: boolean;
  readonly lines: readonly string[];
}

export const exitCodes = { done: 0, failed: 1, usage: 2, unreachable: 3 } as const;
