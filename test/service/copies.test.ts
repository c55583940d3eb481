/**
 * Copies, copied parts, renames: what they hold, what they leave alone, and that every reference is
 * counted.
 */
import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { FoundObject } from "../../src/service/api.ts";
import type { CopyPlan } from "../../src/service/copy-api.ts";
import type { StoreService } from "../../src/service/store-service.ts";
import { checksumOf } from "../../src/s3/checksums.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { Attributes } from "../../src/state/attributes.ts";
import type { WriteCondition } from "../../src/state/command.ts";
import { checkRows } from "../crash/check-rows.ts";
import {
  KIB,
  MIB,
  bytesOf,
  completeInput,
  createUpload,
  find,
  md5,
  openService,
  put,
  putPart,
  remove,
  textOf,
} from "./service-world.ts";

const PLAN: CopyPlan = { attributes: NO_ATTRIBUTES, tags: undefined, checksum: undefined };
const NONE: WriteCondition = { kind: "none" };
const LARGE = randomBytes(3 * MIB + 17);

async function copy(
  service: StoreService,
  from: string,
  to: string,
  changes: { readonly plan?: CopyPlan; readonly condition?: WriteCondition; readonly bucket?: string } = {},
) {
  const { plan = PLAN, condition = NONE, bucket = "b" } = changes;
  const [source, target] = [
    { bucket: "b", key: from },
    { bucket, key: to },
  ];
  return await service.copies.copy({ source, target, condition, look: () => plan });
}

async function rename(service: StoreService, sourceKey: string, key: string, condition = NONE) {
  const outcome = await service.copies.rename({
    bucket: "b",
    sourceKey,
    key,
    condition,
    look: () => undefined,
  });
  return outcome.kind;
}

async function copyPart(
  service: StoreService,
  part: { readonly uploadId: string; readonly partNumber: number },
  from: string,
  range: { readonly start: number; readonly end: number },
) {
  const source = { bucket: "b", key: from };
  const copied = await service.copies.copyPart({ source, ...part, checksum: undefined, look: () => range });
  if (copied.kind !== "copied") throw new Error(copied.kind);
  return { partNumber: part.partNumber, etag: copied.etag, checksum: undefined };
}

async function there(service: StoreService, key: string): Promise<FoundObject> {
  const object = await find(service, key);
  if (object === undefined) throw new Error(`no ${key}`);
  return object;
}

async function content(service: StoreService, key: string, bucket = "b"): Promise<Buffer> {
  const object = await find(service, key, bucket);
  if (object === undefined) throw new Error(`no ${key}`);
  return await bytesOf(service, object);
}

async function rangesOf(service: StoreService, key: string, wanted: Buffer): Promise<void> {
  const object = await find(service, key);
  if (object === undefined) throw new Error(`no ${key}`);
  const { signal } = new AbortController();
  for (let round = 0; round < 30; round++) {
    const start = Math.floor((wanted.length * round) / 30);
    const end = Math.min(wanted.length, start + 1 + ((round * 99_991) % (2 * MIB)));
    const pieces: Uint8Array[] = [];
    for await (const piece of service.objects.read(object, { start, end }, { signal })) pieces.push(piece);
    expect(Buffer.concat(pieces).equals(wanted.subarray(start, end)), `${start}-${end}`).toBe(true);
  }
}

describe("a copy", () => {
  test.each([
    ["empty", Buffer.alloc(0)],
    ["tiny", Buffer.from("tiny")],
    ["small", randomBytes(64 * KIB)],
    ["large", LARGE],
  ])("of a body that is %s outlives its source, also after a reopen", async (_, bytes) => {
    await using world = await openService();
    await put(world.service, "from", bytes);
    const outcome = await copy(world.service, "from", "to");
    expect(outcome).toMatchObject({ kind: "copied", etag: md5(bytes) });
    await put(world.service, "from", "something else");
    expect((await content(world.service, "to")).equals(bytes)).toBe(true);
    const service = await world.reopen();
    expect((await content(service, "to")).equals(bytes)).toBe(true);
    expect(await checkRows(world.store().node)).toEqual([]);
  });

  test("of a large body writes no byte of it again", async () => {
    await using world = await openService();
    const { service } = world;
    await put(service, "from", LARGE);
    const before = service.status().logBytes;
    for (let number = 0; number < 5; number++) await copy(service, "from", `to${number}`);
    expect(service.status().logBytes - before).toBeLessThan(10 * KIB);
    expect(service.status().liveBytes).toBe(LARGE.length);
    for (const key of ["from", "to0", "to1", "to2", "to3"]) await remove(service, key);
    expect((await content(service, "to4")).equals(LARGE)).toBe(true);
    expect(await checkRows(world.store().node)).toEqual([]);
  });

  test("onto itself has the new attributes and the old bytes", async () => {
    await using world = await openService();
    const attributes: Attributes = { ...NO_ATTRIBUTES, metadata: [["m", "new"]] };
    for (const [key, bytes] of [
      ["small", Buffer.from("small")],
      ["large", LARGE],
    ] as const) {
      await put(world.service, key, bytes);
      await copy(world.service, key, key, { plan: { ...PLAN, attributes } });
      expect((await find(world.service, key))?.attributes.metadata).toEqual([["m", "new"]]);
      expect((await content(world.service, key)).equals(bytes)).toBe(true);
    }
    expect(await checkRows(world.store().node)).toEqual([]);
  });

  test("is of the source as it is when the copy happens", async () => {
    await using world = await openService();
    const { service } = world;
    await put(service, "from", "first");
    let looks = 0;
    let overwritten: Promise<unknown> = Promise.resolve();
    const look = (): CopyPlan => {
      // The source changes between the look and the proposal, once.
      if (looks++ === 0) overwritten = put(service, "from", "second");
      return PLAN;
    };
    const [source, target] = [
      { bucket: "b", key: "from" },
      { bucket: "b", key: "to" },
    ];
    expect(await service.copies.copy({ source, target, condition: NONE, look })).toMatchObject({
      kind: "copied",
      etag: md5(Buffer.from("second")),
    });
    await overwritten;
    expect(looks).toBe(2);
    expect(await textOf(service, "to")).toBe("second");
  });

  test("has the checksum that was asked for, or that of its source", async () => {
    await using world = await openService();
    const { service } = world;
    const crc = {
      algorithm: "CRC32",
      type: "FULL_OBJECT",
      value: checksumOf("CRC32", LARGE).toString("base64"),
    };
    const attributes = { ...NO_ATTRIBUTES, checksum: crc } as Attributes;
    await put(service, "from", LARGE, { attributes });
    expect(await copy(service, "from", "same")).toMatchObject({ checksum: crc });
    const plan: CopyPlan = { ...PLAN, checksum: "SHA256" };
    const value = checksumOf("SHA256", LARGE).toString("base64");
    expect(await copy(service, "from", "other", { plan })).toMatchObject({
      checksum: { algorithm: "SHA256", type: "FULL_OBJECT", value },
    });
    expect((await find(service, "other"))?.attributes.checksum?.value).toBe(value);
  });

  test("of nothing, into nothing or against its condition is refused", async () => {
    await using world = await openService();
    const { service } = world;
    await put(service, "from", LARGE);
    await put(service, "there", "kept");
    expect((await copy(service, "absent", "to")).kind).toBe("noSuchSource");
    expect((await copy(service, "from", "to", { bucket: "absent" })).kind).toBe("noSuchBucket");
    expect((await copy(service, "from", "there", { condition: { kind: "absent" } })).kind).toBe(
      "preconditionFailed",
    );
    const etag = { kind: "etag", etag: "no" } as const;
    expect((await copy(service, "from", "there", { condition: etag })).kind).toBe("preconditionFailed");
    expect((await copy(service, "from", "new", { condition: etag })).kind).toBe("noSuchKey");
    expect(await textOf(service, "there")).toBe("kept");
    expect(await checkRows(world.store().node)).toEqual([]);
  });
});

describe("a copied part", () => {
  test("is a stretch of any body, read whole and in ranges, also after its source went", async () => {
    await using world = await openService();
    const { service } = world;
    const source = randomBytes(11 * MIB + 3);
    await put(service, "source", source);
    const uploadId = await createUpload(service, "first");
    const parts = [
      await copyPart(service, { uploadId, partNumber: 1 }, "source", { start: 5, end: 6 * MIB }),
      await copyPart(service, { uploadId, partNumber: 2 }, "source", { start: 0, end: source.length }),
      await copyPart(service, { uploadId, partNumber: 3 }, "source", { start: 7, end: 40 * KIB }),
    ];
    await service.uploads.complete(completeInput("first", uploadId, parts));
    const first = Buffer.concat([source.subarray(5, 6 * MIB), source, source.subarray(7, 40 * KIB)]);
    await remove(service, "source");
    await rangesOf(service, "first", first);
    // Parts of an object of parts.
    const again = await createUpload(service, "second");
    const nested = [
      await copyPart(service, { uploadId: again, partNumber: 1 }, "first", { start: MIB, end: 9 * MIB }),
      await copyPart(service, { uploadId: again, partNumber: 2 }, "first", { start: 0, end: first.length }),
    ];
    await service.uploads.complete(completeInput("second", again, nested));
    await remove(service, "first");
    const second = Buffer.concat([first.subarray(MIB, 9 * MIB), first]);
    await rangesOf(service, "second", second);
    expect(await checkRows(world.store().node)).toEqual([]);
    await rangesOf(await world.reopen(), "second", second);
  });

  test("that would be nested too deep is written once more, and is as right as the others", async () => {
    await using world = await openService();
    const { service } = world;
    const bytes = randomBytes(200 * KIB);
    await put(service, "0", bytes);
    for (let level = 1; level <= 12; level++) {
      const uploadId = await createUpload(service, String(level));
      const range = { start: 0, end: bytes.length };
      const part = await copyPart(service, { uploadId, partNumber: 1 }, String(level - 1), range);
      await service.uploads.complete(completeInput(String(level), uploadId, [part]));
    }
    expect((await content(service, "12")).equals(bytes)).toBe(true);
    expect(service.status().liveBytes).toBe(2 * bytes.length);
    expect(await checkRows(world.store().node)).toEqual([]);
  });

  test("has the checksum that the upload wants, computed from its bytes", async () => {
    await using world = await openService();
    const { service } = world;
    await put(service, "source", LARGE);
    const checksum = { algorithm: "CRC32C", type: "FULL_OBJECT" } as const;
    const uploadId = await createUpload(service, "o", { checksum });
    const source = { bucket: "b", key: "source" };
    const look = () => ({ start: 1, end: LARGE.length });
    const target = { uploadId, partNumber: 1, checksum: checksum.algorithm };
    const copied = await service.copies.copyPart({ source, ...target, look });
    if (copied.kind !== "copied") throw new Error(copied.kind);
    expect(copied.etag).toBe(md5(LARGE.subarray(1)));
    const value = checksumOf("CRC32C", LARGE.subarray(1)).toString("base64");
    expect(copied.checksum).toEqual({ ...checksum, value });
    const part = { partNumber: 1, etag: copied.etag, checksum: undefined };
    const completed = await service.uploads.complete(completeInput("o", uploadId, [part]));
    expect(completed).toMatchObject({ checksum: { ...checksum, value } });
  });

  test("goes when another part takes its number, and with an aborted upload", async () => {
    await using world = await openService();
    const { service } = world;
    await put(service, "source", LARGE);
    const uploadId = await createUpload(service, "o");
    await copyPart(service, { uploadId, partNumber: 1 }, "source", { start: 0, end: MIB });
    await putPart(service, uploadId, 1, Buffer.from("instead"));
    await copyPart(service, { uploadId, partNumber: 2 }, "source", { start: 0, end: MIB });
    expect(await checkRows(world.store().node)).toEqual([]);
    await service.uploads.abort({ bucket: "b", key: "o", uploadId });
    expect(await checkRows(world.store().node)).toEqual([]);
    expect((await content(service, "source")).equals(LARGE)).toBe(true);
    const [source, look] = [{ bucket: "b", key: "source" }, () => ({ start: 0, end: MIB })];
    const late = { source, uploadId, partNumber: 3, checksum: undefined, look };
    expect((await service.copies.copyPart(late)).kind).toBe("noSuchUpload");
  });
});

describe("a renamed object", () => {
  test.each([
    ["small", Buffer.from("small")],
    ["large", LARGE],
  ])("of a body that is %s stands under its new key only, with all it had", async (_, bytes) => {
    await using world = await openService();
    const { service } = world;
    const attributes: Attributes = { ...NO_ATTRIBUTES, metadata: [["m", "x".repeat(400)]] };
    await put(service, "old", bytes, { attributes });
    await put(service, "there", "replaced");
    await service.details.putTags({ bucket: "b", key: "old" }, await there(service, "old"), [["t", "1"]]);
    const before = await find(service, "old");
    expect(await rename(service, "old", "there")).toBe("renamed");
    expect(await find(service, "old")).toBeUndefined();
    const after = await find(service, "there");
    expect([after?.modifiedMs, after?.etag, after?.attributes]).toEqual([
      before?.modifiedMs,
      before?.etag,
      before?.attributes,
    ]);
    const { tags } = await service.details.tags(() => there(service, "there"));
    expect(tags).toEqual([["t", "1"]]);
    expect((await content(service, "there")).equals(bytes)).toBe(true);
    expect(await checkRows(world.store().node)).toEqual([]);
    expect((await content(await world.reopen(), "there")).equals(bytes)).toBe(true);
  });

  test("is there under exactly one key, for whoever looks meanwhile", async () => {
    await using world = await openService();
    const { service } = world;
    await put(service, "a", "moving");
    for (let round = 0; round < 50; round++) {
      const [from, to] = round % 2 === 0 ? (["a", "b"] as const) : (["b", "a"] as const);
      const moved = rename(service, from, to);
      const cursor = await service.objects.list({ bucket: "b", prefix: "", from: "" });
      expect((await cursor?.next(10))?.length).toBe(1);
      await cursor?.close();
      expect(await moved).toBe("renamed");
    }
  });

  test("is refused without a source, without a bucket, and where its condition does not hold", async () => {
    await using world = await openService();
    const { service } = world;
    await put(service, "old", "1");
    await put(service, "there", "2");
    expect(await rename(service, "absent", "new")).toBe("noSuchSource");
    expect(await rename(service, "old", "there", { kind: "absent" })).toBe("preconditionFailed");
    expect(await rename(service, "old", "new", { kind: "etag", etag: "*" })).toBe("noSuchKey");
    expect([await textOf(service, "old"), await textOf(service, "there")]).toEqual(["1", "2"]);
  });
});

test("of 20 creators that race (put, Complete, copy) one wins, over restarts too", async () => {
  await using world = await openService();
  let { service } = world;
  await put(service, "from", LARGE);
  await put(service, "from-small", "small");
  const absent = { kind: "absent" } as const;
  for (let round = 0; round < 5; round++) {
    const key = `won-${round}`;
    const uploads = await Promise.all(
      Array.from({ length: 7 }, async (_, number) => {
        const uploadId = await createUpload(service, key);
        const part = await putPart(service, uploadId, 1, Buffer.from(`upload ${number}`));
        return completeInput(key, uploadId, [part], { condition: absent });
      }),
    );
    const outcomes = await Promise.all([
      ...uploads.map((input) => service.uploads.complete(input)),
      ...Array.from({ length: 7 }, (_, number) => put(service, key, `put ${number}`, { condition: absent })),
      ...Array.from({ length: 6 }, (_, number) =>
        copy(service, number % 2 === 0 ? "from" : "from-small", key, { condition: absent }),
      ),
    ]);
    const winners = outcomes.filter(({ kind }) => kind !== "preconditionFailed");
    expect(winners).toHaveLength(1);
    const etag = (await find(service, key))?.etag;
    expect(winners[0]).toMatchObject({ etag });
    service = await world.reopen();
    expect((await find(service, key))?.etag).toBe(etag);
    expect(await copy(service, "from", key, { condition: absent })).toEqual({ kind: "preconditionFailed" });
  }
  expect(await checkRows(world.store().node)).toEqual([]);
});
