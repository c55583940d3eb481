/**
 * Promises of the way of a read, on a real store: values without waiting where nothing has to be waited for,
 * every kind of body whole and in ranges, and no wrong byte, whatever is overwritten meanwhile.
 */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { DamageError } from "../../src/base/errors.ts";
import type { FoundObject } from "../../src/service/api.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { Attributes } from "../../src/state/attributes.ts";
import { placeOfPart } from "../../src/store/object-reader.ts";
import { patternBytes } from "../segment/records.ts";
import { openStore, temporaryDirectory } from "../support/open-store.ts";
import type { OpenStore } from "../support/open-store.ts";
import { flipBit, sizeOf } from "./bytes-of-files.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");

async function put(
  store: OpenStore,
  key: string,
  bytes: Buffer,
  attributes: Attributes = NO_ATTRIBUTES,
): Promise<void> {
  const { objects } = store.service;
  const head = { bucket: "b", key, etag: md5(bytes), attributes, condition: { kind: "none" } as const };
  if (bytes.length <= 64 * KIB) {
    await objects.put({ ...head, body: { kind: "bytes", bytes } });
    return;
  }
  const writer = objects.startBody();
  for (let at = 0; at < bytes.length; at += MIB) await writer.write(bytes.subarray(at, at + MIB));
  await objects.put({ ...head, body: { kind: "written", writer } });
}

async function withBucket(
  directory: string,
  changes: Parameters<typeof openStore>[1] = {},
): Promise<OpenStore> {
  const store = await openStore(directory, changes);
  await store.service.buckets.create({ name: "b", owner: "root", location: "" });
  return store;
}

async function read(store: OpenStore, object: FoundObject, start = 0, end = object.size): Promise<Buffer> {
  const { signal } = new AbortController();
  const pieces: Uint8Array[] = [];
  for await (const piece of store.service.objects.read(object, { start, end }, { signal }))
    pieces.push(piece);
  return Buffer.concat(pieces);
}

async function find(store: OpenStore, key: string): Promise<FoundObject> {
  const found = await store.service.objects.find(`b/${key}`);
  if (found === undefined) throw new Error(`${key} is not there`);
  return found;
}

/** Bodies of each kind: none, in the row, in the entry's record, in chunk records. */
const sizes = { empty: 0, inline: 200, record: 30 * KIB, edge: 64 * KIB, chunks: 3 * MIB + 777 };

describe("find", () => {
  test("answers at once on a hit, from the overlay, from the index, and for what is not there", async () => {
    await using directory = await temporaryDirectory();
    await using store = await withBucket(directory.path);
    await put(store, "k", patternBytes(100));
    const { reader, cache, index } = store.node;
    expect(reader.find("b/k")).not.toBeInstanceOf(Promise);
    cache.objectRemoved("b/k");
    expect(reader.find("b/k")).toMatchObject({ size: 100 });
    await index.flushedThrough(index.appliedIndex);
    cache.objectRemoved("b/k");
    expect(reader.find("b/k")).toMatchObject({ size: 100 });
    expect(reader.find("b/absent")).toBeUndefined();
    expect(reader.find("absent/k")).toBeUndefined();
  });

  test("waits for the first read of a segment file only", async () => {
    await using directory = await temporaryDirectory();
    {
      await using store = await withBucket(directory.path);
      for (const key of ["a", "b", "c"]) await put(store, key, patternBytes(1000, key.charCodeAt(0)));
    }
    await using store = await openStore(directory.path);
    const first = store.node.reader.find("b/a");
    expect(first).toBeInstanceOf(Promise);
    expect(Buffer.from((await first)?.bytes ?? []).equals(patternBytes(1000, 97))).toBe(true);
    expect(store.node.reader.find("b/a")).not.toBeInstanceOf(Promise);
    expect(store.node.reader.find("b/b")).not.toBeInstanceOf(Promise);
  });

  test("gives metadata and checksum whether they stand in the row or in a row of their own", async () => {
    await using directory = await temporaryDirectory();
    await using store = await withBucket(directory.path);
    const checksum = { algorithm: "CRC32C" as const, type: "FULL_OBJECT" as const, value: "AAAAAA==" };
    for (const length of [10, 1900]) {
      const attributes: Attributes = {
        headers: [["content-type", "text/plain"]],
        metadata: [["long", "x".repeat(length)]],
        checksum,
      };
      await put(store, `k${length}`, patternBytes(10), attributes);
      store.node.cache.objectRemoved(`b/k${length}`);
      expect((await find(store, `k${length}`)).attributes).toEqual(attributes);
    }
  });
});

describe("read", () => {
  test.each(Object.entries(sizes))(
    "gives a body of kind %s whole and in ranges, also after a restart",
    async (_, size) => {
      await using directory = await temporaryDirectory();
      const body = patternBytes(size);
      const check = async (store: OpenStore): Promise<void> => {
        const object = await find(store, "k");
        expect([object.size, object.etag]).toEqual([size, md5(body)]);
        expect((await read(store, object)).equals(body)).toBe(true);
        const points = [0, 1, Math.floor(size / 2), MIB - 1, MIB, MIB + 1, 2 * MIB, size - 1, size];
        const within = [...new Set(points.filter((point) => point >= 0 && point <= size))].toSorted(
          (a, b) => a - b,
        );
        for (const start of within) {
          for (const end of within.filter((point) => point > start)) {
            const bytes = await read(store, object, start, end);
            expect(bytes.equals(body.subarray(start, end)), `${start}..${end}`).toBe(true);
          }
        }
      };
      {
        await using store = await withBucket(directory.path, { segmentBytes: 2 * MIB });
        await put(store, "k", body);
        await check(store);
      }
      await using store = await openStore(directory.path, { segmentBytes: 2 * MIB });
      await check(store);
    },
  );

  test("gives an object that is overwritten meanwhile to its end", async () => {
    await using directory = await temporaryDirectory();
    await using store = await withBucket(directory.path);
    const body = patternBytes(4 * MIB);
    await put(store, "k", body);
    const object = await find(store, "k");
    const { signal } = new AbortController();
    const pieces: Uint8Array[] = [];
    for await (const piece of store.service.objects.read(
      object,
      { start: 0, end: body.length },
      { signal },
    )) {
      if (pieces.length === 0) await put(store, "k", patternBytes(10));
      pieces.push(piece);
    }
    expect(Buffer.concat(pieces).equals(body)).toBe(true);
    expect((await find(store, "k")).size).toBe(10);
  });

  test("throws before a wrong byte leaves, for every kind of body in the log", async () => {
    await using directory = await temporaryDirectory();
    const names = { small: 5 * KIB, large: 2 * MIB } as const;
    {
      await using store = await withBucket(directory.path);
      for (const [key, size] of Object.entries(names)) await put(store, key, patternBytes(size));
    }
    const log = `${directory.path}/log/0000000001.seg`;
    const middle = Math.floor((await sizeOf(log)) / 2);
    const copies: number[] = [];
    await using store = await openStore(directory.path);
    const whole = await read(store, await find(store, "large"));
    expect(whole.equals(patternBytes(names.large))).toBe(true);
    await flipBit(log, middle);
    const object = await find(store, "large");
    const { signal } = new AbortController();
    const reading = async (): Promise<void> => {
      const all = store.service.objects.read(object, { start: 0, end: object.size }, { signal });
      let at = 0;
      for await (const piece of all) {
        const wanted = patternBytes(names.large).subarray(at, at + piece.length);
        expect(Buffer.from(piece).equals(wanted)).toBe(true);
        at += piece.length;
        copies.push(at);
      }
    };
    await expect(reading()).rejects.toThrow(DamageError);
    expect(copies.length).toBeLessThan(2);
  });

  test("leaves nothing pinned, whether it ended, was left, or was never begun", async () => {
    await using directory = await temporaryDirectory();
    await using store = await withBucket(directory.path);
    await put(store, "k", patternBytes(3 * MIB));
    const object = await find(store, "k");
    const { signal } = new AbortController();
    const open = () => store.service.objects.read(object, { start: 0, end: object.size }, { signal });
    for await (const piece of open()) if (piece.length > 0) break;
    open();
    await read(store, object);
    await store.service.objects.delete({ bucket: "b", key: "k", condition: { kind: "none" } });
    expect(await store.service.objects.find("b/k")).toBeUndefined();
  });
});

describe("beside writers", () => {
  test("a reader gets the old object or the new one while metadata rows come and go", async () => {
    await using directory = await temporaryDirectory();
    const attributes = (version: number): Attributes => ({
      ...NO_ATTRIBUTES,
      metadata: [["version", `${version}`.padEnd(1500, "x")]],
    });
    const body = (version: number): Buffer => patternBytes(1000 + version, version);
    {
      await using store = await withBucket(directory.path);
      await put(store, "k", body(0), attributes(0));
    }
    for (let round = 0; round < 6; round++) {
      await using store = await openStore(directory.path);
      // The file is not open yet: the first readers wait for it while the object is replaced.
      const reads = Array.from({ length: 10 }, () => find(store, "k"));
      const writes = [1, 2, 3].map((version) => put(store, "k", body(version), attributes(version)));
      for (const object of await Promise.all(reads)) {
        const version = object.size - 1000;
        expect(Buffer.from(object.bytes ?? []).equals(body(version))).toBe(true);
        expect(object.attributes).toEqual(attributes(version));
      }
      await Promise.all(writes);
      expect((await find(store, "k")).size).toBe(1003);
    }
  });

  test("what a reader gets after a write was acknowledged is that write or a later one", async () => {
    await using directory = await temporaryDirectory();
    await using store = await withBucket(directory.path, { cacheBytesMax: 4096 });
    let acknowledged = 0;
    const writer = async (): Promise<void> => {
      for (let version = 1; version <= 150; version++) {
        await put(store, "k", patternBytes(version));
        acknowledged = version;
      }
    };
    const reader = async (): Promise<void> => {
      while (acknowledged < 150) {
        const least = acknowledged;
        const found = await store.service.objects.find("b/k");
        expect(found?.size ?? 0).toBeGreaterThanOrEqual(least);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await Promise.all([writer(), reader(), reader()]);
  });
});

describe("placeOfPart", () => {
  test("counts parts through runs of different sizes", () => {
    const runs = [
      { firstPart: 1, count: 2, size: 100 },
      { firstPart: 7, count: 1, size: 50 },
      { firstPart: 9, count: 3, size: 10 },
    ];
    const places = [0, 1, 2, 3, 4, 6, 7].map((ordinal) => placeOfPart(runs, ordinal));
    expect(places).toEqual([
      undefined,
      { start: 0, end: 100 },
      { start: 100, end: 200 },
      { start: 200, end: 250 },
      { start: 250, end: 260 },
      { start: 270, end: 280 },
      undefined,
    ]);
  });
});
