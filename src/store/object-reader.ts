/**
 * The way of a read: cache, then the row (overlay, LevelDB), then the body. `find` answers with the value
 * itself whenever nothing has to be waited for; a promise costs a hit half of its rate. Larger bodies come in
 * verified pieces from `read`, and so do small ones that lie in the cold tier: whoever only wants to know of
 * an object fetches nothing from there.
 */
import { assert, unreachable } from "../base/assert.ts";
import { DamageError } from "../base/errors.ts";
import type { BucketTable } from "../state/bucket-table.ts";
import { NO_ATTRIBUTES } from "../state/attributes.ts";
import type { Attributes } from "../state/attributes.ts";
import { keys } from "../state/keys.ts";
import { decodeDetail, decodeObject } from "../state/object-row.ts";
import type { BodyReference, ObjectRow, PartRun } from "../state/object-row.ts";
import { EXTENTS_PER_ROW, rows, unpackExtents } from "../state/rows.ts";
import type { Extent, PartRow } from "../state/rows.ts";
import { NO_RUNS, bytesInMemory, storedObject } from "../state/stored-object.ts";
import type { StoredObject } from "../state/stored-object.ts";
import { CACHED_BODY_BYTES_MAX } from "./object-cache.ts";
import type { ObjectCache } from "./object-cache.ts";
import { piecesIn } from "./piece-list.ts";
import type { ReadPace } from "./read-pace.ts";
import type { ReadPins } from "./read-pins.ts";
import { isGone } from "./record-reader.ts";
import type { ColdFigures, RecordBody, RecordReader } from "./record-reader.ts";
import type { StateIndex } from "./state-index.ts";

export type ObjectReaderOptions = {
  readonly index: StateIndex;
  readonly cache: ObjectCache;
  readonly buckets: BucketTable;
  readonly records: RecordReader;
  readonly pace: ReadPace;
  readonly pins: ReadPins;
};

type Range = { readonly start: number; readonly end: number };
type Birth = { readonly index: number; readonly size: number };

/** Where the bytes of a body lie: `cold` if some of them only lie in the cold tier. */
export type Tier = "hot" | "cold";

/** A small body that was not read with its object; `place` in the cache is for an object that has one. */
type Unread = { readonly place: { readonly path: string; readonly generation: number } | undefined };

/** Of a piece of a body: the entry that brought it, and its bytes. */
type Piece = { readonly index: number; readonly read: () => Promise<Uint8Array> };

/** What is looked at to tell where a body lies: of a larger one its first gibibyte, which cools first. */
const TIER_PIECES_MAX = 1024;

export class ObjectReader {
  readonly #index: StateIndex;
  readonly #cache: ObjectCache;
  readonly #buckets: BucketTable;
  readonly #records: RecordReader;
  readonly #pace: ReadPace;
  readonly #pins: ReadPins;
  readonly #unread = new WeakMap<StoredObject, Unread>();

  constructor(options: ObjectReaderOptions) {
    this.#index = options.index;
    this.#cache = options.cache;
    this.#buckets = options.buckets;
    this.#records = options.records;
    this.#pace = options.pace;
    this.#pins = options.pins;
  }

  get coldFigures(): ColdFigures | undefined {
    return this.#records.coldFigures;
  }

  find(path: string): StoredObject | undefined | Promise<StoredObject | undefined> {
    const cached = this.#cache.get(path);
    if (cached !== undefined) {
      this.#cache.hits++;
      return cached;
    }
    this.#cache.misses++;
    const slash = path.indexOf("/");
    const bucket = this.#buckets.find(path.slice(0, slash));
    if (bucket === undefined) return undefined;
    const key = path.slice(slash + 1);
    const recent = this.#index.recentObject(bucket.objectPrefix, key);
    if (recent === null) return undefined;
    if (recent !== undefined && !inRecord(recent)) {
      this.#cache.fill(path, recent);
      return recent;
    }
    if (this.#index.slow) return this.#findLater(path, bucket.objectPrefix + key, recent);
    const row = recent ?? this.#rowNow(bucket.objectPrefix + key);
    if (row === undefined) return undefined;
    const found = this.#resolveNow(row);
    if (found === undefined) return this.#resolveLater(path, row, this.#cache.generation(path));
    this.#cache.fill(path, found);
    return found;
  }

  /** In the cache, if it is there: a hit is always the current object. */
  cached(path: string): StoredObject | undefined {
    return this.#cache.get(path);
  }

  /** A version of an object by its row, past the cache. Its rows are read before this returns. */
  resolve(row: ObjectRow): StoredObject | Promise<StoredObject> {
    return this.#resolveNow(row) ?? this.#resolveRecord(row);
  }

  async #resolveRecord(row: ObjectRow): Promise<StoredObject> {
    const { body } = row;
    assert(body.kind === "record", `a body that is ${body.kind} needs no record`);
    const attributes = row.attributes ?? this.#detailOf(row, this.#index.get(detailKey(row)));
    const bytes = await this.#records.readHere(recordOf(row, body));
    const found = storedObject(row, attributes, { bytes, runs: NO_RUNS });
    if (bytes === undefined) this.#unread.set(found, { place: undefined });
    return found;
  }

  #rowNow(rowKey: string): ObjectRow | undefined {
    const bytes = this.#index.get(rowKey);
    return bytes === undefined ? undefined : decodeObject(bytes);
  }

  async #findLater(
    path: string,
    rowKey: string,
    recent: StoredObject | undefined,
  ): Promise<StoredObject | undefined> {
    const generation = this.#cache.generation(path);
    if (recent !== undefined) return await this.#resolveLater(path, recent, generation);
    const bytes = await this.#index.getLater(rowKey);
    if (bytes === undefined) return undefined;
    return await this.#resolveLater(path, decodeObject(bytes), generation);
  }

  /** Everything of the object that can be had without waiting; `undefined` if something cannot. */
  #resolveNow(row: ObjectRow): StoredObject | undefined {
    const { body, size } = row;
    let bytes = bytesInMemory(body);
    if (body.kind === "record" && size <= CACHED_BODY_BYTES_MAX) {
      const record = recordOf(row, body);
      const start = this.#pace.begin();
      bytes = this.#records.readNow(record);
      this.#pace.end(start);
      if (bytes === undefined) return undefined;
    }
    const attributes = row.attributes ?? this.#detailOf(row, this.#index.get(detailKey(row)));
    const runs = body.kind === "parts" ? runsOf(body, this.#index.get(keys.upload(body.uploadId))) : NO_RUNS;
    return storedObject(row, attributes, { bytes, runs });
  }

  async #resolveLater(path: string, row: ObjectRow, generation: number): Promise<StoredObject | undefined> {
    const { body } = row;
    let bytes = bytesInMemory(body);
    if (body.kind === "record") {
      try {
        bytes = await this.#records.readHere(recordOf(row, body));
      } catch (error) {
        // Overwritten while this read waited, and its segment deleted: the row is looked up once more (R12).
        if (!isGone(error) || this.#cache.generation(path) === generation) throw error;
        return await this.find(path);
      }
    }
    const detail = row.attributes === undefined ? await this.#index.getLater(detailKey(row)) : undefined;
    // Written or removed while this read waited: its detail row may have gone with it, so look again.
    if (row.attributes === undefined && detail === undefined && this.#cache.generation(path) !== generation) {
      return await this.find(path);
    }
    const attributes = row.attributes ?? this.#detailOf(row, detail);
    const runs = body.kind === "parts" ? await this.#runsOf(body) : NO_RUNS;
    const found = storedObject(row, attributes, { bytes, runs });
    if (bytes === undefined && body.kind === "record") {
      this.#unread.set(found, { place: { path, generation } });
    } else this.#cache.fillLate(path, found, generation);
    return found;
  }

  #detailOf(row: ObjectRow, bytes: Uint8Array | undefined): Attributes {
    if (!row.hasDetail) return NO_ATTRIBUTES;
    if (bytes === undefined) throw new DamageError(`the index row ${detailKey(row)} is missing`);
    return decodeDetail(bytes);
  }

  /** Bytes of the body, in order, in pieces of at most a chunk; the next piece is read while one is used. */
  async *read(object: StoredObject, range: Range): AsyncGenerator<Uint8Array> {
    if (object.bytes !== undefined) {
      yield object.bytes.subarray(range.start, range.end);
      return;
    }
    const unread = this.#unread.get(object);
    if (unread !== undefined) {
      yield (await this.#readUnread(object, unread)).subarray(range.start, range.end);
      return;
    }
    const pinned = pinnedId(object.body);
    if (pinned !== undefined) this.#pins.pin(pinned);
    try {
      yield* this.#readAhead(object, range);
    } finally {
      if (pinned !== undefined) this.#pins.unpin(pinned);
    }
  }

  /** What one has fetched the others find in memory, if nothing was written there meanwhile (RULES.md R9). */
  async #readUnread(object: StoredObject, { place }: Unread): Promise<Uint8Array> {
    const { body, attributes } = object;
    assert(body.kind === "record", `a body that is ${body.kind} is never left unread`);
    const bytes = await this.#records.readCold(recordOf(object, body));
    if (place !== undefined) {
      const whole = storedObject(object, attributes, { bytes, runs: NO_RUNS });
      this.#cache.fillLate(place.path, whole, place.generation);
    }
    return bytes;
  }

  /** Where the bytes of this range lie. An object that came with its bytes is in memory or was read here. */
  tierOf(object: StoredObject, range: Range): Tier | Promise<Tier> {
    if (object.bytes !== undefined || range.start >= range.end) return "hot";
    if (this.#unread.has(object)) return "cold";
    return this.#records.hasCold ? this.#tierOfPieces(object, range) : "hot";
  }

  async #tierOfPieces(object: StoredObject, range: Range): Promise<Tier> {
    const birth = { index: object.birthIndex, size: object.size };
    let looked = 0;
    for await (const { index } of this.#pieces(object.body, birth, object.runs, range)) {
      if (this.#records.isCold(index)) return "cold";
      if (++looked === TIER_PIECES_MAX) break;
    }
    return "hot";
  }

  async *#readAhead(object: StoredObject, range: Range): AsyncGenerator<Uint8Array> {
    const birth = { index: object.birthIndex, size: object.size };
    let ahead: Promise<Uint8Array> | undefined;
    for await (const piece of this.#pieces(object.body, birth, object.runs, range)) {
      const next = piece.read();
      // Consumed below, or not at all when the reader leaves: a failure nobody waits for is not an event.
      next.catch(() => undefined);
      if (ahead !== undefined) yield await ahead;
      ahead = next;
    }
    if (ahead !== undefined) yield await ahead;
  }

  async *#pieces(
    body: BodyReference,
    birth: Birth,
    runs: readonly PartRun[],
    range: Range,
  ): AsyncGenerator<Piece> {
    switch (body.kind) {
      case "empty":
        return;
      case "inline":
        // Its bytes are a row's, and pieces are the caller's.
        yield pieceOf(NO_ENTRY, () =>
          Promise.resolve(Uint8Array.from(body.bytes.subarray(range.start, range.end))),
        );
        return;
      case "record": {
        const record = recordOf({ birthIndex: birth.index, size: birth.size }, body);
        const read = (): Promise<Uint8Array> => this.#records.read(record);
        yield pieceOf(birth.index, async () => (await read()).subarray(range.start, range.end));
        return;
      }
      case "stored":
        yield* this.#storedPieces(body.bodyId, range);
        return;
      case "parts": {
        const known = runs.length > 0 ? runs : await this.#runsOf(body);
        yield* this.#partPieces(body.uploadId, known, range);
        return;
      }
      case "slice": {
        const within = { start: body.start + range.start, end: body.start + range.end };
        yield* this.#pieces(body.base, birth, NO_RUNS, within);
        return;
      }
      case "appended":
        for await (const { start, part } of piecesIn(this.#index, body, range)) {
          yield* this.#piecesOfPart(part, start, range);
        }
        return;
      default:
        unreachable(body);
    }
  }

  async #runsOf(body: { readonly uploadId: string }): Promise<readonly PartRun[]> {
    return runsOf(body, await this.#index.getLater(keys.upload(body.uploadId)));
  }

  /** Of a part that begins at `position`, what lies in the range. */
  async *#piecesOfPart(part: PartRow, position: number, range: Range): AsyncGenerator<Piece> {
    const { body, birthIndex, size } = part;
    const start = Math.max(range.start - position, 0);
    const end = Math.min(range.end - position, size);
    if (start < end) yield* this.#pieces(body, { index: birthIndex, size }, NO_RUNS, { start, end });
  }

  async *#storedPieces(bodyId: string, range: Range): AsyncGenerator<Piece> {
    let position = 0;
    for await (const extent of this.#extents(bodyId)) {
      const start = Math.max(range.start - position, 0);
      const end = Math.min(range.end - position, extent.length);
      if (start < end) yield pieceOf(extent.index, () => this.#records.readExtent(extent, start, end));
      position += extent.length;
      if (position >= range.end) return;
    }
    throw new DamageError(`the extents of body ${bodyId} end at ${position}, before ${range.end}`);
  }

  async *#extents(bodyId: string): AsyncGenerator<Extent> {
    const bytes = await this.#index.getLater(keys.body(bodyId));
    if (bytes === undefined) throw new DamageError(`the index row ${keys.body(bodyId)} is missing`);
    const row = rows.body.decode(bytes);
    yield* unpackExtents(row.extents);
    for (let page = 1; page * EXTENTS_PER_ROW < row.extentCount; page++) {
      const key = keys.bodyExtents(bodyId, page);
      const pageBytes = await this.#index.getLater(key);
      if (pageBytes === undefined) throw new DamageError(`the index row ${key} is missing`);
      yield* unpackExtents(rows.bodyExtents.decode(pageBytes).extents);
    }
  }

  async *#partPieces(uploadId: string, runs: readonly PartRun[], range: Range): AsyncGenerator<Piece> {
    for (const { partNumber, start: position } of partsIn(runs, range)) {
      const key = keys.part(uploadId, partNumber);
      const bytes = await this.#index.getLater(key);
      if (bytes === undefined) throw new DamageError(`the index row ${key} is missing`);
      yield* this.#piecesOfPart(rows.part.decode(bytes), position, range);
    }
  }
}

/** Bytes of a row lie in the index, and never anywhere else. */
const NO_ENTRY = 0;

function pieceOf(index: number, read: Piece["read"]): Piece {
  return { index, read };
}

function recordOf(
  { birthIndex: index, size: length }: { readonly birthIndex: number; readonly size: number },
  { offset, crc32c }: { readonly offset: number; readonly crc32c: number },
): RecordBody {
  return { index, offset, length, crc32c };
}

/** Whether its body is in a log record that is read as a whole. */
function inRecord({ body, size }: StoredObject): boolean {
  return body.kind === "record" && size <= CACHED_BODY_BYTES_MAX;
}

function pinnedId(body: BodyReference): string | undefined {
  switch (body.kind) {
    case "stored":
      return body.bodyId;
    case "parts":
      return body.uploadId;
    case "appended":
      return body.listId;
    case "slice":
      return pinnedId(body.base);
    default:
      return undefined;
  }
}

function detailKey(row: ObjectRow): string {
  return keys.detail(row.birthIndex, row.birthSub);
}

function runsOf(body: { readonly uploadId: string }, upload: Uint8Array | undefined): readonly PartRun[] {
  const completed = upload === undefined ? undefined : rows.upload.decode(upload).completed;
  if (completed === undefined) throw new DamageError(`upload ${body.uploadId} has no row of its completion`);
  return completed.runs;
}

export type PlacedPart = { readonly partNumber: number; readonly start: number; readonly size: number };

/** The parts that a byte range touches, in order. Whole runs are skipped without looking at their parts. */
function* partsIn(runs: readonly PartRun[], range: Range): Generator<PlacedPart> {
  let start = 0;
  for (const run of runs) {
    const skipped = run.size === 0 ? 0 : Math.floor(Math.max(0, range.start - start) / run.size);
    const first = Math.min(skipped, run.count);
    for (let at = first; at < run.count; at++) {
      const partStart = start + at * run.size;
      if (partStart >= range.end) return;
      if (run.size > 0) yield { partNumber: run.firstPart + at, start: partStart, size: run.size };
    }
    start += run.count * run.size;
  }
}

/** Where the `ordinal`-th part (from 1) of an object lies. */
export function placeOfPart(runs: readonly PartRun[], ordinal: number): Range | undefined {
  let before = 0;
  let start = 0;
  for (const run of runs) {
    if (ordinal > before && ordinal <= before + run.count) {
      const partStart = start + (ordinal - before - 1) * run.size;
      return { start: partStart, end: partStart + run.size };
    }
    before += run.count;
    start += run.count * run.size;
  }
  return undefined;
}
