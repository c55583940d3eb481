/**
 * A store that lives over a bucket, without its bytes: it writes, seals, uploads, packs, forgets, crashes and
 * collects garbage. What happens is the caller's choice; that it happens by the rules is kept here.
 */
import { finishAtOnce } from "../../src/base/steps.ts";
import { planGarbage } from "../../src/offload/garbage-plan.ts";
import type { GarbagePlan, GarbageSettings, StateSegment } from "../../src/offload/garbage-plan.ts";
import type { ManifestSegment } from "../../src/offload/manifest.ts";
import { ColdWorld } from "./cold-world.ts";
import { ENTRIES, at, chainOf, firstOf, lastOf, manifestOf, objectOf, segmentAt } from "./manifests.ts";

export const HOUR = 3_600_000;
export const garbageSettings: GarbageSettings = {
  restoreWindowMs: 48 * HOUR,
  graceMs: HOUR,
  orphanGraceMs: 24 * HOUR,
  deletionsMax: 5,
};

type Segment = { -readonly [Field in keyof StateSegment]: StateSegment[Field] } & { isLive: boolean };

export class GarbageWorld {
  readonly world = new ColdWorld();
  readonly marks = new Map<string, number>();
  readonly replaced = new Set<string>();
  readonly inFlight = new Set<string>();
  readonly segments: Segment[] = [];
  nowMs = 0;
  lineage = "aa";
  parent: { readonly lineage: string; readonly cutIndex: number } | undefined;
  /** Lineages before this one that it may clear away. */
  adopted: readonly string[] = [];
  index = 0;
  /** Up to here the bucket had the log once, in segments or tails. */
  #covered = 0;
  #attempts = 0;
  /** Entries of segments that have no row any more lie below: a snapshot has to be above. */
  #gone = 0;
  readonly #settings: GarbageSettings;

  constructor(settings: GarbageSettings = garbageSettings) {
    this.#settings = settings;
    this.append(1);
    this.manifest(0);
  }

  append(count: number): void {
    for (let entry = 0; entry < count; entry++) {
      this.index++;
      const id = segmentAt(this.index);
      const last = this.segments.at(-1);
      if (last?.id === id) last.last = this.index;
      else this.segments.push({ id, first: firstOf(id), last: this.index, cold: undefined, isLive: true });
    }
    this.nowMs += count * 60_000;
  }

  /** Everything that is committed is in the bucket then; a new leader may begin again a little earlier. */
  tail(again = 0): void {
    for (const { first, last, cold } of this.segments) {
      const from = Math.max(first, this.#covered + 1 - again);
      if (cold === undefined && last > this.#covered && from <= last) this.world.tail(from, last, this);
    }
    this.#covered = this.index;
  }

  /** From all that is in the bucket, into a lineage of its own, which shares no segment that still grows. */
  restore(lineage: string): void {
    this.tail();
    this.parent = { lineage: this.lineage, cutIndex: this.index };
    this.lineage = lineage;
    this.adopted = [];
    while (this.sealed.length < this.segments.length) this.append(1);
    for (const segment of this.sealed) this.upload(segment);
    this.manifest(0);
  }

  get sealed(): readonly Segment[] {
    return this.segments.filter(({ id, last }) => last === lastOf(id));
  }

  /** With a crash in between the copy is there and no entry says so. */
  upload(segment: Segment, { crash = false } = {}): void {
    if (segment.cold !== undefined) return;
    this.#coverUpTo(segment.first - 1);
    const key = this.world.segment(segment.id, this);
    this.#covered = Math.max(this.#covered, segment.last);
    if (!crash) segment.cold = { kind: "verbatim", key };
  }

  pack(segment: Segment, { crash = false } = {}): void {
    if (segment.cold === undefined || !this.packable.includes(segment)) return;
    const key = this.world.put(
      { kind: "packed", id: segment.id, incarnation: `n1.${this.#attempts++}` },
      this.lineage,
    );
    if (crash) return;
    this.#replace(segment.cold.key);
    segment.cold = { kind: "packed", key };
  }

  /** Without a hole: what comes later in the log does not get into the bucket before what came earlier. */
  #coverUpTo(index: number): void {
    if (this.#covered < index) this.tail();
  }

  /** Nothing in it is named any more; its row goes later. */
  die(segment: Segment): void {
    segment.isLive = false;
  }

  drop(segment: Segment): void {
    if (segment.isLive) return;
    this.#coverUpTo(segment.last);
    this.segments.splice(this.segments.indexOf(segment), 1);
    if (segment.cold !== undefined) this.#replace(segment.cold.key);
    this.#gone = Math.max(this.#gone, segment.last);
  }

  /** The entry that gives a copy up marks it, too. */
  #replace(key: string): void {
    this.replaced.add(key);
    this.marks.set(key, this.marks.get(key) ?? this.nowMs);
  }

  /** A snapshot that is `back` entries old, unless that one would need what is gone or packed. */
  manifest(back: number, { crash = false } = {}): void {
    this.tail();
    this.#attempts++;
    const packed = this.segments.filter(({ cold }) => cold?.kind === "packed").map(({ last }) => last);
    const index = Math.max(1, this.index - back, this.#gone, ...packed);
    const made = { index, term: this.#attempts, incarnation: "n1.1" };
    const part = objectOf(at(this.lineage), { kind: "snapshot", part: 1, ...made });
    this.world.objects.set(part.key, part.bytes);
    if (crash) return;
    const start = this.segments.find(({ id, last }) => last > index || last < lastOf(id))?.first ?? Infinity;
    const segments = this.segments.filter(
      ({ isLive, first, last }) => isLive || first >= start || last === this.index,
    );
    const times = { dateMs: this.nowMs, logTimeMs: this.nowMs };
    const snapshot = { ...made, parts: [part] };
    const { lineage, parent } = this;
    const lines = segments.map((segment) => lineOf(segment));
    if (lines.at(-1)?.last !== this.index) return;
    const manifest = manifestOf(this.index, {
      ...times,
      lineage,
      parent,
      term: this.#attempts,
      snapshot,
      segments: lines,
    });
    this.world.manifest(manifest, { alone: true });
  }

  plan(settings: GarbageSettings = this.#settings): GarbagePlan {
    const { marks, replaced, segments, nowMs: logTimeMs, world } = this;
    const isInFlight = (key: string): boolean => this.inFlight.has(key);
    const facts = {
      place: at(this.lineage),
      adopted: this.adopted,
      bucket: world.contents,
      segments,
      marks,
      replaced,
      isInFlight,
      logTimeMs,
    };
    return finishAtOnce(planGarbage(facts, settings));
  }

  /** The entries of a plan; what it deletes is the caller's. */
  commit(plan: GarbagePlan): void {
    for (const key of plan.mark) this.marks.set(key, this.nowMs);
    for (const key of plan.unmark) this.pardon(key);
  }

  pardon(key: string): void {
    this.marks.delete(key);
    this.replaced.delete(key);
  }

  /** Uploaded, live, and below the snapshot of the oldest retained manifest. */
  get packable(): readonly Segment[] {
    const indexes = this.plan().retained.map((key) => {
      const reading = this.world.manifests.get(key);
      return reading?.kind === "manifest" ? (reading.manifest.snapshot?.index ?? 0) : 0;
    });
    const below = Math.min(...indexes);
    return this.sealed.filter(({ cold, isLive, last }) => cold !== undefined && isLive && last <= below);
  }
}

function lineOf({ id, first, last, cold }: Segment): ManifestSegment {
  const bytes = 1000;
  const copy = cold && { ...cold, bytes, sha256: "0".repeat(64) };
  const chains = { chainBefore: chainOf("log", first - 1), chainAfter: chainOf("log", last) };
  return { id, first, last, sealed: last - first + 1 === ENTRIES, ...chains, copy };
}
