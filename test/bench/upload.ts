/** A 5 GiB upload and download beside small PUTs: memory of the server, and what the small ones notice. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { once } from "node:events";
import { open } from "node:fs/promises";
import { temporaryDirectory } from "../support/open-store.ts";
import { load } from "./load.ts";
import { median, row } from "./measure.ts";
import type { BenchRow } from "./measure.ts";
import { presign } from "./presign.ts";
import { call, startThermocline } from "./server-process.ts";
import type { ServerProcess } from "./server-process.ts";

const MIB = 1024 * 1024;
const SIZE_MIB = Number(process.env["BENCH_UPLOAD_MIB"] ?? 5120);
const RSS_MIB_MAX = 300;
const P99_MS_MAX = 25;

type Latency = { readonly median: number; readonly worst: number };

/** The most memory the process ever had resident, in MiB. */
function peakMib(pid: number): number {
  const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(line?.[1]) / 1024;
}

async function curl(args: readonly string[]): Promise<void> {
  const child = spawn("curl", ["-sS", "-f", ...args], { stdio: ["ignore", "ignore", "inherit"] });
  const [code] = (await once(child, "exit")) as [number];
  if (code !== 0) throw new Error(`curl ended with ${code}`);
}

export async function benchUpload(): Promise<readonly BenchRow[]> {
  await using directory = await temporaryDirectory();
  await using server = await startThermocline(`${directory.path}/data`, ["--cache-bytes", "64MiB"]);
  await call(server, "PUT", "/bench");
  const put = presign(server.signer, "PUT", "/bench/huge");
  const file = `${directory.path}/huge`;
  // Without blocks: reading it costs the client nothing but memory copies.
  const sparse = await open(file, "w");
  await sparse.truncate(SIZE_MIB * MIB);
  await sparse.close();
  let rounds = 3;
  const alone = await smallPuts(server, directory.path, () => rounds-- > 0);
  const upload = curl(["-o", "/dev/null", "-H", "Expect:", "-T", file, `http://${server.host}${put}`]);
  let uploading = true;
  const ended = upload.finally(() => (uploading = false));
  const beside = await smallPuts(server, directory.path, () => uploading);
  await ended;
  await curl(["-o", "/dev/null", `http://${server.host}${presign(server.signer, "GET", "/bench/huge")}`]);
  const peak = peakMib(server.pid);
  return [
    row(`PUT 4 KiB beside a ${SIZE_MIB} MiB upload, p99`, {
      ours: `${beside.median.toFixed(1)} ms (worst 2 s: ${beside.worst.toFixed(1)})`,
      control: `${alone.median.toFixed(1)} ms without it`,
      target: `< ${P99_MS_MAX} ms`,
      met: beside.median < P99_MS_MAX,
    }),
    row(`peak memory of a ${SIZE_MIB} MiB PUT and GET, 64 MiB cache`, {
      ours: `${peak.toFixed(0)} MiB`,
      target: `< ${RSS_MIB_MAX} MiB`,
      met: peak < RSS_MIB_MAX,
    }),
  ];
}

/** The median p99 of runs of two seconds while the upload goes on, and the worst. */
async function smallPuts(server: ServerProcess, scratch: string, going: () => boolean): Promise<Latency> {
  const targets = Array.from({ length: 500 }, (_, at) => presign(server.signer, "PUT", `/bench/small/${at}`));
  const { host, pid } = server;
  const common = { host, pid, method: "PUT", targets, bodyBytes: 4096, connections: 4, scratch };
  const p99s: number[] = [];
  while (going()) p99s.push((await load({ ...common, seconds: 2 })).p99Ms);
  return { median: median(p99s), worst: Math.max(...p99s) };
}
