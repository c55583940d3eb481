/**
 * Bytes out of records, verified before anybody sees them (promise P4): small bodies against the checksum in
 * their row, ranges of chunks against the block checks of their record, whose header must name the entry that
 * the row names. A mismatch is a DamageError that says where. What is not here, or damaged here, is read from
 * the cold copy of its segment, if there is one.
 */
import { assert } from "../base/assert.ts";
import { crc32c } from "../base/crc.ts";
import { DamageError, UnavailableError } from "../base/errors.ts";
import { Semaphore } from "../base/semaphore.ts";
import { ColdMissingError } from "../ports/cold-store.ts";
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
import type { SegmentEntry, SegmentTable } from "../state/segment-table.ts";
import type { Extent } from "../state/rows.ts";
import type { ColdRead, ColdReadFigures, ColdReads } from "./cold-reads.ts";
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

/** Told what reads meet, on their way: whoever listens must be quick. */
export type ReadWatch = {
  /** A body was read from this segment: here or in the cold tier, not from memory. */
  readonly onRead: (segmentId: number) => void;
  /** The file here is damaged; what was asked for came from the cold copy. */
  readonly onDamaged: (segmentId: number) => void;
};

export type ColdFigures = ColdReadFigures & {
  /** Reads that met damage here and went on to the cold copy. */
  readonly mended: number;
};

type RecordReaderOptions = {
  readonly readsMax: number;
  /** Where segments without a file here are read from. */
  readonly cold?: ColdReads | undefined;
  readonly watch?: ReadWatch | undefined;
};

export class RecordReader {
  readonly #files: SegmentFiles;
  readonly #segments: SegmentTable;
  /** Reads leave threads of the pool to the log and to LevelDB (RULES.md R14). */
  readonly #reads: Semaphore;
  readonly #cold: ColdReads | undefined;
  readonly #watch: ReadWatch | undefined;
  #mended = 0;

  constructor(files: SegmentFiles, segments: SegmentTable, options: RecordReaderOptions) {
    this.#files = files;
    this.#segments = segments;
    this.#reads = new Semaphore(options.readsMax);
    this.#cold = options.cold;
    this.#watch = options.watch;
  }

  /** `undefined` without a cold tier. */
  get coldFigures(): ColdFigures | undefined {
    return this.#cold && { ...this.#cold.figures, mended: this.#mended };
  }

  #segmentOf(index: number): SegmentEntry {
    const segment = this.#segments.find(index);
    if (segment !== undefined) return segment;
    throw new DamageError(`no segment holds entry ${index}, which a row names`, { cause: NO_SEGMENT });
  }

  /** Whether anything is not here: without that nobody needs to ask where something lies. */
  get hasCold(): boolean {
    return this.#files.hasGone;
  }

  /** Whether what this entry brought lies in the cold tier alone. */
  isCold(index: number): boolean {
    const segment = this.#files.hasGone ? this.#segments.find(index) : undefined;
    return segment !== undefined && this.#files.isGone(segment.id);
  }

  /** A small body without waiting, if its file is open already and has it. */
  readNow(body: RecordBody): Uint8Array | undefined {
    const segment = this.#segmentOf(body.index);
    const file = this.#files.opened(segment.id);
    if (file === undefined) return undefined;
    const bytes = Buffer.allocUnsafe(body.length);
    try {
      const count = file.readSync(bytes, body.offset);
      checkBody(bytes, count, body, this.#files.path(segment.id));
    } catch (error) {
      if (this.#hasCopyAgainst(error, segment)) return undefined;
      throw error;
    }
    this.#watch?.onRead(segment.id);
    return bytes;
  }

  /** `undefined`: it has to be read from the cold tier. */
  async readHere(body: RecordBody): Promise<Uint8Array | undefined> {
    return await this.#readHere(body.index, async (file, path) => {
      const bytes = Buffer.allocUnsafeSlow(body.length);
      const count = await file.read(bytes, body.offset);
      checkBody(bytes, count, body, path);
      return bytes;
    });
  }

  async readCold(body: RecordBody): Promise<Uint8Array> {
    return await this.#readCold(body.index, {
      position: body.offset,
      length: body.length,
      what: `the body of ${body.length} bytes in entry ${body.index}`,
      check: (bytes) => (bodyMatches(bytes, bytes.length, body) ? bytes : undefined),
    });
  }

  /** Wherever it lies. */
  async read(body: RecordBody): Promise<Uint8Array> {
    return (await this.readHere(body)) ?? (await this.readCold(body));
  }

  /** Bytes [start, end) of the body of one chunk record, wherever it lies. */
  async readExtent(extent: Extent, start: number, end: number): Promise<Uint8Array> {
    assert(start >= 0 && start < end && end <= extent.length, `range ${start}..${end} of ${extent.length}`);
    const read = end - start > extent.length / 2 ? readWhole : readBlocks;
    const range = { start: extent.bodyStart + start, end: extent.bodyStart + end };
    const here = await this.#readHere(extent.index, (file, path) => read(file, extent, range, path));
    if (here !== undefined) return here;
    return await this.#readCold(extent.index, {
      position: extent.recordOffset,
      length: recordBytes(extent.bodyStart + extent.length),
      what: `the chunk in entry ${extent.index}`,
      check: (bytes) => rangeOfRecord(bytes, extent, range),
    });
  }

  async #readHere<Result>(
    index: number,
    work: (file: DiskFile, path: string) => Promise<Result>,
  ): Promise<Result | undefined> {
    const segment = this.#segmentOf(index);
    const { id } = segment;
    if (this.#files.isGone(id)) return undefined;
    this.#watch?.onRead(id);
    try {
      return await this.#reads.run(() => this.#files.use(id, (file) => work(file, this.#files.path(id))));
    } catch (error) {
      if (this.#hasCopyAgainst(error, segment)) {
        // One that was freed meanwhile, or dropped what nobody names any more, is not damaged.
        if (!isAbsent(error)) this.#noteDamage(id);
        return undefined;
      }
      if (systemErrorCode(error) !== "ENOENT") throw error;
      throw new DamageError(`${this.#files.path(id)} is missing`, { cause: error });
    }
  }

  /** Whether the cold copy may have what could not be read here. */
  #hasCopyAgainst(error: unknown, segment: SegmentEntry): boolean {
    if (this.#cold === undefined || segment.cold === undefined) return false;
    return error instanceof DamageError || isAbsent(error) || systemErrorCode(error) === "EIO";
  }

  #noteDamage(segmentId: number): void {
    this.#mended++;
    this.#watch?.onDamaged(segmentId);
  }

  async #readCold<Result>(index: number, read: Omit<ColdRead<Result>, "segment">): Promise<Result> {
    const segment = (): SegmentEntry => this.#segmentOf(index);
    if (this.#cold === undefined) {
      const { id } = segment();
      throw new UnavailableError(`segment ${id} lies in the cold tier, and none is configured: set cold.url`);
    }
    const result = await this.#cold.read({ ...read, segment });
    this.#watch?.onRead(segment().id);
    return result;
  }
}

/** Whether a read failed because its segment is not there: then the row may be an old one. */
export function isGone(error: unknown): boolean {
  return error instanceof DamageError && (error.cause === NO_SEGMENT || isAbsent(error));
}

/** No such file, or one that has not kept these bytes; or no such cold object. */
function isAbsent(error: unknown): boolean {
  if (systemErrorCode(error) === "ENOENT") return true;
  if (!(error instanceof DamageError)) return false;
  return systemErrorCode(error.cause) === "ENOENT" || error.cause instanceof ColdMissingError;
}

function bodyMatches(bytes: Buffer, count: number, body: RecordBody): boolean {
  return count === body.length && crc32c(bytes) === body.crc32c;
}

function checkBody(bytes: Buffer, count: number, body: RecordBody, path: string): void {
  if (bodyMatches(bytes, count, body)) return;
  throw new DamageError(
    `the body of ${body.length} bytes in entry ${body.index} does not match its checksum ` +
      `(${path}, offset ${body.offset})`,
  );
}

type Range = { readonly start: number; readonly end: number };

function damaged(extent: Extent, path: string): DamageError {
  return new DamageError(
    `the chunk in entry ${extent.index} does not match its checksum (${path}, offset ${extent.recordOffset})`,
  );
}

function readHeader(bytes: Buffer, extent: Extent): RecordHeader | undefined {
  const header = readRecordHeader(bytes, 0);
  const isIt = header?.index === extent.index && header.payloadBytes === extent.bodyStart + extent.length;
  return isIt ? header : undefined;
}

function checkHeader(bytes: Buffer, extent: Extent, path: string): RecordHeader {
  const header = readHeader(bytes, extent);
  if (header === undefined) throw damaged(extent, path);
  return header;
}

/** What `range` of the payload holds, of a record that was read whole; its other blocks may be rotten. */
function rangeOfRecord(record: Buffer, extent: Extent, range: Range): Uint8Array | undefined {
  const header = readHeader(record, extent);
  if (header === undefined) return undefined;
  const payload = record.subarray(RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + header.payloadBytes);
  const table = record.subarray(RECORD_HEADER_BYTES + header.payloadBytes);
  const firstBlock = Math.floor(range.start / BLOCK_BYTES);
  const blocks = payload.subarray(firstBlock * BLOCK_BYTES, Math.ceil(range.end / BLOCK_BYTES) * BLOCK_BYTES);
  const isGood =
    table.length === 0
      ? crc32c(payload) === header.payloadCheck
      : crc32c(table) === header.payloadCheck && blocksMatch(blocks, table, firstBlock);
  return isGood ? payload.subarray(range.start, range.end) : undefined;
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
