/**
 * A cold store that tells the tier's health how each call went, whoever made it: uploads, reads of clients,
 * the collector. What is missing or damaged is about one object, and no trouble of the place.
 */
import type { Clock } from "../ports/clock.ts";
import type {
  ColdCall,
  ColdEntry,
  ColdGet,
  ColdHead,
  ColdPut,
  ColdStore,
  ColdStored,
} from "../ports/cold-store.ts";
import { ColdDamagedError, ColdMissingError, isColdError } from "../ports/cold-store.ts";
import { Patience } from "../store/patience.ts";
import type { TierHealth } from "./tier-health.ts";

/** Of a ranged GET: a few bytes, which a place that works sends in less than a second. */
const SILENCE_MS_MAX = 10_000;

type Watched = "put" | "get" | "list" | "delete";

export class WatchedColdStore implements ColdStore {
  readonly place: string;
  readonly #store: ColdStore;
  readonly #health: TierHealth;
  readonly #patience: Patience;
  #closed = false;

  constructor(store: ColdStore, health: TierHealth, clock: Clock) {
    this.#store = store;
    this.#health = health;
    this.#patience = new Patience(clock, SILENCE_MS_MAX);
    this.place = store.place;
  }

  async check(call: ColdCall = {}): Promise<void> {
    try {
      await this.#store.check(call);
      this.#health.heard();
    } catch (error) {
      if (isColdError(error) && !this.#closed) this.#health.failed("unreached", error.message);
      throw error;
    }
  }

  async put(key: string, body: Uint8Array | readonly Uint8Array[], put: ColdPut): Promise<ColdStored> {
    return await this.#watch("put", this.#store.put(key, body, put));
  }

  async putFile(key: string, path: string, put: ColdPut): Promise<ColdStored> {
    return await this.#watch("put", this.#store.putFile(key, path, put));
  }

  async putStream(key: string, source: AsyncIterable<Uint8Array>, put: ColdPut): Promise<ColdStored> {
    return await this.#watch("put", this.#store.putStream(key, source, put));
  }

  async get(key: string, get: ColdGet = {}): Promise<Uint8Array> {
    const work = this.#store.get(key, get);
    if (get.range === undefined) return await this.#watch("get", work);
    const done = this.#patience.begin(() => this.#tellOfSilence(key));
    try {
      return await this.#watch("get", work);
    } finally {
      done();
    }
  }

  async head(key: string, call: ColdCall = {}): Promise<ColdHead | undefined> {
    return await this.#watch("get", this.#store.head(key, call));
  }

  async *list(prefix: string, list: ColdCall & { readonly after?: string } = {}): AsyncIterable<ColdEntry> {
    const entries = this.#store.list(prefix, list)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#watch("list", entries.next());
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await entries.return?.();
    }
  }

  async delete(keys: readonly string[], call: ColdCall = {}): Promise<void> {
    await this.#watch("delete", this.#store.delete(keys, call));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#store.close();
  }

  /** What hangs fails minutes later: too late for whoever wants to know why nothing is read. */
  #tellOfSilence(key: string): void {
    if (this.#closed) return;
    this.#health.failed(
      "get",
      `cold tier ${this.place}, ${key}: no answer for ${SILENCE_MS_MAX / 1000} seconds`,
    );
  }

  async #watch<Result>(name: Watched, work: Promise<Result>): Promise<Result> {
    try {
      const result = await work;
      this.#health.worked(name);
      return result;
    } catch (error) {
      // The place answered: what it said is for whoever asked.
      const isAnswer = error instanceof ColdMissingError || error instanceof ColdDamagedError;
      if (isAnswer) this.#health.worked(name);
      else if (isColdError(error) && !this.#closed) this.#health.failed(name, error.message);
      throw error;
    }
  }
}
