/**
 * Objects of every kind settle into the real MinIO and leave the disk; a process that has never seen them
 * reads every byte back. What it cost, MinIO's own counters tell.
 */
import { createHash } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutBucketVersioningCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import { SimRandom } from "../sim/sim-random.ts";
import { coldFlags } from "../support/cold-flags.ts";
import { temporaryDirectory } from "../support/open-store.ts";
import { openClient } from "./bucket-client.ts";
import { describeBucket } from "./describe-bucket.ts";
import { startMinioContainer } from "./minio-container.ts";
import type { MinioContainer } from "./minio-container.ts";
import { inParallel, startTierServer } from "./tier-server.ts";
import type { TierServer } from "./tier-server.ts";

const OBJECTS = 10_000;
const OBJECT_BYTES = 4096;
const KEYS_WITH_VERSIONS = 60;
const PART_BYTES = 5 * 1024 * 1024;
/** One segment each time that everything is asked for, what restores it, and a few tails on a slow day. */
const PUTS_MAX = 20;
/** One GET brings that much of a large object at least: a chunk, as it was written. */
const CHUNK_BYTES = 1024 * 1024;

/** Nothing that was read is read again out of memory. */
const FLAGS = ["--cache-bytes", "1MiB", "--recovery-point", "60s"];
/** Nor does a segment come back because it is read much. */
const STAYS_COLD = ["--hot-bytes-max", "1MiB"];

function bodyOf(name: string, bytes = OBJECT_BYTES): Buffer<ArrayBuffer> {
  const body = createHash("shake256", { outputLength: bytes }).update(name).digest();
  return Buffer.from(body);
}

async function writeSmall({ call, s3 }: TierServer): Promise<void> {
  await s3.send(new CreateBucketCommand({ Bucket: "small" }));
  await inParallel(OBJECTS, async (at) => {
    const answer = await call("PUT", `/small/${at}`, { body: bodyOf(`small ${at}`) });
    expect(answer.status, await answer.text()).toBe(200);
  });
}

async function writeVersions({ s3 }: TierServer): Promise<void> {
  const Bucket = "versions";
  await s3.send(new CreateBucketCommand({ Bucket }));
  const VersioningConfiguration = { Status: "Enabled" } as const;
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  await inParallel(KEYS_WITH_VERSIONS, async (at) => {
    const Key = `v/${at}`;
    const more = { Tagging: `at=${at}`, Metadata: { name: `n${at}` }, StorageClass: "STANDARD_IA" } as const;
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: bodyOf(`first ${at}`) }));
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: bodyOf(`second ${at}`), ...more }));
  });
  for (let at = 0; at < 5; at++) await s3.send(new PutObjectCommand({ Bucket, Key: `empty/${at}` }));
}

async function writeLarge({ s3 }: TierServer): Promise<Buffer> {
  const at = { Bucket: "small", Key: "large" };
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand(at));
  const bodies = [bodyOf("part 1", PART_BYTES), bodyOf("part 2", PART_BYTES), bodyOf("part 3", 70_001)];
  const Parts = [];
  for (const [index, Body] of bodies.entries()) {
    const PartNumber = index + 1;
    const { ETag } = await s3.send(new UploadPartCommand({ ...at, UploadId, PartNumber, Body }));
    Parts.push({ PartNumber, ETag });
  }
  await s3.send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts } }));
  return Buffer.concat(bodies);
}

async function bytesIn(directory: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(directory)) bytes += (await stat(`${directory}/${name}`)).size;
  return bytes;
}

/** After the tier of a fresh process has looked what the bucket holds. */
async function untilSettled({ status }: TierServer): Promise<void> {
  await expect
    .poll(async () => (await status()).tier.restorePointIndex, { timeout: 20_000 })
    .toBeGreaterThan(0);
}

/** Counted now and then, so it may lag. */
async function tallyOf({ status }: TierServer): Promise<unknown> {
  const { state, coldSegments: cold, coldOnlySegments: coldOnly } = (await status()).tier;
  return { state, cold, coldOnly };
}

async function getsDuring(minio: MinioContainer, work: () => Promise<unknown>): Promise<number> {
  const before = (await minio.requests())["GetObject"] ?? 0;
  await work();
  return ((await minio.requests())["GetObject"] ?? 0) - before;
}

async function tierOf(server: TierServer, path: string, method = "HEAD"): Promise<string | null> {
  const answer = await server.call(method, path);
  await answer.arrayBuffer();
  expect(answer.status).toBe(200);
  return answer.headers.get("x-thermocline-tier");
}

async function mustOperate({ operate }: TierServer, ...args: readonly string[]): Promise<void> {
  const { code, err, out } = await operate(...args);
  expect(code, `${err}${out.toString()}`).toBe(0);
}

test("ten thousand objects settle in a few PUTs, and come back right by at most a GET each", async () => {
  await using minio = await startMinioContainer();
  await using directory = await temporaryDirectory();
  const data = `${directory.path}/data`;
  const flags = [...coldFlags(minio), ...FLAGS];
  let large: Buffer;
  let before: Awaited<ReturnType<typeof describeBucket>>;
  {
    await using server = await startTierServer(data, flags);
    await writeSmall(server);
    await mustOperate(server, "tier", "offload", "--all");
    await writeVersions(server);
    large = await writeLarge(server);
    expect(await tierOf(server, "/versions/v/1")).toBe("hot");
    expect(await tierOf(server, "/small/large", "GET")).toBe("hot");
    before = await describeBucket(server, "versions");
    await mustOperate(server, "tier", "offload", "--all");
    await expect
      .poll(() => tallyOf(server), { timeout: 15_000 })
      .toEqual({ state: "ok", cold: 2, coldOnly: 2 });
  }
  expect((await minio.requests())["PutObject"]).toBeLessThanOrEqual(PUTS_MAX);
  expect(await bytesIn(`${data}/log`)).toBeLessThan(64 * 1024);

  {
    await using server = await startTierServer(data, [...flags, ...STAYS_COLD]);
    await untilSettled(server);
    await showsWhereThingsAre(minio, server);
    await readsEachOnce(minio, server);
    const getsOfLarge = await getsDuring(minio, async () => {
      const body = Buffer.from(await (await server.call("GET", "/small/large")).arrayBuffer());
      expect(body.equals(large)).toBe(true);
    });
    expect(getsOfLarge).toBeLessThanOrEqual(Math.ceil(large.length / CHUNK_BYTES));
  }
  await using server = await startTierServer(data, flags);
  await untilSettled(server);
  expect(await describeBucket(server, "versions")).toEqual(before);
  await mustOperate(server, "tier", "recall", "versions/v/1");
  expect(await tierOf(server, "/versions/v/1")).toBe("hot");
});

/** In an order that the store has never seen. */
async function readsEachOnce(minio: MinioContainer, server: TierServer): Promise<void> {
  const order = new SimRandom("order");
  const keys = Array.from({ length: OBJECTS }, (_, at) => [order.word(), at] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, at]) => at);
  const wrong: number[] = [];
  const gets = await getsDuring(minio, async () => {
    await inParallel(OBJECTS, async (turn) => {
      const at = keys[turn] as number;
      const answer = await server.call("GET", `/small/${at}`);
      const body = Buffer.from(await answer.arrayBuffer());
      if (!answer.ok || !body.equals(bodyOf(`small ${at}`))) wrong.push(at);
    });
  });
  expect(wrong).toEqual([]);
  // Neighbours share one now and then.
  expect(gets).toBeGreaterThan(OBJECTS / 2);
  expect(gets).toBeLessThanOrEqual(OBJECTS);
}

/** HEAD, LIST and tags ask the bucket for nothing, and show the class that the client chose. */
async function showsWhereThingsAre(minio: MinioContainer, server: TierServer): Promise<void> {
  const { s3 } = server;
  const gets = await getsDuring(minio, async () => {
    expect(await tierOf(server, "/small/7")).toBe("cold");
    expect(await tierOf(server, "/small/large")).toBe("cold");
    expect(await tierOf(server, "/versions/empty/1")).toBe("hot");
    const plain = await s3.send(new HeadObjectCommand({ Bucket: "small", Key: "large" }));
    expect([plain.StorageClass, plain.Restore]).toEqual([undefined, undefined]);
    const chosen = await s3.send(new HeadObjectCommand({ Bucket: "versions", Key: "v/1" }));
    expect([chosen.StorageClass, chosen.Restore]).toEqual(["STANDARD_IA", undefined]);
    const classesIn = async (Bucket: string): Promise<ReadonlySet<string | undefined>> => {
      const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket }));
      return new Set(Contents.map(({ StorageClass }) => StorageClass));
    };
    expect(await classesIn("small")).toEqual(new Set(["STANDARD"]));
    expect(await classesIn("versions")).toEqual(new Set(["STANDARD", "STANDARD_IA"]));
  });
  expect(gets).toBe(0);
  expect(await tierOf(server, "/small/11", "GET")).toBe("cold");
  // The bucket itself holds segments, and nothing with a client's key.
  using client = openClient(minio);
  const { Contents = [] } = await client.s3.send(new ListObjectsV2Command({ Bucket: "cold" }));
  expect(Contents.length).toBeGreaterThan(3);
  expect(Contents.filter(({ Key = "" }) => !Key.startsWith("tier/"))).toEqual([]);
}
