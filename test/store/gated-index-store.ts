/**
 * An index store whose writes and reads wait or fail as a test wants it: a decorated real or simulated one.
 */
import type {
  IndexBatch,
  IndexIterator,
  IndexRange,
  IndexSnapshot,
  IndexStore,
} from "../../src/ports/index-store.ts";

export class GatedIndexStore implements IndexStore {
  readonly #store: IndexStore;
  /** May throw or wait; the write happens after it. */
  beforeWrite: () => void | Promise<void> = () => undefined;
  /** Waits after the store has answered a `getMany`, before the caller gets it. */
  afterRead: () => void | Promise<void> = () => undefined;
  writes = 0;
  syncReads = 0;
  closed = false;

  constructor(store: IndexStore) {
    this.#store = store;
  }

  getSync(key: string): Uint8Array | undefined {
    this.syncReads++;
    return this.#store.getSync(key);
  }

  async getMany(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    const found = await this.#store.getMany(keys);
    await this.afterRead();
    return found;
  }

  batch(): IndexBatch {
    const batch = this.#store.batch();
    return {
      put: (key, value) => batch.put(key, value),
      delete: (key) => batch.delete(key),
      write: async () => {
        await this.beforeWrite();
        await batch.write();
        this.writes++;
      },
      discard: () => batch.discard(),
    };
  }

  iterate(range: IndexRange): IndexIterator<Uint8Array> {
    return this.#store.iterate(range);
  }

  iterateText(range: IndexRange): IndexIterator<string> {
    return this.#store.iterateText(range);
  }

  snapshot(): IndexSnapshot {
    return this.#store.snapshot();
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.#store.close();
  }
}
