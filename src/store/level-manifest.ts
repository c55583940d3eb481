/**
 * Which table files a LevelDB directory consists of, by its manifest. Beside them there may be tables that no
 * reader wants: a compaction that a crash cut off leaves half of one, and its number is given out again.
 * Formats: LevelDB's doc/log_format.md (blocks of 32 KiB, records in fragments) and db/version_edit.cc.
 */
import { ByteReader, FormatError } from "../base/bytes.ts";
import { crc32c } from "../base/crc.ts";
import { DamageError } from "../base/errors.ts";
import type { Disk } from "../ports/disk.ts";
import { unmasked } from "./level-tables.ts";

const BLOCK_BYTES = 32 * 1024;
const HEADER_BYTES = 7;
const Fragment = { full: 1, first: 2, middle: 3, last: 4 } as const;
const Tag = {
  comparator: 1,
  logNumber: 2,
  nextFile: 3,
  lastSequence: 4,
  compactPointer: 5,
  deletedFile: 6,
  newFile: 7,
  previousLog: 9,
} as const;

export type LevelManifest = {
  /** Name of the manifest file. */
  readonly name: string;
  /** Numbers of the tables that belong to the directory. */
  readonly tables: ReadonlySet<number>;
};

/** `undefined` if nothing was ever made there; throws DamageError where LevelDB would not open either. */
export async function readManifest(disk: Disk, directory: string): Promise<LevelManifest | undefined> {
  const current = await disk.readFile(`${directory}/CURRENT`);
  if (current === undefined) return undefined;
  const name = Buffer.from(current).toString("latin1").trimEnd();
  const bytes = /^MANIFEST-\d+$/.test(name) ? await disk.readFile(`${directory}/${name}`) : undefined;
  if (bytes === undefined) throw new DamageError(`${directory}/CURRENT names no manifest`);
  try {
    return { name, tables: tablesOf(Buffer.from(bytes)) };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new DamageError(`${directory}/${name} is damaged: ${error.message}`, { cause: error });
  }
}

function tablesOf(manifest: Buffer): ReadonlySet<number> {
  /** By level and number: a table that moves to another level leaves the old place in the same edit. */
  const live = new Map<string, number>();
  for (const edit of recordsOf(manifest)) applyEdit(live, new ByteReader(edit));
  return new Set(live.values());
}

/** Whole records; one that its writer did not finish, at the end, is none. */
function* recordsOf(bytes: Buffer): Generator<Buffer> {
  let parts: Buffer[] = [];
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const roomInBlock = BLOCK_BYTES - (at % BLOCK_BYTES);
    if (roomInBlock < HEADER_BYTES) {
      at += roomInBlock;
      continue;
    }
    const end = at + HEADER_BYTES + bytes.readUInt16LE(at + 4);
    const kind = bytes[at + 6];
    if (end > bytes.length) return;
    if (crc32c(bytes.subarray(at + 6, end)) !== unmasked(bytes.readUInt32LE(at))) {
      throw new FormatError(`the record at ${at} does not match its checksum`);
    }
    if (kind === Fragment.full || kind === Fragment.first) parts = [];
    parts.push(bytes.subarray(at + HEADER_BYTES, end));
    if (kind === Fragment.full || kind === Fragment.last) yield Buffer.concat(parts);
    at = end;
  }
}

function applyEdit(live: Map<string, number>, edit: ByteReader): void {
  while (edit.remaining > 0) {
    const tag = edit.varint();
    switch (tag) {
      case Tag.comparator:
        edit.blob();
        break;
      case Tag.logNumber:
      case Tag.nextFile:
      case Tag.lastSequence:
      case Tag.previousLog:
        edit.varint();
        break;
      case Tag.compactPointer:
        edit.varint();
        edit.blob();
        break;
      case Tag.deletedFile:
        live.delete(`${edit.varint()}/${edit.varint()}`);
        break;
      case Tag.newFile:
        addTable(live, edit);
        break;
      default:
        throw new FormatError(`an edit with the unknown tag ${tag}`);
    }
  }
}

function addTable(live: Map<string, number>, edit: ByteReader): void {
  const level = edit.varint();
  const number = edit.varint();
  // Its size, its smallest key and its largest.
  edit.varint();
  edit.blob();
  edit.blob();
  live.set(`${level}/${number}`, number);
}
