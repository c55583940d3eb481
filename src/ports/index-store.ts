/**
 * A sorted key-value store: LevelDB in production, a map in the simulator. Keys are strings, ordered by their
 * UTF-8 bytes. A batch is atomic and stable when `write` returns; a store may still lose batches silently
 * after a crash (measured for LevelDB), which is why the layer above numbers them and checks the numbers.
 */
export interface IndexBatch {
  put(key: string, value: Uint8Array): void;
  delete(key: string): void;
  /** Makes the batch stable; afterwards the batch is spent. */
  write(): Promise<void>;
  /** Drops an unwritten batch. */
  discard(): Promise<void>;
}

export type IndexRange = {
  /** First key, inclusive. */
  readonly from: string;
  /** End of the range, exclusive. */
  readonly to: string;
  readonly reverse?: boolean;
};

export interface IndexIterator<Value> {
  /** Up to `limit` further entries; an empty answer is the end. */
  next(limit: number): Promise<readonly (readonly [key: string, value: Value])[]>;
  /** Moves to the first entry at or after `key` (at or before it, in reverse). */
  seek(key: string): void;
  close(): Promise<void>;
}

/** Everything as it was at one moment, however long it is looked at. */
export interface IndexSnapshot {
  getMany(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]>;
  iterate(range: IndexRange): IndexIterator<Uint8Array>;
  /** The store keeps overwritten rows until then. */
  close(): Promise<void>;
}

export interface IndexStore {
  /** Blocks the event loop: for reads that are likely in memory. */
  getSync(key: string): Uint8Array | undefined;
  getMany(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]>;
  batch(): IndexBatch;
  /** Iterates over a snapshot taken now. */
  iterate(range: IndexRange): IndexIterator<Uint8Array>;
  /**
   * The same with values decoded as UTF-8 (bytes that are not become U+FFFD): a third cheaper, for listings.
   */
  iterateText(range: IndexRange): IndexIterator<string>;
  /** Of now. */
  snapshot(): IndexSnapshot;
  close(): Promise<void>;
}
