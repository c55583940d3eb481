/**
 * The way of a read: cache, then the row (overlay, LevelDB), then the body. `find` answers with the value
 * itself whenever nothing has to be waited for; a promise costs a hit half of its rate. Larger bodies come in
 * verified pieces from `read`.
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
import type { RecordReader } from "./record-reader.ts";
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

export class ObjectReader {
  readonly #index: StateIndex;
  readonly #cache: ObjectCache;
  readonly #buckets: BucketTable;
  readonly #records: RecordReader;
  readonly #pace: ReadPace;
  readonly #pins: ReadPins;

  constructor(options: ObjectReaderOptions) {
    this.#index = options.index;
    this.#cache = options.cache;
    this.#buckets = options.buckets;
    this.#records = options.records;
    this.#pace = options.pace;
    this.#pins = options.pins;
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
    const { body, size } = row;
    assert(body.kind === "record", `a body that is ${body.kind} needs no record`);
    const attributes = row.attributes ?? this.#detailOf(row, this.#index.get(detailKey(row)));
    const { offset, crc32c } = body;
    const bytes = await this.#records.read({ index: row.birthIndex, offset, length: size, crc32c });
    return storedObject(row, attributes, { bytes, runs: NO_RUNS });
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
      const { offset, crc32c } = body;
      const record = { index: row.birthIndex, offset, length: size, crc32c };
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
    const { body, size } = row;
    let bytes = bytesInMemory(body);
    if (body.kind === "record") {
      const { offset, crc32c } = body;
      try {
        bytes = await this.#records.read({ index: row.birthIndex, offset, length: size, crc32c });
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
    this.#cache.fillLate(path, found, generation);
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
    const pinned = pinnedId(object.body);
    if (pinned !== undefined) this.#pins.pin(pinned);
    try {
      yield* this.#readAhead(object, range);
    } finally {
      if (pinned !== undefined) this.#pins.unpin(pinned);
    }
  }

  async *#readAhead(object: StoredObject, range: Range): AsyncGenerator<Uint8Array> {
    const birth = { index: object.birthIndex, size: object.size };
    let ahead: Promise<Uint8Array> | undefined;
    for await (const piece of this.#pieces(object.body, birth, object.runs, range)) {
      const next = piece();
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
  ): AsyncGenerator<() => Promise<Uint8Array>> {
    switch (body.kind) {
      case "empty":
        return;
      case "inline":
        // Its bytes are a row's, and pieces are the caller's.
        yield () => Promise.resolve(Uint8Array.from(body.bytes.subarray(range.start, range.end)));
        return;
      case "record": {
        const { offset, crc32c } = body;
        const record = { index: birth.index, offset, length: birth.size, crc32c };
        yield async () => (await this.#records.read(record)).subarray(range.start, range.end);
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
  async *#piecesOfPart(
    part: PartRow,
    position: number,
    range: Range,
  ): AsyncGenerator<() => Promise<Uint8Array>> {
    const { body, birthIndex, size } = part;
    const start = Math.max(range.start - position, 0);
    const end = Math.min(range.end - position, size);
    if (start < end) yield* this.#pieces(body, { index: birthIndex, size }, NO_RUNS, { start, end });
  }

  async *#storedPieces(bodyId: string, range: Range): AsyncGenerator<() => Promise<Uint8Array>> {
    let position = 0;
    for await (const extent of this.#extents(bodyId)) {
      const start = Math.max(range.start - position, 0);
      const end = Math.min(range.end - position, extent.length);
      if (start < end) yield () => this.#records.readExtent(extent, start, end);
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

  async *#partPieces(
    uploadId: string,
    runs: readonly PartRun[],
    range: Range,
  ): AsyncGenerator<() => Promise<Uint8Array>> {
    for (const { partNumber, start: position } of partsIn(runs, range)) {
      const key = keys.part(uploadId, partNumber);
      const bytes = await this.#index.getLater(key);
      if (bytes === undefined) throw new DamageError(`the index row ${key} is missing`);
      yield* this.#piecesOfPart(rows.part.decode(bytes), position, range);
    }
  }
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
