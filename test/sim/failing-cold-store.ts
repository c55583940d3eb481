/**
 * A cold store that does what buckets do on bad days, over one that works: fails before anything happened, or
 * after it did and the answer was lost; returns other bytes, or too few; says yes and keeps nothing; lists
 * what was there a while ago; is slow; is down. What happens is drawn from a seed, or told call by call, and
 * written down, so that a run that fails can be read and repeated.
 */
import type { Clock } from "../../src/ports/clock.ts";
import { ColdUnavailableError } from "../../src/ports/cold-store.ts";
import type {
  ColdCall,
  ColdEntry,
  ColdGet,
  ColdHead,
  ColdPut,
  ColdStore,
  ColdStored,
} from "../../src/ports/cold-store.ts";
import type { SimRandom } from "./sim-random.ts";

type ColdOperation = "check" | "put" | "get" | "head" | "list" | "delete";

type ColdFault =
  /** Unavailable, and nothing happened. */
  | "failBefore"
  /** Unavailable, although it happened. */
  | "failAfter"
  /** A put that is answered and not kept. */
  | "keepNothing"
  /** A get with one bit that is another. */
  | "wrongBytes"
  /** A get without its last byte, which no adapter should let through. */
  | "shortBytes"
  | "slow";

/** What can happen to each. */
const faultsOf: Readonly<Record<ColdOperation, readonly ColdFault[]>> = {
  check: ["failBefore", "slow"],
  put: ["failBefore", "failAfter", "keepNothing", "slow"],
  get: ["failBefore", "wrongBytes", "shortBytes", "slow"],
  head: ["failBefore", "slow"],
  list: ["failBefore", "slow"],
  delete: ["failBefore", "failAfter", "slow"],
};

type FailingColdOptions = {
  readonly clock: Clock;
  readonly random: SimRandom;
  /** Of each call, from 0 to 1; none if left out. */
  readonly chances?: Partial<Readonly<Record<ColdFault, number>>>;
  readonly slowMs?: number;
  /** Puts and deletions show in lists only so much later. */
  readonly listLagMs?: number;
};

type Unlisted = { readonly untilMs: number; readonly entry: ColdEntry | undefined };

export class FailingColdStore implements ColdStore {
  readonly place: string;
  /** Every call with what happened to it: `put segments/1.seg failAfter`. */
  readonly calls: string[] = [];
  /** While set, every call fails at once. */
  isDown = false;
  /** How long a slow call takes. */
  slowMs: number;
  /** Puts of these keys are answered and not kept. */
  loses: (key: string) => boolean = () => false;
  /** Puts of these keys take so long, whatever else happens to them. */
  delaysMs: (key: string) => number = () => 0;
  readonly #store: ColdStore;
  readonly #options: FailingColdOptions;
  readonly #told = new Map<ColdOperation, (ColdFault | "none")[]>();
  /** What lists still show of keys that were just changed; no entry: that there is none. */
  readonly #before = new Map<string, Unlisted>();

  constructor(store: ColdStore, options: FailingColdOptions) {
    this.#store = store;
    this.#options = options;
    this.slowMs = options.slowMs ?? 10_000;
    this.place = store.place;
  }

  /** What happens to the next calls of an operation, one after the other, before chance has its way again. */
  tell(operation: ColdOperation, ...faults: readonly (ColdFault | "none")[]): void {
    this.#told.set(operation, [...(this.#told.get(operation) ?? []), ...faults]);
  }

  /** What was told and has not happened yet does not happen. */
  forget(operation: ColdOperation): void {
    this.#told.delete(operation);
  }

  async check(call: ColdCall = {}): Promise<void> {
    await this.#enter("check", "", call.signal);
    await this.#store.check(call);
  }

  async put(key: string, body: Uint8Array | readonly Uint8Array[], put: ColdPut): Promise<ColdStored> {
    return await this.#put(key, put, () => this.#store.put(key, body, put));
  }

  async putFile(key: string, path: string, put: ColdPut): Promise<ColdStored> {
    return await this.#put(key, put, () => this.#store.putFile(key, path, put));
  }

  async putStream(key: string, source: AsyncIterable<Uint8Array>, put: ColdPut): Promise<ColdStored> {
    return await this.#put(key, put, () => this.#store.putStream(key, source, put));
  }

  async #put(key: string, { signal }: ColdPut, store: () => Promise<ColdStored>): Promise<ColdStored> {
    const fault = await this.#enter("put", key, signal);
    const delayMs = this.delaysMs(key);
    if (delayMs > 0) await this.#options.clock.sleep(delayMs, signal === undefined ? {} : { signal });
    signal?.throwIfAborted();
    const before = await this.#entryOf(key);
    const stored = await store();
    // Its digest and length had to be known, so it was kept for a moment.
    if (fault === "keepNothing" || this.loses(key)) await this.#store.delete([key]);
    this.#listLater(key, before);
    if (fault === "failAfter") throw this.#unavailable("put", key);
    return stored;
  }

  async get(key: string, get: ColdGet = {}): Promise<Uint8Array> {
    const fault = await this.#enter("get", key, get.signal);
    const bytes = await this.#store.get(key, get);
    if (fault === "shortBytes") return bytes.subarray(0, -1);
    if (fault !== "wrongBytes" || bytes.length === 0) return bytes;
    const wrong = Buffer.from(bytes);
    const at = this.#options.random.below(wrong.length);
    wrong[at] = (wrong[at] ?? 0) ^ (1 << this.#options.random.below(8));
    return wrong;
  }

  async head(key: string, call: ColdCall = {}): Promise<ColdHead | undefined> {
    await this.#enter("head", key, call.signal);
    return await this.#store.head(key, call);
  }

  async *list(prefix: string, list: ColdCall & { readonly after?: string } = {}): AsyncIterable<ColdEntry> {
    await this.#enter("list", prefix, list.signal);
    const entries = new Map<string, ColdEntry>();
    for await (const entry of this.#store.list(prefix, list)) entries.set(entry.key, entry);
    for (const [key, { untilMs, entry }] of this.#before) {
      const isWanted = key.startsWith(prefix) && key > (list.after ?? "");
      if (!isWanted || untilMs <= this.#options.clock.monotonicMs()) continue;
      if (entry === undefined) entries.delete(key);
      else entries.set(key, entry);
    }
    for (const key of [...entries.keys()].toSorted()) {
      const entry = entries.get(key);
      if (entry !== undefined) yield entry;
    }
  }

  async delete(keys: readonly string[], call: ColdCall = {}): Promise<void> {
    const fault = await this.#enter("delete", keys.join(" "), call.signal);
    for (const key of keys) this.#listLater(key, await this.#entryOf(key));
    await this.#store.delete(keys, call);
    if (fault === "failAfter") throw this.#unavailable("delete", keys.join(" "));
  }

  async close(): Promise<void> {
    await this.#store.close();
  }

  async #entryOf(key: string): Promise<ColdEntry | undefined> {
    if (this.#options.listLagMs === undefined) return undefined;
    const head = await this.#store.head(key);
    return head === undefined ? undefined : { key, bytes: head.bytes, modifiedMs: head.modifiedMs };
  }

  #listLater(key: string, entry: ColdEntry | undefined): void {
    const { clock, listLagMs } = this.#options;
    if (listLagMs === undefined) return;
    const nowMs = clock.monotonicMs();
    const shown = this.#before.get(key);
    // A second change within the time: lists still show what was there before the first one.
    const isHidden = shown !== undefined && shown.untilMs > nowMs;
    this.#before.set(key, { untilMs: nowMs + listLagMs, entry: isHidden ? shown.entry : entry });
  }

  /** What is to happen to this call beside failing at once, which happens here. */
  async #enter(
    operation: ColdOperation,
    key: string,
    signal: AbortSignal | undefined,
  ): Promise<ColdFault | undefined> {
    const fault = this.isDown ? "failBefore" : this.#draw(operation);
    this.calls.push(`${operation} ${key} ${this.isDown ? "down" : (fault ?? "ok")}`);
    const { clock } = this.#options;
    if (fault === "slow") await clock.sleep(this.slowMs, signal === undefined ? {} : { signal });
    signal?.throwIfAborted();
    if (fault === "failBefore") throw this.#unavailable(operation, key);
    return fault;
  }

  #draw(operation: ColdOperation): ColdFault | undefined {
    const told = this.#told.get(operation)?.shift();
    if (told !== undefined) return told === "none" ? undefined : told;
    const { random, chances = {} } = this.#options;
    return faultsOf[operation].find((fault) => random.chance(chances[fault] ?? 0));
  }

  #unavailable(operation: ColdOperation, key: string): ColdUnavailableError {
    const message = `cold tier ${this.place}, ${key}: ${operation} failed on purpose`;
    return new ColdUnavailableError(message, { retryAfterMs: 1_000 });
  }
}
