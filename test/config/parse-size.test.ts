/** Sizes: examples, and the property that every size survives being written and read. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatSize, parseSize } from "../../src/config/parse-size.ts";

test.each([
  ["0", 0],
  ["4096", 4096],
  ["64MiB", 64 * 1024 ** 2],
  ["64 MiB", 64 * 1024 ** 2],
  ["1GiB", 1024 ** 3],
  ["512KB", 512_000],
  ["512kb", 512_000],
  ["7B", 7],
  ["1.5GiB", 1.5 * 1024 ** 3],
  ["2TB", 2e12],
])("%s is a size", (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each([
  "",
  "MiB",
  "-1",
  "64XB",
  "64M",
  "1e3",
  "0.3B",
  "1.5",
  "9007199254740992",
  "9999999TiB",
  "64MiB x",
  "0x10",
  "∞",
])("%j is no size", (text) => {
  expect(parseSize(text)).toBeUndefined();
});

test("what formatSize writes, parseSize reads back exactly", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.maxSafeNat(),
        fc.nat(4096).map((n) => n * 1024 ** 2),
      ),
      (bytes) => {
        expect(parseSize(formatSize(bytes))).toBe(bytes);
      },
    ),
  );
});

test("a whole number with a unit is that many units", () => {
  const units = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };
  fc.assert(
    fc.property(fc.nat(100_000), fc.constantFrom(...Object.entries(units)), (n, [unit, factor]) => {
      expect(parseSize(`${n}${unit}`)).toBe(n * factor);
    }),
  );
});

test("any text gives a whole safe number or nothing", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[\d.]{1,20} ?[kmgtibKMGTIB]{0,3}$/)), (text) => {
      const bytes = parseSize(text);
      expect(bytes === undefined || (Number.isSafeInteger(bytes) && bytes >= 0)).toBe(true);
    }),
  );
});
