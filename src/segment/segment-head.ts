/**
 * The first 64 bytes of a segment file: which run of the log it holds, and the chain value it continues. With
 * it a segment can be checked alone. Every byte is determined by the log, so replicas hold equal files.
 *
 *   0 "THERMSEG"   8 u32 version   12 u32 0   16 u64 ordinal   24 u64 first index   32 u64 chain value
 *  40 zeros       60 u32 CRC32C of bytes 0..60
 */
import { crc32c } from "../base/crc.ts";
import { logIndex, segmentId } from "../base/units.ts";
import type { LogIndex, SegmentId } from "../base/units.ts";
import type { ChainValue } from "./record.ts";

export const SEGMENT_HEAD_BYTES = 64;
const MAGIC = "THERMSEG";
export const SEGMENT_VERSION = 1;

export type SegmentHead = {
  readonly id: SegmentId;
  readonly firstIndex: LogIndex;
  readonly chain: ChainValue;
};

export function writeSegmentHead(buffer: Buffer, offset: number, head: SegmentHead): void {
  buffer.fill(0, offset, offset + SEGMENT_HEAD_BYTES);
  buffer.write(MAGIC, offset, 8, "latin1");
  buffer.writeUInt32LE(SEGMENT_VERSION, offset + 8);
  buffer.writeUIntLE(head.id, offset + 16, 6);
  buffer.writeUIntLE(head.firstIndex, offset + 24, 6);
  buffer.writeUInt32LE(head.chain.low, offset + 32);
  buffer.writeUInt32LE(head.chain.high, offset + 36);
  buffer.writeUInt32LE(crc32c(buffer.subarray(offset, offset + 60)), offset + 60);
}

export type SegmentHeadReading =
  | { readonly kind: "head"; readonly head: SegmentHead }
  /** A file made ahead and never written to, or whose first write did not become stable. */
  | { readonly kind: "blank" }
  | { readonly kind: "damaged" }
  | { readonly kind: "unknownVersion"; readonly version: number };

export function readSegmentHead(bytes: Buffer): SegmentHeadReading {
  if (bytes.every((byte) => byte === 0)) return { kind: "blank" };
  if (bytes.length < SEGMENT_HEAD_BYTES) return { kind: "damaged" };
  if (crc32c(bytes.subarray(0, 60)) !== bytes.readUInt32LE(60)) return { kind: "damaged" };
  if (bytes.toString("latin1", 0, 8) !== MAGIC) return { kind: "damaged" };
  const version = bytes.readUInt32LE(8);
  if (version !== SEGMENT_VERSION) return { kind: "unknownVersion", version };
  return {
    kind: "head",
    head: {
      id: segmentId(bytes.readUIntLE(16, 6)),
      firstIndex: logIndex(bytes.readUIntLE(24, 6)),
      chain: { low: bytes.readUInt32LE(32), high: bytes.readUInt32LE(36) },
    },
  };
}
