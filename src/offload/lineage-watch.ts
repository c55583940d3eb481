/**
 * Looks whether somebody was restored from this lineage: then this node is an old disk that came back, and
 * uploads and deletes nothing any more, loudly (RULES.md R20). The new one names our objects; what we would
 * add to them nobody will ever look for. A restore leaves a note before its first object; where one was lost,
 * its manifests say whose child they are of.
 *
 * The same for a disk that was put back to an earlier day, and for a bucket that has nothing of what the
 * state says is there: what is written over, or given up here, would be lost.
 */
import { finishInSteps } from "../base/steps.ts";
import type { Clock } from "../ports/clock.ts";
import { ColdDamagedError, ColdMissingError } from "../ports/cold-store.ts";
import type { ColdStore } from "../ports/cold-store.ts";
import { coldKey, coldPrefix, parseColdKey } from "./cold-names.ts";
import type { ColdName } from "./cold-names.ts";
import { findHeirs } from "./heir-notes.ts";
import { decodeManifest } from "./manifest-format.ts";
import type { TierHealth } from "./tier-health.ts";
import { LINEAGE_CHECK_EVERY_MS } from "./tier-settings.ts";
import { lastOf } from "./tier-node.ts";
import type { TierNode } from "./tier-node.ts";

/** Behind every key of a lineage. */
const BEHIND_KEYS = "~";

export type LineageParts = {
  readonly node: Pick<TierNode, "place" | "incarnation" | "segments">;
  readonly store: ColdStore;
  readonly clock: Clock;
  readonly health: TierHealth;
};

/** Where the log of this node ended when it started. */
type Start = { readonly segmentId: number; readonly firstIndex: number; readonly last: number };

export class LineageWatch {
  readonly #parts: LineageParts;
  readonly #start: Start | undefined;
  #checkedMs: number | undefined;
  #heir: string | undefined;
  /** An object of this lineage that this disk never wrote. */
  #ahead: string | undefined;
  #isStrange = false;
  /** Where other lineages came from, as a manifest of theirs says. */
  readonly #parents = new Map<string, string | undefined>();

  constructor(parts: LineageParts) {
    this.#parts = parts;
    const last = parts.node.segments.all.at(-1);
    this.#start = last && { segmentId: last.id, firstIndex: last.firstIndex, last: lastOf(last) };
  }

  /** The lineage that goes on from this one, if there is one: its own name where it went on without us. */
  get heir(): string | undefined {
    return this.#heir ?? (this.#ahead === undefined ? undefined : this.#parts.node.place.lineage);
  }

  /** Whether it was looked, nobody goes on from here, and the bucket is the one that the state knows. */
  get mayWrite(): boolean {
    return this.#checkedMs !== undefined && this.heir === undefined && !this.#isStrange;
  }

  /** Looks if that is long ago. */
  async checkNowAndThen(signal: AbortSignal): Promise<void> {
    const nowMs = this.#parts.clock.monotonicMs();
    if (this.#checkedMs === undefined || nowMs - this.#checkedMs >= LINEAGE_CHECK_EVERY_MS)
      await this.check(signal);
  }

  /** Rejects with errors of the port: then nothing is known, and what was known stays. */
  async check(signal: AbortSignal): Promise<void> {
    const { store, node, clock } = this.#parts;
    const [noted] = await findHeirs(store, node.place, { signal });
    const lineages = await this.#lineages(signal);
    const heir = noted?.lineage ?? (await this.#findChild(lineages, signal));
    // Later on there is what this process wrote.
    if (this.#checkedMs === undefined) this.#ahead = await this.#findAhead(signal);
    this.#heir = heir;
    this.#isStrange = !lineages.includes(node.place.lineage) && this.#namesCopies();
    this.#checkedMs = clock.monotonicMs();
    this.#tell();
  }

  #tell(): void {
    const { store, node, health } = this.#parts;
    const { lineage } = node.place;
    const serves = "this node serves what it has, and writes nothing there any more";
    if (this.#heir !== undefined) {
      const what = `lineage ${this.#heir} was restored from this one, ${lineage}`;
      const where = `goes on in ${store.place}`;
      health.failed("superseded", `${what}, and ${where}: ${serves}. Stop it if it is the old one`);
    } else if (this.#ahead !== undefined) {
      const what = `${store.place} holds more of lineage ${lineage} than this disk (${this.#ahead})`;
      const why = "the disk is an earlier copy of itself, or another process runs on the same one";
      health.failed(
        "superseded",
        `${what}: ${why}; ${serves}. Restore from the bucket into an empty directory`,
      );
    } else if (this.#isStrange) {
      const what = `${store.place} holds nothing of lineage ${lineage}, whose segments have copies there`;
      health.failed("superseded", `${what}: is it the right bucket and prefix? ${serves}`);
    } else health.worked("superseded");
  }

  /** What lies in its own place was put by this lineage; a parent's may be anywhere. */
  #namesCopies(): boolean {
    const { segments, place } = this.#parts.node;
    const own = coldPrefix(place);
    return segments.all.some(({ cold }) => cold?.key.startsWith(own) === true);
  }

  /** What a later state of this disk wrote, or another process on a copy of it: entries or starts to come. */
  async #findAhead(signal: AbortSignal): Promise<string | undefined> {
    const { store, node } = this.#parts;
    const { place, segments } = node;
    const { segmentId, firstIndex, last } = this.#start ?? { segmentId: 1, firstIndex: 1, last: 1 };
    const isAhead = (name: ColdName): boolean => {
      if (name.kind === "manifest")
        return name.index > last || isLaterStart(name.incarnation, node.incarnation);
      return (name.kind === "segment" || name.kind === "tail") && name.last > last;
    };
    const behind = {
      manifest: undefined,
      segment: coldKey(place, { kind: "segment", first: firstIndex, last }),
      tail: coldKey(place, { kind: "tail", segment: segmentId, first: 1, last: 1 }),
    };
    for (const kind of ["manifest", "segment", "tail"] as const) {
      const after = behind[kind];
      const listing = store.list(coldPrefix(place, kind), {
        signal,
        ...(after === undefined ? {} : { after }),
      });
      for await (const { key } of listing) {
        const name = parseColdKey(key)?.name;
        if (name === undefined || !isAhead(name)) continue;
        if (!segments.all.some(({ cold }) => cold?.key === key)) return key;
      }
    }
    return undefined;
  }

  async #findChild(lineages: readonly string[], signal: AbortSignal): Promise<string | undefined> {
    const { lineage: own } = this.#parts.node.place;
    for (const lineage of lineages) {
      if (lineage === own) continue;
      if (!this.#parents.has(lineage)) {
        const parent = await this.#parentOf(lineage, signal);
        // One that has no manifest yet is asked again.
        if (parent.isKnown) this.#parents.set(lineage, parent.lineage);
      }
      if (this.#parents.get(lineage) === own) return lineage;
    }
    return undefined;
  }

  /** One request for each, however many objects it has. */
  async #lineages(signal: AbortSignal): Promise<readonly string[]> {
    const { store, node } = this.#parts;
    const { cluster } = node.place;
    const lineages: string[] = [];
    for (let after = ""; ;) {
      const next = await firstOf(store.list(coldPrefix({ cluster }), { signal, after }));
      if (next === undefined) return lineages;
      const lineage = next.key.split("/", 2)[1] ?? "";
      if (parseColdKey(next.key) !== undefined) lineages.push(lineage);
      after = `${cluster}/${lineage}/${BEHIND_KEYS}`;
    }
  }

  async #parentOf(
    lineage: string,
    signal: AbortSignal,
  ): Promise<{ readonly isKnown: boolean; readonly lineage?: string | undefined }> {
    const { store, node, clock } = this.#parts;
    const prefix = coldPrefix({ cluster: node.place.cluster, lineage }, "manifest");
    for await (const { key } of store.list(prefix, { signal })) {
      if (parseColdKey(key)?.name.kind !== "manifest") continue;
      try {
        const bytes = Buffer.from(await store.get(key, { signal }));
        const reading = await finishInSteps(decodeManifest(bytes), clock);
        if (reading.kind === "manifest") return { isKnown: true, lineage: reading.manifest.parent?.lineage };
      } catch (error) {
        const isOfThisOne = error instanceof ColdMissingError || error instanceof ColdDamagedError;
        if (!isOfThisOne) throw error;
      }
    }
    return { isKnown: false };
  }
}

/** Of the same node, a start that this one cannot know of: each raises the number before it writes. */
function isLaterStart(other: string, own: string): boolean {
  const behindName = own.lastIndexOf(".") + 1;
  const startIn = (incarnation: string): number =>
    Number.parseInt(incarnation.slice(behindName).split("-", 1)[0] ?? "", 36);
  return other.startsWith(own.slice(0, behindName)) && startIn(other) >= startIn(own);
}

async function firstOf<Item>(items: AsyncIterable<Item>): Promise<Item | undefined> {
  for await (const item of items) return item;
  return undefined;
}
