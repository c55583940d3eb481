/**
 * Which segments are to stay on the disk because of what is in them: those with anything of a pinned bucket
 * or prefix, older versions included. Rows are looked at now and then, as long as something changes; what
 * was written since the last look lies in the newest segments, so those count as pinned until then. A
 * segment is kept as a whole: what else is in it stays too.
 */
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { SegmentEntry } from "../state/segment-table.ts";
import { segmentsOfKeys } from "./key-segments.ts";
import type { TierHealth } from "./tier-health.ts";
import { TierLoop } from "./tier-loop.ts";
import { lastOf } from "./tier-node.ts";
import type { TierNode } from "./tier-node.ts";

const LOOK_EVERY_MS = 60_000;
/** Looking takes at most a twentieth of one core. */
const REST_FACTOR = 20;

export type Pin = { readonly bucket: string; readonly prefix: string };

export type PinParts = {
  readonly pins: readonly Pin[];
  readonly node: TierNode;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: TierHealth;
};

export class Pins {
  readonly #parts: PinParts;
  #ids: ReadonlySet<number> = new Set();
  /** Everything up to this entry was looked at. */
  #lookedIndex = 0;

  constructor(parts: PinParts) {
    this.#parts = parts;
  }

  readonly isPinned = (segment: SegmentEntry): boolean => {
    if (this.#parts.pins.length === 0) return false;
    return lastOf(segment) > this.#lookedIndex || this.#ids.has(segment.id);
  };

  async run(signal: AbortSignal): Promise<void> {
    const { pins, clock } = this.#parts;
    if (pins.length === 0) return;
    await new TierLoop("look for what is pinned", this.#parts).run(async () => {
      const startMs = clock.monotonicMs();
      await this.look(signal);
      return LOOK_EVERY_MS + (clock.monotonicMs() - startMs) * REST_FACTOR;
    }, signal);
  }

  async look(signal: AbortSignal): Promise<void> {
    const { pins, node } = this.#parts;
    // Before the rows are read: what comes meanwhile may be missed.
    const last = node.segments.all.at(-1);
    const index = last === undefined ? 0 : lastOf(last);
    if (index === this.#lookedIndex) return;
    const ids = new Set<number>();
    for (const { bucket, prefix } of pins) {
      const bucketId = node.bucketId(bucket);
      if (bucketId === undefined) continue;
      for (const id of await segmentsOfKeys(node, { bucketId, prefix }, { signal })) ids.add(id);
    }
    this.#ids = ids;
    this.#lookedIndex = index;
  }
}
