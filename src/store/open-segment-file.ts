/**
 * Opens a segment file for reading, as it was written or packed: positions are those of the segment as it was
 * written first, either way. What a packed one has not kept is gone, as if the file were.
 */
import { FormatError } from "../base/bytes.ts";
import { DamageError, UnavailableError } from "../base/errors.ts";
import { systemErrorCode } from "../ports/disk.ts";
import type { Disk, DiskFile } from "../ports/disk.ts";
import {
  PACKED_HEAD_BYTES,
  PACKED_TRAILER_BYTES,
  PieceTable,
  isPacked,
  readPackedTrailer,
} from "../segment/packed-segment.ts";

export type SegmentFile = {
  readonly file: DiskFile;
  /** Memory that its table takes. */
  readonly tableBytes: number;
};

export async function openSegmentFile(disk: Disk, path: string): Promise<SegmentFile> {
  const file = await disk.open(path, "read");
  try {
    const head = await readHead(file);
    if (!isPacked(head)) return { file, tableBytes: 0 };
    const pieces = await readPieces(file, head);
    return { file: new PackedFile(file, pieces, path), tableBytes: pieces.bytes };
  } catch (error) {
    await file.close();
    if (error instanceof FormatError) throw new DamageError(`${path} is damaged: ${error.message}`);
    throw error;
  }
}

/** Nothing of a head that the disk cannot read: whoever reads what follows hears of it, or gets that. */
async function readHead(file: DiskFile): Promise<Buffer> {
  const head = Buffer.alloc(PACKED_HEAD_BYTES);
  try {
    return head.subarray(0, await file.read(head, 0));
  } catch (error) {
    if (systemErrorCode(error) !== "EIO") throw error;
    return head.subarray(0, 0);
  }
}

async function readPieces(file: DiskFile, head: Buffer): Promise<PieceTable> {
  const size = await file.size();
  const end = Buffer.alloc(PACKED_TRAILER_BYTES);
  const count = await file.read(end, Math.max(0, size - PACKED_TRAILER_BYTES));
  const trailer = readPackedTrailer(head, end.subarray(0, count));
  const { dataBytes, tableBytes } = trailer;
  if (PACKED_HEAD_BYTES + dataBytes + tableBytes + PACKED_TRAILER_BYTES !== size) {
    throw new FormatError("it has another length than it says");
  }
  const table = Buffer.alloc(tableBytes);
  await file.read(table, PACKED_HEAD_BYTES + dataBytes);
  return new PieceTable(table, trailer);
}

class PackedFile implements DiskFile {
  readonly #file: DiskFile;
  readonly #pieces: PieceTable;
  readonly #path: string;

  constructor(file: DiskFile, pieces: PieceTable, path: string) {
    this.#file = file;
    this.#pieces = pieces;
    this.#path = path;
  }

  #placeOf(position: number, length: number): number {
    const place = this.#pieces.find(position, length);
    if (place !== undefined) return place;
    const what = `${this.#path} has not kept ${length} bytes at ${position}`;
    throw new DamageError(what, { cause: { code: "ENOENT" } });
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    return await this.#file.read(target, this.#placeOf(position, target.length));
  }

  readSync(target: Uint8Array, position: number): number {
    return this.#file.readSync(target, this.#placeOf(position, target.length));
  }

  write(): Promise<never> {
    return this.#readOnly();
  }

  truncate(): Promise<never> {
    return this.#readOnly();
  }

  sync(): Promise<never> {
    return this.#readOnly();
  }

  #readOnly(): Promise<never> {
    return Promise.reject(new UnavailableError(`${this.#path} is packed and never written to`));
  }

  size(): Promise<number> {
    return this.#file.size();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
