/**
 * A storage node and its service over simulated ports: the code of production, nothing of the machine. A
 * failure that would end the process is kept in `fatal`.
 */
import { StorageNode } from "../../src/replica/storage-node.ts";
import type { StorageNodeOptions } from "../../src/replica/storage-node.ts";
import { StoreService } from "../../src/service/store-service.ts";
import { nodeOptions, testRoot } from "../support/open-store.ts";
import type { SimClock } from "./sim-clock.ts";
import type { SimDisk } from "./sim-disk.ts";
import { SimIndexStore } from "./sim-index-store.ts";
import type { SimRandom } from "./sim-random.ts";

export const SIM_DIRECTORY = "data";

export type SimStore = {
  readonly node: StorageNode;
  readonly service: StoreService;
  /** What the node wanted to end the process for. */
  readonly fatal: unknown[];
};

export type SimMachine = { readonly disk: SimDisk; readonly clock: SimClock; readonly random: SimRandom };

/** To be waited for with `clock.run`. */
export async function openSimStore(
  machine: SimMachine,
  changes: Partial<StorageNodeOptions> = {},
): Promise<SimStore> {
  const { disk, clock, random } = machine;
  const fatal: unknown[] = [];
  const node = await StorageNode.open(
    nodeOptions(SIM_DIRECTORY, {
      segmentBytes: 64 * 1024,
      cacheBytesMax: 256 * 1024,
      disk,
      openIndexStore: (path) => SimIndexStore.open(disk, path),
      clock,
      random,
      onFatal: (error) => fatal.push(error),
      ...changes,
    }),
  );
  return { node, service: new StoreService(node, { root: testRoot, clock, random }), fatal };
}
