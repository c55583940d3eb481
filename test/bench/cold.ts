/**
 * The cold tier, against a MinIO on this machine: what an upload costs the server and how near it comes to a
 * bare loop, what a read out of the bucket adds, what hot requests lose meanwhile, and whether memory grows
 * with what lies there.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { coldFlags } from "../support/cold-flags.ts";
import { minioProgram } from "../support/minio-program.ts";
import { startMinio } from "../support/minio-server.ts";
import type { BucketServer } from "../support/minio-server.ts";
import { temporaryDirectory } from "../support/open-store.ts";
import { load } from "./load.ts";
import { cpuOf, median, row } from "./measure.ts";
import type { BenchRow } from "./measure.ts";
import { presign } from "./presign.ts";
import { call, operate, startThermocline } from "./server-process.ts";
import type { ServerProcess } from "./server-process.ts";

const MIB = 1024 * 1024;
/** Some of them only: upload, get, beside, memory. */
const PARTS = process.env["BENCH_COLD_PARTS"]?.split(",");
const UPLOAD_MIB = Number(process.env["BENCH_COLD_MIB"] ?? 512);
const OBJECTS = 5000;
const BODY_BYTES = 4096;
const ROUNDS = 3;
const SECONDS = 5;
/** Nothing leaves the disk by itself. */
const HELD_BACK = ["--recovery-point", "off", "--tier-after", "3650d"];
/** What is read much would come back, and be hot. */
const SMALL_CACHE = ["--cache-bytes", "1MiB", "--hot-bytes-max", "1MiB"];
const MEMORY_OBJECTS = [100_000, Number(process.env["BENCH_COLD_OBJECTS"] ?? 1_000_000)] as const;

export async function benchCold(): Promise<readonly BenchRow[]> {
  await using minio = await startMinio(minioProgram());
  const rows: BenchRow[] = [];
  for (const [name, part] of Object.entries(parts)) {
    if (PARTS === undefined || PARTS.includes(name)) rows.push(...(await part(minio)));
  }
  return rows;
}

const parts: Readonly<Record<string, (minio: BucketServer) => Promise<readonly BenchRow[]>>> = {
  upload: async (minio) => [await benchPackAndUpload(minio)],
  get: async (minio) => [await benchColdGet(minio)],
  beside: benchBeside,
  memory: async () => [await benchMemory()],
};

async function benchPackAndUpload(minio: BucketServer): Promise<BenchRow> {
  await using directory = await temporaryDirectory();
  const data = `${directory.path}/data`;
  const flags = coldFlags(minio);
  await using server = await startThermocline(data, [...flags, ...HELD_BACK]);
  await call(server, "PUT", "/bench");
  const costs: number[] = [];
  const rates: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await fill(server, `round-${round}`, UPLOAD_MIB);
    bare.push(await bareUpload(minio, data, round));
    const before = cpuOf(server.pid);
    const start = performance.now();
    await operate(server, ["tier", "offload", "--all"]);
    rates.push(UPLOAD_MIB / ((performance.now() - start) / 1000));
    costs.push((cpuOf(server.pid) - before) / 1000 / UPLOAD_MIB);
  }
  const cost = median(costs);
  const ratio = median(rates) / median(bare);
  return row(`pack and upload, ${UPLOAD_MIB} MiB, tier.verify=auto`, {
    ours: `${median(rates).toFixed(0)} MiB/s`,
    control: `${median(bare).toFixed(0)} MiB/s bare read, hash, PUT`,
    ratio: ratio.toFixed(2),
    cpu: `${cost.toFixed(2)} ms/MiB`,
    target: "≤ 2.5 ms/MiB, ≥ 0.60",
    met: cost <= 2.5 && ratio >= 0.6,
  });
}

async function fill(server: ServerProcess, prefix: string, mebibytes: number): Promise<void> {
  const body = Buffer.alloc(MIB);
  for (let at = 0; at < mebibytes; at++) {
    body.fill(`${prefix}/${at}`);
    await call(server, "PUT", `/bench/${prefix}/${at}`, { body });
  }
}

/** The same files, by the shortest way there is. */
async function bareUpload(minio: BucketServer, data: string, round: number): Promise<number> {
  const log = `${data}/log`;
  const names = (await readdir(log)).toSorted().slice(0, -2);
  const { accessKeyId: accessKey, secretAccessKey: secretKey } = minio.credentials;
  const signer = { host: new URL(minio.endpoint).host, accessKey, secretKey };
  const args = names.flatMap((name) => {
    const target = presign(signer, "PUT", `/${minio.bucket}/bare/${round}/${name}`);
    return [minio.endpoint + target, `${log}/${name}`];
  });
  const script = fileURLToPath(new URL("bare-upload.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script, ...args]);
  return Number(stdout);
}

async function benchColdGet(minio: BucketServer): Promise<BenchRow> {
  await using directory = await temporaryDirectory();
  const data = `${directory.path}/data`;
  const flags = coldFlags(minio, "gets");
  {
    await using server = await startThermocline(data, flags);
    await call(server, "PUT", "/bench");
    for (let at = 0; at < OBJECTS; at++) {
      await call(server, "PUT", `/bench/obj/${at}`, { body: Buffer.alloc(BODY_BYTES, String(at)) });
    }
    await operate(server, ["tier", "offload", "--all"]);
  }
  const costs: { readonly cold: number[]; readonly hot: number[] } = { cold: [], hot: [] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const kind of ["cold", "hot"] as const) {
      await using server = await startThermocline(data, [...flags, ...(kind === "cold" ? SMALL_CACHE : [])]);
      const targets = mixed(OBJECTS).map((at) => presign(server.signer, "GET", `/bench/obj/${at}`));
      const { host, pid } = server;
      const common = { host, pid, method: "GET", targets, scratch: directory.path };
      // Warms up; with a large cache it brings everything in.
      await load({ ...common, connections: 16, seconds: SECONDS * 2 });
      costs[kind].push((await load({ ...common, connections: 16, seconds: SECONDS })).cpuUs);
    }
  }
  const extra = median(costs.cold) - median(costs.hot);
  return row("cold GET 4 KiB, uncached, 16 connections", {
    ours: `${median(costs.cold).toFixed(0)} µs`,
    control: `${median(costs.hot).toFixed(1)} µs hot`,
    cpu: `+${extra.toFixed(0)}`,
    target: "≤ +300 µs",
    met: extra <= 300,
  });
}

/** Each number below `count` once; neighbours are far apart. */
function mixed(count: number): readonly number[] {
  const step = 2377;
  return Array.from({ length: count }, (_, at) => (at * step) % count);
}

/** The same writes on two servers, one of which uploads them all the while. */
async function benchBeside(minio: BucketServer): Promise<readonly BenchRow[]> {
  await using directory = await temporaryDirectory();
  const flags = coldFlags(minio, "beside");
  await using alone = await startThermocline(`${directory.path}/alone`, ["--cold-url", "none"]);
  await using tiered = await startThermocline(`${directory.path}/tiered`, flags);
  for (const server of [alone, tiered]) {
    await call(server, "PUT", "/bench");
    for (let at = 0; at < 1000; at++) {
      await call(server, "PUT", `/bench/hot/${at}`, { body: Buffer.alloc(BODY_BYTES, String(at)) });
    }
  }
  const rows: BenchRow[] = [];
  for (const method of ["GET", "PUT"] as const) {
    const rates = { alone: [] as number[], tiered: [] as number[] };
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [name, server] of [
        ["alone", alone],
        ["tiered", tiered],
      ] as const) {
        const rate = await loadedBeside(server, method, directory.path);
        if (round > 0) rates[name].push(rate);
      }
    }
    const ratio = median(rates.tiered) / median(rates.alone);
    rows.push(
      row(`${method} 4 KiB hot while 16 MiB/s are written and uploaded`, {
        ours: `${median(rates.tiered).toFixed(0)}/s`,
        control: `${median(rates.alone).toFixed(0)}/s without a cold tier`,
        ratio: ratio.toFixed(2),
        target: "> 0.90",
        met: ratio > 0.9,
      }),
    );
  }
  return rows;
}

const WRITTEN_PER_SECOND = 16;

async function loadedBeside(server: ServerProcess, method: "GET" | "PUT", scratch: string): Promise<number> {
  const targets = Array.from({ length: 1000 }, (_, at) =>
    presign(server.signer, method, `/bench/${method === "GET" ? "hot" : "put"}/${at}`),
  );
  let writing = true;
  const body = Buffer.alloc(MIB, 1);
  const writer = (async () => {
    for (let at = 0; writing; at++) {
      const due = new Promise((resolve) => setTimeout(resolve, 1000 / WRITTEN_PER_SECOND));
      await call(server, "PUT", `/bench/fill/${at % 500}`, { body });
      await due;
    }
  })();
  const { host, pid } = server;
  const bodyBytes = method === "PUT" ? BODY_BYTES : 0;
  const run = await load({
    host,
    pid,
    method,
    targets,
    bodyBytes,
    connections: 64,
    seconds: SECONDS,
    scratch,
  });
  writing = false;
  await writer;
  return run.perSecond;
}

/** Resident memory after reads here and there, with few and with many objects in the cold tier. */
async function benchMemory(): Promise<BenchRow> {
  const resident: number[] = [];
  for (const objects of MEMORY_OBJECTS) {
    await using directory = await temporaryDirectory();
    const data = `${directory.path}/data`;
    await fillOffline(data, objects);
    const flags = ["--cold-url", `folder:${directory.path}/cold`, "--cache-bytes", "64MiB"];
    const held = ["--hot-bytes-max", "1MiB"];
    {
      await using server = await startThermocline(data, flags);
      await operate(server, ["tier", "offload", "--all"]);
    }
    await using server = await startThermocline(data, [...flags, ...held]);
    for (let read = 0; read < 20_000; read++) {
      const at = (read * 104_729) % objects;
      await (await call(server, "GET", `/bucket/object/${at}`)).arrayBuffer();
    }
    resident.push(await residentMib(server.pid));
  }
  const [few = 0, many = 0] = resident;
  return row(`memory with ${MEMORY_OBJECTS[1]} cold objects, 20,000 of them read`, {
    ours: `${many.toFixed(0)} MiB`,
    control: `${few.toFixed(0)} MiB with ${MEMORY_OBJECTS[0]}`,
    ratio: (many / few).toFixed(2),
    target: "flat: ≤ 1.15",
    met: many / few <= 1.15,
  });
}

async function fillOffline(data: string, objects: number): Promise<void> {
  const script = fileURLToPath(new URL("../long/fill-and-wait.ts", import.meta.url));
  const filler = spawn(process.execPath, [script, data, String(objects)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(filler.stdout, "data");
  const ended = once(filler, "exit");
  filler.kill("SIGKILL");
  await ended;
}

async function residentMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}
