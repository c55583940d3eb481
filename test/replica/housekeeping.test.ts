/**
 * Promises of housekeeping, in virtual time: what nobody needs is gone after a while, what somebody reads is
 * not.
 */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import { BusyError } from "../../src/base/errors.ts";
import type { PutBody, PutObjectInput } from "../../src/service/api.ts";
import { settled } from "../store/manual-clock.ts";
import { newMachine, openNode, openNodeWithBucket } from "./node-world.ts";
import type { NodeWorld } from "./node-world.ts";

const MIB = 1024 * 1024;
const SECOND = 1000;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;
const none = { kind: "none" } as const;

/** Keys of rows under these prefixes, as LevelDB holds them. */
async function rowsLeft(world: NodeWorld, prefixes: readonly string[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const prefix of prefixes) {
    const iterator = await world.node.index.iterate({ from: prefix, to: `${prefix}\u{10ffff}` });
    for (const [key] of await iterator.next(10_000)) found.push(key);
    await iterator.close();
  }
  return found;
}
const BODY_ROWS = ["body/", "stage/", "reap/"];
const UPLOAD_ROWS = ["part/", "upload/", "uploads/", "reap/", "body/", "stage/"];

const liveBytes = (world: NodeWorld): number => world.service.status().liveBytes;

async function written(world: NodeWorld, size: number): Promise<PutBody> {
  const writer = world.service.objects.startBody();
  for (let at = 0; at < size; at += MIB) await writer.write(Buffer.alloc(Math.min(MIB, size - at), at / MIB));
  return { kind: "written", writer };
}

async function putLarge(world: NodeWorld, key: string, size: number): Promise<void> {
  const body = await written(world, size);
  await world.service.objects.put({
    bucket: "b",
    key,
    etag: "e",
    attributes: NO_ATTRIBUTES,
    body,
    condition: none,
  });
}

async function remove(world: NodeWorld, key: string): Promise<void> {
  await world.service.objects.delete({ bucket: "b", key, condition: none });
}

async function createUpload(world: NodeWorld, key = "k"): Promise<string> {
  const head = { bucket: "b", key, owner: "root", attributes: NO_ATTRIBUTES, checksum: undefined };
  const created = await world.service.uploads.create(head);
  if (created.kind !== "created") throw new Error(created.kind);
  return created.uploadId;
}

async function putPart(
  world: NodeWorld,
  uploadId: string,
  partNumber: number,
  size: number,
): Promise<string> {
  const body: PutBody =
    size > 64 * 1024 ? await written(world, size) : { kind: "bytes", bytes: Buffer.alloc(size, partNumber) };
  const etag = createHash("md5").update(String(partNumber)).digest("hex");
  await world.service.uploads.putPart({ uploadId, partNumber, etag, checksum: undefined, body });
  return etag;
}

describe("bodies", () => {
  test("of deleted and overwritten objects are gone after the grace, and no longer live", async () => {
    await using world = await openNodeWithBucket();
    await putLarge(world, "a", 3 * MIB);
    await putLarge(world, "b", 2 * MIB);
    expect(liveBytes(world)).toBe(5 * MIB);
    await remove(world, "a");
    await putLarge(world, "b", MIB);
    await world.clock.advance(SECOND / 2);
    expect(liveBytes(world)).toBe(6 * MIB);
    await world.clock.advance(3 * SECOND);
    expect(liveBytes(world)).toBe(MIB);
    expect(await rowsLeft(world, BODY_ROWS)).toHaveLength(1);
  });

  test("with more extents than one row holds are reaped page by page", async () => {
    await using world = await openNodeWithBucket();
    const writer = world.service.objects.startBody();
    for (let at = 0; at < 600; at++) await writer.write(Buffer.from(`${at}`.padStart(10, "0")));
    const body = { kind: "written" as const, writer };
    await world.service.objects.put({
      bucket: "b",
      key: "k",
      etag: "e",
      attributes: NO_ATTRIBUTES,
      body,
      condition: none,
    });
    expect(await rowsLeft(world, BODY_ROWS)).toHaveLength(3);
    await remove(world, "k");
    await world.clock.advance(15 * SECOND);
    expect(await rowsLeft(world, BODY_ROWS)).toEqual([]);
    expect(liveBytes(world)).toBe(0);
  });

  test("that somebody reads stay until the reader is done", async () => {
    await using world = await openNodeWithBucket();
    await putLarge(world, "k", 4 * MIB);
    const object = await world.service.objects.find("b/k");
    if (object === undefined) throw new Error("it is not there");
    const { signal } = new AbortController();
    const pieces = world.service.objects.read(object, { start: 0, end: object.size }, { signal });
    const reading = pieces[Symbol.asyncIterator]();
    await reading.next();
    await remove(world, "k");
    await world.clock.advance(60 * SECOND);
    const rest: number[] = [];
    for (let step = await reading.next(); step.done !== true; step = await reading.next()) {
      rest.push(step.value.length);
    }
    expect(rest).toEqual([MIB, MIB, MIB]);
    await world.clock.advance(5 * SECOND);
    expect(await rowsLeft(world, BODY_ROWS)).toEqual([]);
  });

  test("whose writer gave up, or whose put was refused, are gone", async () => {
    await using world = await openNodeWithBucket();
    const { objects } = world.service;
    const given = await written(world, 2 * MIB);
    if (given.kind === "written") given.writer.abort();
    const refused = await written(world, MIB);
    const head = { bucket: "absent", key: "k", etag: "e", attributes: NO_ATTRIBUTES, condition: none };
    expect(await objects.put({ ...head, body: refused })).toEqual({ kind: "noSuchBucket" });
    await settled();
    expect((await rowsLeft(world, ["stage/"])).length).toBe(0);
    await world.clock.advance(15 * SECOND);
    expect(await rowsLeft(world, BODY_ROWS)).toEqual([]);
    expect(liveBytes(world)).toBe(0);
  });

  test("of a group of puts are gone at once, those whose put was refused", async () => {
    await using world = await openNodeWithBucket();
    const { objects } = world.service;
    const put = async (bucket: string, key: string): Promise<PutObjectInput> => ({
      bucket,
      key,
      etag: "e",
      attributes: NO_ATTRIBUTES,
      body: await written(world, MIB),
      condition: none,
    });
    const inputs = [await put("b", "k1"), await put("absent", "k2"), await put("b", "k3")];
    expect((await objects.putMany(inputs)).map(({ kind }) => kind)).toEqual(["put", "noSuchBucket", "put"]);
    await settled();
    expect(await rowsLeft(world, ["stage/"])).toEqual([]);
    expect(await rowsLeft(world, ["reap/"])).toHaveLength(1);
    await world.clock.advance(15 * SECOND);
    expect(await rowsLeft(world, ["body/"])).toHaveLength(2);
    expect(liveBytes(world)).toBe(2 * MIB);
  });

  test("one of whose chunks failed are gone as soon as somebody puts them", async () => {
    await using world = await openNodeWithBucket(newMachine(), { pendingBytesMax: MIB });
    const { objects } = world.service;
    const head = { bucket: "b", key: "k", etag: "e", attributes: NO_ATTRIBUTES, condition: none };
    for (const group of [false, true]) {
      const writer = objects.startBody();
      await writer.write(Buffer.alloc(1000));
      await settled();
      expect(await rowsLeft(world, ["stage/"])).toHaveLength(1);
      const chunks = Array.from({ length: 3 }, () => writer.write(Buffer.alloc(MIB)));
      await Promise.allSettled(chunks);
      await writer.settled();
      const input = { ...head, body: { kind: "written", writer } } as const;
      const putting = group ? objects.putMany([input]) : objects.put(input);
      await expect(putting).rejects.toThrow(BusyError);
      await settled();
      expect(await rowsLeft(world, ["stage/"])).toEqual([]);
    }
    await world.clock.advance(15 * SECOND);
    expect(await rowsLeft(world, BODY_ROWS)).toEqual([]);
    expect(liveBytes(world)).toBe(0);
  });

  test("of a gateway that is gone are given up at the next start", async () => {
    const machine = newMachine();
    {
      await using world = await openNodeWithBucket(machine);
      await written(world, 2 * MIB);
      await settled();
      expect(await rowsLeft(world, ["stage/"])).toHaveLength(1);
    }
    await using world = await openNode(machine);
    await world.clock.advance(30 * SECOND);
    expect(await rowsLeft(world, BODY_ROWS)).toEqual([]);
    expect(liveBytes(world)).toBe(0);
  });

  test("of this gateway are given up after an hour without a chunk, and then cannot be named", async () => {
    await using world = await openNodeWithBucket();
    const body = await written(world, MIB);
    await world.clock.advance(58 * 60 * SECOND);
    expect(await rowsLeft(world, ["stage/"])).toHaveLength(1);
    await world.clock.advance(5 * 60 * SECOND);
    expect(await rowsLeft(world, BODY_ROWS)).toEqual([]);
    const put = { bucket: "b", key: "k", etag: "e", attributes: NO_ATTRIBUTES, body, condition: none };
    await expect(world.service.objects.put(put)).rejects.toThrow("given up");
    expect(await world.service.objects.find("b/k")).toBeUndefined();
  });
});

describe("uploads", () => {
  test("that were aborted lose their parts", async () => {
    await using world = await openNodeWithBucket();
    const uploadId = await createUpload(world);
    for (let part = 1; part <= 250; part++) await putPart(world, uploadId, part, part === 7 ? 2 * MIB : 1000);
    await world.service.uploads.abort({ bucket: "b", key: "k", uploadId });
    await world.clock.advance(30 * SECOND);
    expect(await rowsLeft(world, UPLOAD_ROWS)).toEqual([]);
    expect(liveBytes(world)).toBe(0);
  });

  test("keep the parts that Complete chose and lose the others; an overwrite takes the rest", async () => {
    await using world = await openNodeWithBucket();
    const uploadId = await createUpload(world);
    const etags: string[] = [];
    for (const part of [1, 2, 3]) etags.push(await putPart(world, uploadId, part, 5 * MIB));
    const parts = [1, 3].map((partNumber) => ({
      partNumber,
      etag: etags[partNumber - 1] as string,
      checksum: undefined,
    }));
    const done = await world.service.uploads.complete({
      bucket: "b",
      key: "k",
      uploadId,
      parts,
      condition: none,
      expectedChecksum: undefined,
      expectedSize: undefined,
    });
    expect(done).toMatchObject({ kind: "completed", size: 10 * MIB });
    expect(liveBytes(world)).toBe(15 * MIB);
    await world.clock.advance(30 * SECOND);
    expect(liveBytes(world)).toBe(10 * MIB);
    expect(await rowsLeft(world, ["part/"])).toEqual([`part/${uploadId}/00001`, `part/${uploadId}/00003`]);
    await remove(world, "k");
    await world.clock.advance(40 * SECOND);
    expect(await rowsLeft(world, UPLOAD_ROWS)).toEqual([]);
    expect(liveBytes(world)).toBe(0);
  });

  test("that nobody continues for a week are given up; a part keeps them for another one", async () => {
    await using world = await openNodeWithBucket();
    const idle = await createUpload(world, "idle");
    await putPart(world, idle, 1, 1000);
    const alive = await createUpload(world, "alive");
    await skip(world, 6 * DAY);
    await putPart(world, alive, 1, 1000);
    await skip(world, 2 * DAY);
    const page = await world.service.uploads.list({ bucket: "b", prefix: "", after: undefined, limit: 10 });
    expect(page?.uploads.map(({ key }) => key)).toEqual(["alive"]);
    await skip(world, 6 * DAY);
    expect(await rowsLeft(world, UPLOAD_ROWS)).toEqual([]);
  });

  test("of a bucket that was deleted meanwhile are given up too", async () => {
    await using world = await openNodeWithBucket();
    await putPart(world, await createUpload(world), 1, 1000);
    await world.service.buckets.delete("b");
    await world.service.buckets.create({ name: "b", owner: "root", location: "" });
    await skip(world, 8 * DAY);
    expect(await rowsLeft(world, UPLOAD_ROWS)).toEqual([]);
  });
});

/** A long time without living through every second of it. */
async function skip(world: NodeWorld, ms: number): Promise<void> {
  world.clock.advanceNow(ms);
  await world.clock.advance(90 * SECOND);
}
