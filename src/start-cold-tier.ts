/**
 * Starts the cold tier of a server from its settings: the store, what the node is told of it while it opens,
 * and the loops once the node leads. Loaded only where there is a cold tier (start-server.ts), so a server
 * without one pays for none of it.
 */
import { openColdStore } from "./adapters/open-cold-store.ts";
import { systemClock } from "./adapters/system-clock.ts";
import { systemRandom } from "./adapters/system-random.ts";
import type { Config } from "./config/config.ts";
import { beginLineage } from "./offload/begin-lineage.ts";
import { ColdMeter } from "./offload/cold-meter.ts";
import { ColdTier } from "./offload/cold-tier.ts";
import { CostLedger } from "./offload/cost-ledger.ts";
import { TierFront } from "./offload/tier-front.ts";
import type { TierNode } from "./offload/tier-node.ts";
import { readLineage } from "./offload/tier-rows.ts";
import type { ColdTierSettings } from "./offload/tier-settings.ts";
import type { Disk } from "./ports/disk.ts";
import type { Logger } from "./ports/logger.ts";
import type { StorageNode, StorageNodeOptions } from "./replica/storage-node.ts";
import { CostDesk } from "./service/cost-desk.ts";
import { ServerTierActions } from "./service/tier-actions.ts";
import type { PolicyChange } from "./service/tier-api.ts";

const MIB = 1024 * 1024;
/** More than what a node refuses bodies at: segments leave the disk before clients notice. */
const FREE_SHARE_MIN = 0.25;
const FREE_BYTES_MAX = 6 * 1024 * MIB;
/** The share of the sockets that reads may take: uploads and manifests go on beside them. */
const READS_OF_POOL = 0.6;

type TierPorts = {
  readonly disk: Disk;
  readonly logger: Logger;
  readonly onFatal: (error: unknown) => void;
};

/** Before the node is open, and behind it. */
export class ServerTier {
  readonly #config: Config;
  readonly #ports: TierPorts;
  readonly #front: TierFront;
  readonly #meter: ColdMeter;

  private constructor(
    config: Config,
    ports: TierPorts,
    parts: { readonly front: TierFront; readonly meter: ColdMeter },
  ) {
    this.#config = config;
    this.#ports = ports;
    this.#front = parts.front;
    this.#meter = parts.meter;
  }

  /** Asks the place for nothing: one that is down keeps no server from starting. */
  static async open(config: Config, ports: TierPorts): Promise<ServerTier | undefined> {
    const { disk, logger } = ports;
    const meter = new ColdMeter();
    const storePorts = { disk, clock: systemClock, random: systemRandom, onRequest: meter.count };
    const store = await openColdStore(config.cold, storePorts);
    if (store === undefined) return undefined;
    const recoveryPointMs = recoveryPointOf(config);
    const front = new TierFront(store, { recoveryPointMs }, { clock: systemClock, logger });
    return new ServerTier(config, ports, { front, meter });
  }

  get forNode(): Pick<StorageNodeOptions, "tier" | "cold" | "coldReadsMax" | "watch"> {
    const { store, watch } = this.#front;
    const coldReadsMax = Math.max(1, Math.floor(this.#config.cold.poolSize * READS_OF_POOL));
    return { tier: this.#front, cold: store, coldReadsMax, watch };
  }

  /** Once the node leads. */
  async start(node: StorageNode): Promise<ColdTier> {
    const { disk, logger, onFatal } = this.#ports;
    const front = this.#front;
    const settings = await settingsOf(this.#config, disk);
    const parts = { front, settings, node: tierNodeOf(node), disk, clock: systemClock, logger, onFatal };
    const tier = new ColdTier(parts);
    await goOnFromRestore(node, tier, { disk, logger, directory: this.#config.dataDir });
    return tier.start();
  }

  /** For the admin API. To be closed after the tier and before the node, whose directory it writes into. */
  async openDesk(node: StorageNode, tier: ColdTier): Promise<CostDesk> {
    const { disk, logger } = this.#ports;
    const { dataDir, cost: prices } = this.#config;
    const meter = this.#meter;
    const path = `${dataDir}/usage`;
    const ledger = await CostLedger.open({ disk, path, clock: systemClock, logger, meter });
    const { totalBytes } = await disk.space(dataDir);
    const settingsWith = (change: PolicyChange) => changedSettings(change, totalBytes);
    const actions = new ServerTierActions({ tier, node, settingsWith });
    const { place } = this.#front.store;
    return new CostDesk({ actions, ledger, meter, place, prices, clock: systemClock });
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
  const { tier, space, raft, hotBytesMax, dataDir } = config;
  const { totalBytes } = await disk.space(dataDir);
  return {
    recoveryPointMs: recoveryPointOf(config),
    afterMs: tier.after,
    verify: tier.verify,
    budget: { bytesPerSecondMax: tier.bytesPerSecondMax, requestsPerMinuteMax: tier.requestsPerMinuteMax },
    livePercentMin: space.livePercentMin,
    hotBytesMax: hotBytesOf(hotBytesMax, totalBytes),
    pins: tier.pins ?? [],
    restoreWindowMs: tier.restoreWindow,
    graceMs: tier.grace,
    snapshot: { entriesMin: raft.snapshotLogsSinceLast, logBytes: space.snapshotAfter },
    freeBytesMin: Math.min(totalBytes * FREE_SHARE_MIN, FREE_BYTES_MAX),
  };
}

function hotBytesOf(most: Config["hotBytesMax"], totalBytes: number): number {
  return most.kind === "bytes" ? most.bytes : Math.floor((totalBytes * most.percent) / 100);
}

/** Of a dry run. */
function changedSettings(change: PolicyChange, totalBytes: number): Partial<ColdTierSettings> {
  const { tierAfterMs, recoveryPointMs, hotBytesMax } = change;
  return {
    ...(tierAfterMs === undefined ? {} : { afterMs: tierAfterMs }),
    ...(recoveryPointMs === undefined
      ? {}
      : { recoveryPointMs: recoveryPointMs === "off" ? undefined : recoveryPointMs }),
    ...(hotBytesMax === undefined ? {} : { hotBytesMax: hotBytesOf(hotBytesMax, totalBytes) }),
  };
}

/** Before the loops run and anybody is served; nothing, unless this is the first start after a restore. */
export async function goOnFromRestore(
  { restored, replica, state, local, index }: StorageNode,
  tier: ColdTier,
  ports: { readonly disk: Disk; readonly logger: Logger; readonly directory: string },
): Promise<void> {
  if (restored === undefined) return;
  const { store, place } = tier;
  await beginLineage({
    ...{ ...ports, restored, store, place, replica, local },
    segments: state.segments,
    lineageRow: () => readLineage(index),
    // Rows of segments that its snapshot shows live may have gone in the replay: an own one is needed.
    writeManifest: () => tier.writeManifest({ minIndex: index.appliedIndex }),
  });
}

export function tierNodeOf(node: StorageNode): TierNode {
  const { clusterId: cluster, lineage } = node.node;
  const startIndex = node.replica.appliedIndex;
  return {
    place: { cluster, lineage },
    incarnation: node.incarnation,
    segments: node.state.segments,
    index: node.index,
    local: node.local,
    bucketId: (name) => node.state.buckets.find(name)?.row.id,
    segmentBytes: node.node.segmentBytes,
    voters: [node.node.nodeId],
    term: () => node.replica.term,
    lastTime: () => {
      const { logTimeMs, dates } = node.state;
      return { logTimeMs, dateMs: dates.at(logTimeMs) };
    },
    changedIndex: () => Math.max(startIndex, node.state.changedIndex),
    logTimeMs: () => node.logClock.nowMs(),
    freeBytes: () => node.guard.freeBytes,
    propose: (command) => node.replica.propose(command),
  };
}
