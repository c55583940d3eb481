/**
 * Looks at the bucket for those who clean it up: what is listed below the cluster, and what its manifests
 * say. Sound manifests are read once, since nobody changes one; a segment that many of them name in the same
 * words is kept once. A manifest that was seen and is not listed is asked for, because lists may lag.
 */
import { finishInSteps } from "../base/steps.ts";
import type { Steps } from "../base/steps.ts";
import type { Clock } from "../ports/clock.ts";
import { ColdDamagedError, ColdMissingError } from "../ports/cold-store.ts";
import type { ColdStore } from "../ports/cold-store.ts";
import type { ListedObject } from "./bucket-contents.ts";
import { coldPrefix, parseColdKey } from "./cold-names.ts";
import { notesPrefix } from "./heir-notes.ts";
import { decodeManifest } from "./manifest-format.ts";
import type { ManifestReading } from "./manifest-format.ts";
import type { Manifest, ManifestSegment } from "./manifest.ts";

/** Behind every key of a lineage: what it may begin with ends before it. */
const BEHIND_KEYS = "~";
/** Of a lineage that is not ours: the newest that can be read says where it came from. */
const OTHERS_READ_MAX = 3;

/** Between two breaths: some tenths of a millisecond. */
const KEYS_PER_STEP = 512;
const SEGMENTS_PER_STEP = 128;

export type Survey = {
  readonly listing: readonly ListedObject[];
  readonly manifests: ReadonlyMap<string, ManifestReading>;
};

type SurveyOptions = { readonly store: ColdStore; readonly cluster: string; readonly clock: Clock };

export class BucketSurvey {
  readonly #options: SurveyOptions;
  readonly #sound = new Map<string, Extract<ManifestReading, { kind: "manifest" }>>();
  readonly #segments = new Map<string, ManifestSegment>();

  constructor(options: SurveyOptions) {
    this.#options = options;
  }

  /** Everything below the cluster; all manifests of the lineages that are `mine`, some of the others. */
  async look(mine: readonly string[], signal: AbortSignal): Promise<Survey> {
    const listing = await this.#list(coldPrefix({ cluster: this.#options.cluster }), signal);
    return { listing, manifests: await this.#manifests(listing, mine, signal) };
  }

  /** The same a moment later: manifests and lineages anew, of everything else what was there before. */
  async lookAgain(before: Survey, mine: readonly string[], signal: AbortSignal): Promise<Survey> {
    const { cluster, clock } = this.#options;
    const { known, listing } = await finishInSteps(withoutManifests(before.listing), clock);
    await this.#list(notesPrefix(cluster), signal, listing);
    for (const lineage of await this.#lineages(signal)) {
      const kind = known.has(lineage) ? "manifest" : undefined;
      await this.#list(coldPrefix({ cluster, lineage }, kind), signal, listing);
    }
    return { listing, manifests: await this.#manifests(listing, mine, signal) };
  }

  /** They were deleted. */
  async forget(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    for (const key of keys) this.#sound.delete(key);
    // What only those had named would stay for ever.
    this.#segments.clear();
    for (const { manifest } of this.#sound.values()) {
      await finishInSteps(this.#thin(manifest), this.#options.clock);
    }
  }

  async #list(prefix: string, signal: AbortSignal, listing: ListedObject[] = []): Promise<ListedObject[]> {
    for await (const { key, bytes } of this.#options.store.list(prefix, { signal })) {
      listing.push({ key, bytes });
    }
    return listing;
  }

  /** One request for each, however many objects it has. */
  async #lineages(signal: AbortSignal): Promise<readonly string[]> {
    const { store, cluster } = this.#options;
    const lineages: string[] = [];
    let after = "";
    for (;;) {
      const next = await firstOf(store.list(coldPrefix({ cluster }), { signal, after }));
      if (next === undefined) return lineages;
      const lineage = lineageIn(next.key);
      const start = `${cluster}/${lineage}/`;
      if (next.key.startsWith(start)) lineages.push(lineage);
      after = next.key.startsWith(start) ? start + BEHIND_KEYS : next.key;
    }
  }

  async #manifests(
    listing: readonly ListedObject[],
    mine: readonly string[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, ManifestReading>> {
    const readings = new Map<string, ManifestReading>();
    const byLineage = await finishInSteps(manifestKeys(listing), this.#options.clock);
    for (const [lineage, listed] of byLineage) {
      const isMine = mine.includes(lineage);
      let tried = 0;
      for (const key of listed) {
        const reading = await this.#read(key, signal);
        if (reading !== undefined) readings.set(key, reading);
        if (!isMine && (reading?.kind === "manifest" || ++tried === OTHERS_READ_MAX)) break;
      }
    }
    for (const [key, reading] of this.#sound) {
      if (readings.has(key) || !mine.includes(lineageIn(key))) continue;
      if ((await this.#options.store.head(key, { signal })) === undefined) this.#sound.delete(key);
      else readings.set(key, reading);
    }
    return readings;
  }

  /** `undefined` if it has gone since it was listed. */
  async #read(key: string, signal: AbortSignal): Promise<ManifestReading | undefined> {
    const known = this.#sound.get(key);
    if (known !== undefined) return known;
    const { store, clock } = this.#options;
    try {
      const { buffer, byteOffset, length } = await store.get(key, { signal });
      const reading = await finishInSteps(decodeManifest(Buffer.from(buffer, byteOffset, length)), clock);
      // The others may be whole when they are read again.
      if (reading.kind !== "manifest") return reading;
      const manifest = await finishInSteps(this.#thin(reading.manifest), clock);
      const sound = { kind: "manifest", manifest } as const;
      this.#sound.set(key, sound);
      return sound;
    } catch (error) {
      if (error instanceof ColdMissingError) return undefined;
      if (error instanceof ColdDamagedError) return { kind: "damaged", reason: error.message };
      throw error;
    }
  }

  *#thin(manifest: Manifest): Steps<Manifest> {
    const segments: ManifestSegment[] = [];
    for (const segment of manifest.segments) {
      segments.push(this.#shared(segment));
      if (segments.length % SEGMENTS_PER_STEP === 0) yield;
    }
    return { ...manifest, segments };
  }

  #shared(segment: ManifestSegment): ManifestSegment {
    const { id, last, sealed, copy } = segment;
    const name = `${id}-${last}-${sealed}-${copy?.key}`;
    const known = this.#segments.get(name);
    if (known !== undefined && isEqual(known, segment)) return known;
    this.#segments.set(name, segment);
    return segment;
  }
}

function isEqual(one: ManifestSegment, other: ManifestSegment): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function lineageIn(key: string): string {
  return key.split("/", 2)[1] ?? "";
}

async function firstOf<Item>(items: AsyncIterable<Item>): Promise<Item | undefined> {
  for await (const item of items) return item;
  return undefined;
}

/** Of what was listed before: the lineages in it, and everything but manifests. */
function* withoutManifests(
  before: readonly ListedObject[],
): Steps<{ readonly known: ReadonlySet<string>; readonly listing: ListedObject[] }> {
  const known = new Set<string>();
  const listing: ListedObject[] = [];
  for (const [at, object] of before.entries()) {
    if (at % KEYS_PER_STEP === KEYS_PER_STEP - 1) yield;
    known.add(lineageIn(object.key));
    if (parseColdKey(object.key)?.name.kind !== "manifest") listing.push(object);
  }
  return { known, listing };
}

/** By lineage, the newest first. */
function* manifestKeys(listing: readonly ListedObject[]): Steps<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, string[]>();
  for (const [at, { key }] of listing.entries()) {
    if (at % KEYS_PER_STEP === KEYS_PER_STEP - 1) yield;
    const parsed = parseColdKey(key);
    if (parsed?.name.kind !== "manifest") continue;
    const { lineage } = parsed.place;
    const listed = found.get(lineage) ?? [];
    found.set(lineage, listed);
    listed.push(key);
  }
  return new Map([...found].map(([lineage, listed]) => [lineage, listed.toSorted().toReversed()]));
}
