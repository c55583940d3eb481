/**
 * Writes a segment anew without its dead bytes (RULES.md R18): each piece is read, held against its checksum,
 * written to a file without a name, synced, read back; then the file takes the place of the old one. A crash
 * leaves the old or the new one, and both have everything that is named. Rows do not change.
 */
import { crc32c } from "../base/crc.ts";
import { DamageError } from "../base/errors.ts";
import type { Disk, DiskFile } from "../ports/disk.ts";
import {
  PACKED_HEAD_BYTES,
  encodePackedHead,
  encodePackedTable,
  encodePackedTrailer,
} from "../segment/packed-segment.ts";
import type { Piece } from "../segment/packed-segment.ts";
import { RECORD_HEADER_BYTES, payloadMatches, readRecordHeader, recordBytes } from "../segment/record.ts";
import type { NamedBytes } from "../state/named-bytes.ts";
import type { SegmentFiles } from "./segment-files.ts";
import type { Spend } from "./snapshot-file.ts";
import { UNFINISHED } from "./snapshot-files.ts";

const WRITE_BYTES = 1024 * 1024;

export type LivePiece = Piece & { readonly named: NamedBytes };

/** Returns the size of the new file. DamageError: a piece is not what it was, and everything stays. */
export async function packSegment(
  disk: Disk,
  files: SegmentFiles,
  work: { readonly id: number; readonly pieces: readonly NamedBytes[]; readonly spend: Spend },
): Promise<number> {
  const { id, spend } = work;
  const pieces = piecesInOrder(work.pieces);
  const path = files.path(id);
  const unfinished = path + UNFINISHED;
  try {
    const bytes = await write(disk, unfinished, { id, files, pieces, spend });
    // Who reads the old file has it open; whoever comes later opens the new one.
    await disk.rename(unfinished, path);
    await files.syncNames();
    await files.retire(id);
    return bytes;
  } catch (error) {
    await disk.remove(unfinished);
    throw error;
  }
}

/** Where they stand in the segment as it was written, the first of them first. */
export function piecesInOrder(named: readonly NamedBytes[]): readonly LivePiece[] {
  return named.map(pieceOf).toSorted((a, b) => a.offset - b.offset);
}

function pieceOf(named: NamedBytes): LivePiece {
  if (named.kind === "body") return { offset: named.offset, length: named.length, named };
  const { recordOffset, bodyStart, length } = named.extent;
  return { offset: recordOffset, length: recordBytes(bodyStart + length), named };
}

async function write(
  disk: Disk,
  path: string,
  work: {
    readonly id: number;
    readonly files: SegmentFiles;
    readonly pieces: readonly LivePiece[];
    readonly spend: Spend;
  },
): Promise<number> {
  const { id, files, pieces, spend } = work;
  const file = await disk.open(path, "write");
  try {
    await file.truncate(0);
    await file.write(encodePackedHead(id), 0);
    const written = await copyPieces(file, { files, id, pieces, spend });
    const table = encodePackedTable(pieces);
    const { bytes: dataBytes, check: dataCheck } = written;
    const facts = { dataBytes, dataCheck, tableBytes: table.length, tableCheck: crc32c(table) };
    const trailer = encodePackedTrailer({ segmentId: id, count: pieces.length, ...facts });
    const end = Buffer.concat([table, trailer]);
    await file.write(end, PACKED_HEAD_BYTES + dataBytes);
    // Before it takes the old one's name: a crash in between must not leave the name and not the bytes.
    await file.sync();
    await readBack(file, { path, dataBytes, dataCheck, spend });
    return PACKED_HEAD_BYTES + dataBytes + end.length;
  } finally {
    await file.close();
  }
}

type Written = { readonly bytes: number; readonly check: number };

async function copyPieces(
  target: DiskFile,
  work: {
    readonly files: SegmentFiles;
    readonly id: number;
    readonly pieces: readonly LivePiece[];
    readonly spend: Spend;
  },
): Promise<Written> {
  const { files, id, pieces, spend } = work;
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let written = 0;
  let check = 0;
  const flush = async (): Promise<void> => {
    const bytes = Buffer.concat(pending);
    check = crc32c(bytes, check);
    await target.write(bytes, PACKED_HEAD_BYTES + written);
    written += bytes.length;
    pending = [];
    pendingBytes = 0;
    // Read and written.
    await spend(2 * bytes.length);
  };
  for (const piece of pieces) {
    const bytes = await files.use(id, (file) => readPiece(file, piece, files.path(id)));
    pending.push(bytes);
    pendingBytes += bytes.length;
    if (pendingBytes >= WRITE_BYTES) await flush();
  }
  await flush();
  return { bytes: written, check };
}

async function readPiece(
  file: DiskFile,
  { offset, length, named }: LivePiece,
  path: string,
): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  const count = await file.read(bytes, offset);
  if (count !== length || !isSoundPiece(bytes, named)) {
    throw new DamageError(`${length} bytes at ${offset} in ${path} do not match their checksum`);
  }
  return bytes;
}

/** Bodies by the check in the row that names them, chunks by those of their record, which is kept whole. */
export function isSoundPiece(bytes: Buffer, named: NamedBytes): boolean {
  if (named.kind === "body") return crc32c(bytes) === named.crc32c;
  const header = readRecordHeader(bytes, 0);
  if (header === undefined || header.index !== named.index) return false;
  return payloadMatches(bytes, RECORD_HEADER_BYTES, header);
}

async function readBack(
  file: DiskFile,
  expected: {
    readonly path: string;
    readonly dataBytes: number;
    readonly dataCheck: number;
    readonly spend: Spend;
  },
): Promise<void> {
  const { path, dataBytes, dataCheck, spend } = expected;
  let check = 0;
  for (let at = 0; at < dataBytes; at += WRITE_BYTES) {
    const bytes = Buffer.allocUnsafeSlow(Math.min(WRITE_BYTES, dataBytes - at));
    const count = await file.read(bytes, PACKED_HEAD_BYTES + at);
    check = crc32c(bytes.subarray(0, count), check);
    await spend(count);
  }
  if (check !== dataCheck) throw new DamageError(`${path} did not read back as it was written`);
}
