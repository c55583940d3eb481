/**
 * Reads the records of one segment file in order, through a window, checking everything a record says about
 * itself: header, index, chain and payload. It stops at the first byte that does not fit and tells where and
 * why; what that means (a torn tail or damage) is for the caller, who knows what was acknowledged.
 */
import {
  RECORD_HEADER_BYTES,
  chainAfter,
  payloadMatches,
  readRecordHeader,
  recordBytes,
  sameChain,
} from "../segment/record.ts";
import type { ChainValue, RecordHeader } from "../segment/record.ts";
import { SEGMENT_HEAD_BYTES } from "../segment/segment-head.ts";
import type { FileReading } from "../ports/disk.ts";

export type ScannedRecord = {
  readonly header: RecordHeader;
  /** The 40 bytes of the header: a view, valid until the next step. */
  readonly headerBytes: Buffer;
  /** A view, valid until the next step. */
  readonly payload: Buffer;
  readonly recordOffset: number;
  readonly endOffset: number;
  readonly chain: ChainValue;
};

export type ScanEnd =
  | { readonly kind: "end"; readonly offset: number }
  /** `index` is the entry that should have stood there. */
  | { readonly kind: "bad"; readonly offset: number; readonly index: number; readonly reason: string };

const WINDOW_BYTES = 1024 * 1024;
/** Where a buffer serves for all: chunks of a MiB each are hardly read twice. */
const REUSED_BYTES = 4 * 1024 * 1024;

export type ScanOptions = {
  /** Whoever scans looks at records in passing: one buffer does, and nobody has to collect the others. */
  readonly reusesBuffer?: boolean;
};

class Window {
  readonly #file: FileReading;
  readonly #endOffset: number;
  readonly #reuses: boolean;
  readonly #windowBytes: number;
  #buffer = Buffer.alloc(0);
  #spare = Buffer.allocUnsafeSlow(0);
  #start = 0;

  constructor(file: FileReading, endOffset: number, { reusesBuffer = false }: ScanOptions) {
    this.#file = file;
    this.#endOffset = endOffset;
    this.#reuses = reusesBuffer;
    this.#windowBytes = reusesBuffer ? REUSED_BYTES : WINDOW_BYTES;
  }

  /** Bytes from `offset`, at least `count` of them unless the file ends before. */
  async at(offset: number, count: number): Promise<Buffer> {
    const skip = offset - this.#start;
    if (skip >= 0 && skip + count <= this.#buffer.length) return this.#buffer.subarray(skip);
    const wanted = Math.max(0, Math.min(Math.max(count, this.#windowBytes), this.#endOffset - offset));
    const target = this.#reuses ? this.#sparePart(wanted) : Buffer.allocUnsafeSlow(wanted);
    const got = await this.#file.read(target, offset);
    this.#buffer = target.subarray(0, got);
    this.#start = offset;
    return this.#buffer;
  }

  #sparePart(bytes: number): Buffer<ArrayBuffer> {
    if (this.#spare.length < bytes) this.#spare = Buffer.allocUnsafeSlow(bytes);
    return this.#spare.subarray(0, bytes);
  }
}

/**
 * From the record at `from.offset`, which must be entry `from.index`, to `endOffset` (the file's end, or its
 * footer).
 */
export async function* scanSegment(
  file: FileReading,
  from: { readonly index: number; readonly chain: ChainValue; readonly offset?: number },
  endOffset: number,
  options: ScanOptions = {},
): AsyncGenerator<ScannedRecord, ScanEnd> {
  const window = new Window(file, endOffset, options);
  let { index, chain, offset = SEGMENT_HEAD_BYTES } = from;
  for (; offset < endOffset; index++) {
    let bytes = await window.at(offset, RECORD_HEADER_BYTES);
    if (bytes.length === 0) break;
    const header = readRecordHeader(bytes, 0);
    if (header === undefined) return { kind: "bad", offset, index, reason: "no valid record header" };
    if (header.index !== index) {
      return { kind: "bad", offset, index, reason: `the record says it is entry ${header.index}` };
    }
    if (!sameChain(header.chain, chain)) {
      return { kind: "bad", offset, index, reason: "the record continues another history" };
    }
    const length = recordBytes(header.payloadBytes);
    bytes = await window.at(offset, length);
    if (bytes.length < length || !payloadMatches(bytes, RECORD_HEADER_BYTES, header)) {
      return { kind: "bad", offset, index, reason: "the payload does not match its checksum" };
    }
    const headerBytes = bytes.subarray(0, RECORD_HEADER_BYTES);
    chain = chainAfter(headerBytes);
    const payload = bytes.subarray(RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + header.payloadBytes);
    yield { header, headerBytes, payload, recordOffset: offset, endOffset: offset + length, chain };
    offset += length;
  }
  return { kind: "end", offset };
}
