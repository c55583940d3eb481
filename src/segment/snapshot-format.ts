/**
 * Bytes of an index snapshot: every row of the index at one log index, sorted, in compressed blocks.
 *
 *   head of 64 bytes: "THERMSNP", u32 version, u32 compression (1: zstd), u64 applied index, zeros, u32 CRC
 *   blocks: u32 stored bytes, u32 raw bytes, u32 CRC32C of what is stored, then that
 *     raw: rows, each a blob of the key and one of the value as the index stores it, its check included
 *   segment table, a block too: where each segment begins and ends, and its live bytes
 *   trailer of 96 bytes: "THERMSNE", u32 version, u32 0, u64 applied index, u64 rows, u64 start of the
 *     segment table, 32 bytes SHA-256 over everything before it, zeros, u32 CRC32C
 *
 * A file that ends in its trailer is complete and never changes.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { ByteReader, ByteWriter, FormatError } from "../base/bytes.ts";
import { crc32c } from "../base/crc.ts";
import type { ChainValue } from "./record.ts";

export const SNAPSHOT_HEAD_BYTES = 64;
export const SNAPSHOT_TRAILER_BYTES = 96;
export const BLOCK_HEAD_BYTES = 12;
/** Rows are gathered up to this; compressing it takes some tenths of a millisecond. */
export const SNAPSHOT_BLOCK_BYTES = 64 * 1024;
/** Against absurd lengths in damaged heads: a segment table of a million segments is some 30 MB. */
const STORED_BYTES_MAX = 1024 * 1024 * 1024;
const HEAD_MAGIC = "THERMSNP";
const TRAILER_MAGIC = "THERMSNE";
const VERSION = 1;
const ZSTD = 1;

export type SnapshotTrailer = {
  readonly index: number;
  readonly rowCount: number;
  readonly tableOffset: number;
  readonly digest: Buffer;
};

/** A segment as the snapshot knows it. */
export type SnapshotSegment = {
  readonly id: number;
  readonly firstIndex: number;
  readonly entries: number;
  readonly bytes: number;
  readonly liveBytes: number;
  readonly cut: boolean;
  /** Behind its last record. */
  readonly chain: ChainValue;
};

export function encodeSnapshotHead(index: number): Buffer {
  const head = Buffer.alloc(SNAPSHOT_HEAD_BYTES);
  head.write(HEAD_MAGIC, 0, 8, "latin1");
  head.writeUInt32LE(VERSION, 8);
  head.writeUInt32LE(ZSTD, 12);
  head.writeUIntLE(index, 16, 6);
  head.writeUInt32LE(crc32c(head.subarray(0, 60)), 60);
  return head;
}

/** The applied index, or what is wrong. */
export function readSnapshotHead(bytes: Buffer): number | string {
  if (bytes.length < SNAPSHOT_HEAD_BYTES) return "it is shorter than its head";
  if (bytes.toString("latin1", 0, 8) !== HEAD_MAGIC) return "it is no snapshot";
  if (crc32c(bytes.subarray(0, 60)) !== bytes.readUInt32LE(60)) return "its head is damaged";
  const known = bytes.readUInt32LE(8) === VERSION && bytes.readUInt32LE(12) === ZSTD;
  return known ? bytes.readUIntLE(16, 6) : "a newer release wrote it";
}

export function encodeBlock(raw: Uint8Array): Buffer {
  const stored = zstdCompressSync(raw, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
  const block = Buffer.allocUnsafeSlow(BLOCK_HEAD_BYTES + stored.length);
  block.writeUInt32LE(stored.length, 0);
  block.writeUInt32LE(raw.length, 4);
  block.writeUInt32LE(crc32c(stored), 8);
  block.set(stored, BLOCK_HEAD_BYTES);
  return block;
}

/** How many bytes follow the head of a block. */
export function storedBytes(head: Buffer): number {
  const stored = head.readUInt32LE(0);
  if (stored > STORED_BYTES_MAX) throw new FormatError(`a block of ${stored} bytes`);
  return stored;
}

/** What was put into a block, whose head and stored bytes these are. */
export function decodeBlock(block: Buffer): Buffer {
  const stored = block.subarray(BLOCK_HEAD_BYTES);
  if (stored.length !== block.readUInt32LE(0) || crc32c(stored) !== block.readUInt32LE(8)) {
    throw new FormatError("a block does not match its checksum");
  }
  const rawBytes = block.readUInt32LE(4);
  const raw = zstdDecompressSync(stored, { maxOutputLength: Math.max(1, rawBytes) });
  if (raw.length !== rawBytes) throw new FormatError("a block has another length than it says");
  return raw;
}

export function* rowsOfBlock(raw: Buffer): Generator<readonly [key: string, stored: Buffer]> {
  const reader = new ByteReader(raw);
  while (reader.remaining > 0) yield [reader.text(), reader.blob()];
}

export function encodeSegmentTable(segments: readonly SnapshotSegment[]): Buffer {
  const writer = new ByteWriter(segments.length * 32 + 8);
  writer.varint(segments.length);
  for (const { id, firstIndex, entries, bytes, liveBytes, cut, chain } of segments) {
    for (const value of [id, firstIndex, entries, bytes, liveBytes, Number(cut)]) writer.varint(value);
    writer.u32(chain.low);
    writer.u32(chain.high);
  }
  return encodeBlock(writer.take());
}

export function decodeSegmentTable(block: Buffer): readonly SnapshotSegment[] {
  const reader = new ByteReader(decodeBlock(block));
  return Array.from({ length: reader.varint() }, () => ({
    id: reader.varint(),
    firstIndex: reader.varint(),
    entries: reader.varint(),
    bytes: reader.varint(),
    liveBytes: reader.varint(),
    cut: reader.varint() === 1,
    chain: { low: reader.u32(), high: reader.u32() },
  }));
}

export function encodeSnapshotTrailer(trailer: SnapshotTrailer): Buffer {
  const bytes = Buffer.alloc(SNAPSHOT_TRAILER_BYTES);
  bytes.write(TRAILER_MAGIC, 0, 8, "latin1");
  bytes.writeUInt32LE(VERSION, 8);
  bytes.writeUIntLE(trailer.index, 16, 6);
  bytes.writeUIntLE(trailer.rowCount, 24, 6);
  bytes.writeUIntLE(trailer.tableOffset, 32, 6);
  bytes.set(trailer.digest, 40);
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, 92)), 92);
  return bytes;
}

export function readSnapshotTrailer(bytes: Buffer): SnapshotTrailer | undefined {
  if (bytes.length !== SNAPSHOT_TRAILER_BYTES || bytes.toString("latin1", 0, 8) !== TRAILER_MAGIC) {
    return undefined;
  }
  if (crc32c(bytes.subarray(0, 92)) !== bytes.readUInt32LE(92)) return undefined;
  if (bytes.readUInt32LE(8) !== VERSION) return undefined;
  return {
    index: bytes.readUIntLE(16, 6),
    rowCount: bytes.readUIntLE(24, 6),
    tableOffset: bytes.readUIntLE(32, 6),
    digest: Buffer.from(bytes.subarray(40, 72)),
  };
}
