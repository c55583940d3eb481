/**
 * A tail object: committed records of a segment that is still open, in a piece of their own, so that the
 * bucket lacks a few seconds of the log only. Its records are the bytes that the segment will hold.
 *
 *   head of 192 bytes: "THERMTAL", u32 version, u32 CRC32C of the records, u64 segment, u64 first index of
 *     the segment, u64 first index, u64 last index, u64 chain value before, u64 chain value after,
 *     u64 bytes of the records, u8 length of the lineage, at most 64 bytes of it, zeros, u32 CRC32C
 *   records
 *
 * Two tails of one lineage may overlap (a new leader begins where it likes); then they hold equal records,
 * or one of them was not committed and nobody may choose between them (RULES.md R22).
 */
import { assert } from "../base/assert.ts";
import { crc32c } from "../base/crc.ts";
import { DamageError } from "../base/errors.ts";
import type { Steps } from "../base/steps.ts";
import {
  RECORD_HEADER_BYTES,
  chainAfter,
  payloadMatches,
  readRecordHeader,
  recordBytes,
  sameChain,
} from "./record.ts";
import type { ChainValue, RecordHeader } from "./record.ts";

export const TAIL_HEAD_BYTES = 192;
const LINEAGE_OFFSET = 73;
const LINEAGE_BYTES_MAX = 64;
const MAGIC = "THERMTAL";
const TAIL_VERSION = 1;

/** What a tail says about itself, and its records bear out. */
export type TailFacts = {
  readonly lineage: string;
  readonly segmentId: number;
  readonly segmentFirstIndex: number;
  readonly first: number;
  readonly last: number;
  readonly chainBefore: ChainValue;
  readonly chainAfter: ChainValue;
};

export type Tail = TailFacts & {
  /** A view of the records, one behind the other. */
  readonly records: Buffer;
  /** Where each record starts in `records`, and behind the last one where they end. */
  readonly offsets: readonly number[];
};

export type TailReading =
  | { readonly kind: "tail"; readonly tail: Tail }
  | { readonly kind: "damaged"; readonly reason: string }
  | { readonly kind: "unknownVersion"; readonly version: number };

export type TailOwner = {
  readonly lineage: string;
  readonly segmentId: number;
  readonly segmentFirstIndex: number;
  /** What is not committed may be replaced by another record, and a tail may not. */
  readonly commitIndex: number;
};

/** Between two steps: a millisecond, however small the records are. */
const RECORDS_PER_STEP = 400;
const BYTES_PER_STEP = 2 * 1024 * 1024;

/** The object in pieces: its head, then the given buffers, each of which holds whole records. */
export function* encodeTail(
  owner: TailOwner,
  pieces: readonly Buffer[],
): Steps<{ readonly facts: TailFacts; readonly body: readonly Buffer[] }> {
  const { lineage, segmentId, segmentFirstIndex, commitIndex } = owner;
  let facts: TailFacts | undefined;
  let check = 0;
  let bytes = 0;
  let sinceStep = 0;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; at += BYTES_PER_STEP) {
      check = crc32c(piece.subarray(at, at + BYTES_PER_STEP), check);
      yield;
    }
    bytes += piece.length;
    for (let offset = 0; offset < piece.length;) {
      const header = soundHeader(piece, offset);
      const { index } = header;
      assert(
        facts === undefined || index === facts.last + 1,
        `record ${index} behind ${facts?.last} in a tail`,
      );
      assert(facts === undefined || sameChain(header.chain, facts.chainAfter), "a tail of two histories");
      const start = { lineage, segmentId, segmentFirstIndex, first: index, chainBefore: header.chain };
      const after = chainAfter(piece.subarray(offset, offset + RECORD_HEADER_BYTES));
      facts = { ...(facts ?? start), last: index, chainAfter: after };
      const length = recordBytes(header.payloadBytes);
      offset += length;
      sinceStep += Math.max(length, BYTES_PER_STEP / RECORDS_PER_STEP);
      if (sinceStep < BYTES_PER_STEP) continue;
      sinceStep = 0;
      yield;
    }
  }
  assert(facts !== undefined, "a tail without records");
  assert(facts.last <= commitIndex, `entry ${facts.last} in a tail, committed is ${commitIndex}`);
  assert(facts.first >= segmentFirstIndex, `entry ${facts.first} is older than its segment`);
  return { facts, body: [encodeHead(facts, { check, bytes }), ...pieces] };
}

/** Of a whole record. Damage on this node's disk must not reach the bucket, where nothing would mend it. */
function soundHeader(piece: Buffer, offset: number): RecordHeader {
  const header = readRecordHeader(piece, offset);
  if (header === undefined || !payloadMatches(piece, offset + RECORD_HEADER_BYTES, header)) {
    throw new DamageError(`what is at ${offset} of ${piece.length} bytes for a tail is no whole record`);
  }
  return header;
}

function encodeHead(facts: TailFacts, records: { readonly check: number; readonly bytes: number }): Buffer {
  const head = Buffer.alloc(TAIL_HEAD_BYTES);
  const lineage = Buffer.from(facts.lineage, "utf8");
  assert(lineage.length > 0 && lineage.length <= LINEAGE_BYTES_MAX, `a lineage of ${lineage.length} bytes`);
  head.write(MAGIC, 0, 8, "latin1");
  head.writeUInt32LE(TAIL_VERSION, 8);
  head.writeUInt32LE(records.check, 12);
  head.writeUIntLE(facts.segmentId, 16, 6);
  head.writeUIntLE(facts.segmentFirstIndex, 24, 6);
  head.writeUIntLE(facts.first, 32, 6);
  head.writeUIntLE(facts.last, 40, 6);
  writeChain(head, 48, facts.chainBefore);
  writeChain(head, 56, facts.chainAfter);
  head.writeUIntLE(records.bytes, 64, 6);
  head[72] = lineage.length;
  head.set(lineage, LINEAGE_OFFSET);
  head.writeUInt32LE(crc32c(head.subarray(0, TAIL_HEAD_BYTES - 4)), TAIL_HEAD_BYTES - 4);
  return head;
}

/** Believes nothing: every record is checked, and the head against what the records are. */
export function decodeTail(bytes: Buffer): TailReading {
  const damaged = (reason: string): TailReading => ({ kind: "damaged", reason });
  if (bytes.length < TAIL_HEAD_BYTES) return damaged("it is shorter than its head");
  if (bytes.toString("latin1", 0, 8) !== MAGIC) return damaged("it is no tail");
  if (crc32c(bytes.subarray(0, TAIL_HEAD_BYTES - 4)) !== bytes.readUInt32LE(TAIL_HEAD_BYTES - 4)) {
    return damaged("its head does not match its checksum");
  }
  const version = bytes.readUInt32LE(8);
  if (version !== TAIL_VERSION) return { kind: "unknownVersion", version };
  const records = bytes.subarray(TAIL_HEAD_BYTES);
  const stated = bytes.readUIntLE(64, 6);
  if (records.length !== stated) return damaged(`it holds ${records.length} bytes of ${stated}`);
  if (crc32c(records) !== bytes.readUInt32LE(12)) return damaged("its records do not match their checksum");
  const facts = readFacts(bytes);
  const offsets = walk(records, facts);
  return typeof offsets === "string"
    ? damaged(offsets)
    : { kind: "tail", tail: { ...facts, records, offsets } };
}

function readFacts(head: Buffer): TailFacts {
  return {
    lineage: head.toString("utf8", LINEAGE_OFFSET, LINEAGE_OFFSET + (head[72] as number)),
    segmentId: head.readUIntLE(16, 6),
    segmentFirstIndex: head.readUIntLE(24, 6),
    first: head.readUIntLE(32, 6),
    last: head.readUIntLE(40, 6),
    chainBefore: readChain(head, 48),
    chainAfter: readChain(head, 56),
  };
}

/** Where the records start, or what is wrong with them. */
function walk(records: Buffer, facts: TailFacts): readonly number[] | string {
  const offsets: number[] = [];
  let chain = facts.chainBefore;
  let offset = 0;
  let index = facts.first;
  for (; offset < records.length; index++) {
    const header = readRecordHeader(records, offset);
    if (header === undefined) return `entry ${index} has no valid record header`;
    if (header.index !== index) return `entry ${header.index} stands where ${index} is due`;
    if (!sameChain(header.chain, chain)) return `entry ${index} continues another history`;
    if (!payloadMatches(records, offset + RECORD_HEADER_BYTES, header)) {
      return `the payload of entry ${index} does not match its checksum`;
    }
    chain = chainAfter(records.subarray(offset, offset + RECORD_HEADER_BYTES));
    offsets.push(offset);
    offset += recordBytes(header.payloadBytes);
  }
  if (index !== facts.last + 1) return `it ends with entry ${index - 1} and says ${facts.last}`;
  if (facts.first < facts.segmentFirstIndex) return `entry ${facts.first} is older than its segment`;
  if (!sameChain(chain, facts.chainAfter)) return "its end is not the end of its records";
  return [...offsets, offset];
}

/** The first entry that both hold and that is not the same in both; `undefined` if they agree. */
export function firstDisagreement(one: Tail, other: Tail): number | undefined {
  const last = Math.min(one.last, other.last);
  for (let index = Math.max(one.first, other.first); index <= last; index++) {
    // Length and checksum of the payload are in the header, and so is the history before it.
    if (!headerOf(one, index).equals(headerOf(other, index))) return index;
  }
  return undefined;
}

/** The record of entry `index`, which the tail holds. */
export function recordOf(tail: Tail, index: number): Buffer {
  assert(index >= tail.first && index <= tail.last, `entry ${index} in a tail of ${tail.first}-${tail.last}`);
  const at = index - tail.first;
  return tail.records.subarray(tail.offsets[at], tail.offsets[at + 1]);
}

/** The chain value before entry `index`, which the tail holds or ends with. */
export function chainBefore(tail: Tail, index: number): ChainValue {
  return index === tail.first ? tail.chainBefore : chainAfter(headerOf(tail, index - 1));
}

function headerOf(tail: Tail, index: number): Buffer {
  return recordOf(tail, index).subarray(0, RECORD_HEADER_BYTES);
}

function writeChain(buffer: Buffer, offset: number, chain: ChainValue): void {
  buffer.writeUInt32LE(chain.low, offset);
  buffer.writeUInt32LE(chain.high, offset + 4);
}

function readChain(buffer: Buffer, offset: number): ChainValue {
  return { low: buffer.readUInt32LE(offset), high: buffer.readUInt32LE(offset + 4) };
}
