/** Promises of a segment's head: it comes back, and blank, damaged and newer ones are told apart. */
import { describe, expect, test } from "vitest";
import { crc32c } from "../../src/base/crc.ts";
import { logIndex, segmentId } from "../../src/base/units.ts";
import {
  SEGMENT_HEAD_BYTES,
  SEGMENT_VERSION,
  readSegmentHead,
  writeSegmentHead,
} from "../../src/segment/segment-head.ts";

const head = { id: segmentId(3), firstIndex: logIndex(4711), chain: { low: 0xdeadbeef, high: 0x12345678 } };

function headBytes(): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEAD_BYTES, 0xff);
  writeSegmentHead(bytes, 0, head);
  return bytes;
}

describe("a segment head", () => {
  test("comes back", () => {
    expect(readSegmentHead(headBytes())).toEqual({ kind: "head", head });
  });

  test("is written where it is told and nowhere else", () => {
    const buffer = Buffer.alloc(SEGMENT_HEAD_BYTES + 20, 0xaa);
    writeSegmentHead(buffer, 10, head);
    expect(buffer.subarray(10, -10).equals(headBytes())).toBe(true);
    expect([...buffer.subarray(0, 10), ...buffer.subarray(-10)].every((byte) => byte === 0xaa)).toBe(true);
  });

  test("of zeros, or of nothing, is blank: a file that was made ahead", () => {
    for (const count of [0, 1, SEGMENT_HEAD_BYTES]) {
      expect(readSegmentHead(Buffer.alloc(count))).toEqual({ kind: "blank" });
    }
  });

  test("with any flipped bit is damaged", () => {
    for (let bit = 0; bit < SEGMENT_HEAD_BYTES * 8; bit++) {
      const bytes = headBytes();
      bytes[bit >>> 3] = (bytes[bit >>> 3] as number) ^ (1 << (bit & 7));
      expect(readSegmentHead(bytes), `bit ${bit}`).toEqual({ kind: "damaged" });
    }
  });

  test("that was cut short is damaged", () => {
    for (let length = 1; length < SEGMENT_HEAD_BYTES; length++) {
      expect(readSegmentHead(headBytes().subarray(0, length))).toEqual({ kind: "damaged" });
    }
  });

  test("of a newer version says so", () => {
    const bytes = headBytes();
    bytes.writeUInt32LE(SEGMENT_VERSION + 1, 8);
    bytes.writeUInt32LE(crc32c(bytes.subarray(0, 60)), 60);
    expect(readSegmentHead(bytes)).toEqual({ kind: "unknownVersion", version: SEGMENT_VERSION + 1 });
  });
});
