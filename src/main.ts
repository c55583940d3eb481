/**
 * The composition root: joins the rooms to the real disk, clock and network. The command line and the library
 * face call it; nothing else does. What is started is ended in the opposite order, and a node that found
 * something broken ends the process (promises P7, P9).
 */
import { cpus } from "node:os";
import { UnavailableError } from "./base/errors.ts";
import { CoreTelemetry } from "./adapters/core-telemetry.ts";
import { jsonLogger } from "./adapters/json-logger.ts";
import { LevelIndexStore } from "./adapters/level-index-store.ts";
import { listen } from "./adapters/listener.ts";
import type { Listener } from "./adapters/listener.ts";
import { NodeDisk } from "./adapters/node-disk.ts";
import { ScratchDirectory } from "./adapters/scratch-directory.ts";
import { systemClock } from "./adapters/system-clock.ts";
import { systemRandom } from "./adapters/system-random.ts";
import { formatAddress } from "./config/address.ts";
import type { Config } from "./config/config.ts";
import { createEdge } from "./http/create-edge.ts";
import type { S3Edge } from "./http/create-edge.ts";
import type { Logger } from "./ports/logger.ts";
import type { Telemetry } from "./ports/telemetry.ts";
import { openSalvage } from "./replica/salvage-node.ts";
import { READ_ONLY, reportLines } from "./replica/salvage-report.ts";
import type { SalvageReport } from "./replica/salvage-report.ts";
import type { ServingNode } from "./replica/serving-node.ts";
import { StorageNode } from "./replica/storage-node.ts";
import type { StorageNodeOptions } from "./replica/storage-node.ts";
import { verifyStore } from "./replica/verify-store.ts";
import { SEGMENT_BYTES_DEFAULT } from "./segment/cut.ts";
import { ROOT_ACCOUNT_ID } from "./service/identities.ts";
import { StoreService } from "./service/store-service.ts";

/**
 * Threads of libuv's pool, shared out by semaphores (RULES.md R14); set in the environment by the entry
 * points.
 */
export const THREAD_POOL_SIZE = 16;
const READ_THREADS = THREAD_POOL_SIZE - 3;
const DRAIN_LOOK_MS = 20;
const KEEP_ALIVE_MS = 60_000;

export type RunningServer = {
  readonly s3: Listener;
  readonly admin: Listener;
  readonly service: StoreService;
  /** What a start with `salvage` found. */
  readonly salvage: SalvageReport | undefined;
  /** Why the node stopped itself, once it did. */
  readonly failed: Promise<unknown>;
  /** Answers what is under way for at most `shutdown.timeout`, then ends everything. Twice is harmless. */
  close(): Promise<void>;
};

export async function startServer(
  config: Config,
  options: {
    readonly logger: Logger;
    /** Reads what a damaged directory still holds, and writes nothing into it. */
    readonly salvage?: boolean;
  },
): Promise<RunningServer> {
  process.env["UV_THREADPOOL_SIZE"] ??= String(THREAD_POOL_SIZE);
  const { logger } = options;
  const failure = Promise.withResolvers<unknown>();
  const telemetry = new CoreTelemetry();
  const forNode = nodeOptions(config, { logger, telemetry, onFatal: failure.resolve });
  const opening = options.salvage === true ? salvageNode(forNode) : StorageNode.open(forNode);
  const node = await keptAlive<ServingNode>(opening);
  const undo: (() => Promise<void>)[] = [() => node.close()];
  try {
    const root = rootOf(config);
    const service = new StoreService(node, { root, clock: systemClock, random: systemRandom });
    const { accounts = [], masterKey } = config;
    const rootSecretKey = root.secretKey;
    await service.settleAccounts({ accounts, masterKey, rootSecretKey }, { clock: systemClock, logger });
    const edge = await edgeOf(config, { node, service, logger, telemetry, onFatal: failure.resolve });
    const s3 = await listen(config.s3.addr, edge.serverOptions, (server) => edge.connectS3(server));
    undo.unshift(() => s3.close());
    const admin = await listen(config.admin.addr, edge.serverOptions, (server) => edge.connectAdmin(server));
    undo.unshift(() => admin.close());
    let closing: Promise<void> | undefined;
    const close = (): Promise<void> => {
      closing ??= shutDown(config, edge, { s3, admin, node, telemetry });
      return closing;
    };
    return { s3, admin, service, salvage: node.salvage, failed: failure.promise, close };
  } catch (error) {
    telemetry.close();
    for (const step of undo) await step();
    throw error;
  }
}

/** Waiting by the clock keeps no process alive; this one has to outlive what it waits for. */
async function keptAlive<Result>(work: Promise<Result>): Promise<Result> {
  const timer = setInterval(() => undefined, KEEP_ALIVE_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}

async function salvageNode(options: StorageNodeOptions): Promise<ServingNode> {
  const { disk, directory } = options;
  return await openSalvage({ ...options, makeScratch: () => ScratchDirectory.make(disk, directory) });
}

function rootOf(config: Config): { readonly accessKey: string; readonly secretKey: string } {
  const { rootAccessKey: accessKey, rootSecretKey: secretKey } = config;
  if (accessKey === undefined || secretKey === undefined) {
    throw new UnavailableError("a server needs the root pair: rootAccessKey and rootSecretKey");
  }
  return { accessKey, secretKey };
}

/** What the settings mean for the storage node. */
export function nodeOptions(
  config: Config,
  parts: {
    readonly logger: Logger;
    readonly telemetry: Telemetry;
    readonly onFatal: (error: unknown) => void;
  },
): StorageNodeOptions {
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
    disk: new NodeDisk(),
    openIndexStore: (path) => LevelIndexStore.open(path),
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
  },
): Promise<S3Edge> {
  const { node, service, logger, telemetry } = parts;
  const { limits } = config;
  return await createEdge({
    service,
    region: config.region,
    domain: config.domain,
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
  });
}

/** Readiness goes first, then no new connections, then the requests that run, then the store. */
async function shutDown(
  config: Config,
  edge: S3Edge,
  parts: {
    readonly s3: Listener;
    readonly admin: Listener;
    readonly node: ServingNode;
    readonly telemetry: CoreTelemetry;
  },
): Promise<void> {
  edge.drain();
  parts.s3.stopAccepting();
  parts.admin.stopAccepting();
  const deadline = systemClock.monotonicMs() + config.shutdown.timeout;
  while (edge.inFlight() > 0 && systemClock.monotonicMs() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, DRAIN_LOOK_MS));
  }
  await parts.s3.close();
  await parts.admin.close();
  await keptAlive(parts.node.close());
  parts.telemetry.close();
}

/** `thermocline dev` and `server`: serves until a signal or a failure; the answer is the exit code. */
export async function runServer(
  config: Config,
  options: { readonly banner: boolean; readonly command: "dev" | "server"; readonly salvage: boolean },
): Promise<number> {
  const logger = jsonLogger({ level: config.log.level, write: (line) => process.stderr.write(line) });
  const server = await startServer(config, { logger, salvage: options.salvage });
  const { salvage } = server;
  logger.info("serving", {
    s3: formatAddress({ host: server.s3.host, port: server.s3.port }),
    admin: formatAddress({ host: server.admin.host, port: server.admin.port }),
    dataDir: config.dataDir,
    cpus: cpus().length,
    ...(salvage === undefined ? {} : { readOnly: true }),
  });
  if (salvage !== undefined) {
    for (const line of reportLines(salvage)) logger.warn("salvage", { line });
    process.stdout.write(salvageBanner(server, salvage));
  } else if (options.banner) process.stdout.write(banner(config, server));
  const signal = new Promise<string>((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => resolve(name));
  });
  const cause = await Promise.race([signal, server.failed.then((error) => ({ error }))]);
  if (typeof cause === "object") {
    logger.error("the node stops: what it holds can no longer be vouched for", {
      reason: String((cause.error as Error | undefined)?.stack ?? cause.error),
    });
    // Nothing is flushed or tidied: the state in memory is what cannot be trusted.
    process.exit(1);
  }
  logger.info("stopping", { signal: cause });
  await server.close();
  logger.info("stopped");
  return 0;
}

/** Always shown: nobody may take this for a server as usual. */
function salvageBanner(server: RunningServer, report: SalvageReport): string {
  const endpoint = `http://${formatAddress({ host: server.s3.host, port: server.s3.port })}`;
  return `
${reportLines(report).join("\n")}

Thermocline serves what is left at ${endpoint}. Copy it into a new store, bucket by bucket, with the
credentials of this one:

  aws --endpoint-url ${endpoint} s3 sync s3://BUCKET ./BUCKET
  rclone copy --s3-provider Other --s3-env-auth --s3-endpoint ${endpoint} :s3:BUCKET new:BUCKET

Keep ${report.directory} as it is until the copy was checked. Stop with Ctrl-C.
`;
}

function banner(config: Config, server: RunningServer): string {
  const endpoint = `http://${formatAddress({ host: server.s3.host, port: server.s3.port })}`;
  const admin = `http://${formatAddress({ host: server.admin.host, port: server.admin.port })}`;
  const { accessKey, secretKey } = rootOf(config);
  return `
Thermocline serves S3 at ${endpoint}, data in ${config.dataDir}

  export AWS_ENDPOINT_URL=${endpoint}
  export AWS_ACCESS_KEY_ID=${accessKey}
  export AWS_SECRET_ACCESS_KEY=${secretKey}
  export AWS_DEFAULT_REGION=${config.region}

  aws s3 mb s3://my-bucket
  echo hello | aws s3 cp - s3://my-bucket/hello.txt
  aws s3 cp s3://my-bucket/hello.txt -

Metrics at ${admin}/-/metrics. Stop with Ctrl-C.
`;
}

/** `thermocline verify`: reads everything there is, without a server. */
export async function runVerify(config: Config): Promise<{ ok: boolean; lines: readonly string[] }> {
  return await verifyStore({
    disk: new NodeDisk(),
    directory: config.dataDir,
    openIndexStore: (path) => LevelIndexStore.open(path),
  });
}
