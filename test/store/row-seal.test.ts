/**
 * Promises of the row seal: a row comes back under its own key only, and no changed bit in it goes
 * unnoticed.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { DamageError } from "../../src/base/errors.ts";
import { openRow, sealRow } from "../../src/store/row-seal.ts";

const key = fc.string({ unit: "grapheme", minLength: 1 });

test("every row comes back", () => {
  fc.assert(
    fc.property(key, fc.uint8Array({ maxLength: 400, size: "max" }), (name, value) => {
      const stored = Uint8Array.from(sealRow(name, value));
      expect(Uint8Array.from(openRow(name, stored))).toEqual(value);
    }),
  );
});

test("rows larger than the scratch come back", () => {
  for (const size of [64 * 1024 - 4, 64 * 1024 - 3, 64 * 1024, 1024 * 1024]) {
    const value = Buffer.alloc(size, 7);
    expect(Buffer.from(openRow("k", Buffer.from(sealRow("k", value)))).equals(value)).toBe(true);
  }
});

test("every flipped bit of a row is noticed", () => {
  const stored = Buffer.from(sealRow("object/000001/k", Buffer.from("the value of a row")));
  for (let bit = 0; bit < stored.length * 8; bit++) {
    const damaged = Buffer.from(stored);
    damaged[bit >>> 3] = (damaged[bit >>> 3] as number) ^ (1 << (bit & 7));
    expect(() => openRow("object/000001/k", damaged)).toThrow(DamageError);
  }
});

test("a row under another key is noticed, and the key is named", () => {
  const stored = Buffer.from(sealRow("bucket/a", Buffer.from("x")));
  expect(() => openRow("bucket/b", stored)).toThrow('"bucket/b"');
});

test("what is too short to be a row is noticed", () => {
  for (let length = 0; length < 4; length++) {
    expect(() => openRow("k", Buffer.alloc(length))).toThrow(DamageError);
  }
});
