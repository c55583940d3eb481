/**
 * The cold tier as a node meets it while it opens, before any loop of the tier runs: the store that it reads
 * from, what the floor may not pass, and who counts its reads. What the loops know is joined later.
 */
import type { Clock } from "../ports/clock.ts";
import type { ColdStore } from "../ports/cold-store.ts";
import type { Logger } from "../ports/logger.ts";
import type { TierView } from "../store/local-segments.ts";
import type { ReadWatch } from "../store/record-reader.ts";
import { SegmentHeat } from "./heat.ts";
import { TierHealth } from "./tier-health.ts";
import { HEAT_HALF_LIFE_MS, HEAT_SEGMENTS_MAX } from "./tier-settings.ts";
import type { ColdTierSettings } from "./tier-settings.ts";
import { WatchedColdStore } from "./watched-cold-store.ts";

export class TierFront implements TierView {
  /** For everybody: it notices how the place is. */
  readonly store: ColdStore;
  readonly health: TierHealth;
  readonly heat = new SegmentHeat({ halfLifeMs: HEAT_HALF_LIFE_MS, segmentsMax: HEAT_SEGMENTS_MAX });
  readonly #clock: Clock;
  #uploadedThrough: () => number;
  #onDamaged: (segmentId: number) => void = () => undefined;

  constructor(
    store: ColdStore,
    settings: Pick<ColdTierSettings, "recoveryPointMs">,
    ports: { readonly clock: Clock; readonly logger: Logger },
  ) {
    this.health = new TierHealth(ports.logger, `nothing was heard yet of the cold tier ${store.place}`);
    this.store = new WatchedColdStore(store, this.health, ports.clock);
    this.#clock = ports.clock;
    this.#uploadedThrough = () => (settings.recoveryPointMs === undefined ? Infinity : 0);
  }

  get uploadedThroughSegment(): number {
    return this.#uploadedThrough();
  }

  /** Once somebody knows. */
  follow(uploadedThrough: () => number): void {
    this.#uploadedThrough = uploadedThrough;
  }

  get watch(): ReadWatch {
    return { onRead: this.#touch, onDamaged: (segmentId) => this.#onDamaged(segmentId) };
  }

  /** From now on; what was met before is met again. */
  mendWith(onDamaged: (segmentId: number) => void): void {
    this.#onDamaged = onDamaged;
  }

  readonly #touch = (segmentId: number): void => {
    this.heat.touch(segmentId, this.#clock.monotonicMs());
  };
}
