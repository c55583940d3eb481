/**
 * What a command may touch of the world, so that each can be tested without a process of its own.
 *
 * thermocline.ts makes the real one. Commands write through it, return an exit code, and leave no handle
 * open; they never call `process.exit`, which would cut off output that is still being written.
 */
import type { Environment } from "../config/read-environment.ts";
import type { ReadTextFile } from "../config/resolve.ts";
import type { Config } from "../config/config.ts";
import type { ColdUrl } from "../config/cold-url.ts";
import type { RestoreWish } from "../offload/restore-plan.ts";
import type { RestoreProgress, RestoreReport } from "../offload/restore-report.ts";

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
  /** Makes a data directory from the bucket alone, offline. */
  runRestore(config: Config, request: RestoreRequest): Promise<RestoreReport>;
}

export interface RunServerOptions {
  /** Print endpoint, credentials and the `export` lines for people who just started it. */
  readonly banner: boolean;
  readonly command: "dev" | "server";
  /** Read what a damaged directory still holds, and write nothing into it. */
  readonly salvage: boolean;
}

export interface RestoreRequest {
  /** A place that is not `none`. */
  readonly from: ColdUrl;
  readonly cluster: string | undefined;
  readonly wish: RestoreWish;
  /** Say what would be done, and do nothing. */
  readonly dryRun: boolean;
  /** Told while it runs, at most once a second. */
  readonly progress: (progress: RestoreProgress) => void;
}

export interface VerifyReport {
  readonly ok: boolean;
  readonly lines: readonly string[];
}

export const exitCodes = { done: 0, failed: 1, usage: 2, unreachable: 3 } as const;
