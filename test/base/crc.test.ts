/** CRC32C against published values and against the slow definition. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { crc32c } from "../../src/base/crc.ts";

/** Bit by bit, as the polynomial is defined (RFC 3720, appendix B.4; reflected 0x82f63b78). */
function slowCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

test("the values of RFC 3720 come out", () => {
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
});

test("it is the slow definition, and continues from a previous value", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }), (a, b) => {
      expect(crc32c(a)).toBe(slowCrc32c(a));
      expect(crc32c(b, crc32c(a))).toBe(slowCrc32c(Buffer.concat([a, b])));
    }),
  );
});

test("a text counts by its UTF-8 bytes", () => {
  expect(crc32c("object/ü😀")).toBe(slowCrc32c(Buffer.from("object/ü😀")));
});

test("zeros are not their own checksum: a hole in a file is never a valid record", () => {
  for (const count of [4, 36, 60, 512]) expect(crc32c(Buffer.alloc(count))).not.toBe(0);
});
