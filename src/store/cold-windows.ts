/**
 * Ranged GETs of the cold tier, shared by those who want the same bytes or bytes that lie near each other:
 * each GET costs money and a round trip, a few KiB more cost nothing. Readers of one turn are gathered, and
 * where there are several those of the next two milliseconds; while a GET waits for its turn it goes on
 * growing, and who wants what is on its way already joins. Bounded: GETs at a time, bytes of each, readers
 * that wait.
 */
import { BusyError } from "../base/errors.ts";
import { Semaphore } from "../base/semaphore.ts";
import type { Clock } from "../ports/clock.ts";
import { ColdDamagedError, ColdUnavailableError } from "../ports/cold-store.ts";
import type { ColdRange, ColdStore } from "../ports/cold-store.ts";
import { Patience } from "./patience.ts";

/** A GET for several readers; a single read may be a little larger. */
const WINDOW_BYTES_MAX = 1024 * 1024;
/** What may be read in vain between two neighbours. */
const GAP_BYTES_MAX = 64 * 1024;
const GATHER_MS = 2;
/** Larger ones go at once: there is little room for neighbours. */
const GATHERED_BYTES_MAX = 256 * 1024;
const READERS_MAX = 1024;
/**
 * For a reader, its turn and all attempts: a place that takes requests and answers none would else hold a
 * client until its connection is closed for silence, and nobody would have told it to come again.
 */
const PATIENCE_MS = 20_000;
const RETRY_AFTER_MS = 5000;

type Reader = ColdRange & {
  readonly resolve: (bytes: Buffer) => void;
  readonly reject: (error: unknown) => void;
};

type Window = {
  readonly key: string;
  start: number;
  end: number;
  hasBegun: boolean;
  readonly readers: Reader[];
};

/** What a metrics page shows; only grows. */
export type WindowFigures = {
  /** Requests that got their bytes, and those. */
  gets: number;
  bytes: number;
  /** Reads that shared the request of another one. */
  coalesced: number;
};

export class ColdWindows {
  readonly figures: WindowFigures = { gets: 0, bytes: 0, coalesced: 0 };
  readonly #store: ColdStore;
  readonly #clock: Clock;
  readonly #gets: Semaphore;
  readonly #patience: Patience;
  /** Those that nobody has the bytes of yet, by key. */
  readonly #open = new Map<string, Window[]>();
  #readers = 0;

  constructor(store: ColdStore, options: { readonly clock: Clock; readonly getsMax: number }) {
    this.#store = store;
    this.#clock = options.clock;
    this.#gets = new Semaphore(options.getsMax);
    this.#patience = new Patience(options.clock, PATIENCE_MS);
  }

  /** The bytes are the caller's alone. */
  async read(key: string, range: ColdRange): Promise<Buffer> {
    if (this.#readers >= READERS_MAX) {
      throw new BusyError(`${READERS_MAX} reads wait for the cold tier already`);
    }
    this.#readers++;
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    // The GET itself goes on: how it ends tells the store's own guard how the place is.
    const done = this.#patience.begin(() => reject(this.#noAnswer(key)));
    this.#admit(key, { ...range, resolve, reject });
    try {
      return await promise;
    } finally {
      done();
      this.#readers--;
    }
  }

  #noAnswer(key: string): ColdUnavailableError {
    const seconds = PATIENCE_MS / 1000;
    const what = `cold tier ${this.#store.place}, ${key}: no answer within ${seconds} seconds`;
    return new ColdUnavailableError(what, { retryAfterMs: RETRY_AFTER_MS });
  }

  #admit(key: string, reader: Reader): void {
    const open = this.#open.get(key) ?? [];
    const joined = open.find((window) => holds(window, reader)) ?? open.find((each) => mayGrow(each, reader));
    if (joined !== undefined) {
      joined.start = Math.min(joined.start, reader.start);
      joined.end = Math.max(joined.end, reader.end);
      joined.readers.push(reader);
      this.figures.coalesced++;
      return;
    }
    const { start, end } = reader;
    const window: Window = { key, start, end, hasBegun: false, readers: [reader] };
    open.push(window);
    this.#open.set(key, open);
    void this.#gather(window);
  }

  async #gather(window: Window): Promise<void> {
    if (window.end - window.start <= GATHERED_BYTES_MAX) {
      await this.#clock.yieldToOthers();
      // Who is alone waits for nobody.
      if (this.#readers > window.readers.length) await this.#clock.sleep(GATHER_MS);
    }
    await this.#serve(window);
  }

  /** Never rejects: its readers hear of it. */
  async #serve(window: Window): Promise<void> {
    const { readers } = window;
    try {
      const bytes = await this.#gets.run(() => this.#get(window));
      this.#close(window);
      handOut(bytes, window);
    } catch (error) {
      this.#close(window);
      if (error instanceof ColdDamagedError && !isOneRange(window)) {
        // The object may end within the window: who wants what is there gets it.
        for (const range of rangesOf(window)) void this.#serve(range);
      } else for (const { reject } of readers) reject(error);
    }
  }

  async #get(window: Window): Promise<Uint8Array> {
    window.hasBegun = true;
    const { key, start, end } = window;
    const bytes = await this.#store.get(key, { range: { start, end } });
    this.figures.gets++;
    this.figures.bytes += bytes.length;
    if (bytes.length === end - start) return bytes;
    const got = `${bytes.length} bytes came for ${end - start}`;
    throw new ColdDamagedError(`cold tier ${this.#store.place}, ${key}: ${got}`);
  }

  #close(window: Window): void {
    const left = this.#open.get(window.key)?.filter((each) => each !== window) ?? [];
    if (left.length > 0) this.#open.set(window.key, left);
    else this.#open.delete(window.key);
  }
}

function holds(window: Window, { start, end }: ColdRange): boolean {
  return start >= window.start && end <= window.end;
}

function mayGrow(window: Window, { start, end }: ColdRange): boolean {
  if (window.hasBegun) return false;
  const isNear = start <= window.end + GAP_BYTES_MAX && end >= window.start - GAP_BYTES_MAX;
  return isNear && Math.max(end, window.end) - Math.min(start, window.start) <= WINDOW_BYTES_MAX;
}

function isOneRange(window: Window): boolean {
  return window.readers.every(({ start, end }) => start === window.start && end === window.end);
}

/** One window for each of the ranges that its readers want. */
function rangesOf({ key, readers }: Window): Iterable<Window> {
  const ranges = new Map<string, Window>();
  for (const reader of readers) {
    const { start, end } = reader;
    const name = `${start}-${end}`;
    const range = ranges.get(name);
    if (range === undefined) ranges.set(name, { key, start, end, hasBegun: true, readers: [reader] });
    else range.readers.push(reader);
  }
  return ranges.values();
}

/** Readers keep, change and free what they get, so no two of them get the same memory. */
function handOut(bytes: Uint8Array, window: Window): void {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const isLoose = bytes.buffer.byteLength > 2 * bytes.length;
  const last = window.readers.length - 1;
  for (const [at, { start, end, resolve }] of window.readers.entries()) {
    const isAll = start === window.start && end === window.end;
    if (at === last && isAll && !isLoose) resolve(whole);
    else resolve(copyOf(whole.subarray(start - window.start, end - window.start)));
  }
}

/** Not from a pool: a small body in the cache must not keep its neighbours' memory. */
function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}
