/**
 * Runs a program to its end and keeps what it said. A program that cannot be started, or does not end in
 * time, is an outcome like any other, so that whoever asked can say it in one line.
 */
import { spawn } from "node:child_process";

export type Ended = {
  /** -1 when it could not be started or was killed. */
  readonly code: number;
  readonly out: Buffer;
  readonly err: string;
};

export type RunOptions = {
  /** All of it; without, a few variables that every program needs. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: Uint8Array;
  readonly timeoutMs?: number;
};

const TIMEOUT_MS = 120_000;

/**
 * What this machine has set for its own clients and servers (bundles, proxies, profiles) is none of the
 * test's.
 */
const KEPT = ["PATH", "HOME", "LANG", "TMPDIR"];

export function plainEnvironment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const kept = KEPT.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(kept), ...more };
}

export function runProgram(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const { env = plainEnvironment(), cwd, timeoutMs = TIMEOUT_MS } = options;
    const child = spawn(program, args, {
      env,
      cwd,
      timeout: timeoutMs,
      killSignal: "SIGKILL",
    });
    const out: Buffer[] = [];
    let err = "";
    child.stdout.on("data", (bytes: Buffer) => out.push(bytes));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
    // A program that ends before it has read its input is judged by its exit code.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
    child.once("error", (error) => resolve({ code: -1, out: Buffer.concat(out), err: error.message }));
    child.once("close", (code, signal) => {
      const said = signal === null ? err : `${err}ended by ${signal}`;
      resolve({ code: code ?? -1, out: Buffer.concat(out), err: said });
    });
  });
}

/** The same, and an error with everything that was said unless it exits 0. */
export async function mustRun(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ended> {
  const ended = await runProgram(program, args, options);
  if (ended.code === 0) return ended;
  const said = `${ended.err}\n${ended.out.toString("utf8", 0, 2000)}`.trim();
  throw new Error(`${program} ${args.join(" ").slice(0, 300)}: exit ${ended.code}: ${said.slice(0, 2000)}`);
}
