/**
 * A process with a cold tier over simulated ports: the node, the first start after a restore, and all loops
 * of production, as src/start-cold-tier.ts joins them. Every call of a port passes `ports`: disk, index,
 * bucket, and what the tier proposes to the log.
 */
import { ColdTier } from "../../src/offload/cold-tier.ts";
import { TierFront } from "../../src/offload/tier-front.ts";
import type { ColdTierSettings } from "../../src/offload/tier-settings.ts";
import type { IndexStore } from "../../src/ports/index-store.ts";
import type { StorageNodeOptions } from "../../src/replica/storage-node.ts";
import { goOnFromRestore, tierNodeOf } from "../../src/start-cold-tier.ts";
import { coldPort, diskPort, logPort } from "../offload/port-crashes.ts";
import type { PortCalls } from "../offload/port-crashes.ts";
import { SimClock } from "../sim/sim-clock.ts";
import { SimColdStore } from "../sim/sim-cold-store.ts";
import type { SimColdObject } from "../sim/sim-cold-store.ts";
import type { SimDisk } from "../sim/sim-disk.ts";
import { SimIndexStore } from "../sim/sim-index-store.ts";
import { SimRandom } from "../sim/sim-random.ts";
import { SIM_DIRECTORY, openSimStore } from "../sim/sim-store.ts";
import type { SimStore } from "../sim/sim-store.ts";
import { silentLogger, spaceSettings } from "../support/open-store.ts";

export const SEGMENT_BYTES = 16 * 1024;

export type Bucket = ReadonlyMap<string, SimColdObject>;

export type TierMachine = {
  readonly disk: SimDisk;
  readonly clock: SimClock;
  readonly random: SimRandom;
  readonly objects: Map<string, SimColdObject>;
};

export type TierProcess = SimStore & { readonly tier: ColdTier };

export const noCalls: PortCalls = { call: (_, work) => work() };

/** Another machine that meets this disk and a copy of this bucket, so long after the first one began. */
export function machineWith(disk: SimDisk, bucket: Bucket, elapsedMs: number): TierMachine {
  const clock = new SimClock();
  clock.skip(elapsedMs);
  return { disk, clock, random: new SimRandom(`machine ${elapsedMs}`), objects: new Map(bucket) };
}

/** To be waited for with the clock of the machine. Ready to serve when it returns, and its loops run. */
export async function startProcess(
  machine: TierMachine,
  settings: ColdTierSettings,
  { ports = noCalls, options = {} }: { ports?: PortCalls; options?: Partial<StorageNodeOptions> } = {},
): Promise<TierProcess> {
  const { clock } = machine;
  const disk = diskPort(machine.disk, ports);
  const cold = coldPort(bucketOf(machine), ports);
  const front = new TierFront(cold, settings, { clock, logger: silentLogger });
  const store = await openSimStore(machine, {
    segmentBytes: SEGMENT_BYTES,
    space: spaceSettings({
      snapshotEntriesMin: 20,
      entriesKept: 5,
      snapshotLogBytes: 4 * SEGMENT_BYTES,
      livePercentMin: 0,
    }),
    disk,
    openIndexStore: async (path) => indexPort(await SimIndexStore.open(machine.disk, path), ports),
    tier: front,
    cold: front.store,
    watch: front.watch,
    ...options,
  });
  const onFatal = (error: unknown): void => void store.fatal.push(error);
  const found = tierNodeOf(store.node);
  const node = { ...found, propose: logPort((command) => found.propose(command), ports) };
  const tier = new ColdTier({ front, settings, node, disk, clock, logger: silentLogger, onFatal });
  await goOnFromRestore(store.node, tier, { directory: SIM_DIRECTORY, disk, logger: silentLogger });
  return { ...store, tier: tier.start() };
}

export async function endProcess({ tier, node }: TierProcess): Promise<void> {
  await tier.close();
  await node.close();
}

export function bucketOf({ disk, clock, objects }: TierMachine): SimColdStore {
  return new SimColdStore({ disk, clock, objects });
}

/** Batches alone: what reads of the index return is not what a crash leaves. */
function indexPort(store: IndexStore, ports: PortCalls): IndexStore {
  return {
    getSync: (key) => store.getSync(key),
    getMany: (keys) => store.getMany(keys),
    iterate: (range) => store.iterate(range),
    iterateText: (range) => store.iterateText(range),
    snapshot: () => store.snapshot(),
    close: () => store.close(),
    batch: () => {
      const batch = store.batch();
      return {
        put: (key, value) => batch.put(key, value),
        delete: (key) => batch.delete(key),
        discard: () => batch.discard(),
        write: () => ports.call("index write", () => batch.write()),
      };
    },
  };
}
