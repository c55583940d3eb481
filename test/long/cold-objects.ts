/**
 * Small objects are written, cooled and freed, and read back in random order by a process that has never seen
 * them. MinIO counts the requests: their bodies go there in a few PUTs, and none is asked for more than once.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdir, stat } from "node:fs/promises";
import { Agent, request } from "node:http";
import type { IncomingMessage } from "node:http";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { S3ColdStore } from "../../src/adapters/s3-cold-store.ts";
import { systemClock } from "../../src/adapters/system-clock.ts";
import { systemRandom } from "../../src/adapters/system-random.ts";
import { presign } from "../bench/presign.ts";
import { call, operate, startThermocline } from "../bench/server-process.ts";
import type { ServerProcess } from "../bench/server-process.ts";
import { coldFlags } from "../support/cold-flags.ts";
import { minioProgram } from "../support/minio-program.ts";
import { requestsSeen, startMinio } from "../support/minio-server.ts";
import type { BucketServer } from "../support/minio-server.ts";
import { temporaryDirectory } from "../support/open-store.ts";

const BODY_BYTES = 4096;
const AT_ONCE = 32;
const BODY_PUTS_MAX = 20;
/** Nothing that was read is read again out of memory. */
const CACHE = ["--cache-bytes", "1MiB"];
/** Nor does a segment come back because it is read much. */
const STAYS_COLD = ["--hot-bytes-max", "1MiB"];

export type ColdObjectsResult = {
  readonly objects: number;
  readonly failures: readonly string[];
  readonly putsOfAll: number;
  readonly putsOfSegments: number;
  readonly getsWhileReading: number;
  readonly logBytesLeft: number;
  readonly cost: unknown;
};

export async function runColdObjects(options: {
  readonly seed: string;
  readonly objects: number;
}): Promise<ColdObjectsResult> {
  const { seed, objects } = options;
  await using minio = await startMinio(minioProgram());
  await using directory = await temporaryDirectory();
  const data = `${directory.path}/data`;
  const flags = [...coldFlags(minio), ...CACHE];
  const failures: string[] = [];
  let cost: unknown;
  {
    await using server = await startThermocline(data, flags);
    await call(server, "PUT", "/bucket");
    await writeAll(server, { seed, objects });
    await operate(server, ["tier", "offload", "--all"]);
    cost = JSON.parse(await operate(server, ["cost", "-o", "json"]));
  }
  const written = await requestsSeen(minio);
  const putsOfAll = written.get("PutObject") ?? 0;
  const putsOfSegments = await countSegments(minio);
  if (putsOfAll > BODY_PUTS_MAX) failures.push(`${putsOfAll} PUTs for the bodies of ${objects} objects`);
  const logBytesLeft = await bytesIn(`${data}/log`);
  if (logBytesLeft > BODY_BYTES * objects * 0.1) failures.push(`${logBytesLeft} bytes stayed on the disk`);
  const before = (await requestsSeen(minio)).get("GetObject") ?? 0;
  {
    await using server = await startThermocline(data, [...flags, ...STAYS_COLD]);
    failures.push(...(await readAll(server, { seed, objects })));
  }
  const getsWhileReading = ((await requestsSeen(minio)).get("GetObject") ?? 0) - before;
  if (getsWhileReading > objects) failures.push(`${getsWhileReading} GETs for ${objects} objects`);
  // Neighbours share one now and then.
  if (getsWhileReading < objects / 2) failures.push(`${getsWhileReading} GETs: not all was read from there`);
  return { objects, failures, putsOfAll, putsOfSegments, getsWhileReading, logBytesLeft, cost };
}

function pathOf(at: number): string {
  return `/bucket/object/${at}`;
}

/** By plain requests: the less the client costs, the sooner it is done, and the fewer tails there are. */
async function writeAll(
  { host, signer }: ServerProcess,
  { seed, objects }: { readonly seed: string; readonly objects: number },
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  await inParallel(objects, async (at) => {
    const path = presign(signer, "PUT", pathOf(at));
    const sent = request(`http://${host}${path}`, {
      method: "PUT",
      agent,
      headers: { "content-length": BODY_BYTES },
    });
    sent.end(bodyOf(seed, at));
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    response.resume();
    await once(response, "end");
    if (response.statusCode !== 200) throw new Error(`${pathOf(at)} was answered ${response.statusCode}`);
  });
  agent.destroy();
}

/** Bytes that nothing makes smaller. */
function bodyOf(seed: string, at: number): Buffer {
  return createHash("shake256", { outputLength: BODY_BYTES }).update(`${seed}/${at}`).digest();
}

async function readAll(
  server: ServerProcess,
  { seed, objects }: { readonly seed: string; readonly objects: number },
): Promise<readonly string[]> {
  const order = shuffled(seed, objects);
  const wrong: string[] = [];
  await inParallel(objects, async (turn) => {
    const at = order[turn] as number;
    const response = await call(server, "GET", pathOf(at));
    const body = Buffer.from(await response.arrayBuffer());
    if (!body.equals(bodyOf(seed, at))) wrong.push(`${pathOf(at)} came back wrong`);
  });
  return wrong;
}

/** Each number below `count` once, in an order that the seed decides. */
function shuffled(seed: string, count: number): readonly number[] {
  const keyed = Array.from({ length: count }, (_, at) => {
    return { at, key: createHash("sha1").update(`order/${seed}/${at}`).digest("hex") };
  });
  return keyed.toSorted((one, other) => (one.key < other.key ? -1 : 1)).map(({ at }) => at);
}

async function inParallel(count: number, work: (at: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function bytesIn(directory: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(directory)) bytes += (await stat(`${directory}/${name}`)).size;
  return bytes;
}

async function countSegments({ endpoint, credentials, bucket }: BucketServer): Promise<number> {
  const ports = { disk: new NodeDisk(), clock: systemClock, random: systemRandom };
  const store = new S3ColdStore({ bucket, prefix: "tier", endpoint, credentials, poolSize: 2, ...ports });
  let count = 0;
  for await (const { key } of store.list("")) if (/\/(segments|packed)\//.test(key)) count++;
  await store.close();
  return count;
}
