/** Promises of a footer: lengths and digest come back; a damaged one is none, so it is made again. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError } from "../../src/base/bytes.ts";
import { logIndex } from "../../src/base/units.ts";
import { TRAILER_BYTES, encodeFooter, readOffsetTable, readTrailer } from "../../src/segment/footer.ts";
import type { Footer, Trailer } from "../../src/segment/footer.ts";
import { patternBytes } from "./records.ts";

function footerOf(payloadLengths: readonly number[], firstIndex = 10): Footer {
  return {
    firstIndex: logIndex(firstIndex),
    lastIndex: logIndex(firstIndex + payloadLengths.length - 1),
    endChain: { low: 1, high: 0xffffffff },
    headersDigest: Uint8Array.from(patternBytes(32)),
    payloadLengths,
  };
}

function trailerIn(bytes: Buffer): Trailer | undefined {
  return readTrailer(bytes.subarray(bytes.length - TRAILER_BYTES));
}

describe("a footer", () => {
  test("comes back, whatever the lengths", () => {
    const lengths = fc.array(fc.nat(16 * 1024 * 1024), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 2 ** 40 }), (payloadLengths, firstIndex) => {
        const footer = footerOf(payloadLengths, firstIndex);
        const bytes = encodeFooter(footer);
        const trailer = trailerIn(bytes);
        const { payloadLengths: _, ...facts } = footer;
        expect(trailer).toMatchObject(facts);
        expect(bytes.length).toBe((trailer?.tableBytes ?? 0) + TRAILER_BYTES);
        const table = bytes.subarray(0, trailer?.tableBytes);
        expect(readOffsetTable(table, trailer as Trailer)).toEqual(payloadLengths);
      }),
      { numRuns: 50 },
    );
  });

  test("with any flipped bit in its trailer is none", () => {
    const bytes = encodeFooter(footerOf([1, 2, 3]));
    for (let bit = 0; bit < TRAILER_BYTES * 8; bit++) {
      const trailer = Buffer.from(bytes.subarray(-TRAILER_BYTES));
      trailer[bit >>> 3] = (trailer[bit >>> 3] as number) ^ (1 << (bit & 7));
      expect(readTrailer(trailer), `bit ${bit}`).toBeUndefined();
    }
  });

  test("with any flipped bit in its table is refused", () => {
    const bytes = encodeFooter(footerOf([1, 200, 30_000, 4_000_000]));
    const trailer = trailerIn(bytes) as Trailer;
    for (let bit = 0; bit < trailer.tableBytes * 8; bit++) {
      const table = Buffer.from(bytes.subarray(0, trailer.tableBytes));
      table[bit >>> 3] = (table[bit >>> 3] as number) ^ (1 << (bit & 7));
      expect(() => readOffsetTable(table, trailer)).toThrow(FormatError);
    }
  });

  test("whose table does not count its entries is refused", () => {
    const footer = { ...footerOf([1, 2, 3]), lastIndex: logIndex(99) };
    const bytes = encodeFooter(footer);
    const trailer = trailerIn(bytes) as Trailer;
    expect(() => readOffsetTable(bytes.subarray(0, trailer.tableBytes), trailer)).toThrow(
      "3 offsets for 10..99",
    );
  });

  test("is not found in other bytes, and not in too few or too many", () => {
    const bytes = encodeFooter(footerOf([1]));
    expect(readTrailer(Buffer.alloc(TRAILER_BYTES))).toBeUndefined();
    expect(readTrailer(bytes.subarray(-TRAILER_BYTES + 1))).toBeUndefined();
    expect(readTrailer(Buffer.concat([bytes.subarray(-TRAILER_BYTES), Buffer.alloc(1)]))).toBeUndefined();
  });
});
