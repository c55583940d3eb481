/**
 * Where one segment ends and the next begins. The rule sees the entries only (their sizes and their order),
 * so every replica cuts at the same index and sealed segments are byte-identical.
 */
import { RecordType, recordBytes } from "./record.ts";
import { SEGMENT_HEAD_BYTES } from "./segment-head.ts";

/** Target size of a segment: one S3 PUT moves it, and a billion 4 KiB objects are 61,000 of them. */
export const SEGMENT_BYTES_DEFAULT = 64 * 1024 * 1024;

/** Bytes of an open segment after an entry was appended; `before` is 0 for a new segment. */
export function segmentBytesAfter(before: number, payloadBytes: number): number {
  return (before === 0 ? SEGMENT_HEAD_BYTES : before) + recordBytes(payloadBytes);
}

/** Whether the segment is cut after an entry of `type` that brought it to `bytes`. */
export function cutsAfter(type: RecordType, bytes: number, segmentBytesMax: number): boolean {
  return type === RecordType.seal || bytes >= segmentBytesMax;
}
