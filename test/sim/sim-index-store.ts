/**
 * The IndexStore port over a SimDisk: batches are atomic, and stable when `write` returns. What a crash
 * leaves of them (LevelDB was seen to lose whole batches, from the end and from the middle) is chosen by
 * disk-history.ts. Like LevelDB, a handle refuses every write after one that failed.
 */
import type {
  IndexBatch,
  IndexIterator,
  IndexRange,
  IndexSnapshot,
  IndexStore,
} from "../../src/ports/index-store.ts";
import { SimDiskError } from "./sim-disk.ts";
import type { SimDisk } from "./sim-disk.ts";
import { compareUtf8 } from "./sim-index-state.ts";
import type { SimIndexState } from "./sim-index-state.ts";

export class SimIndexStore implements IndexStore {
  readonly #disk: SimDisk;
  readonly #path: string;
  readonly #state: SimIndexState;
  readonly #life: number;
  #closed = false;
  #broken = false;

  private constructor(disk: SimDisk, path: string, life: number) {
    this.#disk = disk;
    this.#path = path;
    this.#life = life;
    this.#state = disk.indexState(path);
  }

  static async open(disk: SimDisk, path: string): Promise<SimIndexStore> {
    const life = await disk.begin();
    disk.failOn("create", path);
    return new SimIndexStore(disk, path, life);
  }

  #use(): void {
    if (this.#closed) throw new SimDiskError("LEVEL_DATABASE_NOT_OPEN", this.#path);
  }

  getSync(key: string): Uint8Array | undefined {
    this.#use();
    return this.#state.get(key);
  }

  async getMany(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    this.#use();
    // As LevelDB does: from a snapshot of now, however long the answer takes.
    const found = keys.map((key) => this.#state.get(key));
    await this.#disk.finish(this.#life);
    return found;
  }

  batch(): IndexBatch {
    this.#use();
    const rows = new Map<string, Uint8Array | null>();
    return {
      put: (key, value) => void rows.set(key, Buffer.from(value)),
      delete: (key) => void rows.set(key, null),
      write: () => this.#write(rows),
      discard: () => Promise.resolve(),
    };
  }

  async #write(rows: ReadonlyMap<string, Uint8Array | null>): Promise<void> {
    this.#use();
    if ((await this.#disk.begin()) !== this.#life) await new Promise(() => undefined);
    const { log } = this.#disk;
    if (this.#broken) throw new SimDiskError("EIO", `${this.#path}: an earlier write failed`);
    const code = this.#disk.fault("batch", this.#path);
    if (code !== undefined) {
      this.#broken = true;
      throw new SimDiskError(code, `batch ${this.#path}`);
    }
    const begun = log?.add({ kind: "batch", store: this.#state.id, rows });
    await this.#disk.finish(this.#life);
    this.#state.apply(rows);
    if (begun !== undefined) log?.done(begun);
  }

  iterate(range: IndexRange): IndexIterator<Uint8Array> {
    return this.#iterator(range, (value) => value);
  }

  iterateText(range: IndexRange): IndexIterator<string> {
    return this.#iterator(range, (value) => Buffer.from(value).toString("utf8"));
  }

  snapshot(): IndexSnapshot {
    this.#use();
    const frozen = this.#state.snapshot();
    return {
      getMany: async (keys) => {
        this.#use();
        await this.#disk.finish(this.#life);
        return keys.map((key) => frozen.rows.get(key));
      },
      iterate: (range) => this.#iterator(range, (value) => value, frozen),
      close: () => Promise.resolve(),
    };
  }

  #iterator<Value>(
    range: IndexRange,
    convert: (value: Uint8Array) => Value,
    { rows, sorted }: ReturnType<SimIndexState["snapshot"]> = this.#state.snapshot(),
  ): IndexIterator<Value> {
    this.#use();
    const [start, end] = [lowerBound(sorted, range.from), lowerBound(sorted, range.to)];
    const keys = sorted.slice(start, Math.max(start, end));
    if (range.reverse === true) keys.reverse();
    let at = 0;
    return {
      next: async (limit) => {
        this.#use();
        const page = keys.slice(at, at + limit);
        at += page.length;
        await this.#disk.finish(this.#life);
        return page.map((key) => [key, convert(rows.get(key) as Uint8Array)] as const);
      },
      seek: (key) => {
        const reached = (found: string): boolean =>
          range.reverse === true ? compareUtf8(found, key) <= 0 : compareUtf8(found, key) >= 0;
        at = keys.findIndex(reached);
        if (at === -1) at = keys.length;
      },
      close: () => Promise.resolve(),
    };
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }
}

/** The first place whose key is not below `key`. */
function lowerBound(sorted: readonly string[], key: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareUtf8(sorted[middle] as string, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
