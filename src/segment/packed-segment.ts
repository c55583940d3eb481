/**
 * A packed segment: of a segment below the floor only the pieces that some row still names, one behind the
 * other, and where each of them stood. Rows go on naming the place where they were born.
 *
 *   head of 64 bytes: "THERMPAK", u32 version, u32 0, u64 segment, zeros, u32 CRC32C
 *   pieces
 *   table: per piece, by place: varint of the gap behind the piece before it, varint of its length
 *   trailer of 96 bytes: "THERMPKE", u32 version, u32 0, u64 segment, u64 bytes of the pieces, u32 count,
 *     u32 table bytes, u32 CRC32C of the table, u32 CRC32C of the pieces, zeros, u32 CRC32C
 */
import { assert } from "../base/assert.ts";
import { ByteReader, ByteWriter, FormatError } from "../base/bytes.ts";
import { crc32c } from "../base/crc.ts";

export const PACKED_HEAD_BYTES = 64;
export const PACKED_TRAILER_BYTES = 96;
const HEAD_MAGIC = "THERMPAK";
const TRAILER_MAGIC = "THERMPKE";
const VERSION = 1;
const OFFSET_MAX = 2 ** 32;

/** From the start of the segment as it was written first. */
export type Piece = { readonly offset: number; readonly length: number };

export type PackedTrailer = {
  readonly segmentId: number;
  readonly dataBytes: number;
  readonly count: number;
  readonly tableBytes: number;
  readonly tableCheck: number;
  readonly dataCheck: number;
};

export function encodePackedHead(segmentId: number): Buffer {
  const head = Buffer.alloc(PACKED_HEAD_BYTES);
  head.write(HEAD_MAGIC, 0, 8, "latin1");
  head.writeUInt32LE(VERSION, 8);
  head.writeUIntLE(segmentId, 16, 6);
  head.writeUInt32LE(crc32c(head.subarray(0, 60)), 60);
  return head;
}

/** Whether a file that begins with `bytes` is a packed one; its head may be damaged all the same. */
export function isPacked(bytes: Buffer): boolean {
  return bytes.toString("latin1", 0, 8) === HEAD_MAGIC;
}

/** In order of their offsets, none over another. */
export function encodePackedTable(pieces: readonly Piece[]): Buffer {
  const writer = new ByteWriter(pieces.length * 6 + 16);
  let end = 0;
  for (const { offset, length } of pieces) {
    assert(offset >= end, `a piece at ${offset} overlaps the one before it`);
    writer.varint(offset - end);
    writer.varint(length);
    end = offset + length;
  }
  assert(end < OFFSET_MAX, `a piece ends at ${end}`);
  return writer.take();
}

export function encodePackedTrailer(trailer: PackedTrailer): Buffer {
  const bytes = Buffer.alloc(PACKED_TRAILER_BYTES);
  bytes.write(TRAILER_MAGIC, 0, 8, "latin1");
  bytes.writeUInt32LE(VERSION, 8);
  bytes.writeUIntLE(trailer.segmentId, 16, 6);
  bytes.writeUIntLE(trailer.dataBytes, 24, 6);
  bytes.writeUInt32LE(trailer.count, 32);
  bytes.writeUInt32LE(trailer.tableBytes, 36);
  bytes.writeUInt32LE(trailer.tableCheck, 40);
  bytes.writeUInt32LE(trailer.dataCheck, 44);
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, 92)), 92);
  return bytes;
}

/** Throws FormatError for anything but the trailer that belongs to `head`. */
export function readPackedTrailer(head: Buffer, bytes: Buffer): PackedTrailer {
  if (head.length < PACKED_HEAD_BYTES || crc32c(head.subarray(0, 60)) !== head.readUInt32LE(60)) {
    throw new FormatError("its head is damaged");
  }
  const trailer = readPackedEnd(bytes);
  if (head.readUInt32LE(8) !== VERSION) throw new FormatError("a newer release wrote it");
  if (trailer.segmentId !== head.readUIntLE(16, 6)) {
    throw new FormatError("its head and its end belong to others");
  }
  return trailer;
}

/** The trailer alone, of one that lies where each look at it costs a request. Throws FormatError. */
export function readPackedEnd(bytes: Buffer): PackedTrailer {
  const isTrailer = bytes.length === PACKED_TRAILER_BYTES && bytes.toString("latin1", 0, 8) === TRAILER_MAGIC;
  if (!isTrailer || crc32c(bytes.subarray(0, 92)) !== bytes.readUInt32LE(92)) {
    throw new FormatError("it does not end in its trailer");
  }
  if (bytes.readUInt32LE(8) !== VERSION) throw new FormatError("a newer release wrote it");
  return {
    segmentId: bytes.readUIntLE(16, 6),
    dataBytes: bytes.readUIntLE(24, 6),
    count: bytes.readUInt32LE(32),
    tableBytes: bytes.readUInt32LE(36),
    tableCheck: bytes.readUInt32LE(40),
    dataCheck: bytes.readUInt32LE(44),
  };
}

/** Where each piece stood and stands now: sorted arrays, because there may be a hundred thousand of them. */
export class PieceTable {
  readonly #offsets: Uint32Array;
  readonly #places: Uint32Array;

  constructor(table: Buffer, trailer: PackedTrailer) {
    if (table.length !== trailer.tableBytes || crc32c(table) !== trailer.tableCheck) {
      throw new FormatError("its table does not match its check");
    }
    this.#offsets = new Uint32Array(trailer.count);
    this.#places = new Uint32Array(trailer.count + 1);
    const reader = new ByteReader(table);
    let end = 0;
    let place = PACKED_HEAD_BYTES;
    for (let at = 0; at < trailer.count; at++) {
      const offset = end + reader.varint();
      const length = reader.varint();
      this.#offsets[at] = offset;
      this.#places[at] = place;
      end = offset + length;
      place += length;
    }
    this.#places[trailer.count] = place;
    if (reader.remaining > 0 || place !== PACKED_HEAD_BYTES + trailer.dataBytes) {
      throw new FormatError("its table does not fit its pieces");
    }
  }

  get bytes(): number {
    return this.#offsets.byteLength + this.#places.byteLength;
  }

  /** Where `length` bytes from `offset` on stand now; `undefined` if they were not kept. */
  find(offset: number, length: number): number | undefined {
    let low = 0;
    let high = this.#offsets.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#offsets[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    const start = this.#offsets[low];
    if (start === undefined || start > offset) return undefined;
    const place = (this.#places[low] as number) + offset - start;
    return place + length <= (this.#places[low + 1] as number) ? place : undefined;
  }
}
