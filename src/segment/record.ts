/**
 * A record: one log entry at rest.
 *
 *   0  u32 payload bytes      4 u8 type   5 u8 version   6 u16 flags (0)
 *   8  u48 term, u16 0       16 u48 index, u16 0
 *  24  u32 payload check     28 u64 chain value of the record before   36 u32 CRC32C of bytes 0..36  40
 * payload
 *      [block table: u32 CRC32C per 64 KiB block, only when the payload is longer than one block]
 *
 * The payload check is the CRC32C of the payload, or of the block table when there is one, so the header
 * covers every byte and a range of a large payload is verified with its blocks alone. The chain value binds a
 * record to the whole history before it. Nothing local (time, node, file) is inside: replicas hold identical
 * bytes. The table stands last so that a payload is encoded in place before its length is known.
 */
import { crc32 } from "node:zlib";
import { assert } from "../base/assert.ts";
import { crc32c } from "../base/crc.ts";
import type { LogIndex, Term } from "../base/units.ts";

export const RECORD_HEADER_BYTES = 40;
export const RECORD_VERSION = 1;
export const BLOCK_BYTES = 64 * 1024;
/** A bound against absurd lengths in damaged headers; the write path never comes near it. */
export const PAYLOAD_BYTES_MAX = 16 * 1024 * 1024;

/** What an entry is. The numbers are part of the format. */
export const RecordType = { noop: 1, commands: 2, chunk: 3, seal: 4 } as const;
export type RecordType = (typeof RecordType)[keyof typeof RecordType];

/**
 * Eight bytes that stand for a whole history; two 32-bit halves because JavaScript numbers end at 53 bits.
 */
export type ChainValue = { readonly low: number; readonly high: number };
export const CHAIN_START: ChainValue = { low: 0, high: 0 };

export type RecordHeader = {
  readonly type: RecordType;
  readonly term: Term;
  readonly index: LogIndex;
  readonly payloadBytes: number;
  readonly payloadCheck: number;
  readonly chain: ChainValue;
};

export function blockTableBytes(payloadBytes: number): number {
  return payloadBytes <= BLOCK_BYTES ? 0 : Math.ceil(payloadBytes / BLOCK_BYTES) * 4;
}

/** Bytes of the whole record: header, payload, table. */
export function recordBytes(payloadBytes: number): number {
  return RECORD_HEADER_BYTES + blockTableBytes(payloadBytes) + payloadBytes;
}

export type RecordIdentity = {
  readonly type: RecordType;
  readonly term: Term;
  readonly index: LogIndex;
  readonly chain: ChainValue;
};

/**
 * Completes the record that starts at `offset`: its payload already stands behind the header, so no
 * byte is copied; the table is written behind it. Returns the chain value for the record after it.
 */
export function sealRecord(
  buffer: Buffer,
  offset: number,
  payloadBytes: number,
  identity: RecordIdentity,
): ChainValue {
  // A reader takes a longer one for damage: it must never be acknowledged.
  assert(payloadBytes <= PAYLOAD_BYTES_MAX, `a payload of ${payloadBytes} bytes does not fit into a record`);
  const tableBytes = blockTableBytes(payloadBytes);
  const payloadStart = offset + RECORD_HEADER_BYTES;
  const tableStart = payloadStart + payloadBytes;
  let check: number;
  if (tableBytes === 0) {
    check = crc32c(buffer.subarray(payloadStart, payloadStart + payloadBytes));
  } else {
    for (let block = 0; block * 4 < tableBytes; block++) {
      const start = payloadStart + block * BLOCK_BYTES;
      const end = Math.min(start + BLOCK_BYTES, payloadStart + payloadBytes);
      buffer.writeUInt32LE(crc32c(buffer.subarray(start, end)), tableStart + block * 4);
    }
    check = crc32c(buffer.subarray(tableStart, tableStart + tableBytes));
  }
  buffer.writeUInt32LE(payloadBytes, offset);
  buffer[offset + 4] = identity.type;
  buffer[offset + 5] = RECORD_VERSION;
  buffer.writeUInt16LE(0, offset + 6);
  buffer.writeUIntLE(identity.term, offset + 8, 6);
  buffer.writeUInt16LE(0, offset + 14);
  buffer.writeUIntLE(identity.index, offset + 16, 6);
  buffer.writeUInt16LE(0, offset + 22);
  buffer.writeUInt32LE(check, offset + 24);
  buffer.writeUInt32LE(identity.chain.low, offset + 28);
  buffer.writeUInt32LE(identity.chain.high, offset + 32);
  buffer.writeUInt32LE(crc32c(buffer.subarray(offset, offset + 36)), offset + 36);
  return chainAfter(buffer.subarray(offset, offset + RECORD_HEADER_BYTES));
}

/** Two CRCs with different polynomials over a header, which holds the chain value of the one before. */
export function chainAfter(header: Uint8Array): ChainValue {
  return { low: crc32c(header), high: crc32(header) };
}

export function sameChain(a: ChainValue, b: ChainValue): boolean {
  return a.low === b.low && a.high === b.high;
}

/** The header at `offset`, or `undefined` if its bytes are not a valid header. */
export function readRecordHeader(buffer: Buffer, offset: number): RecordHeader | undefined {
  if (offset + RECORD_HEADER_BYTES > buffer.length) return undefined;
  if (crc32c(buffer.subarray(offset, offset + 36)) !== buffer.readUInt32LE(offset + 36)) return undefined;
  const type = buffer[offset + 4] as number;
  const payloadBytes = buffer.readUInt32LE(offset);
  if (buffer[offset + 5] !== RECORD_VERSION || !isRecordType(type)) return undefined;
  if (payloadBytes > PAYLOAD_BYTES_MAX) return undefined;
  return {
    type,
    term: buffer.readUIntLE(offset + 8, 6) as Term,
    index: buffer.readUIntLE(offset + 16, 6) as LogIndex,
    payloadBytes,
    payloadCheck: buffer.readUInt32LE(offset + 24),
    chain: { low: buffer.readUInt32LE(offset + 28), high: buffer.readUInt32LE(offset + 32) },
  };
}

function isRecordType(value: number): value is RecordType {
  return value >= RecordType.noop && value <= RecordType.seal;
}

/** Whether payload and table, which follow a header in `buffer` from `payloadStart`, match it. */
export function payloadMatches(buffer: Buffer, payloadStart: number, header: RecordHeader): boolean {
  const tableStart = payloadStart + header.payloadBytes;
  const tableEnd = tableStart + blockTableBytes(header.payloadBytes);
  if (tableEnd > buffer.length) return false;
  const payload = buffer.subarray(payloadStart, tableStart);
  if (tableEnd === tableStart) return crc32c(payload) === header.payloadCheck;
  const table = buffer.subarray(tableStart, tableEnd);
  return crc32c(table) === header.payloadCheck && blocksMatch(payload, table, 0);
}

/** Whether `blocks`, which start at block `firstBlock`, match the table. The last one may be short. */
export function blocksMatch(blocks: Buffer, table: Buffer, firstBlock: number): boolean {
  for (let start = 0, block = firstBlock; start < blocks.length; start += BLOCK_BYTES, block++) {
    const end = Math.min(start + BLOCK_BYTES, blocks.length);
    if (crc32c(blocks.subarray(start, end)) !== table.readUInt32LE(block * 4)) return false;
  }
  return true;
}
