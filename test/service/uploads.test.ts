/**
 * Promises of multipart uploads: parts are kept, listed, replaced, given up; the object is what was chosen.
 */
import { describe, expect, test } from "vitest";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { Attributes } from "../../src/state/attributes.ts";
import { patternBytes } from "../segment/records.ts";
import {
  MIB,
  bytesOf,
  completeInput,
  createUpload,
  find,
  listAll,
  md5,
  openService,
  put,
  putPart,
  remove,
} from "./service-world.ts";

const target = (key: string, uploadId: string) => ({ bucket: "b", key, uploadId });

describe("an open upload", () => {
  test("is found by exactly its bucket, key and id, also after a reopen", async () => {
    await using world = await openService();
    const attributes: Attributes = { ...NO_ATTRIBUTES, headers: [["content-type", "image/png"]] };
    const checksum = { algorithm: "CRC32", type: "COMPOSITE" } as const;
    const uploadId = await createUpload(world.service, "k", { attributes, checksum });
    expect(uploadId).toMatch(/^[0-9a-f]{32}$/);
    for (const open of [async () => world.service, world.reopen]) {
      const { uploads } = await open();
      expect(await uploads.find(target("k", uploadId))).toMatchObject({
        key: "k",
        owner: "root",
        attributes,
        checksum,
      });
      expect(await uploads.find(target("other", uploadId))).toBeUndefined();
      expect(await uploads.find({ ...target("k", uploadId), bucket: "absent" })).toBeUndefined();
      expect(await uploads.find(target("k", "0".repeat(32)))).toBeUndefined();
    }
  });

  test("cannot be made in a bucket that is not there", async () => {
    await using world = await openService();
    const head = { bucket: "absent", key: "k", owner: "o", attributes: NO_ATTRIBUTES, checksum: undefined };
    expect(await world.service.uploads.create(head)).toEqual({ kind: "noSuchBucket" });
  });

  test("is no object and hides none", async () => {
    await using world = await openService();
    const { service } = world;
    await put(service, "k", "old");
    const uploadId = await createUpload(service, "k");
    await putPart(service, uploadId, 1, patternBytes(5 * MIB));
    expect((await listAll(service)).map(({ key, size }) => [key, size])).toEqual([["k", 3]]);
    await service.uploads.abort(target("k", uploadId));
    expect((await find(service, "k"))?.size).toBe(3);
  });
});

describe("parts", () => {
  test("are listed in order of their numbers, in pages, the last version of each", async () => {
    await using world = await openService();
    const { service } = world;
    const uploadId = await createUpload(service, "k");
    const checksum = { algorithm: "CRC32C", type: "FULL_OBJECT", value: "yZRlqg==" } as const;
    for (const partNumber of [10_000, 2, 1, 300, 2]) {
      await putPart(service, uploadId, partNumber, patternBytes(partNumber, partNumber), checksum);
    }
    await putPart(service, uploadId, 2, patternBytes(77));
    const list = async (after: number, limit: number): Promise<readonly [string, boolean]> => {
      const page = await service.uploads.listParts({ uploadId, after, limit });
      return [page.parts.map(({ partNumber, size }) => `${partNumber}:${size}`).join(" "), page.truncated];
    };
    expect(await list(0, 100)).toEqual(["1:1 2:77 300:300 10000:10000", false]);
    expect(await list(0, 2)).toEqual(["1:1 2:77", true]);
    expect(await list(2, 2)).toEqual(["300:300 10000:10000", false]);
    expect(await list(10_000, 2)).toEqual(["", false]);
    expect(await list(99_999, 2)).toEqual(["", false]);
    expect(await list(0, 0)).toEqual(["", true]);
    const [first] = (await service.uploads.listParts({ uploadId, after: 0, limit: 1 })).parts;
    const named = { algorithm: checksum.algorithm, value: checksum.value };
    expect(first).toMatchObject({ etag: md5(patternBytes(1, 1)), checksum: named });
  });

  test("of an upload that is not open are refused, and their bytes given up", async () => {
    await using world = await openService();
    const { service } = world;
    const body = { kind: "bytes", bytes: Buffer.from("x") } as const;
    const part = { partNumber: 1, etag: md5(body.bytes), checksum: undefined, body };
    expect(await service.uploads.putPart({ uploadId: "0".repeat(32), ...part })).toEqual({
      kind: "noSuchUpload",
    });
    const uploadId = await createUpload(service, "k");
    await service.uploads.abort(target("k", uploadId));
    expect(await service.uploads.putPart({ uploadId, ...part })).toEqual({ kind: "noSuchUpload" });
  });
});

describe("an aborted upload", () => {
  test("is gone at once, and a second abort says so", async () => {
    await using world = await openService();
    const { uploads } = world.service;
    const uploadId = await createUpload(world.service, "k");
    await putPart(world.service, uploadId, 1, patternBytes(10));
    expect(await uploads.abort(target("other", uploadId))).toEqual({ kind: "noSuchUpload" });
    expect(await uploads.abort(target("k", uploadId))).toEqual({ kind: "aborted" });
    expect(await uploads.abort(target("k", uploadId))).toEqual({ kind: "noSuchUpload" });
    expect(await uploads.find(target("k", uploadId))).toBeUndefined();
    expect(await uploads.complete(completeInput("k", uploadId, []))).toEqual({ kind: "noSuchUpload" });
  });

  test("a completed one cannot be aborted: its object stays", async () => {
    await using world = await openService();
    const { service } = world;
    const uploadId = await createUpload(service, "k");
    const part = await putPart(service, uploadId, 1, patternBytes(10));
    await service.uploads.complete(completeInput("k", uploadId, [part]));
    expect(await service.uploads.abort(target("k", uploadId))).toEqual({ kind: "noSuchUpload" });
    expect((await find(service, "k"))?.size).toBe(10);
  });
});

describe("lists of uploads", () => {
  test("are in order of key and then of beginning, within a prefix, after a pair, in pages", async () => {
    await using world = await openService();
    const { service } = world;
    const ids: Record<string, string> = {};
    for (const name of ["b#1", "a#1", "b#2", "b/x#1", "c#1", "👍🏿#1", "👍🏿/y#1"]) {
      ids[name] = await createUpload(service, name.slice(0, -2));
    }
    const names = new Map(Object.entries(ids).map(([name, id]) => [id, name]));
    type Query = { prefix?: string; after?: readonly [key: string, name: string]; limit?: number };
    const list = async ({ prefix = "", after, limit = 10 }: Query): Promise<readonly [string, boolean]> => {
      const pair = after && { key: after[0], uploadId: ids[after[1]] ?? after[1] };
      const page = await service.uploads.list({ bucket: "b", prefix, after: pair, limit });
      const shown = page?.uploads.map(({ uploadId }) => names.get(uploadId)).join(" ") ?? "";
      return [shown, page?.truncated ?? false];
    };
    expect(await list({})).toEqual(["a#1 b#1 b#2 b/x#1 c#1 👍🏿#1 👍🏿/y#1", false]);
    expect(await list({ limit: 2 })).toEqual(["a#1 b#1", true]);
    expect(await list({ prefix: "b" })).toEqual(["b#1 b#2 b/x#1", false]);
    expect(await list({ prefix: "👍🏿" })).toEqual(["👍🏿#1 👍🏿/y#1", false]);
    expect(await list({ after: ["b", "b#1"], limit: 2 })).toEqual(["b#2 b/x#1", true]);
    expect(await list({ after: ["b", ""] })).toEqual(["b#1 b#2 b/x#1 c#1 👍🏿#1 👍🏿/y#1", false]);
    expect(await list({ after: ["b", "\u{10ffff}"] })).toEqual(["b/x#1 c#1 👍🏿#1 👍🏿/y#1", false]);
    expect(await list({ prefix: "b", after: ["b", ""] })).toEqual(["b#1 b#2 b/x#1", false]);
    expect(await list({ prefix: "b", after: ["a", "a#1"] })).toEqual(["b#1 b#2 b/x#1", false]);
    expect(await list({ prefix: "b", after: ["c", ""] })).toEqual(["", false]);
    expect(
      await service.uploads.list({ bucket: "absent", prefix: "", after: undefined, limit: 1 }),
    ).toBeUndefined();
  });

  test("hold open ones only", async () => {
    await using world = await openService();
    const { service } = world;
    const [done, aborted, open] = [
      await createUpload(service, "done"),
      await createUpload(service, "aborted"),
      await createUpload(service, "open"),
    ];
    const part = await putPart(service, done, 1, patternBytes(10));
    await service.uploads.complete(completeInput("done", done, [part]));
    await service.uploads.abort(target("aborted", aborted));
    const page = await service.uploads.list({ bucket: "b", prefix: "", after: undefined, limit: 10 });
    expect(page?.uploads.map(({ uploadId }) => uploadId)).toEqual([open]);
  });
});

describe("the object of an upload", () => {
  test("is read whole, in ranges and by parts, also after a reopen", async () => {
    await using world = await openService({ segmentBytes: 3 * MIB });
    const uploadId = await createUpload(world.service, "k");
    const sizes = [5 * MIB, 5 * MIB, 5 * MIB + 123, 700];
    const bodies = sizes.map((size, at) => patternBytes(size, at + 1));
    const parts = [];
    for (const [at, body] of bodies.entries())
      parts.push(await putPart(world.service, uploadId, at * 3 + 1, body));
    const whole = Buffer.concat(bodies);
    await world.service.uploads.complete(completeInput("k", uploadId, parts));
    for (const open of [async () => world.service, world.reopen]) {
      const service = await open();
      const object = await find(service, "k");
      if (object === undefined) throw new Error("it is not there");
      expect([object.size, object.partCount, object.bytes]).toEqual([whole.length, 4, undefined]);
      expect((await bytesOf(service, object)).equals(whole)).toBe(true);
      for (const [start, end] of [
        [0, 1],
        [5 * MIB - 1, 5 * MIB + 1],
        [10 * MIB - 70_000, 10 * MIB + 70_000],
        [whole.length - 701, whole.length],
      ] as const) {
        const { signal } = new AbortController();
        const pieces: Uint8Array[] = [];
        for await (const piece of service.objects.read(object, { start, end }, { signal }))
          pieces.push(piece);
        expect(Buffer.concat(pieces).equals(whole.subarray(start, end)), `${start}..${end}`).toBe(true);
      }
      const places = [0, 1, 2, 3, 4, 5].map((ordinal) => service.objects.partRange(object, ordinal));
      expect(places[1]).toEqual({ start: 0, end: 5 * MIB });
      expect(places[4]).toEqual({ start: whole.length - 700, end: whole.length });
      expect([places[0], places[5]]).toEqual([undefined, undefined]);
    }
  });

  test("of one part only has the range of an ordinary object", async () => {
    await using world = await openService();
    await put(world.service, "k", "12345");
    const object = await find(world.service, "k");
    if (object === undefined) throw new Error("it is not there");
    expect(world.service.objects.partRange(object, 1)).toEqual({ start: 0, end: 5 });
    expect(world.service.objects.partRange(object, 2)).toBeUndefined();
  });

  test("goes as a whole when it is deleted or overwritten", async () => {
    await using world = await openService();
    const { service } = world;
    const uploadId = await createUpload(service, "k");
    const part = await putPart(service, uploadId, 1, patternBytes(100_000));
    await service.uploads.complete(completeInput("k", uploadId, [part]));
    await remove(service, "k");
    expect(await find(service, "k")).toBeUndefined();
    expect(await listAll(service)).toEqual([]);
  });
});
