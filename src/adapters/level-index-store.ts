/**
 * The IndexStore port on LevelDB (classic-level). Batches are chained natively, which lets the caller build a
 * large one in slices (0.4-0.8 µs per row against 1.1-1.5 for an array), and are always synced.
 */
import { ClassicLevel } from "classic-level";
import type {
  IndexBatch,
  IndexIterator,
  IndexRange,
  IndexSnapshot,
  IndexStore,
} from "../ports/index-store.ts";
import { systemErrorOf } from "./level-error.ts";

type Level = ClassicLevel<string, Uint8Array>;

export class LevelIndexStore implements IndexStore {
  readonly #level: Level;

  private constructor(level: Level) {
    this.#level = level;
  }

  static async open(path: string): Promise<LevelIndexStore> {
    const level: Level = new ClassicLevel(path, {
      keyEncoding: "utf8",
      valueEncoding: "view",
      writeBufferSize: 16 * 1024 * 1024,
      cacheSize: 32 * 1024 * 1024,
      maxOpenFiles: 1000,
    });
    try {
      await level.open();
    } catch (error) {
      throw systemErrorOf(error);
    }
    return new LevelIndexStore(level);
  }

  getSync(key: string): Uint8Array | undefined {
    return this.#level.getSync(key);
  }

  async getMany(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    return await this.#level.getMany([...keys]);
  }

  batch(): IndexBatch {
    const batch = this.#level.batch();
    return {
      put: (key, value) => void batch.put(key, value),
      delete: (key) => void batch.del(key),
      write: () => batch.write({ sync: true }),
      discard: () => batch.close(),
    };
  }

  iterate(range: IndexRange): IndexIterator<Uint8Array> {
    return wrap(this.#level.iterator<string, Uint8Array>(optionsOf(range)));
  }

  iterateText(range: IndexRange): IndexIterator<string> {
    return wrap(this.#level.iterator<string, string>({ ...optionsOf(range), valueEncoding: "utf8" }));
  }

  snapshot(): IndexSnapshot {
    const snapshot = this.#level.snapshot();
    return {
      getMany: (keys) => this.#level.getMany([...keys], { snapshot }),
      iterate: (range) => wrap(this.#level.iterator<string, Uint8Array>({ ...optionsOf(range), snapshot })),
      close: () => snapshot.close(),
    };
  }

  async close(): Promise<void> {
    await this.#level.close();
  }
}

function optionsOf(range: IndexRange): {
  gte: string;
  lt: string;
  reverse: boolean;
  highWaterMarkBytes: number;
} {
  return { gte: range.from, lt: range.to, reverse: range.reverse ?? false, highWaterMarkBytes: 1024 * 1024 };
}

type LevelIterator<Value> = {
  nextv(size: number): Promise<[string, Value][]>;
  seek(target: string): void;
  close(): Promise<void>;
};

function wrap<Value>(iterator: LevelIterator<Value>): IndexIterator<Value> {
  return {
    next: async (limit) => {
      const first = await iterator.nextv(limit);
      // LevelDB hands out less than asked for once its own buffer is full: only an empty answer is the end.
      let last = first.length;
      while (last > 0 && first.length < limit) {
        const more = await iterator.nextv(limit - first.length);
        last = more.length;
        first.push(...more);
      }
      return first;
    },
    seek: (key) => iterator.seek(key),
    close: () => iterator.close(),
  };
}
