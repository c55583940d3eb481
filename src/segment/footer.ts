/**
 * The end of a sealed segment: where each record starts, and the SHA-256 over all record headers, which cover
 * every payload byte. A file that ends in a valid trailer is complete; nothing is ever appended to it again.
 *
 *   offset table: for each record, a varint of its payload length (starts follow by adding up)
 *   trailer of 96 bytes: "THERMFTR", u32 version, u32 table bytes, u64 first index, u64 last index,
 *   u64 end chain, u32 CRC32C of the table, u32 0, 32 bytes SHA-256 of the headers, zeros, u32 CRC32C
 */
import { ByteReader, ByteWriter, FormatError } from "../base/bytes.ts";
import { crc32c } from "../base/crc.ts";
import { logIndex } from "../base/units.ts";
import type { LogIndex } from "../base/units.ts";
import type { ChainValue } from "./record.ts";

export const TRAILER_BYTES = 96;
const MAGIC = "THERMFTR";
const FOOTER_VERSION = 1;

export type Footer = {
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  readonly endChain: ChainValue;
  /** SHA-256 over the record headers, in order: 32 bytes. */
  readonly headersDigest: Uint8Array;
  readonly payloadLengths: readonly number[];
};

export type Trailer = Omit<Footer, "payloadLengths"> & {
  readonly tableBytes: number;
  readonly tableCheck: number;
};

export function encodeFooter(footer: Footer): Buffer {
  const writer = new ByteWriter(footer.payloadLengths.length * 3 + TRAILER_BYTES);
  for (const payloadBytes of footer.payloadLengths) writer.varint(payloadBytes);
  const table = writer.take();
  const trailer = Buffer.alloc(TRAILER_BYTES);
  trailer.write(MAGIC, 0, 8, "latin1");
  trailer.writeUInt32LE(FOOTER_VERSION, 8);
  trailer.writeUInt32LE(table.length, 12);
  trailer.writeUIntLE(footer.firstIndex, 16, 6);
  trailer.writeUIntLE(footer.lastIndex, 24, 6);
  trailer.writeUInt32LE(footer.endChain.low, 32);
  trailer.writeUInt32LE(footer.endChain.high, 36);
  trailer.writeUInt32LE(crc32c(table), 40);
  trailer.set(footer.headersDigest, 48);
  trailer.writeUInt32LE(crc32c(trailer.subarray(0, 92)), 92);
  return Buffer.concat([table, trailer]);
}

/** The trailer in the last 96 bytes of a file, or `undefined` if the file does not end in one. */
export function readTrailer(bytes: Buffer): Trailer | undefined {
  if (bytes.length !== TRAILER_BYTES || bytes.toString("latin1", 0, 8) !== MAGIC) return undefined;
  if (crc32c(bytes.subarray(0, 92)) !== bytes.readUInt32LE(92)) return undefined;
  if (bytes.readUInt32LE(8) !== FOOTER_VERSION) return undefined;
  return {
    firstIndex: logIndex(bytes.readUIntLE(16, 6)),
    lastIndex: logIndex(bytes.readUIntLE(24, 6)),
    endChain: { low: bytes.readUInt32LE(32), high: bytes.readUInt32LE(36) },
    tableBytes: bytes.readUInt32LE(12),
    tableCheck: bytes.readUInt32LE(40),
    headersDigest: Uint8Array.from(bytes.subarray(48, 80)),
  };
}

/** Payload length of each record, from the bytes before the trailer. */
export function readOffsetTable(table: Buffer, trailer: Trailer): readonly number[] {
  if (crc32c(table) !== trailer.tableCheck)
    throw new FormatError("the offset table does not match its check");
  const reader = new ByteReader(table);
  const lengths: number[] = [];
  while (reader.remaining > 0) lengths.push(reader.varint());
  if (lengths.length !== trailer.lastIndex - trailer.firstIndex + 1) {
    throw new FormatError(`${lengths.length} offsets for ${trailer.firstIndex}..${trailer.lastIndex}`);
  }
  return lengths;
}
