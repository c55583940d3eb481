/**
 * Bytes out of records, verified before anybody sees them (promise P4): small bodies against the checksum in
 * their row, ranges of chunks against the block checks of their record, whose header must name the entry that
 * the row names. A mismatch is a DamageError that says where.
 */
import { assert } from "../base/assert.ts";
import { crc32c } from "../base/crc.ts";
import { DamageError } from "../base/errors.ts";
import { Semaphore } from "../base/semaphore.ts";
import { systemErrorCode } from "../ports/disk.ts";
import type { DiskFile } from "../ports/disk.ts";
import {
  BLOCK_BYTES,
  RECORD_HEADER_BYTES,
  blockTableBytes,
  blocksMatch,
  payloadMatches,
  readRecordHeader,
  recordBytes,
} from "../segment/record.ts";
import type { RecordHeader } from "../segment/record.ts";
import type { SegmentTable } from "../state/segment-table.ts";
import type { Extent } from "../state/rows.ts";
import type { SegmentFiles } from "./segment-files.ts";

export type RecordBody = {
  readonly index: number;
  /** From the start of the segment. */
  readonly offset: number;
  readonly length: number;
  readonly crc32c: number;
};

/** Its row went after its file. */
const NO_SEGMENT = new Error("the segment table does not know the segment");

export class RecordReader {
  readonly #files: SegmentFiles;
  readonly #segments: SegmentTable;
  /** Reads leave threads of the pool to the log and to LevelDB (RULES.md R14). */
  readonly #reads: Semaphore;

  constructor(files: SegmentFiles, segments: SegmentTable, options: { readonly readsMax: number }) {
    this.#files = files;
    this.#segments = segments;
    this.#reads = new Semaphore(options.readsMax);
  }

  #segmentOf(index: number): number {
    const segment = this.#segments.find(index);
    if (segment !== undefined) return segment.id;
    throw new DamageError(`no segment holds entry ${index}, which a row names`, { cause: NO_SEGMENT });
  }

  /** A small body without waiting, if its file is open already. */
  readNow(body: RecordBody): Uint8Array | undefined {
    const segmentId = this.#segmentOf(body.index);
    const file = this.#files.opened(segmentId);
    if (file === undefined) return undefined;
    const bytes = Buffer.allocUnsafe(body.length);
    const count = file.readSync(bytes, body.offset);
    return checkBody(bytes, count, body, this.#files.path(segmentId));
  }

  async read(body: RecordBody): Promise<Uint8Array> {
    const segmentId = this.#segmentOf(body.index);
    return await this.#use(segmentId, async (file) => {
      const bytes = Buffer.allocUnsafeSlow(body.length);
      const count = await file.read(bytes, body.offset);
      return checkBody(bytes, count, body, this.#files.path(segmentId));
    });
  }

  async #use<Result>(segmentId: number, work: (file: DiskFile) => Promise<Result>): Promise<Result> {
    try {
      return await this.#reads.run(() => this.#files.use(segmentId, work));
    } catch (error) {
      if (systemErrorCode(error) !== "ENOENT") throw error;
      throw new DamageError(`${this.#files.path(segmentId)} is missing`, { cause: error });
    }
  }

  /** Bytes [start, end) of the body of one chunk record. */
  async readExtent(extent: Extent, start: number, end: number): Promise<Uint8Array> {
    assert(start >= 0 && start < end && end <= extent.length, `range ${start}..${end} of ${extent.length}`);
    const segmentId = this.#segmentOf(extent.index);
    const read = end - start > extent.length / 2 ? readWhole : readBlocks;
    return await this.#use(segmentId, (file) => {
      const range = { start: extent.bodyStart + start, end: extent.bodyStart + end };
      return read(file, extent, range, this.#files.path(segmentId));
    });
  }
}

/** Whether a read failed because its segment is not there: then the row may be an old one. */
export function isGone(error: unknown): boolean {
  if (!(error instanceof DamageError)) return false;
  return error.cause === NO_SEGMENT || systemErrorCode(error.cause) === "ENOENT";
}

function checkBody(bytes: Buffer, count: number, body: RecordBody, path: string): Uint8Array {
  if (count !== body.length || crc32c(bytes) !== body.crc32c) {
    throw new DamageError(
      `the body of ${body.length} bytes in entry ${body.index} does not match its checksum ` +
        `(${path}, offset ${body.offset})`,
    );
  }
  return bytes;
}

type Range = { readonly start: number; readonly end: number };

function damaged(extent: Extent, path: string): DamageError {
  return new DamageError(
    `the chunk in entry ${extent.index} does not match its checksum (${path}, offset ${extent.recordOffset})`,
  );
}

function checkHeader(bytes: Buffer, extent: Extent, path: string): RecordHeader {
  const header = readRecordHeader(bytes, 0);
  if (header === undefined || header.index !== extent.index) throw damaged(extent, path);
  if (header.payloadBytes !== extent.bodyStart + extent.length) throw damaged(extent, path);
  return header;
}

/** `range` counts within the payload. */
async function readWhole(file: DiskFile, extent: Extent, range: Range, path: string): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(recordBytes(extent.bodyStart + extent.length));
  const count = await file.read(bytes, extent.recordOffset);
  if (count !== bytes.length) throw damaged(extent, path);
  const header = checkHeader(bytes, extent, path);
  if (!payloadMatches(bytes, RECORD_HEADER_BYTES, header)) throw damaged(extent, path);
  return bytes.subarray(RECORD_HEADER_BYTES + range.start, RECORD_HEADER_BYTES + range.end);
}

/** Reads and verifies only the blocks that the range touches. */
async function readBlocks(file: DiskFile, extent: Extent, range: Range, path: string): Promise<Uint8Array> {
  const payloadBytes = extent.bodyStart + extent.length;
  const tableBytes = blockTableBytes(payloadBytes);
  if (tableBytes === 0) return await readWhole(file, extent, range, path);
  const headerBytes = Buffer.allocUnsafe(RECORD_HEADER_BYTES);
  const table = Buffer.allocUnsafe(tableBytes);
  const payloadOffset = extent.recordOffset + RECORD_HEADER_BYTES;
  const firstBlock = Math.floor(range.start / BLOCK_BYTES);
  const from = firstBlock * BLOCK_BYTES;
  const to = Math.min(Math.ceil(range.end / BLOCK_BYTES) * BLOCK_BYTES, payloadBytes);
  const blocks = Buffer.allocUnsafeSlow(to - from);
  const counts =
    (await file.read(headerBytes, extent.recordOffset)) +
    (await file.read(table, payloadOffset + payloadBytes)) +
    (await file.read(blocks, payloadOffset + from));
  if (counts !== RECORD_HEADER_BYTES + tableBytes + blocks.length) throw damaged(extent, path);
  const header = checkHeader(headerBytes, extent, path);
  if (crc32c(table) !== header.payloadCheck || !blocksMatch(blocks, table, firstBlock)) {
    throw damaged(extent, path);
  }
  return blocks.subarray(range.start - from, range.end - from);
}
