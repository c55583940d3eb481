/**
 * Bytes of segments that lie in the cold tier, by their places in the segment as it was sealed: read through
 * shared windows, verified by the caller's check before anybody gets them (promise P4). What is missing or
 * wrong there is damage, said at once and with the name of the object; what cannot be reached now is the
 * cold tier's own error. Nothing here tries again but once, for bytes that came wrong or an object that was
 * replaced meanwhile: patience with the network is the adapter's.
 */
import { FormatError } from "../base/bytes.ts";
import { DamageError } from "../base/errors.ts";
import type { Clock } from "../ports/clock.ts";
import { ColdDamagedError, ColdMissingError, isColdError } from "../ports/cold-store.ts";
import type { ColdStore } from "../ports/cold-store.ts";
import type { ColdCopy } from "../state/rows.ts";
import type { SegmentEntry } from "../state/segment-table.ts";
import { ColdTables } from "./cold-tables.ts";
import { ColdWindows } from "./cold-windows.ts";

/** GETs at a time unless said otherwise: uploads and the others need sockets of the pool too. */
const GETS_MAX = 6;
/** So long nobody asks again for an object that was not there: thousands of bodies may lie in it. */
const MISSING_MS = 1000;
const MISSING_MAX = 1000;

export type ColdReadFigures = {
  /** Requests that were answered with bytes, and the bytes. */
  readonly gets: number;
  readonly bytes: number;
  /** Reads that shared the request of another one. */
  readonly coalesced: number;
  /** Reads that failed because the object is not there, has other bytes, or cannot be had now. */
  readonly missing: number;
  readonly damaged: number;
  readonly unavailable: number;
};

export type ColdRead<Result> = {
  /** Looked up once more if the object that it named is not there any more. */
  readonly segment: () => SegmentEntry;
  /** From the start of the segment as it was sealed. */
  readonly position: number;
  readonly length: number;
  /** For messages: "the chunk in entry 7". */
  readonly what: string;
  /** What the bytes mean, `undefined` if they are not what they have to be. They are the caller's. */
  readonly check: (bytes: Buffer) => Result | undefined;
};

type Missing = { readonly error: ColdMissingError; readonly untilMs: number };

export class ColdReads {
  readonly #windows: ColdWindows;
  readonly #tables: ColdTables;
  readonly #clock: Clock;
  readonly #failed = { missing: 0, damaged: 0, unavailable: 0 };
  readonly #missing = new Map<string, Missing>();

  constructor(store: ColdStore, options: { readonly clock: Clock; readonly getsMax?: number | undefined }) {
    const { clock, getsMax = GETS_MAX } = options;
    this.#clock = clock;
    this.#windows = new ColdWindows(store, { clock, getsMax });
    this.#tables = new ColdTables((key, range) => this.#windows.read(key, range));
  }

  get figures(): ColdReadFigures {
    return { ...this.#windows.figures, ...this.#failed };
  }

  /**
   * Throws DamageError where the copy is missing or wrong, ColdUnavailableError and ColdRefusedError where
   * nobody knows, BusyError where too many wait.
   */
  async read<Result>(read: ColdRead<Result>): Promise<Result> {
    const segment = read.segment();
    const copy = copyOf(segment, read);
    try {
      return (await this.#attempt(segment.id, copy, read)) ?? (await this.#again(read));
    } catch (error) {
      throw this.#told(error, copy, read);
    }
  }

  async #again<Result>(read: ColdRead<Result>): Promise<Result> {
    const segment = read.segment();
    const copy = copyOf(segment, read);
    const result = await this.#attempt(segment.id, copy, read, { isLast: true });
    if (result !== undefined) return result;
    throw new ColdDamagedError(`${copy.key} has other bytes at ${read.position}`);
  }

  /** `undefined`: the bytes are wrong, or the object was replaced by another one. */
  async #attempt<Result>(
    segmentId: number,
    copy: ColdCopy,
    read: ColdRead<Result>,
    { isLast } = { isLast: false },
  ): Promise<Result | undefined> {
    try {
      return read.check(await this.#bytesOf(segmentId, copy, read));
    } catch (error) {
      if (error instanceof FormatError) {
        if (!isLast) return undefined;
        throw new ColdDamagedError(`${copy.key}: ${error.message}`, { cause: error });
      }
      const isReplaced = !isLast && read.segment().cold?.key !== copy.key;
      if (error instanceof ColdMissingError && isReplaced) return undefined;
      throw error;
    }
  }

  async #bytesOf(segmentId: number, copy: ColdCopy, read: ColdRead<unknown>): Promise<Buffer> {
    const { key } = copy;
    const known = this.#missing.get(key);
    if (known !== undefined) {
      if (known.untilMs > this.#clock.monotonicMs()) throw known.error;
      this.#missing.delete(key);
    }
    try {
      const start = await this.#placeOf(segmentId, copy, read);
      return await this.#windows.read(key, { start, end: start + read.length });
    } catch (error) {
      if (error instanceof ColdMissingError) this.#remember(key, error);
      throw error;
    }
  }

  async #placeOf(
    segmentId: number,
    copy: ColdCopy,
    { position, length, what }: ColdRead<unknown>,
  ): Promise<number> {
    if (copy.kind === "verbatim") return position;
    const place = (await this.#tables.of(segmentId, copy)).find(position, length);
    if (place !== undefined) return place;
    // Whatever named it is gone, or else that is damage: the same as of a packed file here.
    throw new DamageError(`${what}: ${copy.key} has not kept it`, { cause: { code: "ENOENT" } });
  }

  #remember(key: string, error: ColdMissingError): void {
    if (this.#missing.size >= MISSING_MAX) this.#missing.clear();
    if (this.#missing.has(key)) return;
    this.#missing.set(key, { error, untilMs: this.#clock.monotonicMs() + MISSING_MS });
  }

  /** Counts it, and says of damage what it means and where to look. */
  #told(error: unknown, { key }: ColdCopy, { what }: ColdRead<unknown>): unknown {
    if (error instanceof ColdMissingError) {
      this.#failed.missing++;
      return damage(`${what} lies in the cold tier, and its object ${key} is not there`, error);
    }
    if (error instanceof ColdDamagedError) {
      this.#failed.damaged++;
      return damage(`${what} lies in the cold tier, and its object ${key} is damaged`, error);
    }
    if (isColdError(error)) this.#failed.unavailable++;
    return error;
  }
}

function damage(what: string, cause: Error): DamageError {
  return new DamageError(`${what} (${cause.message}); \`thermocline tier audit\` lists what is wrong`, {
    cause,
  });
}

function copyOf(segment: SegmentEntry, { what }: ColdRead<unknown>): ColdCopy {
  if (segment.cold !== undefined) return segment.cold;
  throw new DamageError(`${what} is in segment ${segment.id}, which is neither here nor in the cold tier`);
}
