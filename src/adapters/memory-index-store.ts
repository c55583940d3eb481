/**
 * The IndexStore port in memory. A MemoryIndex holds the rows, as a directory does for LevelDB: a store that
 * is opened on it again finds them. Rows are counted against the same space as the files beside them.
 */
import type {
  IndexBatch,
  IndexIterator,
  IndexRange,
  IndexSnapshot,
  IndexStore,
} from "../ports/index-store.ts";
import type { MemorySpace } from "./memory-space.ts";
import { SortedRows } from "./sorted-rows.ts";
import type { Place, SortedSnapshot } from "./sorted-rows.ts";
import { compareUtf8 } from "../s3/listing.ts";

/** What V8 adds to a key and a value of their own. */
const ROW_BYTES = 160;

export class MemoryIndex {
  readonly #space: MemorySpace;
  readonly #rows = new SortedRows();

  constructor(space: MemorySpace) {
    this.#space = space;
  }

  open(): Promise<IndexStore> {
    return Promise.resolve(new MemoryIndexStore(this));
  }

  get(key: string): Uint8Array | undefined {
    return this.#rows.get(key);
  }

  snapshot(): SortedSnapshot {
    return this.#rows.snapshot();
  }

  apply(batch: ReadonlyMap<string, Uint8Array | undefined>): void {
    for (const [key, value] of batch) {
      const before = value === undefined ? this.#rows.delete(key) : this.#rows.put(key, value);
      this.#space.count(bytesOf(key, value) - bytesOf(key, before));
    }
  }
}

function bytesOf(key: string, value: Uint8Array | undefined): number {
  return value === undefined ? 0 : ROW_BYTES + key.length + value.length;
}

class MemoryIndexStore implements IndexStore {
  readonly #index: MemoryIndex;
  #closed = false;

  constructor(index: MemoryIndex) {
    this.#index = index;
  }

  #use(): MemoryIndex {
    if (this.#closed) throw new Error("the index store is closed");
    return this.#index;
  }

  getSync(key: string): Uint8Array | undefined {
    return this.#use().get(key);
  }

  async getMany(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    return keys.map((key) => this.getSync(key));
  }

  batch(): IndexBatch {
    const rows = new Map<string, Uint8Array | undefined>();
    return {
      // Of its own memory: the caller may use its buffer again.
      put: (key, value) => void rows.set(key, Uint8Array.from(value)),
      delete: (key) => void rows.set(key, undefined),
      write: async () => this.#use().apply(rows),
      discard: async () => rows.clear(),
    };
  }

  iterate(range: IndexRange): IndexIterator<Uint8Array> {
    return iterator(this.#use().snapshot(), range, (value) => value);
  }

  iterateText(range: IndexRange): IndexIterator<string> {
    return iterator(this.#use().snapshot(), range, (value) =>
      Buffer.from(value.buffer, value.byteOffset, value.length).toString("utf8"),
    );
  }

  snapshot(): IndexSnapshot {
    const rows = this.#use().snapshot();
    const get = (key: string): Uint8Array | undefined => {
      const row = rows.at(rows.placeOf(key));
      return row?.[0] === key ? row[1] : undefined;
    };
    return {
      getMany: async (keys) => keys.map(get),
      iterate: (range) => iterator(rows, range, (value) => value),
      close: async () => undefined,
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
  }
}

function iterator<Value>(
  rows: SortedSnapshot,
  range: IndexRange,
  convert: (value: Uint8Array) => Value,
): IndexIterator<Value> {
  const reverse = range.reverse === true;
  let place = reverse ? rows.previous(rows.placeOf(range.to)) : rows.placeOf(range.from);
  const page = (limit: number): readonly (readonly [string, Value])[] => {
    const found: (readonly [string, Value])[] = [];
    for (let row = rows.at(place); row !== undefined && found.length < limit; row = rows.at(place)) {
      const [key, value] = row;
      if (compareUtf8(key, range.from) < 0 || compareUtf8(key, range.to) >= 0) break;
      found.push([key, convert(value)]);
      place = reverse ? rows.previous(place) : rows.next(place);
    }
    return found;
  };
  return {
    next: async (limit) => page(limit),
    seek: (key) => {
      place = reverse ? lastAtOrBefore(rows, key) : rows.placeOf(key);
    },
    close: async () => undefined,
  };
}

function lastAtOrBefore(rows: SortedSnapshot, key: string): Place {
  const place = rows.placeOf(key);
  return rows.at(place)?.[0] === key ? place : rows.previous(place);
}
