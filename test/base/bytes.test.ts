/** Promises of the byte formats: what was written is read back, and a reader never runs past its end. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader, ByteWriter, FormatError } from "../../src/base/bytes.ts";

function written(write: (writer: ByteWriter) => void, initialBytes = 256): Buffer {
  const writer = new ByteWriter(initialBytes);
  write(writer);
  return writer.take();
}

describe("varint", () => {
  test("every safe integer comes back", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const bytes = written((writer) => writer.varint(value));
        const reader = new ByteReader(bytes);
        return reader.varint() === value && reader.remaining === 0;
      }),
    );
  });

  test.each([0, 1, 127, 128, 16_383, 16_384, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 35, 2 ** 53 - 1])(
    "%d comes back",
    (value) => {
      expect(new ByteReader(written((writer) => writer.varint(value))).varint()).toBe(value);
    },
  );

  test("takes one byte per seven bits", () => {
    const lengthOf = (value: number) => written((writer) => writer.varint(value)).length;
    expect([127, 128, 2 ** 14 - 1, 2 ** 14, 2 ** 49, 2 ** 53 - 1].map(lengthOf)).toEqual([1, 2, 2, 3, 8, 8]);
  });

  test("one that does not end is refused", () => {
    expect(() => new ByteReader(Buffer.alloc(9, 0x80)).varint()).toThrow(FormatError);
    expect(() => new ByteReader(Buffer.alloc(3, 0x80)).varint()).toThrow(FormatError);
  });
});

describe("text", () => {
  const anyText = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 200 }),
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.string({ unit: "grapheme-ascii", maxLength: 300 }),
  );

  test("every text of whole characters comes back, however it is composed", () => {
    fc.assert(
      fc.property(fc.array(anyText, { maxLength: 5 }), fc.integer({ min: 1, max: 64 }), (texts, initial) => {
        const bytes = written((writer) => texts.forEach((text) => writer.text(text)), initial);
        const reader = new ByteReader(bytes);
        const read = texts.map(() => reader.text());
        expect(read).toEqual(texts);
        expect(reader.remaining).toBe(0);
      }),
    );
  });

  test.each([0, 1, 47, 48, 49, 127, 128, 129, 1024])(
    "%d characters of one, two, three and four bytes",
    (count) => {
      for (const unit of ["a", "é", "€", "😀"]) {
        const text = unit.repeat(count);
        const bytes = written((writer) => writer.text(text), 1);
        expect(new ByteReader(bytes).text()).toBe(text);
        const lengthBytes = written((writer) => writer.varint(Buffer.byteLength(text))).length;
        expect(bytes.length).toBe(lengthBytes + Buffer.byteLength(text));
      }
    },
  );

  test("a text that stops being ASCII half way leaves nothing of the first attempt behind", () => {
    const bytes = written((writer) => {
      writer.text("abc😀");
      writer.u8(7);
    }, 1);
    expect([...bytes]).toEqual([7, 0x61, 0x62, 0x63, 0xf0, 0x9f, 0x98, 0x80, 7]);
  });
});

describe("fields", () => {
  test("a row of mixed fields comes back in order, through every growth of the buffer", () => {
    const field = fc.oneof(
      fc.record({ kind: fc.constant("u8" as const), value: fc.nat(255) }),
      fc.record({ kind: fc.constant("u32" as const), value: fc.nat(0xffffffff) }),
      fc.record({ kind: fc.constant("varint" as const), value: fc.maxSafeNat() }),
      fc.record({ kind: fc.constant("blob" as const), value: fc.uint8Array({ maxLength: 300 }) }),
      fc.record({ kind: fc.constant("text" as const), value: fc.string({ unit: "grapheme" }) }),
    );
    const run = fc.property(fc.array(field), fc.integer({ min: 1, max: 32 }), (fields, initial) => {
      const writer = new ByteWriter(initial);
      for (const { kind, value } of fields) {
        if (kind === "blob") writer.blob(value);
        else if (kind === "text") writer.text(value);
        else writer[kind](value);
      }
      const reader = new ByteReader(writer.take());
      for (const { kind, value } of fields) {
        expect(kind === "blob" ? Uint8Array.from(reader.blob()) : reader[kind]()).toEqual(value);
      }
      expect(reader.remaining).toBe(0);
    });
    fc.assert(run);
  });

  test("what was taken is a copy that later writing does not change", () => {
    const writer = new ByteWriter(16);
    writer.ascii("first");
    const first = writer.take();
    writer.reset();
    writer.ascii("other");
    expect(first.toString("latin1")).toBe("first");
    expect(writer.take().toString("latin1")).toBe("other");
  });

  test("room is made before what was there moves: earlier bytes survive growing", () => {
    const writer = new ByteWriter(1);
    for (let at = 0; at < 10_000; at++) writer.u8(at & 0xff);
    expect(writer.take().every((byte, at) => byte === (at & 0xff))).toBe(true);
  });
});

describe("bounds", () => {
  const readers: readonly (readonly [string, (reader: ByteReader) => unknown])[] = [
    ["u8", (reader) => reader.u8()],
    ["u32", (reader) => reader.u32()],
    ["varint", (reader) => reader.varint()],
    ["bytes", (reader) => reader.bytes(1)],
    ["blob", (reader) => reader.blob()],
    ["text", (reader) => reader.text()],
  ];

  test.each(readers)("%s behind the end is a FormatError", (_, read) => {
    expect(() => read(new ByteReader(Buffer.alloc(0)))).toThrow(FormatError);
  });

  test.each(["blob", "text"] as const)("a %s longer than what is there is a FormatError", (kind) => {
    const cut = written((writer) => writer.blob(Buffer.alloc(10))).subarray(0, 10);
    expect(() => new ByteReader(cut)[kind]()).toThrow(FormatError);
  });

  test("the end of the format is respected, not the end of the buffer", () => {
    const reader = new ByteReader(Buffer.from([1, 2, 3, 4, 5, 6]), 1, 4);
    expect(() => reader.u32()).toThrow(FormatError);
    expect(reader.bytes(3)).toEqual(Buffer.from([2, 3, 4]));
    expect(() => reader.u8()).toThrow(FormatError);
  });

  test("no garbage makes a reader throw anything else", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        fc.array(fc.nat(5), { maxLength: 10 }),
        (bytes, steps) => {
          const reader = new ByteReader(bytes);
          for (const step of steps) {
            try {
              readers[step]?.[1](reader);
            } catch (error) {
              expect(error).toBeInstanceOf(FormatError);
            }
            expect(reader.offset).toBeLessThanOrEqual(bytes.length);
          }
        },
      ),
    );
  });
});
