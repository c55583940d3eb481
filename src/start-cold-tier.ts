/**
 * Starts the cold tier of a server from its settings: the store, what the node is told of it while it opens,
 * and the loops once the node leads. Loaded only where there is a cold tier (start-server.ts), so a server
 * without one pays for none of it.
 */
import { openColdStore } from "./adapters/open-cold-store.ts";
import { systemClock } from "./adapters/system-clock.ts";
import { systemRandom } from "./adapters/system-random.ts";
import type { Config } from "./config/config.ts";
import { ColdTier } from "./offload/cold-tier.ts";
import { TierFront } from "./offload/tier-front.ts";
import type { TierNode } from "./offload/tier-node.ts";
import type { ColdTierSettings } from "./offload/tier-settings.ts";
import type { Disk } from "./ports/disk.ts";
import type { Logger } from "./ports/logger.ts";
import type { StorageNode, StorageNodeOptions } from "./replica/storage-node.ts";

const MIB = 1024 * 1024;
/** More than what a node refuses bodies at: segments leave the disk before clients notice. */
const FREE_SHARE_MIN = 0.25;
const FREE_BYTES_MAX = 6 * 1024 * MIB;

type TierPorts = {
  readonly disk: Disk;
  readonly logger: Logger;
  readonly onFatal: (error: unknown) => void;
};

/** Before the node is open. */
export class ServerTier {
  readonly #config: Config;
  readonly #ports: TierPorts;
  readonly #front: TierFront;

  private constructor(config: Config, ports: TierPorts, front: TierFront) {
    this.#config = config;
    this.#ports = ports;
    this.#front = front;
  }

  /** Asks the place for nothing: one that is down keeps no server from starting. */
  static async open(config: Config, ports: TierPorts): Promise<ServerTier | undefined> {
    const { disk, logger } = ports;
    const store = await openColdStore(config.cold, { disk, clock: systemClock, random: systemRandom });
    if (store === undefined) return undefined;
    const recoveryPointMs = recoveryPointOf(config);
    const front = new TierFront(store, { recoveryPointMs }, { clock: systemClock, logger });
    return new ServerTier(config, ports, front);
  }

  get forNode(): Pick<StorageNodeOptions, "tier" | "cold" | "watch"> {
    const { store, watch } = this.#front;
    return { tier: this.#front, cold: store, watch };
  }

  /** Once the node leads. */
  async start(node: StorageNode): Promise<ColdTier> {
    const { disk, logger, onFatal } = this.#ports;
    const front = this.#front;
    const settings = await settingsOf(this.#config, disk);
    const parts = { front, settings, node: tierNodeOf(node), disk, clock: systemClock, logger, onFatal };
    return new ColdTier(parts).start();
  }

  /** When nobody reads from it any more. */
  async close(): Promise<void> {
    await this.#front.store.close();
  }
}

function recoveryPointOf({ recoveryPoint }: Config): number | undefined {
  return recoveryPoint === "off" ? undefined : recoveryPoint;
}

async function settingsOf(config: Config, disk: Disk): Promise<ColdTierSettings> {
  const { tier, space, hotBytesMax, dataDir } = config;
  const { totalBytes } = await disk.space(dataDir);
  return {
    recoveryPointMs: recoveryPointOf(config),
    afterMs: tier.after,
    verify: tier.verify,
    budget: { bytesPerSecondMax: tier.bytesPerSecondMax, requestsPerMinuteMax: tier.requestsPerMinuteMax },
    livePercentMin: space.livePercentMin,
    hotBytesMax:
      hotBytesMax.kind === "bytes" ? hotBytesMax.bytes : Math.floor((totalBytes * hotBytesMax.percent) / 100),
    freeBytesMin: Math.min(totalBytes * FREE_SHARE_MIN, FREE_BYTES_MAX),
  };
}

export function tierNodeOf(node: StorageNode): TierNode {
  const { clusterId: cluster, lineage } = node.node;
  return {
    place: { cluster, lineage },
    incarnation: node.incarnation,
    segments: node.state.segments,
    local: node.local,
    logTimeMs: () => node.logClock.nowMs(),
    freeBytes: () => node.guard.freeBytes,
    propose: (command) => node.replica.propose(command),
  };
}
