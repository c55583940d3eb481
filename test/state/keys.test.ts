/**
 * Promises of the key layout: order is that of UTF-8 bytes, ranges hold exactly what begins with their
 * prefix.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keys, prefixRange, ranges } from "../../src/state/keys.ts";

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Characters on both sides of every border of UTF-8 and UTF-16, NUL excepted. */
const edges = [
  "\x01",
  "/",
  "a",
  "b",
  "\x7f",
  "\x80",
  "\u07ff",
  "\u0800",
  "\ud7ff",
  "\ue000",
  "\uffff",
].concat(["\u{10000}", "\u{103ff}", "\u{1f3ff}", "\u{1f600}", "\u{10ffff}"]);
const keyText = fc.oneof(
  fc.string({ unit: fc.constantFrom(...edges), maxLength: 6 }),
  fc.string({ unit: "grapheme", maxLength: 10 }).map((text) => text.replaceAll("\0", "")),
);

describe("order", () => {
  test("object keys sort as S3 sorts: by the bytes of the key, within a bucket", () => {
    fc.assert(
      fc.property(keyText, keyText, fc.nat(1000), (a, b, bucketId) => {
        const inRows = byBytes(keys.object(bucketId, a), keys.object(bucketId, b));
        expect(Math.sign(inRows)).toBe(Math.sign(byBytes(a, b)));
      }),
    );
  });

  test("open uploads sort by key, then by id, also where one key begins with another", () => {
    const id = fc.stringMatching(/^[0-9a-f]{4}$/);
    fc.assert(
      fc.property(keyText, id, keyText, id, (keyA, idA, keyB, idB) => {
        const inRows = byBytes(keys.uploads(1, keyA, idA), keys.uploads(1, keyB, idB));
        const wanted = byBytes(keyA, keyB) || byBytes(idA, idB);
        expect(Math.sign(inRows)).toBe(Math.sign(wanted));
      }),
    );
  });

  test("numbers sort as numbers", () => {
    const up = (make: (value: number) => string, most: number): void =>
      fc.assert(
        fc.property(fc.nat(most), fc.nat(most), (a, b) => {
          expect(Math.sign(byBytes(make(a), make(b)))).toBe(Math.sign(a - b));
        }),
      );
    up((id) => keys.segment(id), 2 ** 31);
    up((partNumber) => keys.part("u", partNumber), 10_000);
    up((page) => keys.bodyExtents("b", page), 40_000);
    up((bucketId) => keys.object(bucketId, ""), 2 ** 30);
    up((index) => keys.detail(index, 0), 2 ** 47);
  });
});

describe("prefix ranges", () => {
  test("hold exactly the keys that begin with the prefix, whatever character it ends in", () => {
    fc.assert(
      fc.property(keyText, keyText, (prefix, key) => {
        const { from, to } = prefixRange(`object/000001/${prefix}`);
        const full = `object/000001/${key}`;
        const inside = byBytes(full, from) >= 0 && byBytes(full, to) < 0;
        expect(inside).toBe(key.startsWith(prefix));
      }),
      { numRuns: 2000 },
    );
  });

  test.each(edges)(
    "a prefix that ends in %j holds its own continuations and its neighbours are outside",
    (end) => {
      const { from, to } = prefixRange(`p/${end}`);
      const inside = (key: string): boolean => byBytes(key, from) >= 0 && byBytes(key, to) < 0;
      expect([inside(`p/${end}`), inside(`p/${end}x`), inside(`p/${end}\u{10ffff}`)]).toEqual([
        true,
        true,
        true,
      ]);
      for (const other of edges.filter((edge) => edge !== end))
        expect(inside(`p/${other}`), other).toBe(false);
    },
  );

  test("of one bucket never hold keys of another", () => {
    const bucketId = fc.nat(100_000);
    fc.assert(
      fc.property(bucketId, bucketId, keyText, (a, b, key) => {
        fc.pre(a !== b);
        const { from, to } = prefixRange(keys.objectPrefix(a));
        const full = keys.object(b, key);
        expect(byBytes(full, from) >= 0 && byBytes(full, to) < 0).toBe(false);
      }),
    );
  });

  test("of kinds of rows do not overlap", () => {
    const all = Object.values(ranges).toSorted((a, b) => byBytes(a.from, b.from));
    for (const [at, { to }] of all.entries()) {
      const next = all[at + 1];
      if (next !== undefined) expect(byBytes(to, next.from)).toBeLessThanOrEqual(0);
    }
  });
});
