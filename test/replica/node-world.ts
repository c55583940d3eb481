/**
 * A storage node over a simulated disk and a clock that the test moves; what it reports and wants is kept.
 */
import { StorageNode } from "../../src/replica/storage-node.ts";
import type { StorageNodeOptions } from "../../src/replica/storage-node.ts";
import { StoreService } from "../../src/service/store-service.ts";
import type { Command } from "../../src/state/command.ts";
import { crc32c } from "../../src/base/crc.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import { SimDisk } from "../sim/sim-disk.ts";
import { SimIndexStore } from "../sim/sim-index-store.ts";
import { ManualClock } from "../store/manual-clock.ts";
import { nodeOptions, testRoot } from "../support/open-store.ts";

export type NodeWorld = AsyncDisposable & {
  readonly node: StorageNode;
  readonly service: StoreService;
  readonly disk: SimDisk;
  readonly clock: ManualClock;
  readonly fatal: unknown[];
  /** Bytes of each log write. */
  readonly logWrites: number[];
  /** Commands of each entry. */
  readonly entries: number[];
  /** While set, every effect of the disk waits for it. */
  readonly gate: { current: Promise<void> | undefined };
};

export type Machine = Pick<NodeWorld, "disk" | "clock" | "gate">;

export function newMachine(): Machine {
  const gate: Machine["gate"] = { current: undefined };
  const disk = new SimDisk({ latency: () => gate.current ?? Promise.resolve() });
  return { disk, clock: new ManualClock(), gate };
}

export async function openNode(
  machine: Machine = newMachine(),
  changes: Partial<StorageNodeOptions> = {},
): Promise<NodeWorld> {
  const { disk, clock, gate } = machine;
  const fatal: unknown[] = [];
  const logWrites: number[] = [];
  const entries: number[] = [];
  const options = nodeOptions("data", {
    segmentBytes: 1024 * 1024,
    disk,
    clock,
    openIndexStore: (path) => SimIndexStore.open(disk, path),
    onFatal: (error) => fatal.push(error),
    telemetry: {
      logWrite: (_, bytes) => void logWrites.push(bytes),
      batchEntries: (count) => void entries.push(count),
    },
    ...changes,
  });
  const node = await StorageNode.open(options);
  const service = new StoreService(node, { root: testRoot, clock: options.clock, random: options.random });
  return {
    node,
    service,
    disk,
    clock,
    fatal,
    logWrites,
    entries,
    gate,
    [Symbol.asyncDispose]: () => node.close(),
  };
}

export async function openNodeWithBucket(
  machine: Machine = newMachine(),
  changes: Partial<StorageNodeOptions> = {},
): Promise<NodeWorld> {
  const world = await openNode(machine, changes);
  await world.service.buckets.create({ name: "b", owner: "root", location: "" });
  world.entries.length = 0;
  world.logWrites.length = 0;
  return world;
}

export function putCommand(key: string, bytes: Uint8Array = Buffer.from(key)): Command {
  return {
    kind: "putObject",
    bucket: "b",
    key,
    etag: "0".repeat(32),
    attributes: NO_ATTRIBUTES,
    body: { kind: "bytes", bytes, crc32c: crc32c(bytes) },
    condition: { kind: "none" },
  };
}

/** A gate that the test opens. */
export function closeGate(world: Pick<NodeWorld, "gate">): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  world.gate.current = promise;
  return () => {
    world.gate.current = undefined;
    resolve();
  };
}

/** "pending", or how it ended, without waiting for it. */
export function watch(work: Promise<unknown>): { readonly state: () => string } {
  let state = "pending";
  work.then(
    () => (state = "resolved"),
    (error: unknown) => (state = error instanceof Error ? error.name : "rejected"),
  );
  return { state: () => state };
}
