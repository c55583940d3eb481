/** Rows of a simulated index store: what outlives a handle. Snapshots share them until the next batch. */
import type { IndexRows } from "./disk-operation.ts";

export class SimIndexState {
  readonly id: number;
  #rows: Map<string, Uint8Array>;
  /** In UTF-8 order; made when somebody iterates, and kept up to date from then on. */
  #sorted: readonly string[] | undefined;
  #shared = false;

  constructor(id: number, rows: ReadonlyMap<string, Uint8Array> = new Map()) {
    this.id = id;
    this.#rows = new Map(rows);
  }

  get(key: string): Uint8Array | undefined {
    return this.#rows.get(key);
  }

  apply(batch: IndexRows): void {
    if (this.#shared) this.#rows = new Map(this.#rows);
    this.#shared = false;
    this.#sorted = this.#sorted && sortedAfter(this.#sorted, this.#rows, batch);
    applyRows(this.#rows, batch);
  }

  /** Rows and keys that no later batch changes. */
  snapshot(): { readonly rows: ReadonlyMap<string, Uint8Array>; readonly sorted: readonly string[] } {
    this.#sorted ??= [...this.#rows.keys()].toSorted(compareUtf8);
    this.#shared = true;
    return { rows: this.#rows, sorted: this.#sorted };
  }
}

/** Keys of the rows after a batch: one look at each, where sorting them anew would be many. */
function sortedAfter(
  sorted: readonly string[],
  rows: ReadonlyMap<string, Uint8Array>,
  batch: IndexRows,
): readonly string[] {
  const added: string[] = [];
  const removed = new Set<string>();
  for (const [key, value] of batch) {
    if (value === null) removed.add(key);
    else if (!rows.has(key)) added.push(key);
  }
  if (added.length === 0 && removed.size === 0) return sorted;
  added.sort(compareUtf8);
  const merged: string[] = [];
  let next = 0;
  for (const key of sorted) {
    while (next < added.length && compareUtf8(added[next] as string, key) < 0) {
      merged.push(added[next++] as string);
    }
    if (!removed.has(key)) merged.push(key);
  }
  return merged.concat(added.slice(next));
}

export function applyRows(rows: Map<string, Uint8Array>, batch: IndexRows): void {
  for (const [key, value] of batch) {
    if (value === null) rows.delete(key);
    else rows.set(key, value);
  }
}

const HIGH = /[\ud800-\uffff]/;

/** Order of the UTF-8 bytes. UTF-16 orders alike except where surrogates meet what stands above them. */
export function compareUtf8(a: string, b: string): number {
  if (HIGH.test(a) && HIGH.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : a > b ? 1 : 0;
}
