/**
 * Effects of applied entries that LevelDB does not have yet, in two generations: one takes writes while the
 * other is flushed. Reads look here first, so what is applied is visible at once (RULES.md R1, R2). A
 * tombstone is `null`. Objects stay as apply made them and are encoded when they leave, by bucket and key:
 * joining the two, hashing the result and taking rows apart again was half of what a put cost. Bounded by
 * whoever feeds it: `full` says when to wait.
 */
import type { StoredObject } from "../state/stored-object.ts";

/** Rough cost of a map entry beside key and value. */
const ENTRY_BYTES = 96;
/** The same for an object: its fields, ETag, attributes. */
const OBJECT_BYTES = 400;
const DETAIL_BYTES = 8192;
const RUN_BYTES = 64;

export type Generation = {
  readonly rows: Map<string, Uint8Array | null>;
  /** By the prefix of their bucket, then by key. */
  readonly objects: Map<string, Map<string, StoredObject | null>>;
  objectCount: number;
  bytes: number;
  /** Log indexes: the flush takes the state from `before` to `after`. */
  readonly before: number;
  after: number;
};

function generation(before: number): Generation {
  return { rows: new Map(), objects: new Map(), objectCount: 0, bytes: 0, before, after: before };
}

export class Overlay {
  #active: Generation;
  #flushing: Generation | undefined;
  /** The bucket that was written last, of the active generation. */
  #prefix = "";
  #bucket = new Map<string, StoredObject | null>();

  constructor(appliedIndex: number) {
    this.#active = generation(appliedIndex);
  }

  /** The row, `null` for a deleted one, `undefined` if the overlay knows nothing of it. Not for objects. */
  get(key: string): Uint8Array | null | undefined {
    const row = this.#active.rows.get(key);
    if (row !== undefined || this.#flushing === undefined) return row;
    return this.#flushing.rows.get(key);
  }

  set(key: string, value: Uint8Array | null): void {
    const { rows } = this.#active;
    const before = rows.size;
    rows.set(key, value);
    // An overwritten value is not subtracted: the bound is a little early, never late.
    if (rows.size > before) this.#active.bytes += ENTRY_BYTES + key.length;
    if (value !== null) this.#active.bytes += value.length;
  }

  /** As `get`, for an object. */
  object(prefix: string, key: string): StoredObject | null | undefined {
    const bucket = prefix === this.#prefix ? this.#bucket : this.#active.objects.get(prefix);
    const object = bucket?.get(key);
    if (object !== undefined || this.#flushing === undefined) return object;
    return this.#flushing.objects.get(prefix)?.get(key);
  }

  setObject(prefix: string, key: string, object: StoredObject | null): void {
    if (prefix !== this.#prefix) this.#enter(prefix);
    const bucket = this.#bucket;
    const before = bucket.size;
    bucket.set(key, object);
    if (bucket.size > before) {
      this.#active.objectCount++;
      this.#active.bytes += ENTRY_BYTES + OBJECT_BYTES + key.length;
    }
    // As above; what every object takes is counted once.
    if (object !== null) this.#active.bytes += variableBytes(object);
  }

  #enter(prefix: string): void {
    this.#prefix = prefix;
    this.#bucket = this.#active.objects.get(prefix) ?? new Map();
    this.#active.objects.set(prefix, this.#bucket);
  }

  /** All effects of the entry are in. */
  entryApplied(index: number): void {
    this.#active.after = index;
  }

  get appliedIndex(): number {
    return this.#active.after;
  }

  get rowCount(): number {
    return this.activeRows + (this.#flushing === undefined ? 0 : rowsOf(this.#flushing));
  }

  get bytes(): number {
    return this.#active.bytes + (this.#flushing?.bytes ?? 0);
  }

  get activeRows(): number {
    return rowsOf(this.#active);
  }

  get activeBytes(): number {
    return this.#active.bytes;
  }

  /** Whether an entry was applied that no flush has taken. */
  get dirty(): boolean {
    return this.#active.after > this.#active.before;
  }

  /** Takes the active generation for flushing; `undefined` if there is nothing or a flush is under way. */
  beginFlush(): Generation | undefined {
    if (this.#flushing !== undefined || !this.dirty) return undefined;
    this.#flushing = this.#active;
    this.#active = generation(this.#flushing.after);
    this.#prefix = "";
    this.#bucket = new Map();
    return this.#flushing;
  }

  /** The flushed generation is stable in the store: reads go there from now on. */
  endFlush(): void {
    this.#flushing = undefined;
  }
}

function rowsOf({ rows, objectCount }: Generation): number {
  return rows.size + objectCount;
}

function variableBytes(object: StoredObject): number {
  const body = object.body.kind === "inline" ? object.size : 0;
  const detail = object.hasDetail ? DETAIL_BYTES : 0;
  return body + detail + object.runs.length * RUN_BYTES;
}
