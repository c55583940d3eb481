/**
 * Checks LevelDB's table files (*.ldb) block by block, because neither its paranoid mode nor the verification
 * of checksums on reads can be switched on through its binding, and a flipped bit in a key makes a row vanish
 * without an error. The format: LevelDB's doc/table_format.md; each block is followed by a type byte and a
 * masked CRC32C over block and type.
 */
import { crc32c } from "../base/crc.ts";
import { ByteReader, FormatError } from "../base/bytes.ts";
import type { Disk, DiskFile } from "../ports/disk.ts";

const FOOTER_BYTES = 48;
const BLOCK_TRAILER_BYTES = 5;
const MAGIC_LOW = 0x8b80fb57;
const MAGIC_HIGH = 0xdb477524;
const MASK_DELTA = 0xa282ead8;
const NO_COMPRESSION = 0;

type Handle = { readonly offset: number; readonly size: number };

/** What is wrong with which of the files that are `wanted`, or `undefined`. */
export async function checkTableFiles(
  disk: Disk,
  directory: string,
  wanted: (table: number) => boolean,
): Promise<string | undefined> {
  for (const name of await disk.list(directory)) {
    if (!name.endsWith(".ldb") || !wanted(Number.parseInt(name, 10))) continue;
    const file = await disk.open(`${directory}/${name}`, "read");
    try {
      const reason = await checkTable(file);
      if (reason !== undefined) return `${name}: ${reason}`;
    } finally {
      await file.close();
    }
  }
  return undefined;
}

async function checkTable(file: DiskFile): Promise<string | undefined> {
  const size = await file.size();
  if (size < FOOTER_BYTES) return "shorter than its footer";
  const bytes = Buffer.allocUnsafeSlow(size);
  if ((await file.read(bytes, 0)) !== size) return "cannot be read as a whole";
  const footer = bytes.subarray(size - FOOTER_BYTES);
  if (footer.readUInt32LE(40) !== MAGIC_LOW || footer.readUInt32LE(44) !== MAGIC_HIGH) {
    return "does not end as a table does";
  }
  try {
    const reader = new ByteReader(footer);
    const meta = readHandle(reader);
    const index = readHandle(reader);
    for (const handle of [meta, index]) if (!blockIsSound(bytes, handle)) return `block at ${handle.offset}`;
    // The meta block leads to the filter, whose damage would hide keys from point reads.
    for (const handle of [...indexEntries(bytes, meta), ...indexEntries(bytes, index)]) {
      if (!blockIsSound(bytes, handle)) return `the block at ${handle.offset} does not match its checksum`;
    }
  } catch (error) {
    if (error instanceof FormatError) return error.message;
    throw error;
  }
  return undefined;
}

function readHandle(reader: ByteReader): Handle {
  return { offset: reader.varint(), size: reader.varint() };
}

function blockIsSound(bytes: Buffer, { offset, size }: Handle): boolean {
  const end = offset + size;
  if (end + BLOCK_TRAILER_BYTES > bytes.length) return false;
  return crc32c(bytes.subarray(offset, end + 1)) === unmasked(bytes.readUInt32LE(end + 1));
}

/** LevelDB stores checksums turned and shifted, because it also takes checksums of what holds checksums. */
export function unmasked(stored: number): number {
  const rotated = (stored - MASK_DELTA) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}

/**
 * Handles of the data blocks. Index blocks may be compressed; then the data blocks are walked instead, which
 * stand one behind the other from the start of the file.
 */
function* indexEntries(bytes: Buffer, index: Handle): Generator<Handle> {
  const block = bytes.subarray(index.offset, index.offset + index.size);
  if (bytes[index.offset + index.size] !== NO_COMPRESSION) {
    yield* snappyIndexEntries(block);
    return;
  }
  yield* entriesOf(block);
}

function* entriesOf(block: Buffer): Generator<Handle> {
  const restarts = block.readUInt32LE(block.length - 4);
  const end = block.length - 4 - restarts * 4;
  const reader = new ByteReader(block, 0, end);
  while (reader.remaining > 0) {
    reader.varint();
    const unshared = reader.varint();
    const valueBytes = reader.varint();
    reader.bytes(unshared);
    const valueEnd = reader.offset + valueBytes;
    yield readHandle(reader);
    reader.offset = valueEnd;
  }
}

function* snappyIndexEntries(block: Buffer): Generator<Handle> {
  yield* entriesOf(snappyUncompress(block));
}

/** Snappy's format (format_description.txt of the library): literals and three kinds of copies. */
function snappyUncompress(block: Buffer): Buffer {
  const reader = new ByteReader(block);
  const out = Buffer.alloc(reader.varint());
  let at = 0;
  while (reader.remaining > 0) {
    const tag = reader.u8();
    if ((tag & 3) === 0) {
      const literal = reader.bytes(literalBytes(reader, tag));
      out.set(literal, at);
      at += literal.length;
      continue;
    }
    const { length, back } = copyOf(reader, tag);
    if (back === 0 || back > at || at + length > out.length) throw new FormatError("a copy beyond its block");
    for (let count = 0; count < length; count++, at++) out[at] = out[at - back] as number;
  }
  return out;
}

function literalBytes(reader: ByteReader, tag: number): number {
  const short = tag >>> 2;
  if (short < 60) return short + 1;
  let length = 0;
  for (let at = 0; at < short - 59; at++) length += reader.u8() * 2 ** (8 * at);
  return length + 1;
}

function copyOf(reader: ByteReader, tag: number): { readonly length: number; readonly back: number } {
  switch (tag & 3) {
    case 1:
      return { length: ((tag >>> 2) & 7) + 4, back: ((tag >>> 5) << 8) | reader.u8() };
    case 2:
      return { length: (tag >>> 2) + 1, back: reader.u8() | (reader.u8() << 8) };
    default:
      return { length: (tag >>> 2) + 1, back: reader.u32() };
  }
}
