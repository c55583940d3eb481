/**
 * The cold tier, against a MinIO on this machine: what an upload costs the server and how near it comes to a
 * bare loop, what a read out of the bucket adds, what hot requests lose meanwhile, and whether memory grows
 * with what lies there.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { coldFlags } from "../support/cold-flags.ts";
import { minioProgram } from "../support/minio-program.ts";
import { startMinio } from "../support/minio-server.ts";
import type { BucketServer } from "../support/minio-server.ts";
import { temporaryDirectory } from "../support/open-store.ts";
import { load } from "./load.ts";
import type { LoadResult } from "./load.ts";
import { cpuOf, median, perSecond, row } from "./measure.ts";
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
/** Nor is it held below a rate. */
const UNBOUND = ["--tier-bytes-per-second-max", "64GiB"];
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
  await using server = await startThermocline(data, [...flags, ...HELD_BACK, ...UNBOUND]);
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
  const args = names.flatMap((name) => [bareTarget(minio, `${round}/${name}`), `${log}/${name}`]);
  const { stdout } = await promisify(execFile)(process.execPath, [BARE_UPLOAD, "0", ...args]);
  return Number(stdout);
}

const BARE_UPLOAD = fileURLToPath(new URL("bare-upload.ts", import.meta.url));

function bareTarget({ credentials, endpoint, bucket }: BucketServer, name: string): string {
  const { accessKeyId: accessKey, secretAccessKey: secretKey } = credentials;
  const signer = { host: new URL(endpoint).host, accessKey, secretKey };
  return endpoint + presign(signer, "PUT", `/${bucket}/bare/${name}`);
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
    let pauseMs = 0;
    for (const kind of ["cold", "hot"] as const) {
      await using server = await startThermocline(data, [...flags, ...(kind === "cold" ? SMALL_CACHE : [])]);
      const targets = mixed(OBJECTS).map((at) => presign(server.signer, "GET", `/bench/obj/${at}`));
      const { host, pid } = server;
      const common = { host, pid, method: "GET", targets, connections: 16, scratch: directory.path };
      // Warms up; with a large cache it brings everything in.
      await load({ ...common, seconds: SECONDS * 4 });
      // A server with little to do pays more for each wake-up: hot reads come as fast as the cold ones did.
      const run = await load({ ...common, seconds: SECONDS, pauseMs });
      costs[kind].push(run.cpuUs);
      pauseMs = Math.round((common.connections / run.perSecond) * 1000);
    }
  }
  const extra = median(costs.cold) - median(costs.hot);
  return row("cold GET 4 KiB, uncached, 16 connections", {
    ours: `${median(costs.cold).toFixed(0)} µs`,
    control: `${median(costs.hot).toFixed(1)} µs hot, at the same rate`,
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

/**
 * The same writes on two servers, one of which uploads them all the while. The other one runs alone, and
 * beside a bare loop that puts as much into the same bucket: what MinIO takes of this machine is not what we
 * lose.
 */
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
    const runs = { tiered: [] as LoadResult[], beside: [] as LoadResult[], alone: [] as LoadResult[] };
    /** MiB a second, of each round. */
    const uploaded: number[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [name, server] of [
        ["tiered", tiered],
        ["beside", alone],
        ["alone", alone],
      ] as const) {
        const sentBefore = await sentMib(tiered);
        const startMs = performance.now();
        using _bare = name === "beside" ? bareBeside(minio, directory.path, uploaded.at(-1) ?? 0) : undefined;
        const run = await loadedBeside(server, method, directory.path);
        const seconds = (performance.now() - startMs) / 1000;
        if (name === "tiered") uploaded.push(((await sentMib(tiered)) - sentBefore) / seconds);
        if (round > 0) runs[name].push(run);
      }
    }
    const rateOf = (of: readonly LoadResult[]): number => median(of.map((run) => run.perSecond));
    const cpuUsOf = (of: readonly LoadResult[]): string => median(of.map(({ cpuUs }) => cpuUs)).toFixed(1);
    const ours = rateOf(runs.tiered);
    const beside = rateOf(runs.beside);
    const ratio = ours / beside;
    rows.push(
      row(`${method} 4 KiB hot while ${median(uploaded).toFixed(0)} MiB/s are uploaded`, {
        ours: perSecond(ours),
        control: `${perSecond(beside)} beside a bare loop, ${perSecond(rateOf(runs.alone))} alone`,
        ratio: ratio.toFixed(2),
        cpu: `${cpuUsOf(runs.tiered)}, ${cpuUsOf(runs.alone)} alone`,
        target: "> 0.90",
        met: ratio > 0.9,
      }),
    );
  }
  return rows;
}

const WRITTEN_PER_SECOND = 16;
const BARE_OBJECTS = 64;
const BARE_BYTES = 4 * MIB;

/** Of at least 0.1 MiB a second: 0 would be as fast as it can. */
function bareBeside(minio: BucketServer, scratch: string, mibPerSecond: number): Disposable {
  const path = `${scratch}/bare`;
  writeFileSync(path, Buffer.alloc(BARE_BYTES, 1));
  const args = Array.from({ length: BARE_OBJECTS }, (_, at) => [bareTarget(minio, `beside/${at}`), path]);
  const child = spawn(process.execPath, [BARE_UPLOAD, String(Math.max(0.1, mibPerSecond)), ...args.flat()], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  return { [Symbol.dispose]: () => void child.kill("SIGKILL") };
}

/** Since the server started. */
async function sentMib({ adminHost }: ServerProcess): Promise<number> {
  const page = await (await fetch(`http://${adminHost}/-/metrics`)).text();
  const counts = page.matchAll(/^thermocline_cold_bytes_total\{[^}]*direction="sent"\} (\S+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0) / MIB;
}

async function loadedBeside(
  server: ServerProcess,
  method: "GET" | "PUT",
  scratch: string,
): Promise<LoadResult> {
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
  return run;
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

/** Without the pages of LevelDB's files that are mapped: those the kernel takes back when it likes. */
async function residentMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}
