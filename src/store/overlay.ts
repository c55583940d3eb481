/**
 * Effects of applied entries that LevelDB does not have yet, in two generations: one takes writes while the
 * other is flushed. Reads look here first, so what is applied is visible at once (RULES.md R1, R2). A
 * tombstone is `null`. Bounded by whoever feeds it: `full` says when to wait.
 */

/** Rough cost of a map entry beside key and value. */
const ENTRY_BYTES = 96;

export type Generation = {
  readonly rows: Map<string, Uint8Array | null>;
  bytes: number;
  /** Log indexes: the flush takes the state from `before` to `after`. */
  readonly before: number;
  after: number;
};

export class Overlay {
  #active: Generation;
  #flushing: Generation | undefined;

  constructor(appliedIndex: number) {
    this.#active = { rows: new Map(), bytes: 0, before: appliedIndex, after: appliedIndex };
  }

  /** The row, `null` for a deleted one, `undefined` if the overlay knows nothing of it. */
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

  /** All effects of the entry are in. */
  entryApplied(index: number): void {
    this.#active.after = index;
  }

  get appliedIndex(): number {
    return this.#active.after;
  }

  get rowCount(): number {
    return this.#active.rows.size + (this.#flushing?.rows.size ?? 0);
  }

  get bytes(): number {
    return this.#active.bytes + (this.#flushing?.bytes ?? 0);
  }

  get activeRows(): number {
    return this.#active.rows.size;
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
    const { after } = this.#flushing;
    this.#active = { rows: new Map(), bytes: 0, before: after, after };
    return this.#flushing;
  }

  /** The flushed generation is stable in the store: reads go there from now on. */
  endFlush(): void {
    this.#flushing = undefined;
  }
}
