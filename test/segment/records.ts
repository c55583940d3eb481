/** Records, made and changed: what the tests of the format share. */
import { crc32c } from "../../src/base/crc.ts";
import { logIndex, term } from "../../src/base/units.ts";
import {
  CHAIN_START,
  RECORD_HEADER_BYTES,
  RecordType,
  chainAfter,
  readRecordHeader,
  recordBytes,
  sealRecord,
} from "../../src/segment/record.ts";
import type { ChainValue, RecordHeader } from "../../src/segment/record.ts";

/** Bytes that differ from block to block and from seed to seed. */
export function patternBytes(count: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(count);
  let state = (seed * 2654435761) >>> 0;
  for (let at = 0; at < count; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

export type MadeRecord = { readonly bytes: Buffer; readonly chain: ChainValue };

/** One sealed record, with `margin` foreign bytes on either side of it. */
export function makeRecord(
  payload: Uint8Array,
  options: {
    readonly index?: number;
    readonly term?: number;
    readonly type?: RecordType;
    readonly chain?: ChainValue;
    readonly margin?: number;
  } = {},
): MadeRecord {
  const margin = options.margin ?? 0;
  const length = recordBytes(payload.length);
  const buffer = Buffer.alloc(margin * 2 + length, 0xee);
  buffer.set(payload, margin + RECORD_HEADER_BYTES);
  const chain = sealRecord(buffer, margin, payload.length, {
    type: options.type ?? RecordType.commands,
    term: term(options.term ?? 1),
    index: logIndex(options.index ?? 1),
    chain: options.chain ?? CHAIN_START,
  });
  return { bytes: buffer.subarray(margin, margin + length), chain };
}

/** A header with changed bytes and a check that fits them again: what a bug would write, not a disk. */
export function forgeHeader(record: Buffer, change: (header: Buffer) => void): RecordHeader | undefined {
  const header = Buffer.from(record.subarray(0, RECORD_HEADER_BYTES));
  change(header);
  header.writeUInt32LE(crc32c(header.subarray(0, 36)), 36);
  return readRecordHeader(header, 0);
}

/** A run of records that continue each other, one buffer each. */
export function makeChain(
  payloads: readonly Uint8Array[],
  start: { readonly index: number; readonly chain: ChainValue } = { index: 1, chain: CHAIN_START },
): readonly MadeRecord[] {
  let { chain } = start;
  return payloads.map((payload, at) => {
    const record = makeRecord(payload, { index: start.index + at, chain });
    ({ chain } = record);
    return record;
  });
}

export function chainOf(record: Buffer): ChainValue {
  return chainAfter(record.subarray(0, RECORD_HEADER_BYTES));
}
