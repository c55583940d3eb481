/** Promises of the cache: never what was overwritten, never more bytes than allowed. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { BodyReference } from "../../src/state/object-row.ts";
import { NO_RUNS, bytesInMemory, storedObject } from "../../src/state/stored-object.ts";
import type { StoredObject } from "../../src/state/stored-object.ts";
import { ObjectCache } from "../../src/store/object-cache.ts";

const RECORD: BodyReference = { kind: "record", offset: 64, crc32c: 0 };

function objectOf(version: number, size: number, body: BodyReference, bytes?: Uint8Array): StoredObject {
  const place = { hasDetail: false, hasVersionId: false, tagCount: 0, birthIndex: version, birthSub: 0 };
  const row = { modifiedMs: version, size, etag: `etag ${version}`, ...place, body, attributes: undefined };
  return storedObject(row, NO_ATTRIBUTES, { bytes: bytes ?? bytesInMemory(body), runs: NO_RUNS });
}

const written = (version: number, size = 1, body: BodyReference = RECORD): StoredObject =>
  objectOf(version, size, body);

const stored = (version: number, size = 1): StoredObject =>
  objectOf(version, size, RECORD, Buffer.alloc(size));

const cacheOf = (bytesMax = 1024 * 1024): ObjectCache => new ObjectCache({ bytesMax });

describe("apply", () => {
  test("fills what a command brought and replaces it with the next one", () => {
    const cache = cacheOf();
    cache.objectWritten("b/k", written(1), Buffer.from("x"));
    expect(cache.get("b/k")).toMatchObject({ etag: "etag 1", bytes: Buffer.from("x") });
    cache.objectWritten("b/k", written(2), Buffer.from("y"));
    expect(cache.get("b/k")).toMatchObject({ etag: "etag 2", bytes: Buffer.from("y") });
    cache.objectRemoved("b/k");
    expect(cache.get("b/k")).toBeUndefined();
  });

  test("drops what it does not fill: streamed bodies, bodies of parts, and everything during replay", () => {
    const cache = cacheOf();
    const streamed = { kind: "stored", bodyId: "n1.1-0" } as const;
    const parts = { kind: "parts", uploadId: "u" } as const;
    const replaces: readonly ((cache: ObjectCache) => void)[] = [
      () => cache.objectWritten("b/k", written(2, 5, streamed), undefined),
      () => cache.objectWritten("b/k", written(2, 5, parts), undefined),
      () => cache.objectWritten("b/k", written(2, 0, parts), undefined),
      () => {
        cache.filling = false;
        cache.objectWritten("b/k", written(2), Buffer.from("y"));
        cache.filling = true;
      },
    ];
    for (const replace of replaces) {
      cache.objectWritten("b/k", written(1), Buffer.from("x"));
      replace(cache);
      expect(cache.get("b/k")).toBeUndefined();
    }
  });

  test("fills tiny and empty bodies with the object as it is, a record's with its bytes beside it", () => {
    const tiny: BodyReference = { kind: "inline", bytes: Buffer.from("y") };
    for (const body of [{ kind: "empty" } as const, tiny, RECORD]) {
      const cache = cacheOf();
      cache.objectWritten("b/k", written(1), Buffer.from("x"));
      const object = written(2, 1, body);
      cache.objectWritten("b/k", object, Buffer.from("y"));
      expect(cache.get("b/k")).toEqual({
        ...object,
        bytes: body === RECORD ? Buffer.from("y") : object.bytes,
      });
      // The overlay shares the object: it must not come to hold bodies of records.
      expect(object.bytes).toEqual(bytesInMemory(body));
    }
  });
});

describe("a late fill", () => {
  test("counts if apply touched nothing meanwhile", () => {
    const cache = cacheOf();
    const generation = cache.generation("b/k");
    cache.fillLate("b/k", stored(1), generation);
    expect(cache.get("b/k")?.etag).toBe("etag 1");
  });

  test.each(["put", "delete", "put and delete"])("is dropped after a %s", (change) => {
    const cache = cacheOf();
    const generation = cache.generation("b/k");
    if (change !== "delete") cache.objectWritten("b/k", written(2), Buffer.from("x"));
    if (change !== "put") cache.objectRemoved("b/k");
    cache.fillLate("b/k", stored(1), generation);
    expect(cache.get("b/k")?.etag).toBe(change === "put" ? "etag 2" : undefined);
  });

  test("is dropped too when apply replaced what it could not fill", () => {
    const cache = cacheOf();
    const generation = cache.generation("b/k");
    cache.objectWritten("b/k", written(2, 5, { kind: "stored", bodyId: "x" }), undefined);
    cache.fillLate("b/k", stored(1), generation);
    expect(cache.get("b/k")).toBeUndefined();
  });
});

describe("bounds", () => {
  test("are kept in bytes, bodies and paths counted, the longest unused going first", () => {
    const cache = cacheOf(100_000);
    for (let at = 0; at < 500; at++) {
      cache.objectWritten(`b/${at}`, written(at, 1000), Buffer.alloc(1000));
      cache.get("b/0");
      expect(cache.bytes).toBeLessThanOrEqual(100_000);
    }
    expect(cache.count).toBeGreaterThan(50);
    expect(cache.get("b/0")).toBeDefined();
    expect(cache.get("b/1")).toBeUndefined();
  });

  test("an object that does not fit leaves no older one behind", () => {
    const cache = cacheOf(2000);
    cache.objectWritten("b/k", written(1), Buffer.from("x"));
    cache.objectWritten("b/k", written(2, 5000), Buffer.alloc(5000));
    expect(cache.get("b/k")).toBeUndefined();
  });

  test("a cache of no bytes holds nothing and still works", () => {
    const cache = cacheOf(0);
    cache.objectWritten("b/k", written(1), Buffer.from("x"));
    cache.fill("b/k", stored(1));
    expect([cache.get("b/k"), cache.count]).toEqual([undefined, 0]);
  });
});

test("under any interleaving of applies and slow readers a hit is the current version", () => {
  const path = fc.constantFrom("b/1", "b/2", "b/3");
  const step = fc.oneof(
    fc.record({ kind: fc.constantFrom("put" as const, "stream" as const, "delete" as const), path }),
    fc.record({ kind: fc.constantFrom("look" as const, "fill" as const), path }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const cache = cacheOf(3000);
      const current = new Map<string, number>();
      const reading: { path: string; version: number; generation: number }[] = [];
      let version = 0;
      for (const { kind, path: at } of steps) {
        if (kind === "look") {
          const seen = current.get(at);
          if (seen !== undefined) reading.push({ path: at, version: seen, generation: cache.generation(at) });
        } else if (kind === "fill") {
          const late = reading.shift();
          if (late !== undefined) cache.fillLate(late.path, stored(late.version), late.generation);
        } else if (kind === "delete") {
          current.delete(at);
          cache.objectRemoved(at);
        } else {
          current.set(at, ++version);
          const body = kind === "stream" ? ({ kind: "stored", bodyId: "x" } as const) : undefined;
          cache.objectWritten(
            at,
            written(version, 1, body),
            body === undefined ? Buffer.from("x") : undefined,
          );
        }
        for (const name of ["b/1", "b/2", "b/3"]) {
          const hit = cache.get(name);
          if (hit !== undefined) expect(hit.etag).toBe(`etag ${current.get(name)}`);
        }
      }
    }),
  );
});
