/**
 * One index snapshot on disk: written from a view of the index, read back before anybody relies on it, and
 * loaded into an empty index. The bytes are snapshot-format.ts's; when one is made, and which are kept, is
 * decided by the replica (RULES.md R16).
 */
import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import { ByteWriter, FormatError } from "../base/bytes.ts";
import { DamageError } from "../base/errors.ts";
import type { Disk, DiskFile } from "../ports/disk.ts";
import type { IndexIterator } from "../ports/index-store.ts";
import {
  BLOCK_HEAD_BYTES,
  SNAPSHOT_BLOCK_BYTES,
  SNAPSHOT_HEAD_BYTES,
  SNAPSHOT_TRAILER_BYTES,
  decodeBlock,
  decodeSegmentTable,
  encodeBlock,
  encodeSegmentTable,
  encodeSnapshotHead,
  encodeSnapshotTrailer,
  readSnapshotHead,
  readSnapshotTrailer,
  rowsOfBlock,
  storedBytes,
} from "../segment/snapshot-format.ts";
import type { SnapshotSegment, SnapshotTrailer } from "../segment/snapshot-format.ts";
import { ranges } from "../state/keys.ts";
import { dueId, segmentOfRow } from "../state/segment-table.ts";
import { isMarkKey } from "./flush-ring.ts";
import { openRow } from "./row-seal.ts";

/** Rows per step of the iterator: about half a millisecond on the event loop. */
const PAGE_ROWS = 500;
const WRITE_BYTES = 512 * 1024;
/** A sync of everything at the end would hold up the log's own. */
const SYNC_BYTES = 16 * 1024 * 1024;

export type SnapshotInfo = {
  readonly path: string;
  /** Everything up to this entry is in it, and nothing of what follows. */
  readonly index: number;
  readonly rowCount: number;
  readonly bytes: number;
  readonly segments: readonly SnapshotSegment[];
};

/** Told of bytes that were read or written; waits as long as they should take, and throws to end the work. */
export type Spend = (bytes: number) => Promise<void>;

class SnapshotWriter {
  readonly #file: DiskFile;
  readonly #spend: Spend;
  readonly #digest: Hash = createHash("sha256");
  readonly #raw = new ByteWriter(SNAPSHOT_BLOCK_BYTES + 8192);
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #written = 0;
  #synced = 0;

  constructor(file: DiskFile, spend: Spend) {
    this.#file = file;
    this.#spend = spend;
  }

  async row(key: string, stored: Uint8Array): Promise<void> {
    this.#raw.text(key);
    this.#raw.blob(stored);
    if (this.#raw.length >= SNAPSHOT_BLOCK_BYTES) await this.endBlock();
  }

  async endBlock(): Promise<void> {
    if (this.#raw.length === 0) return;
    const block = encodeBlock(this.#raw.buffer.subarray(0, this.#raw.length));
    this.#raw.reset();
    await this.add(block);
  }

  get bytes(): number {
    return this.#written + this.#pendingBytes;
  }

  async add(bytes: Buffer): Promise<void> {
    this.#digest.update(bytes);
    this.#push(bytes);
    if (this.#pendingBytes >= WRITE_BYTES) await this.#flush();
    else await this.#spend(0);
  }

  #push(bytes: Buffer): void {
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    await this.#file.write(bytes, this.#written);
    this.#written += bytes.length;
    if (this.#written - this.#synced >= SYNC_BYTES) {
      await this.#file.sync();
      this.#synced = this.#written;
    }
    await this.#spend(bytes.length);
  }

  async end(trailer: Omit<SnapshotTrailer, "digest">): Promise<void> {
    this.#push(encodeSnapshotTrailer({ ...trailer, digest: this.#digest.digest() }));
    await this.#flush();
    // Before the file gets its name: a crash in between must not leave the name and not the bytes.
    await this.#file.sync();
  }
}

export type SnapshotSource = {
  readonly index: number;
  /** Rows as the index stores them. */
  readonly rows: Pick<IndexIterator<Uint8Array>, "next">;
  /** Told of every row that goes into it. */
  readonly visit?: (key: string, value: Uint8Array) => void;
};

/** Writes the file at `path`, which has no reader yet; stable when it returns. */
export async function writeSnapshot(
  disk: Disk,
  path: string,
  work: { readonly source: SnapshotSource; readonly spend: Spend },
): Promise<void> {
  const { source, spend } = work;
  const file = await disk.open(path, "write");
  try {
    await file.truncate(0);
    const writer = new SnapshotWriter(file, spend);
    await writer.add(encodeSnapshotHead(source.index));
    const { rowCount, segments } = await writeRows(writer, source);
    const tableOffset = writer.bytes;
    await writer.add(encodeSegmentTable(segments));
    await writer.end({ index: source.index, rowCount, tableOffset });
  } finally {
    await file.close();
  }
}

/** Every row is held against its check: damage must not get a checksum of its own. */
async function writeRows(
  writer: SnapshotWriter,
  { rows, visit }: SnapshotSource,
): Promise<{ readonly rowCount: number; readonly segments: readonly SnapshotSegment[] }> {
  const segments: SnapshotSegment[] = [];
  let rowCount = 0;
  for (;;) {
    const page = await rows.next(PAGE_ROWS);
    if (page.length === 0) break;
    for (const [key, stored] of page) {
      const value = openRow(key, stored);
      // Marks tell of batches of that one LevelDB.
      if (isMarkKey(key)) continue;
      if (key.startsWith(ranges.segments.from))
        segments.push(snapshotSegment(key, value, segments.at(-1)?.id));
      visit?.(key, value);
      rowCount++;
      await writer.row(key, stored);
    }
  }
  await writer.endBlock();
  return { rowCount, segments };
}

/** A row that is lost is not one that was dropped: a segment without a row is deleted. */
function snapshotSegment(key: string, value: Uint8Array, before = 0): SnapshotSegment {
  const { chainLow: low, chainHigh: high, ...row } = segmentOfRow(key, value);
  const { id, firstIndex, entries, bytes, liveBytes, cut } = row;
  const due = dueId(before, row);
  if (id !== due) throw new DamageError(`the index has lost the row of segment ${due}`);
  return { id, firstIndex, entries, bytes, liveBytes, cut, chain: { low, high } };
}

/** Head, trailer and segment table; throws DamageError for what is no complete snapshot. */
export async function readSnapshotInfo(disk: Disk, path: string): Promise<SnapshotInfo> {
  const file = await disk.open(path, "read");
  try {
    const { size, trailer, segments } = await readEnds(file);
    return { path, index: trailer.index, rowCount: trailer.rowCount, bytes: size, segments };
  } catch (error) {
    throw damaged(path, error);
  } finally {
    await file.close();
  }
}

function damaged(path: string, error: unknown): unknown {
  return error instanceof FormatError
    ? new DamageError(`the snapshot ${path} is damaged: ${error.message}`, { cause: error })
    : error;
}

async function readEnds(file: DiskFile): Promise<{
  readonly size: number;
  readonly trailer: SnapshotTrailer;
  readonly segments: readonly SnapshotSegment[];
}> {
  const size = await file.size();
  const head = readSnapshotHead(await readAt(file, 0, Math.min(size, SNAPSHOT_HEAD_BYTES)));
  if (typeof head === "string") throw new FormatError(head);
  const end = size - SNAPSHOT_TRAILER_BYTES;
  const trailer = readSnapshotTrailer(await readAt(file, Math.max(0, end), SNAPSHOT_TRAILER_BYTES));
  if (trailer === undefined || trailer.index !== head) throw new FormatError("it has no trailer of its own");
  const { tableOffset } = trailer;
  if (tableOffset < SNAPSHOT_HEAD_BYTES || tableOffset + BLOCK_HEAD_BYTES > end) {
    throw new FormatError("its segment table lies outside");
  }
  return { size, trailer, segments: decodeSegmentTable(await readAt(file, tableOffset, end - tableOffset)) };
}

async function readAt(file: DiskFile, offset: number, count: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(count);
  return bytes.subarray(0, await file.read(bytes, offset));
}

/**
 * Reads the whole file, holding it against its checksums; rows of each block go to `visit`. Throws
 * DamageError: what was visited before it counts for nothing.
 */
export async function scanSnapshot(
  disk: Disk,
  path: string,
  work: { readonly visit?: (rows: ReturnType<typeof rowsOfBlock>) => Promise<void>; readonly spend: Spend },
): Promise<SnapshotInfo> {
  const file = await disk.open(path, "read");
  try {
    const { size, trailer, segments } = await readEnds(file);
    const digest = createHash("sha256");
    digest.update(await readAt(file, 0, SNAPSHOT_HEAD_BYTES));
    let rowCount = 0;
    let at = SNAPSHOT_HEAD_BYTES;
    while (at < trailer.tableOffset) {
      const block = await readBlock(file, at, trailer.tableOffset);
      digest.update(block);
      at += block.length;
      const raw = decodeBlock(block);
      for (const [key, stored] of rowsOfBlock(raw)) {
        openRow(key, stored);
        rowCount++;
      }
      await work.visit?.(rowsOfBlock(raw));
      await work.spend(block.length);
    }
    digest.update(await readAt(file, at, size - SNAPSHOT_TRAILER_BYTES - at));
    if (!digest.digest().equals(trailer.digest)) throw new FormatError("it does not match its digest");
    if (rowCount !== trailer.rowCount) throw new FormatError(`${rowCount} rows, not ${trailer.rowCount}`);
    return { path, index: trailer.index, rowCount, bytes: size, segments };
  } catch (error) {
    throw damaged(path, error);
  } finally {
    await file.close();
  }
}

async function readBlock(file: DiskFile, at: number, end: number): Promise<Buffer> {
  const head = await readAt(file, at, BLOCK_HEAD_BYTES);
  const bytes = BLOCK_HEAD_BYTES + (head.length === BLOCK_HEAD_BYTES ? storedBytes(head) : 0);
  if (at + bytes > end) throw new FormatError(`the block at ${at} ends outside`);
  const block = await readAt(file, at, bytes);
  if (block.length !== bytes) throw new FormatError(`the block at ${at} is cut off`);
  return block;
}
