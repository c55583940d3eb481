/** The rule that cuts the log: it sees the entries only. */
import { expect, test } from "vitest";
import { cutsAfter, segmentBytesAfter } from "../../src/segment/cut.ts";
import { RecordType, recordBytes } from "../../src/segment/record.ts";
import { SEGMENT_HEAD_BYTES } from "../../src/segment/segment-head.ts";

test("the first entry brings the head along", () => {
  expect(segmentBytesAfter(0, 100)).toBe(SEGMENT_HEAD_BYTES + recordBytes(100));
  expect(segmentBytesAfter(500, 100)).toBe(500 + recordBytes(100));
});

test("a segment is cut after the entry that brings it to its size, not before", () => {
  expect(cutsAfter(RecordType.commands, 999, 1000)).toBe(false);
  expect(cutsAfter(RecordType.commands, 1000, 1000)).toBe(true);
  expect(cutsAfter(RecordType.chunk, 5000, 1000)).toBe(true);
});

test("a seal entry cuts at any size", () => {
  expect(cutsAfter(RecordType.seal, 104, 1000)).toBe(true);
  expect(cutsAfter(RecordType.noop, 104, 1000)).toBe(false);
});
