/**
 * What lies in a bucket, for a restore: the listing as a whole, of the rest as much as the plan asks for. A
 * manifest of a large store is some ten megabytes and there may be hundreds, so they are read from the newest
 * on until the plan needs no older one; tails and ends of segments when it asks for them.
 */
import { finishInSteps } from "../base/steps.ts";
import type { Clock } from "../ports/clock.ts";
import { ColdDamagedError, ColdMissingError } from "../ports/cold-store.ts";
import type { ColdStore } from "../ports/cold-store.ts";
import { TRAILER_BYTES, readTrailer } from "../segment/footer.ts";
import type { ChainValue } from "../segment/record.ts";
import { SEGMENT_HEAD_BYTES, readSegmentHead } from "../segment/segment-head.ts";
import { chainBefore, decodeTail } from "../segment/tail-format.ts";
import type { Tail } from "../segment/tail-format.ts";
import type {
  BucketContents,
  ListedObject,
  Readings,
  SegmentEndsReading,
  TailView,
  TailViewReading,
} from "./bucket-contents.ts";
import { parseColdKey } from "./cold-names.ts";
import { decodeManifest } from "./manifest-format.ts";
import type { ManifestReading } from "./manifest-format.ts";

/** At a time: a request to a bucket waits far longer than it takes. */
const READS_AT_ONCE = 4;
/** Of each lineage, in the first round; twice as many in each that follows. */
const MANIFESTS_FIRST = 1;

type Damaged = { readonly kind: "damaged"; readonly reason: string };

/** What was read of one kind, and what was asked for and was not read. */
class Asked<Reading> implements Readings<Reading> {
  readonly #read = new Map<string, Reading>();
  readonly #asked = new Set<string>();

  get(key: string): Reading | undefined {
    const reading = this.#read.get(key);
    if (reading === undefined) this.#asked.add(key);
    return reading;
  }

  set(key: string, reading: Reading): void {
    this.#read.set(key, reading);
  }

  /** The newest names first, for those that count upwards. */
  takeAsked(): readonly string[] {
    const asked = [...this.#asked].filter((key) => !this.#read.has(key));
    this.#asked.clear();
    return asked.toSorted().toReversed();
  }
}

export class BucketReader {
  readonly cluster: string;
  readonly #store: ColdStore;
  readonly #clock: Clock;
  readonly #listed: Map<string, ListedObject>;
  readonly #manifests = new Asked<ManifestReading>();
  readonly #tails = new Asked<TailViewReading>();
  readonly #segmentEnds = new Asked<SegmentEndsReading>();
  #manifestsAtOnce = MANIFESTS_FIRST;

  constructor(parts: {
    readonly store: ColdStore;
    readonly clock: Clock;
    readonly cluster: string;
    readonly listed: Map<string, ListedObject>;
  }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.cluster = parts.cluster;
    this.#listed = parts.listed;
  }

  get contents(): BucketContents {
    return {
      cluster: this.cluster,
      listing: this.#listed.values(),
      manifests: this.#manifests,
      tails: this.#tails,
      segmentEnds: this.#segmentEnds,
    };
  }

  bytesOf(key: string): number | undefined {
    return this.#listed.get(key)?.bytes;
  }

  /** Whoever fetched it found that it is not what it should be. */
  damaged(key: string, reason: string): void {
    const reading: Damaged = { kind: "damaged", reason };
    switch (parseColdKey(key)?.name.kind) {
      case "tail":
        return this.#tails.set(key, reading);
      case "segment":
        this.#segmentEnds.set(key, reading);
        break;
      default:
        break;
    }
    const listed = this.#listed.get(key);
    if (listed !== undefined) this.#listed.set(key, { ...listed, damage: reason });
  }

  /**
   * Reads what was asked for since the last time. False if that was nothing: then what was asked is
   * answered. Ends of segments that are not needed for a replay from `firstEntry` on are left alone.
   */
  async readAsked(firstEntry = 0): Promise<boolean> {
    const manifests = this.#someManifests(this.#manifests.takeAsked());
    const tails = this.#tails.takeAsked();
    const ends = this.#segmentEnds.takeAsked().filter((key) => lastOf(key) >= firstEntry);
    await inTurns(manifests, async (key) =>
      this.#manifests.set(key, await twice(() => this.#readManifest(key))),
    );
    // Their tails and segments are asked for again, if they are still wanted then.
    if (manifests.length > 0) return true;
    await inTurns(tails, async (key) => this.#tails.set(key, await twice(() => this.#readTail(key))));
    await inTurns(ends, async (key) => this.#segmentEnds.set(key, await twice(() => this.#readEnds(key))));
    return tails.length + ends.length > 0;
  }

  #someManifests(asked: readonly string[]): readonly string[] {
    const taken = new Map<string, number>();
    const some = asked.filter((key) => {
      const lineage = parseColdKey(key)?.place.lineage ?? "";
      const count = (taken.get(lineage) ?? 0) + 1;
      taken.set(lineage, count);
      return count <= this.#manifestsAtOnce;
    });
    this.#manifestsAtOnce *= 2;
    return some;
  }

  async #readManifest(key: string): Promise<ManifestReading> {
    const bytes = await this.#bytesAt(key);
    return Buffer.isBuffer(bytes) ? await finishInSteps(decodeManifest(bytes), this.#clock) : bytes;
  }

  async #readTail(key: string): Promise<TailViewReading> {
    const bytes = await this.#bytesAt(key);
    if (!Buffer.isBuffer(bytes)) return bytes;
    const reading = decodeTail(bytes);
    return reading.kind === "tail" ? { kind: "tail", tail: viewOf(reading.tail) } : reading;
  }

  async #readEnds(key: string): Promise<SegmentEndsReading> {
    const size = this.bytesOf(key) ?? 0;
    if (size < SEGMENT_HEAD_BYTES + TRAILER_BYTES) return { kind: "damaged", reason: `${size} bytes` };
    const head = await this.#bytesAt(key, { start: 0, end: SEGMENT_HEAD_BYTES });
    if (!Buffer.isBuffer(head)) return head;
    const end = await this.#bytesAt(key, { start: size - TRAILER_BYTES, end: size });
    if (!Buffer.isBuffer(end)) return end;
    const begin = readSegmentHead(head);
    const trailer = readTrailer(end);
    if (begin.kind !== "head") return { kind: "damaged", reason: `its head is ${begin.kind}` };
    if (trailer === undefined) return { kind: "damaged", reason: "it has no footer" };
    const { firstIndex, chain } = begin.head;
    if (trailer.firstIndex !== firstIndex) {
      return { kind: "damaged", reason: "its footer does not belong to its head" };
    }
    const chains = { chainBefore: chain, chainAfter: trailer.endChain };
    return { kind: "ends", first: firstIndex, last: trailer.lastIndex, ...chains };
  }

  /** What is not there any more, or not as it was listed, is damage; that nobody answers is not. */
  async #bytesAt(key: string, range?: { readonly start: number; readonly end: number }) {
    try {
      const bytes = await this.#store.get(key, range === undefined ? {} : { range });
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    } catch (error) {
      if (!(error instanceof ColdMissingError || error instanceof ColdDamagedError)) throw error;
      const damaged: Damaged = { kind: "damaged", reason: error.message };
      return damaged;
    }
  }
}

/** What came wrong over the line is right the second time. */
async function twice<Reading extends { readonly kind: string }>(
  read: () => Promise<Reading>,
): Promise<Reading> {
  const reading = await read();
  return reading.kind === "damaged" ? await read() : reading;
}

/** The last entry of a segment by its name. */
function lastOf(key: string): number {
  const name = parseColdKey(key)?.name;
  return name?.kind === "segment" ? name.last : 0;
}

/** Its chain values and none of its bytes: tails of a whole segment would fill the memory. */
function viewOf(tail: Tail): TailView {
  const { lineage, segmentId, first, last } = tail;
  const halves = new Uint32Array(2 * (last - first + 2));
  for (let index = first; index <= last; index++) {
    const { low, high } = chainBefore(tail, index);
    halves.set([low, high], 2 * (index - first));
  }
  halves.set([tail.chainAfter.low, tail.chainAfter.high], 2 * (last - first + 1));
  const at = (index: number): ChainValue => ({
    low: halves[2 * (index - first)] as number,
    high: halves[2 * (index - first) + 1] as number,
  });
  return { lineage, segmentId, first, last, chainBefore: at };
}

async function inTurns(keys: readonly string[], work: (key: string) => Promise<void>): Promise<void> {
  const rest = keys.values();
  const lane = async (): Promise<void> => {
    for (const key of rest) await work(key);
  };
  await Promise.all(Array.from({ length: Math.min(READS_AT_ONCE, keys.length) }, lane));
}
