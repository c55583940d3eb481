/**
 * Batches over HTTP: 1,000 small puts in one request held against as many single ones (A B A B), the CPU of
 * reading 1,000 at once, and the copy of 5 GiB held against one of 1 MiB. The large object is 80 times the
 * same 64 MiB, joined by UploadPartCopy, so it is there in a second.
 */
import { temporaryDirectory } from "../support/open-store.ts";
import { load } from "./load.ts";
import { cpuOf, median, perSecond, row } from "./measure.ts";
import type { BenchRow } from "./measure.ts";
import { presign } from "./presign.ts";
import { call, startThermocline } from "./server-process.ts";
import type { ServerProcess } from "./server-process.ts";

const MIB = 1024 * 1024;
const COUNT = 1000;
const BODY_BYTES = 100;
const CONNECTIONS = 64;
/** Batches under way at a time: one is applied while the next one is read. */
const AHEAD = 3;
const ROUNDS = 3;
const SECONDS = Number(process.env["BENCH_HTTP_SECONDS"] ?? 6);
const PIECE_BYTES = 64 * MIB;
const PIECES = 80;
const COPIES = 40;
/** In the query, where presigned requests have their headers. */
const SOURCE = "x-amz-copy-source";

type Run = { readonly perSecond: number; readonly cpuUs: number };

const keys = Array.from({ length: COUNT }, (_, at) => `obj/${String(at).padStart(8, "0")}`);

/** The same request again and again; per object. */
async function repeat(
  server: ServerProcess,
  request: { readonly query: string; readonly body: Buffer; readonly answerBytesMin: number },
): Promise<Run> {
  const target = presign(server.signer, "POST", "/bench", { [request.query]: "" });
  const [before, start] = [cpuOf(server.pid), performance.now()];
  let done = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() - start < SECONDS * 1000) {
      const body = new Uint8Array(request.body);
      const response = await fetch(`http://${server.host}${target}`, { method: "POST", body });
      const answer = await response.arrayBuffer();
      if (!response.ok || answer.byteLength < request.answerBytesMin) {
        throw new Error(`a batch was answered ${response.status} with ${answer.byteLength} bytes`);
      }
      done += COUNT;
    }
  };
  await Promise.all(Array.from({ length: AHEAD }, lane));
  const seconds = (performance.now() - start) / 1000;
  return { perSecond: done / seconds, cpuUs: (cpuOf(server.pid) - before) / done };
}

async function putsRow(server: ServerProcess, scratch: string): Promise<BenchRow> {
  const operations = keys.map((key) => ({ op: "put", key, size: BODY_BYTES }));
  const head = Buffer.from(`${JSON.stringify({ operations })}\n`);
  const body = Buffer.concat([head, Buffer.alloc(COUNT * BODY_BYTES, "x")]);
  const targets = keys.map((key) => presign(server.signer, "PUT", `/bench/${key}`));
  const single = { method: "PUT", targets, bodyBytes: BODY_BYTES, connections: CONNECTIONS, scratch };
  const ours: Run[] = [];
  const control: Run[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const mine = await repeat(server, { query: "batch", body, answerBytesMin: COUNT });
    const { host, pid } = server;
    const theirs = await load({ ...single, host, pid, seconds: SECONDS });
    // The first round warms both up.
    if (round > 0) ours.push(mine);
    if (round > 0) control.push(theirs);
  }
  const ratios = ours.map((run, at) => run.perSecond / (control[at]?.perSecond ?? Number.NaN));
  const cpu = (runs: readonly Run[]): string => median(runs.map(({ cpuUs }) => cpuUs)).toFixed(1);
  const rate = (runs: readonly Run[]): string => perSecond(median(runs.map((run) => run.perSecond)));
  const ratio = median(ratios);
  return row(`PUT ${BODY_BYTES} B durable, ${COUNT} in a batch`, {
    ours: rate(ours),
    control: `${rate(control)} single, ${CONNECTIONS} connections, ${cpu(control)} µs`,
    ratio: ratio.toFixed(1),
    cpu: cpu(ours),
    target: "≥ 10",
    met: ratio >= 10,
  });
}

async function getsRow(server: ServerProcess, scratch: string): Promise<BenchRow> {
  const body = Buffer.from(JSON.stringify(keys));
  const targets = keys.map((key) => presign(server.signer, "GET", `/bench/${key}`));
  const single = { method: "GET", targets, connections: CONNECTIONS, scratch };
  const ours: number[] = [];
  const control: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const mine = await repeat(server, { query: "batch-get", body, answerBytesMin: COUNT * BODY_BYTES });
    const { host, pid } = server;
    const theirs = await load({ ...single, host, pid, seconds: SECONDS });
    if (round > 0) ours.push(mine.cpuUs);
    if (round > 0) control.push(theirs.cpuUs);
  }
  const cpu = median(ours);
  return row(`GET ${BODY_BYTES} B hot, ${COUNT} in a batch`, {
    ours: `${cpu.toFixed(2)} µs`,
    control: `${median(control).toFixed(1)} µs single`,
    ratio: (median(control) / cpu).toFixed(1),
    cpu: cpu.toFixed(2),
    target: "≤ 2 µs",
    met: cpu <= 2,
  });
}

async function xml(response: Promise<Response>, name: string): Promise<string> {
  const text = await (await response).text();
  const [, value] = new RegExp(`<${name}>([^<]*)</${name}>`).exec(text) ?? [];
  if (value === undefined) throw new Error(`no ${name} in ${text}`);
  return value.replaceAll("&quot;", '"');
}

/** 5 GiB that lie on the disk once in 64 MiB. */
async function makeHuge(server: ServerProcess): Promise<void> {
  await call(server, "PUT", "/bench/piece", { body: new Uint8Array(PIECE_BYTES) });
  const uploadId = await xml(call(server, "POST", "/bench/huge", { query: { uploads: "" } }), "UploadId");
  const parts: string[] = [];
  for (let number = 1; number <= PIECES; number++) {
    const query = { partNumber: String(number), uploadId, [SOURCE]: "/bench/piece" };
    const etag = await xml(call(server, "PUT", "/bench/huge", { query }), "ETag");
    parts.push(`<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`);
  }
  const body = Buffer.from(`<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`);
  await xml(call(server, "POST", "/bench/huge", { query: { uploadId }, body }), "ETag");
}

async function copyRow(server: ServerProcess): Promise<BenchRow> {
  await makeHuge(server);
  await call(server, "PUT", "/bench/small", { body: new Uint8Array(MIB) });
  const took: { readonly huge: number[]; readonly small: number[] } = { huge: [], small: [] };
  for (let copy = 0; copy < COPIES; copy++) {
    for (const source of ["huge", "small"] as const) {
      const start = performance.now();
      const query = { [SOURCE]: `/bench/${source}` };
      await xml(call(server, "PUT", `/bench/copy-${source}-${copy}`, { query }), "ETag");
      took[source].push(performance.now() - start);
    }
  }
  const head = await call(server, "HEAD", `/bench/copy-huge-${COPIES - 1}`);
  const size = Number(head.headers.get("content-length"));
  if (size !== PIECES * PIECE_BYTES) throw new Error(`the copy has ${size} bytes`);
  const ms = median(took.huge);
  return row("copy of 5 GiB", {
    ours: `${ms.toFixed(1)} ms, slowest ${Math.max(...took.huge).toFixed(1)}`,
    control: `${median(took.small).toFixed(1)} ms for 1 MiB`,
    ratio: (ms / median(took.small)).toFixed(2),
    target: "< 10 ms",
    met: ms < 10,
  });
}

export async function benchBatch(): Promise<readonly BenchRow[]> {
  await using directory = await temporaryDirectory();
  await using server = await startThermocline(`${directory.path}/data`);
  await call(server, "PUT", "/bench");
  const puts = await putsRow(server, directory.path);
  return [puts, await getsRow(server, directory.path), await copyRow(server)];
}
