/**
 * Entries of an archive on their way to being objects. Nothing is written before all of the archive is there,
 * as long as it fits: up to 1,000 objects, and 8 MiB of what has to wait in memory, become objects in one
 * entry of the log. Bodies above 64 KiB are staged meanwhile, as those of a PUT are, and the log has few of
 * their bytes at a time, however many there are. An archive that has more is written in several such steps,
 * in the order of its entries.
 */
import { unreachable } from "../base/assert.ts";
import { BATCH_BYTES_MAX, BATCH_COUNT_MAX } from "../s3/batch.ts";
import { S3Error, s3Error } from "../s3/errors.ts";
import { parseObjectMetadata } from "../s3/headers.ts";
import { PUT_BYTES_MAX } from "../s3/names.ts";
import { headersOfEntry, keyOfEntry } from "../s3/snowball.ts";
import type { ArchiveTerms } from "../s3/snowball.ts";
import { parseTaggingHeader } from "../s3/tagging.ts";
import type { Tags } from "../s3/tagging.ts";
import type { TarEntry, TarEvent } from "../s3/tar.ts";
import { CHUNK_BYTES_MAX, SMALL_BODY_BYTES_MAX } from "../service/api.ts";
import type { PutBody } from "../service/api.ts";
import type { Attributes } from "../state/attributes.ts";
import { authorizeAgain } from "./authorize.ts";
import { BodyDigests, digestWhole } from "./body-digests.ts";
import { bodyTooLong } from "./body-plan.ts";
import type { BodyPlan } from "./body-plan.ts";
import { BodySink } from "./body-sink.ts";
import type { Exchange } from "./exchange.ts";
import { toAttributes } from "./object-attributes.ts";
import { refusedWrite } from "./write-condition.ts";

/** Nothing is known of an entry's body but what it is. */
const PLAN: BodyPlan = {
  length: undefined,
  bytesMax: PUT_BYTES_MAX,
  isDocument: false,
  isChunked: false,
  contentMd5: undefined,
  sha256Hex: undefined,
  declared: { kind: "none" },
  algorithm: undefined,
};
/** A staged body that nobody adds to is given up after an hour. */
const WAITING_MS_MAX = 15 * 60 * 1000;
/** Chunks of one body that the service has at a time, and the one that fills up. */
const CHUNKS_IN_MEMORY = 6;
/** What waits, and what is staged. */
export const ARCHIVE_MEMORY_BYTES = BATCH_BYTES_MAX + CHUNKS_IN_MEMORY * CHUNK_BYTES_MAX;
/** Characters of keys and metadata, as they count in the log at most. */
const CHARACTER_BYTES = 4;

type Named = { readonly key: string; readonly attributes: Attributes; readonly tags: Tags };
type Waiting = Named & { readonly etag: string; readonly body: PutBody; readonly sink: BodySink | undefined };

type Large = Named & { readonly kind: "large"; readonly sink: BodySink; readonly digests: BodyDigests };
type Current =
  | (Named & { readonly kind: "small"; readonly bytes: Buffer; filled: number })
  | Large
  | { readonly kind: "passedOver" };

const PASSED_OVER = { kind: "passedOver" } as const;

function bytesInLog({ key, attributes, tags }: Named): number {
  let characters = key.length;
  for (const list of [attributes.headers, attributes.metadata, tags])
    for (const [name, value] of list) characters += name.length + value.length;
  return CHARACTER_BYTES * characters;
}

export class ArchiveObjects {
  readonly #exchange: Exchange;
  readonly #terms: ArchiveTerms;
  #current: Current = PASSED_OVER;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #waitingSinceMs = 0;
  /** The body staged last; all before it are stored. */
  #lastStaged: BodySink | undefined;
  #writing: Promise<unknown> | undefined;
  #isOver = false;
  /** Objects that are there whatever follows. */
  stored = 0;

  constructor(exchange: Exchange, terms: ArchiveTerms) {
    this.#exchange = exchange;
    this.#terms = terms;
  }

  /** The bytes are copied. A promise when the next one has to wait. */
  take(event: TarEvent): Promise<void> | undefined {
    // The client went away while something before this had to wait.
    if (this.#isOver) throw s3Error("IncompleteBody");
    switch (event.kind) {
      case "entry":
        return this.#begin(event.entry);
      case "bytes":
        return this.#add(event.bytes);
      case "end":
        return this.#end();
      default:
        return unreachable(event);
    }
  }

  /** Writes what waits. */
  async write(): Promise<void> {
    const puts = this.#waiting;
    if (puts.length === 0) return;
    authorizeAgain(this.#exchange);
    const { target, edge } = this.#exchange;
    const inputs = puts.map(({ key, etag, attributes, body, tags }) => {
      const condition = { kind: "none" } as const;
      const some = tags.length === 0 ? undefined : tags;
      return { bucket: target.bucket, key, etag, attributes, body, condition, tags: some };
    });
    this.#waiting = [];
    this.#waitingBytes = 0;
    const writing = edge.service.objects.putMany(inputs);
    this.#writing = writing;
    const outcomes = await writing;
    for (const outcome of outcomes) {
      if (outcome.kind !== "put") throw refusedWrite(this.#exchange, outcome.kind);
    }
    // The archive itself counts for the first of its objects.
    edge.bundled.count("puts", this.stored === 0 ? puts.length - 1 : puts.length);
    this.stored += puts.length;
  }

  /** Writes what waits if it has waited for long: to be asked whenever bytes come, whatever they are. */
  writeOld(): Promise<void> | undefined {
    if (this.#isOver || this.#waiting.length === 0) return undefined;
    return this.#nowMs() - this.#waitingSinceMs > WAITING_MS_MAX ? this.write() : undefined;
  }

  /** After a failure: what was staged is given up. Resolves when nothing is under way. */
  async giveUp(): Promise<void> {
    this.#isOver = true;
    const sinks = this.#waiting.flatMap(({ sink }) => sink ?? []);
    this.#waiting = [];
    if (this.#current.kind === "large") sinks.push(this.#current.sink);
    this.#current = PASSED_OVER;
    for (const sink of sinks) sink.abort();
    await Promise.allSettled([this.#writing, ...sinks.map((sink) => sink.settled())]);
  }

  #nowMs(): number {
    return this.#exchange.edge.options.clock.monotonicMs();
  }

  #begin(entry: TarEntry): Promise<void> | undefined {
    const named = this.#name(entry);
    if (named === undefined) {
      this.#current = PASSED_OVER;
      return undefined;
    }
    const { size } = entry;
    if (size > SMALL_BODY_BYTES_MAX) return this.#beginLarge(named, size);
    this.#current = { kind: "small", ...named, bytes: Buffer.allocUnsafeSlow(size), filled: 0 };
    return this.#makeRoom(bytesInLog(named) + size);
  }

  async #beginLarge(named: Named, size: number): Promise<void> {
    const digests = new BodyDigests(PLAN);
    const sink = new BodySink(this.#exchange.edge.service.objects, digests);
    this.#current = { kind: "large", ...named, sink, digests };
    // One of several chunks has all the room by itself.
    if (size > CHUNK_BYTES_MAX) await this.#lastStaged?.settled();
    await this.#makeRoom(bytesInLog(named));
  }

  /** `undefined`: the entry becomes no object. */
  #name(entry: TarEntry): Named | undefined {
    try {
      const key = keyOfEntry(entry, this.#terms);
      if (key === undefined) return undefined;
      if (entry.size > PUT_BYTES_MAX) throw bodyTooLong(PLAN);
      const headers = headersOfEntry(entry, this.#terms);
      const attributes = toAttributes(parseObjectMetadata(headers), undefined);
      return { key, attributes, tags: parseTaggingHeader(headers) };
    } catch (error) {
      if (this.#terms.ignoresErrors && error instanceof S3Error) return undefined;
      throw error;
    }
  }

  #makeRoom(bytes: number): Promise<void> | undefined {
    const isFull = this.#waiting.length >= BATCH_COUNT_MAX || this.#waitingBytes + bytes > BATCH_BYTES_MAX;
    return isFull ? this.write() : undefined;
  }

  #wait(waiting: Waiting, bytes: number): void {
    if (this.#waiting.length === 0) this.#waitingSinceMs = this.#nowMs();
    this.#waiting.push(waiting);
    this.#waitingBytes += bytesInLog(waiting) + bytes;
    this.#current = PASSED_OVER;
  }

  #add(bytes: Buffer): Promise<void> | undefined {
    const current = this.#current;
    switch (current.kind) {
      case "passedOver":
        return undefined;
      case "small":
        current.filled += bytes.copy(current.bytes, current.filled);
        return undefined;
      case "large": {
        const { sink } = current;
        const own = Buffer.allocUnsafeSlow(bytes.length);
        bytes.copy(own);
        sink.borrow(own);
        try {
          return sink.take(own);
        } finally {
          sink.giveBack(own);
        }
      }
      default:
        return unreachable(current);
    }
  }

  #end(): Promise<void> | undefined {
    const current = this.#current;
    switch (current.kind) {
      case "passedOver":
        return undefined;
      case "small": {
        const { bytes, key, attributes, tags } = current;
        const { etag } = digestWhole(PLAN, bytes);
        const body = { kind: "bytes", bytes } as const;
        this.#wait({ key, attributes, tags, etag, body, sink: undefined }, bytes.length);
        return undefined;
      }
      case "large":
        return this.#endLarge(current);
      default:
        return unreachable(current);
    }
  }

  async #endLarge({ sink, digests, key, attributes, tags }: Large): Promise<void> {
    const body = await sink.finish();
    const { etag } = digests.finish({});
    this.#wait({ key, attributes, tags, etag, body, sink }, 0);
    const before = this.#lastStaged;
    this.#lastStaged = sink;
    await before?.settled();
  }
}
