/**
 * Where the pieces of packed cold objects stand, read from their ends: one GET for each object, mostly, kept
 * for the next readers as long as there is room. An object never changes, so what was read stays true.
 */
import { FormatError } from "../base/bytes.ts";
import type { ColdRange } from "../ports/cold-store.ts";
import {
  PACKED_HEAD_BYTES,
  PACKED_TRAILER_BYTES,
  PieceTable,
  readPackedEnd,
} from "../segment/packed-segment.ts";
import type { ColdCopy } from "../state/rows.ts";

/** Some 16,000 pieces, as a segment of small objects has them. */
const END_BYTES = 96 * 1024;
const TABLE_BYTES_MAX = 32 * 1024 * 1024;

type ReadRange = (key: string, range: ColdRange) => Promise<Buffer>;
type Known = { readonly table: Promise<PieceTable>; bytes: number };

export class ColdTables {
  readonly #read: ReadRange;
  /** In order of use, the longest unused first. */
  readonly #known = new Map<string, Known>();
  #bytes = 0;

  constructor(read: ReadRange) {
    this.#read = read;
  }

  /** Throws FormatError for an object that is not the packed form of this segment. */
  async of(segmentId: number, copy: ColdCopy): Promise<PieceTable> {
    const { key } = copy;
    let known = this.#known.get(key);
    if (known === undefined) {
      const created: Known = { table: this.#load(segmentId, copy, () => created), bytes: 0 };
      created.table.catch(() => this.#forget(key, created));
      known = created;
    } else this.#known.delete(key);
    this.#known.set(key, known);
    return await known.table;
  }

  async #load(segmentId: number, { key, bytes }: ColdCopy, self: () => Known): Promise<PieceTable> {
    const endStart = Math.max(0, bytes - END_BYTES);
    const end = await this.#read(key, { start: endStart, end: bytes });
    const trailer = readPackedEnd(end.subarray(Math.max(0, end.length - PACKED_TRAILER_BYTES)));
    const { dataBytes, tableBytes } = trailer;
    if (trailer.segmentId !== segmentId) throw new FormatError(`it holds segment ${trailer.segmentId}`);
    const tableStart = PACKED_HEAD_BYTES + dataBytes;
    const tableEnd = tableStart + tableBytes;
    if (tableEnd + PACKED_TRAILER_BYTES !== bytes)
      throw new FormatError("it has another length than it says");
    const isHere = tableStart >= endStart;
    const table = isHere
      ? end.subarray(tableStart - endStart, tableEnd - endStart)
      : await this.#read(key, { start: tableStart, end: tableEnd });
    const pieces = new PieceTable(table, trailer);
    this.#count(key, self(), pieces.bytes);
    return pieces;
  }

  #count(key: string, known: Known, bytes: number): void {
    if (this.#known.get(key) !== known) return;
    known.bytes = bytes;
    this.#bytes += bytes;
    for (const [oldest, each] of this.#known) {
      if (this.#bytes <= TABLE_BYTES_MAX) return;
      if (each !== known && each.bytes > 0) this.#forget(oldest, each);
    }
  }

  #forget(key: string, known: Known): void {
    if (this.#known.get(key) !== known) return;
    this.#known.delete(key);
    this.#bytes -= known.bytes;
  }
}
