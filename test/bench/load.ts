/** Load by wrk: one run, with the server's CPU time per request. A figure counts only if nothing failed. */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { cpuOf } from "./measure.ts";

const run = promisify(execFile);
const SCRIPT = fileURLToPath(new URL("wrk.lua", import.meta.url));

export type LoadResult = {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuUs: number;
};

export type Load = {
  readonly host: string;
  readonly pid: number;
  readonly method: string;
  readonly targets: readonly string[];
  readonly bodyBytes?: number;
  readonly connections: number;
  /** Of each connection before each request: for a rate that others set. */
  readonly pauseMs?: number;
  readonly seconds: number;
  /** A directory for the list of targets. */
  readonly scratch: string;
};

export async function load(options: Load): Promise<LoadResult> {
  const list = join(options.scratch, "targets");
  await writeFile(list, `${options.targets.join("\n")}\n`);
  const before = cpuOf(options.pid);
  const { stdout } = await run("wrk", [
    "-t1",
    `-c${options.connections}`,
    `-d${options.seconds}s`,
    "-s",
    SCRIPT,
    `http://${options.host}`,
    "--",
    options.method,
    list,
    String(options.bodyBytes ?? 0),
    String(options.pauseMs ?? 0),
  ]);
  const cpu = cpuOf(options.pid) - before;
  const line = stdout.split("\n").find((text) => text.startsWith("{"));
  if (line === undefined) throw new Error(`wrk said: ${stdout}`);
  const result = JSON.parse(line) as {
    readonly requests: number;
    readonly seconds: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
    readonly bad: number;
    readonly socketErrors: number;
  };
  if (result.bad > 0 || result.socketErrors > 0) throw new Error(`requests failed: ${line}`);
  const { requests, seconds, p50Ms, p99Ms } = result;
  return { perSecond: requests / seconds, p50Ms, p99Ms, cpuUs: cpu / requests };
}
