/**
 * The real program as a process of its own, on free ports and a data directory of its own. It can be killed
 * and started again on the same directory; `stop` is what an operator does, and must end it cleanly and soon.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { plainEnvironment } from "./run-program.ts";

export const PROGRAM = fileURLToPath(new URL("../../src/cli/thermocline.ts", import.meta.url));

/** Of `dev` on loopback. */
export const credentials = { accessKey: "thermocline", secretKey: "thermocline-dev" } as const;

const START_MS = 30_000;
/** Promised in the documentation: SIGTERM ends the process within this time. */
export const STOP_MS_MAX = 8000;

export type Stopped = { readonly code: number | null; readonly ms: number };

export class ServerProcess {
  readonly directory: string;
  readonly child: ChildProcess;
  readonly endpoint: string;
  readonly adminEndpoint: string;
  readonly #output: { readonly text: string };

  private constructor(
    directory: string,
    child: ChildProcess,
    served: { readonly s3: string; readonly admin: string },
    output: { readonly text: string },
  ) {
    this.directory = directory;
    this.child = child;
    this.endpoint = `http://${served.s3}`;
    this.adminEndpoint = `http://${served.admin}`;
    this.#output = output;
  }

  /** Log and banner so far. */
  get output(): string {
    return this.#output.text;
  }

  static async start(
    directory: string,
    options: { readonly command?: "dev" | "server"; readonly flags?: readonly string[] } = {},
  ): Promise<ServerProcess> {
    const { command = "dev", flags = [] } = options;
    const addresses = ["--s3-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"];
    const args = [PROGRAM, command, "--data-dir", directory, ...addresses, ...flags];
    const child = spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: plainEnvironment(),
    });
    const output = { text: "" };
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (output.text += text));
    }
    return new ServerProcess(directory, child, await servedAt(child, output), output);
  }

  /** As a power cut does to a process: nothing is flushed. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await ended;
  }

  async stop(): Promise<Stopped> {
    const isGone = this.child.exitCode !== null || this.child.signalCode !== null;
    if (isGone) return { code: this.child.exitCode, ms: 0 };
    const startMs = performance.now();
    const ended = once(this.child, "exit");
    this.child.kill("SIGTERM");
    const late = setTimeout(() => this.child.kill("SIGKILL"), 3 * STOP_MS_MAX);
    await ended;
    clearTimeout(late);
    return { code: this.child.exitCode, ms: performance.now() - startMs };
  }
}

/** The `serving` line of the log tells the real ports. */
async function servedAt(
  child: ChildProcess,
  output: { readonly text: string },
): Promise<{ readonly s3: string; readonly admin: string }> {
  const deadline = performance.now() + START_MS;
  while (performance.now() < deadline && child.exitCode === null) {
    for (const line of output.text.split("\n")) {
      if (!line.startsWith("{") || !line.endsWith("}")) continue;
      const { message, s3, admin }: Readonly<Record<string, string>> = JSON.parse(line);
      if (message === "serving" && s3 !== undefined && admin !== undefined) return { s3, admin };
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.kill("SIGKILL");
  throw new Error(`the server does not serve: ${output.text.slice(-2000)}`);
}

export type TemporaryDirectory = AsyncDisposable & { readonly path: string };

export async function temporaryDirectory(): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(tmpdir(), "thermocline-scenario-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) };
}
