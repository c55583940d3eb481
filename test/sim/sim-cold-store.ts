/**
 * The ColdStore port in memory, for simulations: it waits for nothing but microtasks and the disk that files
 * are put from. Everything it holds is stable at once, and outlives the node: give the same `objects` to
 * the store that opens after a crash.
 */
import { createHash } from "node:crypto";
import { bodyOfFile, untilAborted } from "../../src/adapters/cold-body.ts";
import type { Clock } from "../../src/ports/clock.ts";
import {
  COLD_WHOLE_BYTES_MAX,
  ColdDamagedError,
  ColdMissingError,
  ColdRefusedError,
  ColdUnavailableError,
  isColdKey,
} from "../../src/ports/cold-store.ts";
import type {
  ColdCall,
  ColdEntry,
  ColdGet,
  ColdHead,
  ColdKind,
  ColdPut,
  ColdStore,
  ColdStored,
} from "../../src/ports/cold-store.ts";
import type { Disk } from "../../src/ports/disk.ts";

export type SimColdObject = {
  readonly bytes: Buffer;
  readonly sha256: string;
  readonly modifiedMs: number;
  readonly kind: ColdKind;
  readonly version: number;
};

type SimColdOptions = {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly objects?: Map<string, SimColdObject>;
};

export class SimColdStore implements ColdStore {
  readonly place = "memory:cold";
  /** Open to tests: what a bucket does behind our backs is done here. */
  readonly objects: Map<string, SimColdObject>;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  #versions = 0;

  constructor({ disk, clock, objects = new Map() }: SimColdOptions) {
    this.#disk = disk;
    this.#clock = clock;
    this.objects = objects;
  }

  async check(call: ColdCall = {}): Promise<void> {
    await this.#enter(call.signal);
  }

  async put(key: string, body: Uint8Array | readonly Uint8Array[], put: ColdPut): Promise<ColdStored> {
    const bytes = Buffer.concat(body instanceof Uint8Array ? [body] : body);
    await this.#enter(put.signal, key);
    return this.#keep(key, bytes, put);
  }

  async putFile(key: string, path: string, put: ColdPut): Promise<ColdStored> {
    return await this.putStream(key, (await bodyOfFile(this.#disk, path)).pieces(), put);
  }

  async putStream(key: string, source: AsyncIterable<Uint8Array>, put: ColdPut): Promise<ColdStored> {
    await this.#enter(put.signal, key);
    const ended = AbortSignal.any([this.#closing.signal, ...(put.signal === undefined ? [] : [put.signal])]);
    try {
      const pieces: Buffer[] = [];
      for await (const piece of untilAborted(source, ended)) pieces.push(Buffer.from(piece));
      return this.#keep(key, Buffer.concat(pieces), put);
    } catch (error) {
      put.signal?.throwIfAborted();
      throw this.#closing.signal.aborted ? this.#closed() : error;
    }
  }

  #keep(key: string, bytes: Buffer, { kind, sha256: wanted }: ColdPut): ColdStored {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    this.#requireDigest(key, sha256, wanted);
    const version = ++this.#versions;
    this.objects.set(key, { bytes, sha256, kind, version, modifiedMs: this.#clock.nowMs() });
    return { bytes: bytes.length, sha256 };
  }

  async get(key: string, { range, sha256, signal }: ColdGet = {}): Promise<Uint8Array> {
    await this.#enter(signal, key);
    const found = this.objects.get(key);
    if (found === undefined)
      throw new ColdMissingError(`cold tier ${this.place}, ${key}: there is no such object`);
    const { start, end } = range ?? { start: 0, end: found.bytes.length };
    const isTooMuch = range === undefined && end > COLD_WHOLE_BYTES_MAX;
    if (end > found.bytes.length || isTooMuch) {
      throw new ColdDamagedError(`cold tier ${this.place}, ${key}: ${found.bytes.length} bytes`);
    }
    const bytes = Buffer.from(found.bytes.subarray(start, end));
    this.#requireDigest(key, createHash("sha256").update(bytes).digest("hex"), sha256);
    return bytes;
  }

  #requireDigest(key: string, found: string, wanted: string | undefined): void {
    if (wanted === undefined || wanted === found) return;
    throw new ColdDamagedError(`cold tier ${this.place}, ${key}: SHA-256 ${found}, not ${wanted}`);
  }

  async head(key: string, { signal }: ColdCall = {}): Promise<ColdHead | undefined> {
    await this.#enter(signal, key);
    const found = this.objects.get(key);
    if (found === undefined) return undefined;
    const { bytes, modifiedMs, sha256, version } = found;
    return { bytes: bytes.length, modifiedMs, sha256, etag: String(version), storageClass: undefined };
  }

  async *list(
    prefix: string,
    { after = "", signal }: ColdCall & { readonly after?: string } = {},
  ): AsyncIterable<ColdEntry> {
    await this.#enter(signal);
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > after);
    for (const key of keys.toSorted()) {
      await this.#enter(signal);
      const found = this.objects.get(key);
      if (found !== undefined) yield { key, bytes: found.bytes.length, modifiedMs: found.modifiedMs };
    }
  }

  async delete(keys: readonly string[], { signal }: ColdCall = {}): Promise<void> {
    for (const key of keys) this.#requireKey(key);
    for (const key of keys) {
      await this.#enter(signal);
      this.objects.delete(key);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.resolve();
  }

  async #enter(signal: AbortSignal | undefined, key?: string): Promise<void> {
    if (key !== undefined) this.#requireKey(key);
    await Promise.resolve();
    signal?.throwIfAborted();
    if (this.#closing.signal.aborted) throw this.#closed();
  }

  #requireKey(key: string): void {
    if (!isColdKey(key)) throw new ColdRefusedError(`cold tier ${this.place}: ${key} is no cold key`);
  }

  #closed(): ColdUnavailableError {
    return new ColdUnavailableError(`cold tier ${this.place}: the store is closed`, { retryAfterMs: 0 });
  }
}
