/**
 * Starts a server from its settings: a store, the service over it, the edge before it, two listeners; and
 * ends them in the opposite order. What the store stands on, the data directory or memory, is the caller's to
 * say. A server may go on with a new store under the same address: requests that are under way end on the old
 * one, so nothing of them is ever seen in the new one.
 */
import { RefusedError, UnavailableError } from "./base/errors.ts";
import { CoreTelemetry } from "./adapters/core-telemetry.ts";
import { listen } from "./adapters/listener.ts";
import type { Listener } from "./adapters/listener.ts";
import { systemClock } from "./adapters/system-clock.ts";
import { systemRandom } from "./adapters/system-random.ts";
import { TlsFiles } from "./adapters/tls-files.ts";
import { formatAddress } from "./config/address.ts";
import type { Config } from "./config/config.ts";
import { createEdge } from "./http/create-edge.ts";
import type { S3Edge } from "./http/create-edge.ts";
import type { Faults } from "./http/faults.ts";
import type { ColdTier } from "./offload/cold-tier.ts";
import type { Logger } from "./ports/logger.ts";
import type { Telemetry } from "./ports/telemetry.ts";
import { READ_ONLY } from "./replica/salvage-report.ts";
import type { SalvageReport } from "./replica/salvage-report.ts";
import type { ServingNode } from "./replica/serving-node.ts";
import { StorageNode } from "./replica/storage-node.ts";
import type { StorageNodeOptions } from "./replica/storage-node.ts";
import { SEGMENT_BYTES_DEFAULT } from "./segment/cut.ts";
import { ROOT_ACCOUNT_ID } from "./service/identities.ts";
import { StoreService } from "./service/store-service.ts";
import type { TierDesk } from "./service/tier-api.ts";
import type { ServerTier } from "./start-cold-tier.ts";

/**
 * Threads of libuv's pool, shared out by semaphores (RULES.md R14); set in the environment by the entry
 * points.
 */
export const THREAD_POOL_SIZE = 16;
const READ_THREADS = THREAD_POOL_SIZE - 3;
const DRAIN_LOOK_MS = 20;
/** For writes that end with the log, to say so. */
const LAST_ANSWERS_MS = 500;
/** For the last tail; and how long a stop may take behind `shutdown.timeout`: many kill after ten seconds. */
const FINISH_MS_MAX = 2000;
const FINISH_BEHIND_MS = 1000;
const KEEP_ALIVE_MS = 60_000;

/** What bytes lie on, and what follows from that. */
export type Storage = Pick<StorageNodeOptions, "disk" | "openIndexStore"> &
  Partial<Pick<StorageNodeOptions, "segmentBytes" | "caution">>;

export type StartOptions = {
  readonly logger: Logger;
  /** Reads what a damaged directory still holds, and writes nothing into it. */
  readonly salvage?: boolean;
  /** For the start, and again for each new store. */
  readonly openStorage: () => Storage;
  /** Done to each new store before anybody is served. */
  readonly prepare?: (service: StoreService) => Promise<void>;
  readonly faults?: Faults;
};

export type RunningServer = {
  readonly s3: Listener;
  readonly admin: Listener;
  /** What a start with `salvage` found. */
  readonly salvage: SalvageReport | undefined;
  /** Why the node stopped itself, once it did. */
  readonly failed: Promise<unknown>;
  /** Goes on with a new store. Throws UnavailableError once it is closed. */
  renew(): Promise<void>;
  /** Answers what is under way for at most `shutdown.timeout`, then ends everything. Twice is harmless. */
  close(): Promise<void>;
};

/** One store, and everything that knows it. */
type World = {
  readonly node: ServingNode;
  readonly edge: S3Edge;
  readonly tier: ColdTier | undefined;
  /** Ends what the cold tier does, if there is one, and then the node. */
  readonly close: () => Promise<void>;
};

type Parts = StartOptions & {
  readonly telemetry: CoreTelemetry;
  readonly onFatal: (error: unknown) => void;
};

export async function startServer(config: Config, options: StartOptions): Promise<RunningServer> {
  process.env["UV_THREADPOOL_SIZE"] ??= String(THREAD_POOL_SIZE);
  const failure = Promise.withResolvers<unknown>();
  const telemetry = new CoreTelemetry();
  const parts: Parts = { ...options, telemetry, onFatal: failure.resolve };
  const undo: (() => Promise<void>)[] = [async () => telemetry.close()];
  try {
    const world = await openWorld(config, parts);
    undo.unshift(() => world.close());
    const { edge } = world;
    const leave: (() => void)[] = [];
    const tls = await tlsOf(config, parts);
    if (tls !== undefined) undo.unshift(() => tls.close());
    const listening = { ...edge.serverOptions, tls };
    const s3 = await listen(config.s3.addr, listening, (server) => {
      leave.push(edge.connectS3(server));
    });
    undo.unshift(() => s3.close());
    const admin = await listen(config.admin.addr, listening, (server) => {
      leave.push(edge.connectAdmin(server));
    });
    return new Server(config, { parts, world, s3, admin, tls, leave, failed: failure.promise });
  } catch (error) {
    for (const step of undo) await step();
    throw error;
  }
}

class Server implements RunningServer {
  readonly s3: Listener;
  readonly admin: Listener;
  readonly salvage: SalvageReport | undefined;
  readonly failed: Promise<unknown>;
  readonly #config: Config;
  readonly #parts: Parts;
  readonly #tls: TlsFiles | undefined;
  #world: World;
  /** Takes the edge of the current world off the listeners. */
  #leave: readonly (() => void)[];
  /** Worlds that have requests to end. */
  readonly #retired = new Map<World, Promise<void>>();
  /** New stores are made one after the other. */
  #renewing: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(
    config: Config,
    from: Pick<RunningServer, "s3" | "admin" | "failed"> & {
      readonly parts: Parts;
      readonly world: World;
      readonly leave: readonly (() => void)[];
      readonly tls: TlsFiles | undefined;
    },
  ) {
    this.#config = config;
    this.#parts = from.parts;
    this.#world = from.world;
    this.#leave = from.leave;
    this.#tls = from.tls;
    this.s3 = from.s3;
    this.admin = from.admin;
    this.failed = from.failed;
    this.salvage = from.world.node.salvage;
  }

  async renew(): Promise<void> {
    const renewed = this.#renewing.then(() => this.#renew());
    this.#renewing = renewed.catch(() => undefined);
    await renewed;
  }

  async #renew(): Promise<void> {
    if (this.#closing !== undefined) throw new UnavailableError("the server is closed");
    const next = await openWorld(this.#config, this.#parts);
    const old = this.#world;
    // Within one turn of the event loop: every request meets exactly one of the two.
    for (const step of this.#leave) step();
    this.#leave = [next.edge.connectS3(this.s3.server), next.edge.connectAdmin(this.admin.server)];
    this.#world = next;
    const retired = this.#drained(old)
      .then(() => old.close())
      .catch(this.#parts.onFatal)
      .then(() => void this.#retired.delete(old));
    this.#retired.set(old, retired);
  }

  /** Resolves when no request is under way any more, or after `timeoutMs`. */
  async #drained({ edge }: World, timeoutMs = this.#config.shutdown.timeout): Promise<void> {
    const deadline = systemClock.monotonicMs() + timeoutMs;
    while (edge.inFlight() > 0 && systemClock.monotonicMs() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_LOOK_MS));
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /**
   * Readiness goes first, then no new connections, then the requests that run, then what only this disk has
   * into the cold tier, then the store. Writes that still wait by then, for a disk that is full say, are told
   * that they are not done; only then are connections cut.
   */
  async #close(): Promise<void> {
    await this.#renewing;
    const startMs = systemClock.monotonicMs();
    const world = this.#world;
    world.edge.drain();
    this.s3.stopAccepting();
    this.admin.stopAccepting();
    const worlds = [world, ...this.#retired.keys()];
    await Promise.all(worlds.map((each) => this.#drained(each)));
    await keptAlive(this.#finish(world, systemClock.monotonicMs() - startMs));
    await keptAlive(Promise.all(worlds.map(({ node }) => node.stopWriting())));
    await Promise.all(worlds.map((each) => this.#drained(each, LAST_ANSWERS_MS)));
    await this.#tls?.close();
    await this.s3.close();
    await this.admin.close();
    await keptAlive(Promise.all([world.close(), ...this.#retired.values()]));
    this.#parts.telemetry.close();
  }

  /** A node that failed has nothing to say any more (promise P9). */
  async #finish({ node, tier }: World, drainedMs: number): Promise<void> {
    if (node.replica.failure !== undefined) return;
    const leftMs = this.#config.shutdown.timeout + FINISH_BEHIND_MS - drainedMs;
    await tier?.finish(Math.min(FINISH_MS_MAX, leftMs));
  }
}

/** As clients are told it. */
export function endpointOf({ scheme, host, port }: Listener): string {
  return `${scheme}://${formatAddress({ host, port })}`;
}

async function tlsOf({ tls }: Config, { logger }: Parts): Promise<TlsFiles | undefined> {
  const { certFile, keyFile } = tls;
  if (certFile === undefined || keyFile === undefined) return undefined;
  return await TlsFiles.open({ certFile, keyFile }, { logger });
}

async function openWorld(config: Config, parts: Parts): Promise<World> {
  const { logger, telemetry, onFatal, faults } = parts;
  const storage = parts.openStorage();
  const serverTier = await coldTierOf(config, { ...parts, disk: storage.disk });
  /** The last one first. */
  const undo: (() => Promise<void>)[] = [async () => await serverTier?.close()];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0)) await step();
  };
  try {
    const ports = { logger, telemetry, onFatal };
    const forNode = { ...nodeOptions(config, ports), ...storage, ...serverTier?.forNode };
    const { node, tier, desk } = await openNode(forNode, { salvage: parts.salvage, serverTier, undo });
    const root = rootOf(config);
    const service = new StoreService(node, { root, clock: systemClock, random: systemRandom, tier });
    const { accounts = [], masterKey } = config;
    const rootSecretKey = root.secretKey;
    await service.settleAccounts({ accounts, masterKey, rootSecretKey }, { clock: systemClock, logger });
    await parts.prepare?.(service);
    const edge = await edgeOf(config, { node, service, logger, telemetry, onFatal, faults, desk });
    return { node, edge, tier, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What is in no file here is in the cold tier, which has to hear of the new lineage first (RULES.md R20). */
function refuseWithoutTier({ restored }: ServingNode): void {
  if (restored === undefined) return;
  throw new RefusedError(
    `this store was restored from ${restored.from}, where its bodies still are: it starts with that cold ` +
      "tier only (THERMOCLINE_COLD_URL)",
  );
}

/** Late: a server without a cold tier loads nothing of it. */
async function coldTierOf(
  config: Config,
  ports: Pick<StorageNodeOptions, "disk" | "logger" | "onFatal">,
): Promise<ServerTier | undefined> {
  if (config.cold.url.kind === "none") return undefined;
  const { ServerTier } = await import("./start-cold-tier.ts");
  return await ServerTier.open(config, ports);
}

/** With the cold tier's loops, but where what is left is only read. */
async function openNode(
  options: StorageNodeOptions,
  how: {
    readonly salvage: boolean | undefined;
    readonly serverTier: ServerTier | undefined;
    readonly undo: (() => Promise<void>)[];
  },
): Promise<{ readonly node: ServingNode; readonly tier?: ColdTier; readonly desk?: TierDesk }> {
  const { salvage = false, serverTier, undo } = how;
  if (salvage) {
    const node = await keptAlive(salvageNode(options));
    undo.unshift(() => node.close());
    return { node };
  }
  const node = await keptAlive(StorageNode.open(options));
  undo.unshift(() => node.close());
  if (serverTier === undefined) {
    refuseWithoutTier(node);
    return { node };
  }
  const tier = await keptAlive(serverTier.start(node));
  undo.unshift(() => tier.close());
  const desk = await serverTier.openDesk(node, tier);
  // What the tier does last is counted too.
  undo.splice(1, 0, () => desk.close());
  return { node, tier, desk };
}

/** Late: nearly every server is a whole one. */
async function salvageNode(options: StorageNodeOptions): Promise<ServingNode> {
  const { openSalvage } = await import("./replica/salvage-node.ts");
  const { ScratchDirectory } = await import("./adapters/scratch-directory.ts");
  const { disk, directory } = options;
  return await openSalvage({ ...options, makeScratch: () => ScratchDirectory.make(disk, directory) });
}

/** Waiting by the clock keeps no process alive; this one has to outlive what it waits for. */
export async function keptAlive<Result>(work: Promise<Result>): Promise<Result> {
  const timer = setInterval(() => undefined, KEEP_ALIVE_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}

export function rootOf(config: Config): { readonly accessKey: string; readonly secretKey: string } {
  const { rootAccessKey: accessKey, rootSecretKey: secretKey } = config;
  if (accessKey === undefined || secretKey === undefined) {
    throw new UnavailableError("a server needs the root pair: rootAccessKey and rootSecretKey");
  }
  return { accessKey, secretKey };
}

/** What the settings mean for the storage node, wherever its bytes are. */
export function nodeOptions(
  config: Config,
  parts: {
    readonly logger: Logger;
    readonly telemetry: Telemetry;
    readonly onFatal: (error: unknown) => void;
  },
): Omit<StorageNodeOptions, "disk" | "openIndexStore"> {
  return {
    directory: config.dataDir,
    nodeId: config.nodeId,
    segmentBytes: SEGMENT_BYTES_DEFAULT,
    cacheBytesMax: config.cacheBytes,
    overlayRowsMax: config.overlay.rowsMax,
    overlayBytesMax: config.overlay.bytesMax,
    iteratorsMax: config.iterators.max,
    payloadEntriesMax: config.raft.maxPayloadEntries,
    batchBytesMax: config.limits.batchBytesMax,
    pendingWritesMax: config.limits.pendingWritesMax,
    pendingBytesMax: config.limits.bytesInFlightMax,
    readThreadsMax: READ_THREADS,
    space: {
      snapshotEntriesMin: config.raft.snapshotLogsSinceLast,
      entriesKept: config.raft.maxInSnapshotLogToKeep,
      snapshotLogBytes: config.space.snapshotAfter,
      livePercentMin: config.space.livePercentMin,
      bytesPerSecondMax: config.space.bytesPerSecondMax,
    },
    clock: systemClock,
    random: systemRandom,
    ...parts,
  };
}

async function edgeOf(
  config: Config,
  parts: {
    readonly node: ServingNode;
    readonly service: StoreService;
    readonly logger: Logger;
    readonly telemetry: CoreTelemetry;
    readonly onFatal: (error: unknown) => void;
    readonly faults: Faults | undefined;
    readonly desk: TierDesk | undefined;
  },
): Promise<S3Edge> {
  const { node, service, logger, telemetry } = parts;
  const { limits } = config;
  return await createEdge({
    service,
    region: config.region,
    domain: config.domain,
    corsAllowOrigin: config.s3.corsAllowOrigin ?? [],
    rootAccountId: ROOT_ACCOUNT_ID,
    limits: {
      bytesInFlightMax: limits.bytesInFlightMax,
      xmlBytesMax: limits.xmlBytesMax,
      headerBytesMax: limits.headerBytesMax,
      connectionsMax: limits.connectionsMax,
      idleTimeoutMs: limits.idleTimeout,
      bodyBytesPerSecondMin: limits.bodyBytesPerSecondMin,
      headersTimeoutMs: limits.headersTimeout,
    },
    clock: systemClock,
    random: systemRandom,
    logger,
    telemetry: {
      get cacheHits() {
        return node.cache.hits;
      },
      get cacheMisses() {
        return node.cache.misses;
      },
      get cacheEvictions() {
        return node.cache.evictions;
      },
      get logBytesWritten() {
        return telemetry.logBytesWritten;
      },
      get logSyncs() {
        return telemetry.logSyncs;
      },
      get eventLoopDelaySeconds() {
        return telemetry.eventLoopDelaySeconds();
      },
      logSyncSeconds: telemetry.logSyncSeconds,
      batchEntries: telemetry.commandsPerEntry,
      batchBytes: telemetry.batchBytes,
    },
    readOnly: node.salvage === undefined ? undefined : READ_ONLY,
    accessLog: config.log.level === "debug",
    appliedIndex: () => node.index.appliedIndex,
    onFatal: parts.onFatal,
    ...(parts.faults === undefined ? {} : { faults: parts.faults }),
    tier: parts.desk,
  });
}
