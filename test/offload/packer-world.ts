/** A store whose first copies in the bucket hold little that is live, and who cleans up there. */
import { Collector } from "../../src/offload/collector.ts";
import type { CollectorOptions } from "../../src/offload/collector.ts";
import { InFlight } from "../../src/offload/in-flight.ts";
import { Packer } from "../../src/offload/packer.ts";
import type { PackerParts } from "../../src/offload/packer.ts";
import { TierHealth } from "../../src/offload/tier-health.ts";
import { TierPace } from "../../src/offload/tier-pace.ts";
import { garbageSettings } from "./garbage-world.ts";
import { tierNodeOf } from "../../src/start-cold-tier.ts";
import { TierWorld, isUploaded, sealedSegments } from "./tier-world.ts";
import type { TierStore } from "./tier-world.ts";

export type Sparse = { readonly world: TierWorld; readonly store: TierStore };

/** Of the first three segments, which are uploaded and below the floor, little is live. */
export async function sparse(): Promise<Sparse> {
  const world = new TierWorld({ recoveryPointMs: undefined, afterMs: 1000, livePercentMin: 0 });
  const store = await world.openWithBucket();
  for (const round of [0, 1, 2]) {
    await world.write(store, `kept-${round}`, 1500);
    await world.write(store, `also-${round}`, 500);
    await world.fill(store, 1, `doomed-${round}`);
  }
  await world.until(() => isUploaded(store));
  // From here on files stay where they are.
  await world.run(store.tier.close());
  for (const round of [0, 1, 2]) {
    const doomed = Array.from({ length: 20 }, (_, at) => `doomed-${round}-${at}`);
    await world.remove(store, ...doomed);
  }
  for (let more = 0; store.node.local.floorIndex < (lastOfThird(store) ?? Infinity); more++) {
    await world.fill(store, 2, "others");
    await world.pass(5000);
    if (more > 20) throw new Error("the floor does not move");
  }
  return { world, store };
}

export function lastOfThird(store: TierStore): number | undefined {
  const third = sealedSegments(store)[2];
  return third && third.firstIndex + third.entries - 1;
}

export function packerOf({ world, store }: Sparse, changes: Partial<PackerParts> = {}): Packer {
  const { clock, disk } = world.machine;
  const { logger } = world;
  return new Packer({
    node: tierNodeOf(store.node),
    store: world.cold,
    disk,
    clock,
    logger,
    pace: new TierPace(clock, { bytesPerSecondMax: 1e9, requestsPerMinuteMax: 60_000 }),
    inFlight: new InFlight(),
    verify: "auto",
    health: new TierHealth(logger, "nothing was heard"),
    livePercentMin: 50,
    oldestSnapshotIndex: () => Infinity,
    ...changes,
  });
}

/** Asked later than it is, so that a grace is over. */
export function collectorOver(
  { world, store }: Sparse,
  laterMs: number,
  changes: Partial<CollectorOptions> = {},
): Collector {
  const { logger } = world;
  const node = tierNodeOf(store.node);
  return new Collector({
    store: world.cold,
    node: { ...node, logTimeMs: () => node.logTimeMs() + laterMs },
    index: store.node.index,
    isInFlight: (key) => store.tier.isInFlight(key),
    mayWrite: () => true,
    settings: garbageSettings,
    clock: world.machine.clock,
    logger,
    health: new TierHealth(logger, "nothing was heard"),
    ...changes,
  });
}
