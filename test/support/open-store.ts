/**
 * A store of its own for each test: real disk, real LevelDB, small bounds unless said otherwise. Disposing
 * closes it; the directory is removed with the last handle on it.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LevelIndexStore } from "../../src/adapters/level-index-store.ts";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { systemClock } from "../../src/adapters/system-clock.ts";
import { systemRandom } from "../../src/adapters/system-random.ts";
import type { Logger } from "../../src/ports/logger.ts";
import type { Telemetry } from "../../src/ports/telemetry.ts";
import type { SpaceSettings } from "../../src/replica/space-policy.ts";
import { StorageNode } from "../../src/replica/storage-node.ts";
import type { StorageNodeOptions } from "../../src/replica/storage-node.ts";
import { StoreService } from "../../src/service/store-service.ts";

export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export const noTelemetry: Telemetry = { logWrite: () => undefined, batchEntries: () => undefined };

export const testRoot = { accessKey: "test", secretKey: "test-secret" };

export async function temporaryDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "thermocline-test-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Those of production. */
export function spaceSettings(changes: Partial<SpaceSettings> = {}): SpaceSettings {
  return {
    snapshotEntriesMin: 5000,
    entriesKept: 1000,
    snapshotLogBytes: 1024 * 1024 * 1024,
    livePercentMin: 50,
    bytesPerSecondMax: 32 * 1024 * 1024,
    ...changes,
  };
}

/** Options of a node in `directory`; a failure that should end the process fails the test run instead. */
export function nodeOptions(
  directory: string,
  changes: Partial<StorageNodeOptions> = {},
): StorageNodeOptions {
  return {
    directory,
    nodeId: "n1",
    segmentBytes: 64 * 1024 * 1024,
    cacheBytesMax: 64 * 1024 * 1024,
    overlayRowsMax: 65_536,
    overlayBytesMax: 32 * 1024 * 1024,
    iteratorsMax: 64,
    payloadEntriesMax: 300,
    batchBytesMax: 4 * 1024 * 1024,
    pendingWritesMax: 16_384,
    pendingBytesMax: 64 * 1024 * 1024,
    space: spaceSettings(),
    readThreadsMax: 2,
    disk: new NodeDisk(),
    openIndexStore: (path) => LevelIndexStore.open(path),
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    telemetry: noTelemetry,
    onFatal: (error) => {
      throw error;
    },
    ...changes,
  };
}

export type OpenStore = AsyncDisposable & { readonly node: StorageNode; readonly service: StoreService };

export async function openStore(
  directory: string,
  changes: Partial<StorageNodeOptions> = {},
): Promise<OpenStore> {
  const options = nodeOptions(directory, changes);
  const node = await StorageNode.open(options);
  const service = new StoreService(node, { root: testRoot, clock: options.clock, random: options.random });
  return { node, service, [Symbol.asyncDispose]: () => node.close() };
}
