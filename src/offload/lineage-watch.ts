/**
 * Looks whether somebody was restored from this lineage: then this node is an old disk that came back, and
 * uploads and deletes nothing any more, loudly (RULES.md R20). The new one names our objects; what we would
 * add to them nobody will ever look for. A restore leaves a note before its first object; where one was lost,
 * its manifests say whose child they are of.
 */
import { finishInSteps } from "../base/steps.ts";
import type { Clock } from "../ports/clock.ts";
import { ColdDamagedError, ColdMissingError } from "../ports/cold-store.ts";
import type { ColdStore } from "../ports/cold-store.ts";
import { coldPrefix, parseColdKey } from "./cold-names.ts";
import type { ColdPlace } from "./cold-names.ts";
import { findHeirs } from "./heir-notes.ts";
import { decodeManifest } from "./manifest-format.ts";
import type { TierHealth } from "./tier-health.ts";

/** Behind every key of a lineage. */
const BEHIND_KEYS = "~";
const CHECK_EVERY_MS = 600_000;

export type LineageParts = {
  readonly place: ColdPlace;
  readonly store: ColdStore;
  readonly clock: Clock;
  readonly health: TierHealth;
};

export class LineageWatch {
  readonly #parts: LineageParts;
  #checkedMs: number | undefined;
  #heir: string | undefined;
  /** Where other lineages came from, as a manifest of theirs says. */
  readonly #parents = new Map<string, string | undefined>();

  constructor(parts: LineageParts) {
    this.#parts = parts;
  }

  /** The lineage that goes on from this one, if there is one. */
  get heir(): string | undefined {
    return this.#heir;
  }

  /** Whether it was looked, and nobody goes on from here. */
  get mayWrite(): boolean {
    return this.#checkedMs !== undefined && this.#heir === undefined;
  }

  /** Looks if that is long ago. */
  async checkNowAndThen(signal: AbortSignal): Promise<void> {
    const nowMs = this.#parts.clock.monotonicMs();
    if (this.#checkedMs === undefined || nowMs - this.#checkedMs >= CHECK_EVERY_MS) await this.check(signal);
  }

  /** Rejects with errors of the port: then nothing is known, and what was known stays. */
  async check(signal: AbortSignal): Promise<void> {
    const { store, place, clock, health } = this.#parts;
    const [noted] = await findHeirs(store, place, { signal });
    this.#heir = noted?.lineage ?? (await this.#findChild(signal));
    this.#checkedMs = clock.monotonicMs();
    if (this.#heir === undefined) return health.worked("superseded");
    health.failed(
      "superseded",
      `lineage ${this.#heir} was restored from this one, ${place.lineage}, and goes on in ${store.place}: ` +
        "this node serves what it has, and writes nothing there any more. Stop it if it is the old one",
    );
  }

  async #findChild(signal: AbortSignal): Promise<string | undefined> {
    const { lineage: own } = this.#parts.place;
    for (const lineage of await this.#lineages(signal)) {
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
    const { store, place } = this.#parts;
    const { cluster } = place;
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
    const { store, place, clock } = this.#parts;
    const prefix = coldPrefix({ cluster: place.cluster, lineage }, "manifest");
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

async function firstOf<Item>(items: AsyncIterable<Item>): Promise<Item | undefined> {
  for await (const item of items) return item;
  return undefined;
}
