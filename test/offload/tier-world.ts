/**
 * A machine with a cold tier, all of it simulated: the node, the bucket, which may fail on purpose, and the
 * loops of production between them. Segments are small, so that a tier has something to do after a second.
 */
import { ColdTier } from "../../src/offload/cold-tier.ts";
import { TierFront } from "../../src/offload/tier-front.ts";
import type { ColdTierSettings } from "../../src/offload/tier-settings.ts";
import type { StorageNode, StorageNodeOptions } from "../../src/replica/storage-node.ts";
import type { Logger } from "../../src/ports/logger.ts";
import { verifyStore } from "../../src/replica/verify-store.ts";
import { goOnFromRestore, tierNodeOf } from "../../src/start-cold-tier.ts";
import { SimWorld } from "../crash/sim-world.ts";
import { FailingColdStore } from "../sim/failing-cold-store.ts";
import { inPlaceScratch } from "../sim/in-place-scratch.ts";
import { SimColdStore } from "../sim/sim-cold-store.ts";
import type { SimColdObject } from "../sim/sim-cold-store.ts";
import { SimIndexStore } from "../sim/sim-index-store.ts";
import { SIM_DIRECTORY, openSimStore } from "../sim/sim-store.ts";
import type { SimStore } from "../sim/sim-store.ts";
import { coldPort, diskPort, logPort } from "./port-crashes.ts";
import type { Ports } from "./port-crashes.ts";
import { spaceSettings } from "../support/open-store.ts";

export const SEGMENT_BYTES = 16 * 1024;
export const MINUTE_MS = 60_000;

export type TierStore = SimStore & { readonly tier: ColdTier };

export function tierSettings(changes: Partial<ColdTierSettings> = {}): ColdTierSettings {
  return {
    recoveryPointMs: 10_000,
    afterMs: MINUTE_MS,
    verify: "auto",
    budget: { bytesPerSecondMax: 1024 ** 3, requestsPerMinuteMax: 60_000 },
    livePercentMin: 50,
    hotBytesMax: Number.MAX_SAFE_INTEGER,
    pins: [],
    restoreWindowMs: 7 * 24 * 60 * MINUTE_MS,
    graceMs: 24 * 60 * MINUTE_MS,
    snapshot: { entriesMin: 20, logBytes: 8 * SEGMENT_BYTES },
    freeBytesMin: 0,
    ...changes,
  };
}

export class TierWorld {
  readonly machine = new SimWorld();
  /** What lies in the bucket outlives every node. */
  readonly objects: Map<string, SimColdObject>;
  readonly logged: string[] = [];
  settings: ColdTierSettings;
  options: Partial<StorageNodeOptions> = {};
  /** What the buckets of nodes that are opened from here on do by chance. */
  badDays: Partial<ConstructorParameters<typeof FailingColdStore>[1]> = {};
  /** Of the next node that is opened: where it may die. */
  ports: Ports | undefined;
  /** Of the last node that was opened. */
  cold: FailingColdStore;
  readonly #contents = new Map<string, Buffer>();
  /** What a process was writing when it died: it may be there or not. */
  #inDoubt: { readonly key: string; readonly bytes: Buffer } | undefined;

  constructor(changes: Partial<ColdTierSettings> = {}, objects = new Map<string, SimColdObject>()) {
    this.objects = objects;
    this.settings = tierSettings(changes);
    this.cold = this.newCold();
  }

  newCold(): FailingColdStore {
    const { disk, clock, random } = this.machine;
    const store = new SimColdStore({ disk, clock, objects: this.objects });
    const bad = { slowMs: 30_000, ...this.badDays };
    return new FailingColdStore(store, { clock, random: random.fork("cold"), ...bad });
  }

  async open(): Promise<TierStore> {
    return await this.run(this.openSoon());
  }

  async openSoon(): Promise<TierStore> {
    const { machine, settings, logger } = this;
    const { clock, disk } = machine;
    this.cold = this.newCold();
    const { ports } = this;
    const cold = ports === undefined ? this.cold : coldPort(this.cold, ports);
    const front = new TierFront(cold, settings, { clock, logger });
    const store = await openSimStore(machine, {
      segmentBytes: SEGMENT_BYTES,
      space: spaceSettings({
        snapshotEntriesMin: 20,
        entriesKept: 5,
        snapshotLogBytes: 4 * SEGMENT_BYTES,
        livePercentMin: 0,
      }),
      tier: front,
      cold: front.store,
      watch: front.watch,
      ...(ports === undefined ? {} : { disk: diskPort(disk, ports) }),
      ...this.options,
    });
    const known = tierNodeOf(store.node);
    const node =
      ports === undefined
        ? known
        : { ...known, propose: logPort((command) => known.propose(command), ports) };
    const onFatal = (error: unknown): void => void store.fatal.push(error);
    const tier = new ColdTier({ front, settings, node, disk, clock, logger, onFatal });
    await goOnFromRestore(store.node, tier, { disk, directory: SIM_DIRECTORY, logger });
    return { ...store, tier: tier.start() };
  }

  async openWithBucket(): Promise<TierStore> {
    const store = await this.open();
    await this.run(store.service.buckets.create({ name: "b", owner: "root", location: "" }));
    return store;
  }

  async close({ tier, node }: TierStore): Promise<void> {
    await this.run(tier.close().then(() => node.close()));
  }

  get logger(): Logger {
    const add = (message: string, facts?: object): void =>
      void this.logged.push(`${message} ${JSON.stringify(facts ?? {})}`);
    return { debug: () => undefined, info: add, warn: add, error: add };
  }

  run<Result>(work: Promise<Result>): Promise<Result> {
    return this.machine.clock.run(work);
  }

  async pass(ms: number): Promise<void> {
    await this.machine.clock.advance(ms);
  }

  /** Lets time pass until it is so; fails if it is not within `limitMs`. */
  async until(what: () => boolean, limitMs = 10 * MINUTE_MS): Promise<void> {
    for (let waitedMs = 0; !what(); waitedMs += 250) {
      if (waitedMs > limitMs) throw new Error(`not so after ${limitMs} ms: ${what.toString()}`);
      await this.pass(250);
    }
  }

  async write(store: TierStore, key: string, size = 1000): Promise<void> {
    const bytes = this.machine.bytes(size);
    this.#inDoubt = { key, bytes };
    const outcome = await this.run(this.machine.put(store, key, bytes));
    this.#inDoubt = undefined;
    if (outcome !== "put") throw new Error(`${key}: ${outcome}`);
    this.#contents.set(key, bytes);
  }

  async remove(store: TierStore, ...names: readonly string[]): Promise<void> {
    await this.run(store.service.objects.deleteMany("b", names));
    for (const key of names) this.#contents.delete(key);
  }

  contentOf(key: string): Buffer {
    return this.#contents.get(key) ?? Buffer.alloc(0);
  }

  /** Enough for so many sealed segments. */
  async fill(store: TierStore, segments: number, prefix = "key"): Promise<void> {
    const sealed = sealedSegments(store).length + segments;
    for (let at = 0; sealedSegments(store).length < sealed; at++) await this.write(store, `${prefix}-${at}`);
  }

  /** Keys whose objects are not what was written last, read past the cache. */
  async wrong(store: TierStore): Promise<readonly string[]> {
    store.node.cache.clear();
    const wrong: string[] = [];
    for (const [key, bytes] of this.#contents) {
      const found = await this.machine.get(store, key);
      const isNewer = this.#inDoubt?.key === key && found?.equals(this.#inDoubt.bytes) === true;
      if (isNewer) this.#contents.set(key, found);
      else if (found?.equals(bytes) !== true) wrong.push(key);
    }
    return wrong;
  }

  /** Keys whose objects cannot be read, past the cache. */
  async unread(store: TierStore): Promise<readonly string[]> {
    store.node.cache.clear();
    const unread: string[] = [];
    for (const key of this.#contents.keys()) {
      const got = await this.machine.outcome(this.machine.get(store, key));
      if (got === "DamageError") unread.push(key);
    }
    return unread;
  }

  verify(): ReturnType<typeof verifyStore> {
    const { disk } = this.machine;
    const openIndexStore = (path: string) => SimIndexStore.open(disk, path);
    const makeScratch = () => Promise.resolve(inPlaceScratch(disk));
    return verifyStore({ disk, directory: SIM_DIRECTORY, openIndexStore, makeScratch });
  }

  keysOf(folder: "segments" | "packed" | "snapshots" | "tail" | "manifest"): readonly string[] {
    return [...this.objects.keys()].filter((key) => key.split("/")[2] === folder).toSorted();
  }

  async files(): Promise<readonly string[]> {
    return [...(await this.machine.disk.list(`${SIM_DIRECTORY}/log`))].toSorted();
  }
}

export async function openTier(changes: Partial<ColdTierSettings> = {}): Promise<{
  readonly world: TierWorld;
  readonly store: TierStore;
}> {
  const world = new TierWorld(changes);
  return { world, store: await world.openWithBucket() };
}

export function sealedSegments({
  node,
}: SimStore): readonly StorageNode["state"]["segments"]["all"][number][] {
  return node.state.segments.all.filter(({ cut }) => cut);
}

export function isUploaded(store: SimStore): boolean {
  return sealedSegments(store).every(({ cold }) => cold !== undefined);
}
