/**
 * The applied state: LevelDB under an overlay. Applied entries become visible in the overlay at once and
 * reach LevelDB later, one synced batch at a time (RULES.md R1), so a crash loses a suffix, which the log
 * replays. An acknowledgement never waits for LevelDB. A failing LevelDB write keeps its generation and is
 * tried again on a fresh handle while reads go on.
 */
import { BusyError, UnavailableError } from "../base/errors.ts";
import { Overlay } from "./overlay.ts";
import type { Generation } from "./overlay.ts";
import type { Clock } from "../ports/clock.ts";
import type {
  IndexBatch,
  IndexIterator,
  IndexRange,
  IndexSnapshot,
  IndexStore,
} from "../ports/index-store.ts";
import type { Logger } from "../ports/logger.ts";
import { splitObjectKey } from "../state/keys.ts";
import { encodeObject } from "../state/object-row.ts";
import type { StoredObject } from "../state/stored-object.ts";
import type { StateView } from "../state/view.ts";
import { encodeMark, markKey, newestMark } from "./flush-ring.ts";
import type { ReadPace } from "./read-pace.ts";
import { openRow, sealRow } from "./row-seal.ts";

export type StateIndexOptions = {
  /**
   * After a failed write: closes the old handle and opens a new one. It must leave the old one open (and
   * throw) while there is no space to open with, because reads go on with it.
   */
  readonly reopen: (old: IndexStore) => Promise<IndexStore>;
  readonly store: IndexStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly appliedIndex: number;
  /** Number of the newest flush in the ring. */
  readonly flushNumber: number;
  readonly rowsMax: number;
  readonly bytesMax: number;
  readonly iteratorsMax: number;
  readonly pace: ReadPace;
};

/** A flush starts when half of the bound is used, or the oldest row waits for so long. */
const FLUSH_SHARE = 0.5;
const FLUSH_AFTER_MS = 400;
const REOPEN_AFTER_MS = 1000;
/** Rows per slice of building a batch: about 1 ms on the event loop. */
const SLICE_ROWS = 1000;
/** The same for large rows: a page of extents has some kilobytes. */
const SLICE_BYTES = 64 * 1024;

/** Rows come as they are stored, their checks unread. */
export type StateSnapshot = IndexSnapshot & { readonly index: number };

type Waiter = { readonly index: number; readonly resolve: () => void; readonly reject: (e: unknown) => void };

export class StateIndex implements StateView {
  readonly #options: StateIndexOptions;
  #store: IndexStore;
  readonly #overlay: Overlay;
  readonly #prefetched = new Map<string, Uint8Array | undefined>();
  #flushNumber: number;
  #flushedIndex: number;
  #waiters: Waiter[] = [];
  #flushSoon: (() => void) | undefined;
  #iterators = 0;
  #failing: string | undefined;
  /** The flush loop has ended. */
  #ended = false;
  #closed = false;

  constructor(options: StateIndexOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#overlay = new Overlay(options.appliedIndex);
    this.#flushNumber = options.flushNumber;
    this.#flushedIndex = options.appliedIndex;
  }

  // The view that apply and readers share.

  get(key: string): Uint8Array | undefined {
    const row = this.#overlay.get(key);
    return row === undefined ? this.#stored(key) : (row ?? undefined);
  }

  object(prefix: string, key: string): StoredObject | Uint8Array | undefined {
    const object = this.#overlay.object(prefix, key);
    return object === undefined ? this.#stored(prefix + key) : (object ?? undefined);
  }

  /** What the overlay knows of an object: `null` if it was deleted, `undefined` for nothing. */
  recentObject(prefix: string, key: string): StoredObject | null | undefined {
    return this.#overlay.object(prefix, key);
  }

  #stored(key: string): Uint8Array | undefined {
    const stored = this.#prefetched.has(key) ? this.#prefetched.get(key) : this.#readNow(key);
    return stored === undefined ? undefined : openRow(key, stored);
  }

  #readNow(key: string): Uint8Array | undefined {
    const { pace } = this.#options;
    const start = pace.begin();
    const stored = this.#store.getSync(key);
    pace.end(start);
    return stored;
  }

  /** Whether reads of LevelDB are slow at present, so that they should be prefetched. */
  get slow(): boolean {
    return this.#options.pace.slow;
  }

  put(key: string, value: Uint8Array): void {
    this.#overlay.set(key, value);
  }

  delete(key: string): void {
    this.#overlay.set(key, null);
  }

  putObject(prefix: string, key: string, object: StoredObject): void {
    this.#overlay.setObject(prefix, key, object);
  }

  deleteObject(prefix: string, key: string): void {
    this.#overlay.setObject(prefix, key, null);
  }

  /**
   * Reads rows in threads so that the `get` of a following apply need not block. What was read is forgotten
   * as soon as a flush ends, because then it may be older than what the overlay has given up.
   */
  async prefetch(wanted: readonly string[]): Promise<void> {
    const missing = wanted.filter((key) => !this.#knows(key));
    if (missing.length === 0) return;
    const epoch = this.#flushNumber;
    const found = await this.#store.getMany(missing);
    if (epoch !== this.#flushNumber) return;
    for (const [at, key] of missing.entries()) this.#prefetched.set(key, found[at]);
  }

  #knows(key: string): boolean {
    const object = splitObjectKey(key);
    if (object === undefined) return this.#overlay.get(key) !== undefined;
    return this.#overlay.object(object.prefix, object.key) !== undefined;
  }

  /** Drops what was prefetched for entries that are applied now. */
  forgetPrefetched(): void {
    this.#prefetched.clear();
  }

  /** Asynchronous read for when LevelDB is slow. Not for objects that the overlay may know. */
  async getLater(key: string): Promise<Uint8Array | undefined> {
    const [value] = await this.getManyLater([key]);
    return value;
  }

  /**
   * Rows as they were at the call or later. The overlay is asked first: a row that it knows now may reach
   * LevelDB and leave the overlay while the threads read an older one.
   */
  async getManyLater(wanted: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    const values = wanted.map((key) => this.#overlay.get(key));
    const missing = wanted.filter((_, at) => values[at] === undefined);
    if (missing.length === 0) return values.map((row) => row ?? undefined);
    const stored = await this.#store.getMany(missing);
    let next = 0;
    return wanted.map((key, at) => {
      const row = values[at];
      if (row !== undefined) return row ?? undefined;
      const bytes = stored[next++];
      return bytes === undefined ? undefined : openRow(key, bytes);
    });
  }

  entryApplied(index: number): void {
    this.#overlay.entryApplied(index);
    if (this.#flushSoon !== undefined && this.#wantsFlush) this.#flushSoon();
  }

  get appliedIndex(): number {
    return this.#overlay.appliedIndex;
  }

  get flushedIndex(): number {
    return this.#flushedIndex;
  }

  get overlayRows(): number {
    return this.#overlay.rowCount;
  }

  /** Past its bound: apply must wait for a flush. */
  get full(): boolean {
    const { rowsMax, bytesMax } = this.#options;
    return this.#overlay.rowCount >= rowsMax || this.#overlay.bytes >= bytesMax;
  }

  get #wantsFlush(): boolean {
    const { rowsMax, bytesMax } = this.#options;
    const { activeRows, activeBytes } = this.#overlay;
    return activeRows >= rowsMax * FLUSH_SHARE || activeBytes >= bytesMax * FLUSH_SHARE;
  }

  /** Why flushing fails at present. */
  get failing(): string | undefined {
    return this.#failing;
  }

  /** Resolves when everything up to `index` is in LevelDB; makes that happen soon. */
  flushedThrough(index: number): Promise<void> {
    if (this.#flushedIndex >= index) return Promise.resolve();
    if (this.#closed || this.#ended) return Promise.reject(new UnavailableError("the index is closed"));
    if (this.#failing !== undefined) {
      return Promise.reject(new BusyError(`the index cannot be written: ${this.#failing}`));
    }
    const waiting = new Promise<void>((resolve, reject) => {
      this.#waiters.push({ index, resolve, reject });
    });
    this.#flushSoon?.();
    return waiting;
  }

  /** Opens an iterator on everything that is applied now (RULES.md R2). The caller closes it. */
  async iterate(range: IndexRange): Promise<IndexIterator<Uint8Array>> {
    return checked(await this.#iterateWith((store) => store.iterate(range)));
  }

  /** The same with rows as text, their checks unread: for the heads of object rows. */
  async iterateText(range: IndexRange): Promise<IndexIterator<string>> {
    return await this.#iterateWith((store) => store.iterateText(range));
  }

  /** Several ranges, all as they are at one moment. They count as one iterator and are closed together. */
  async iterateTogether(
    ranges: readonly IndexRange[],
  ): Promise<{ readonly iterators: readonly IndexIterator<Uint8Array>[]; close(): Promise<void> }> {
    const { opened, forget } = await this.#open((store) => {
      const snapshot = store.snapshot();
      return { snapshot, iterators: ranges.map((range) => checked(snapshot.iterate(range))) };
    });
    const close = async (): Promise<void> => {
      forget();
      for (const iterator of opened.iterators) await iterator.close();
      await opened.snapshot.close();
    };
    return { iterators: opened.iterators, close };
  }

  async #iterateWith<Value>(
    open: (store: IndexStore) => IndexIterator<Value>,
  ): Promise<IndexIterator<Value>> {
    const { opened, forget } = await this.#open(open);
    return {
      next: (limit) => opened.next(limit),
      seek: (key) => opened.seek(key),
      close: async () => {
        forget();
        await opened.close();
      },
    };
  }

  /** Waits until what is applied is stored and opens something on it; `forget` no longer counts it. */
  async #open<Opened>(
    open: (store: IndexStore) => Opened,
  ): Promise<{ readonly opened: Opened; readonly forget: () => void }> {
    if (this.#iterators >= this.#options.iteratorsMax) {
      throw new BusyError(`${this.#iterators} listings are under way`);
    }
    this.#iterators++;
    let isCounted = true;
    const forget = (): void => {
      if (isCounted) this.#iterators--;
      isCounted = false;
    };
    try {
      await this.flushedThrough(this.appliedIndex);
      return { opened: open(this.#store), forget };
    } catch (error) {
      forget();
      throw error;
    }
  }

  /** Everything that is applied now, or a little more: as it was at one entry, which it names. */
  async snapshot(): Promise<StateSnapshot> {
    await this.flushedThrough(this.appliedIndex);
    const number = this.#flushNumber;
    const store = this.#store;
    const snapshot = store.snapshot();
    try {
      const mark = await newestMark(snapshot, number);
      return { ...this.#whileOpen(store, snapshot), index: mark?.after ?? 0 };
    } catch (error) {
      await snapshot.close();
      throw error;
    }
  }

  /** When LevelDB is opened anew, whoever looks at the old handle has to begin again. */
  #whileOpen(store: IndexStore, snapshot: IndexSnapshot): IndexSnapshot {
    const guarded = async <Result>(work: Promise<Result>): Promise<Result> => {
      try {
        return await work;
      } catch (error) {
        if (this.#store === store && this.#failing === undefined) throw error;
        throw new BusyError("the index was opened anew", { cause: error });
      }
    };
    return {
      getMany: (keys) => guarded(snapshot.getMany(keys)),
      iterate: (range) => {
        const iterator = snapshot.iterate(range);
        return { ...iterator, next: (limit) => guarded(iterator.next(limit)) };
      },
      close: () => guarded(snapshot.close()),
    };
  }

  /** The flush loop; ends when `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#pause(signal);
      while (!signal.aborted && (await this.#flushOnce(signal))) {
        if (this.#waiters.length === 0 && !this.#wantsFlush) break;
      }
    }
    // Nobody flushes from here on: whoever waited would wait for ever, and the stop of the node for them.
    this.#ended = true;
    this.#rejectWaiters(new UnavailableError("the index is closing"));
  }

  /** Until there is reason to flush: many rows, somebody waiting, or some time. */
  async #pause(signal: AbortSignal): Promise<void> {
    if (this.#waiters.length > 0 || this.#wantsFlush) return;
    const wake = new AbortController();
    const stop = (): void => wake.abort();
    signal.addEventListener("abort", stop, { once: true });
    this.#flushSoon = stop;
    await this.#options.clock.sleep(FLUSH_AFTER_MS, { signal: wake.signal });
    this.#flushSoon = undefined;
    signal.removeEventListener("abort", stop);
  }

  /** Flushes one generation; whether there was one. */
  async #flushOnce(signal: AbortSignal): Promise<boolean> {
    const generation = this.#overlay.beginFlush();
    if (generation === undefined) {
      this.#wake();
      return false;
    }
    while (!(await this.#tryFlush(generation))) {
      await this.#options.clock.sleep(REOPEN_AFTER_MS, { signal });
      if (signal.aborted) return false;
      await this.#reopen();
    }
    this.#flushNumber++;
    this.#flushedIndex = generation.after;
    this.#overlay.endFlush();
    this.#prefetched.clear();
    this.#wake();
    return true;
  }

  async #tryFlush(generation: Generation): Promise<boolean> {
    try {
      const batch = this.#store.batch();
      await this.#fill(batch, generation);
      await batch.write();
      this.#failing = undefined;
      return true;
    } catch (error) {
      this.#failing = error instanceof Error ? error.message : String(error);
      this.#options.logger.error("the index cannot be written; it will be tried again", {
        reason: this.#failing,
      });
      this.#rejectWaiters(new BusyError(`the index cannot be written: ${this.#failing}`));
      return false;
    }
  }

  async #fill(batch: IndexBatch, generation: Generation): Promise<void> {
    const { clock } = this.#options;
    let count = 0;
    let bytes = 0;
    for (const [key, row] of generation.rows) {
      if (row === null) batch.delete(key);
      else batch.put(key, sealRow(key, row));
      bytes += row?.length ?? 0;
      if (++count % SLICE_ROWS !== 0 && bytes < SLICE_BYTES) continue;
      bytes = 0;
      await clock.yieldToOthers();
    }
    for (const [prefix, objects] of generation.objects) {
      for (const [objectKey, object] of objects) {
        const key = prefix + objectKey;
        if (object === null) batch.delete(key);
        else batch.put(key, sealRow(key, encodeObject(object)));
        if (++count % SLICE_ROWS === 0) await clock.yieldToOthers();
      }
    }
    const number = this.#flushNumber + 1;
    const key = markKey(number);
    const mark = encodeMark({ number, before: generation.before, after: generation.after });
    batch.put(key, sealRow(key, mark));
  }

  /** LevelDB refuses every write after a failed one until it is opened anew. */
  async #reopen(): Promise<void> {
    try {
      this.#store = await this.#options.reopen(this.#store);
    } catch (error) {
      this.#options.logger.error("the index cannot be opened again yet", { reason: String(error) });
    }
  }

  #wake(): void {
    const still: Waiter[] = [];
    for (const waiter of this.#waiters) {
      if (waiter.index <= this.#flushedIndex) waiter.resolve();
      else still.push(waiter);
    }
    this.#waiters = still;
  }

  /** After `run` has ended: flushes what is left, so that a clean stop replays nothing, and closes. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const generation = this.#overlay.beginFlush();
    if (generation !== undefined) await this.#tryFlush(generation);
    this.#rejectWaiters(new UnavailableError("the index is closed"));
    await this.#store.close();
  }

  #rejectWaiters(error: Error): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }
}

/** Rows are held against their checks as they are read. */
function checked(iterator: IndexIterator<Uint8Array>): IndexIterator<Uint8Array> {
  return {
    ...iterator,
    next: async (limit) =>
      (await iterator.next(limit)).map(([key, row]) => [key, openRow(key, row)] as const),
  };
}
