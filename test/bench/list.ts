/** LIST: CPU of a page of 1,000 keys at growing bucket sizes, and of a common prefix. */
import { hash } from "node:crypto";
import { openStore, temporaryDirectory } from "../support/open-store.ts";
import { load } from "./load.ts";
import { cpuOf, row } from "./measure.ts";
import type { BenchRow } from "./measure.ts";
import { presign } from "./presign.ts";
import { startThermocline } from "./server-process.ts";

const SIZES = (process.env["BENCH_LIST_KEYS"] ?? "1000,1000000,5000000").split(",").map(Number);
const CONNECTIONS = 4;
const SECONDS = 5;
const PREFIXES = 1000;
const BATCH = 1000;

/** Fills the directory before the server opens it: a million puts over HTTP would be the longest part. */
async function fill(
  directory: string,
  bucket: string,
  count: number,
  keyOf: (at: number) => string,
): Promise<void> {
  await using store = await openStore(directory);
  const { buckets, objects } = store.service;
  await buckets.create({ name: bucket, owner: "root", location: "" });
  const bytes = Buffer.alloc(10, 1);
  const etag = hash("md5", bytes);
  const attributes = {
    headers: [["content-type", "binary/octet-stream"] as const],
    metadata: [],
    checksum: undefined,
  };
  const condition = { kind: "none" } as const;
  for (let start = 0; start < count; start += BATCH) {
    const inputs = Array.from({ length: Math.min(BATCH, count - start) }, (_, at) => ({
      bucket,
      key: keyOf(start + at),
      etag,
      attributes,
      body: { kind: "bytes" as const, bytes },
      condition,
    }));
    await objects.putMany(inputs);
  }
}

export async function benchList(): Promise<readonly BenchRow[]> {
  const rows: BenchRow[] = [];
  let smallest: number | undefined;
  for (const size of SIZES) {
    const cpuUs = await pageCost(size);
    smallest ??= cpuUs;
    const ratio = cpuUs / smallest;
    rows.push(
      row(`LIST page of 1,000 in a bucket of ${size.toLocaleString("en")}`, {
        ours: `${(cpuUs / 1000).toFixed(2)} ms`,
        ratio: ratio.toFixed(2),
        cpu: cpuUs.toFixed(0),
        target: "≤ 2.0 ms, ≤ 1.3×",
        met: cpuUs <= 2000 && ratio <= 1.3,
      }),
    );
  }
  rows.push(await prefixCost());
  return rows;
}

async function pageCost(size: number): Promise<number> {
  await using directory = await temporaryDirectory();
  const data = `${directory.path}/data`;
  await fill(data, "bench", size, (at) => `obj/${String(at).padStart(8, "0")}`);
  await using server = await startThermocline(data);
  await settled(server.pid);
  // Pages all over the bucket, so that a large one is really larger.
  const targets = Array.from({ length: Math.max(1, Math.min(500, size / 1000)) }, (_, at) => {
    const after = `obj/${String(Math.floor((at * size) / 500)).padStart(8, "0")}`;
    const start: Readonly<Record<string, string>> = size > 1000 ? { "start-after": after } : {};
    return presign(server.signer, "GET", "/bench", { "list-type": "2", "max-keys": "1000", ...start });
  });
  return await cpuOfLoad(server, targets, directory.path);
}

/** LevelDB goes on merging what the filling left, in threads of the server: not the cost of a listing. */
async function settled(pid: number): Promise<void> {
  for (let busy = true; busy;) {
    const before = cpuOf(pid);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    busy = cpuOf(pid) - before > 20_000;
  }
}

async function cpuOfLoad(
  server: Awaited<ReturnType<typeof startThermocline>>,
  targets: readonly string[],
  scratch: string,
): Promise<number> {
  const options = {
    host: server.host,
    pid: server.pid,
    method: "GET",
    targets,
    connections: CONNECTIONS,
    scratch,
  };
  await load({ ...options, seconds: 2 });
  return (await load({ ...options, seconds: SECONDS })).cpuUs;
}

async function prefixCost(): Promise<BenchRow> {
  await using directory = await temporaryDirectory();
  const data = `${directory.path}/data`;
  const perPrefix = 20;
  const keyOf = (at: number): string => `p${String(Math.floor(at / perPrefix)).padStart(6, "0")}/${at}`;
  await fill(data, "bench", PREFIXES * perPrefix, keyOf);
  await using server = await startThermocline(data);
  const targets = [
    presign(server.signer, "GET", "/bench", { "list-type": "2", "max-keys": "1000", delimiter: "/" }),
  ];
  const us = (await cpuOfLoad(server, targets, directory.path)) / PREFIXES;
  return row("LIST with a delimiter, per common prefix of 20 keys", {
    ours: `${us.toFixed(1)} µs`,
    cpu: us.toFixed(1),
    target: "≤ 45 µs",
    met: us <= 45,
  });
}
