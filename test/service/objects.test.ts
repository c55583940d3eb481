/**
 * Promises of the object verbs: what was put is got, conditions decide races, and a reopen changes nothing.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UnavailableError } from "../../src/base/errors.ts";
import type { PutObjectInput } from "../../src/service/api.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { Attributes } from "../../src/state/attributes.ts";
import { patternBytes } from "../segment/records.ts";
import {
  MIB,
  bodyOf,
  bytesOf,
  find,
  listAll,
  md5,
  openService,
  put,
  remove,
  textOf,
} from "./service-world.ts";
import type { ServiceWorld } from "./service-world.ts";

const attributes: Attributes = {
  headers: [
    ["content-type", "text/plain; charset=utf-8"],
    ["cache-control", "no-cache"],
  ],
  metadata: [
    ["colour", "blue"],
    ["empty", ""],
  ],
  checksum: { algorithm: "SHA256", type: "FULL_OBJECT", value: "abc=" },
};

describe("put and get", () => {
  test("give back bytes, etag, size, time and attributes, also after a reopen", async () => {
    await using world = await openService();
    const sizes = [0, 1, 256, 257, 65_536, 65_537, 2 * MIB + 1];
    for (const size of sizes) {
      const outcome = await put(world.service, `k${size}`, patternBytes(size), { attributes });
      expect(outcome).toMatchObject({ kind: "put", etag: md5(patternBytes(size)) });
    }
    for (const open of [async () => world.service, world.reopen]) {
      const service = await open();
      for (const size of sizes) {
        const object = await find(service, `k${size}`);
        expect(object).toMatchObject({ size, etag: md5(patternBytes(size)), attributes, partCount: 0 });
        if (object !== undefined)
          expect((await bytesOf(service, object)).equals(patternBytes(size))).toBe(true);
      }
    }
  });

  test("any key of whole characters is itself and no other", async () => {
    await using world = await openService();
    const keys = [
      "..",
      ".",
      "/",
      "//",
      "a/../b",
      "a b",
      "a+b",
      "a&b",
      "😀",
      "%2e%2e",
      "trailing/",
      "\x01",
      "é",
      "e\u0301",
    ];
    const random = fc.sample(fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }), {
      numRuns: 40,
      seed: 9,
    });
    const all = [...new Set([...keys, ...random.map((key) => key.replaceAll("\0", "0"))])];
    for (const key of all) await put(world.service, key, `content of ${key}`);
    for (const open of [async () => world.service, world.reopen]) {
      const service = await open();
      for (const key of all) expect(await textOf(service, key)).toBe(`content of ${key}`);
      const byBytes = all.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect((await listAll(service)).map(({ key }) => key)).toEqual(byBytes);
    }
  });

  test("an overwrite and a delete are seen at once, and absent things are absent", async () => {
    await using world = await openService();
    const { service } = world;
    await put(service, "k", "one");
    await put(service, "k", "two");
    expect(await textOf(service, "k")).toBe("two");
    expect(await remove(service, "k")).toBe("deleted");
    expect(await remove(service, "k")).toBe("deleted");
    expect(await find(service, "k")).toBeUndefined();
    expect(await find(service, "k", "absent")).toBeUndefined();
    expect(await put(service, "k", "x", { bucket: "absent" })).toEqual({ kind: "noSuchBucket" });
    expect(await remove(service, "k", { bucket: "absent" })).toBe("noSuchBucket");
  });

  test("the edge may keep something with an object until it is overwritten", async () => {
    await using world = await openService();
    await put(world.service, "k", "one");
    const object = await find(world.service, "k");
    if (object !== undefined) object.edge = "headers";
    expect((await find(world.service, "k"))?.edge).toBe("headers");
    await put(world.service, "k", "two");
    expect((await find(world.service, "k"))?.edge).toBeUndefined();
  });
});

describe("groups", () => {
  test("are put and deleted in order, with one outcome each", async () => {
    await using world = await openService();
    const { service } = world;
    const input = (key: string, text: string, bucket = "b"): PutObjectInput => ({
      bucket,
      key,
      etag: md5(Buffer.from(text)),
      attributes: NO_ATTRIBUTES,
      body: { kind: "bytes", bytes: Buffer.from(text) },
      condition: { kind: "none" },
    });
    const outcomes = await service.objects.putMany([
      input("a", "1"),
      input("a", "2"),
      input("c", "3", "absent"),
    ]);
    expect(outcomes.map(({ kind }) => kind)).toEqual(["put", "put", "noSuchBucket"]);
    expect(await textOf(service, "a")).toBe("2");
    const deletes = await service.objects.deleteMany("b", ["a", "a", "absent"]);
    expect(deletes.map(({ kind }) => kind)).toEqual(["deleted", "deleted", "deleted"]);
    expect(await listAll(service)).toEqual([]);
    expect((await service.objects.deleteMany("absent", ["a"])).map(({ kind }) => kind)).toEqual([
      "noSuchBucket",
    ]);
    expect(await service.objects.putMany([])).toEqual([]);
  });
});

describe("conditions", () => {
  test("of 20 racing creators exactly one wins, and its bytes are there", async () => {
    await using world = await openService();
    const { service } = world;
    const condition = { kind: "absent" } as const;
    for (const size of [10, 70_000]) {
      const key = `k${size}`;
      const race = Array.from({ length: 20 }, (_, at) =>
        put(service, key, patternBytes(size, at), { condition }),
      );
      const outcomes = await Promise.all(race);
      const winners = outcomes.flatMap(({ kind }, at) => (kind === "put" ? [at] : []));
      expect(winners).toHaveLength(1);
      expect(outcomes.filter(({ kind }) => kind === "preconditionFailed")).toHaveLength(19);
      const object = await find(service, key);
      expect(object?.etag).toBe(md5(patternBytes(size, winners[0])));
    }
  });

  test("of 20 racing writers that compare the etag exactly one wins each round", async () => {
    await using world = await openService();
    const { service } = world;
    await put(service, "k", "0");
    for (let round = 0; round < 5; round++) {
      const { etag } = (await find(service, "k")) ?? { etag: "" };
      const race = Array.from({ length: 20 }, (_, at) =>
        put(service, "k", `${round}:${at}`, { condition: { kind: "etag", etag } }),
      );
      const outcomes = await Promise.all(race);
      expect(outcomes.filter(({ kind }) => kind === "put")).toHaveLength(1);
    }
  });

  test("a counter that is raised by compare-and-set loses no step", async () => {
    await using world = await openService();
    const { service } = world;
    await put(service, "n", "0");
    const raise = async (): Promise<void> => {
      for (;;) {
        const object = await find(service, "n");
        const value = Number(Buffer.from(object?.bytes ?? []).toString());
        const condition = { kind: "etag", etag: object?.etag ?? "" } as const;
        if ((await put(service, "n", String(value + 1), { condition })).kind === "put") return;
      }
    };
    await Promise.all(Array.from({ length: 12 }, raise));
    expect(await textOf(service, "n")).toBe("12");
  });

  test("hold for deletes too, and for absent objects", async () => {
    await using world = await openService();
    const { service } = world;
    const wrong = { kind: "etag", etag: "f".repeat(32) } as const;
    expect(await remove(service, "k", { condition: wrong })).toBe("noSuchKey");
    expect(await put(service, "k", "x", { condition: wrong })).toEqual({ kind: "noSuchKey" });
    await put(service, "k", "x");
    expect(await remove(service, "k", { condition: wrong })).toBe("preconditionFailed");
    expect(await remove(service, "k", { condition: { kind: "etag", etag: md5(Buffer.from("x")) } })).toBe(
      "deleted",
    );
  });
});

describe("written bodies", () => {
  async function written(world: ServiceWorld, size: number): Promise<PutObjectInput> {
    const body = await bodyOf(world.service, patternBytes(size));
    const head = { bucket: "b", key: "k", etag: "e".repeat(32), attributes: NO_ATTRIBUTES };
    return { ...head, body, condition: { kind: "none" } };
  }

  test("are named once", async () => {
    await using world = await openService();
    const input = await written(world, 3 * MIB);
    expect((await world.service.objects.put(input)).kind).toBe("put");
    await expect(world.service.objects.put(input)).rejects.toThrow("named once");
    expect((await find(world.service, "k"))?.size).toBe(3 * MIB);
  });

  test("of nothing make an empty object", async () => {
    await using world = await openService();
    const writer = world.service.objects.startBody();
    const input = await written(world, 0);
    expect((await world.service.objects.put({ ...input, body: { kind: "written", writer } })).kind).toBe(
      "put",
    );
    expect(await textOf(world.service, "k")).toBe("");
  });

  test("that were given up take no more bytes and no name", async () => {
    await using world = await openService();
    const writer = world.service.objects.startBody();
    await writer.write(Buffer.from("some"));
    writer.abort();
    writer.abort();
    await expect(writer.write(Buffer.from("more"))).rejects.toThrow("given up");
    const input = await written(world, 0);
    await expect(
      world.service.objects.put({ ...input, body: { kind: "written", writer } }),
    ).rejects.toThrow();
    expect(await find(world.service, "k")).toBeUndefined();
  });

  test("tell when the bytes they were lent are stored, and only then", async () => {
    await using world = await openService();
    const writer = world.service.objects.startBody();
    const stored: number[] = [];
    for (let at = 0; at < 3; at++) {
      const bytes = Buffer.alloc(70_000, at);
      const onStored = (): void => {
        stored.push(at);
        // As their owner may: whoever still needed them would write other bytes than were put.
        bytes.fill(0xff);
      };
      await writer.write(bytes, { onStored });
    }
    await writer.settled();
    expect(stored).toEqual([0, 1, 2]);
    const input = await written(world, 0);
    await world.service.objects.put({ ...input, body: { kind: "written", writer } });
    const expected = Buffer.concat([0, 1, 2].map((fill) => Buffer.alloc(70_000, fill)));
    for (const open of [async () => world.service, world.reopen]) {
      expect(await textOf(await open(), "k")).toBe(expected.toString());
    }
    const late = world.store().service.objects.startBody();
    await world.store().node.close();
    let isStored = false;
    await late.write(Buffer.from("late"), { onStored: () => (isStored = true) }).catch(() => undefined);
    await late.settled();
    expect(isStored).toBe(false);
  });

  test("fail as a whole when the node stops between two of their chunks", async () => {
    await using world = await openService();
    const writer = world.service.objects.startBody();
    await writer.write(patternBytes(MIB));
    await world.store().node.close();
    const more = async (): Promise<void> => {
      for (let chunk = 0; chunk < 10; chunk++) await writer.write(patternBytes(MIB));
    };
    await expect(more()).rejects.toThrow(UnavailableError);
  });

  test("hold chunks of any size up to their bound, in order", async () => {
    await using world = await openService();
    const sizes = [1, 65_535, 65_536, 65_537, MIB, 3, MIB - 1];
    const pieces = sizes.map((size, at) => patternBytes(size, at));
    const writer = world.service.objects.startBody();
    for (const piece of pieces) await writer.write(piece);
    await expect(writer.write(patternBytes(MIB + 1))).rejects.toThrow("chunk");
    const input = await written(world, 0);
    await world.service.objects.put({ ...input, body: { kind: "written", writer } });
    const object = await find(world.service, "k");
    expect(object?.size).toBe(writer.size);
    if (object !== undefined)
      expect((await bytesOf(world.service, object)).equals(Buffer.concat(pieces))).toBe(true);
  });
});
