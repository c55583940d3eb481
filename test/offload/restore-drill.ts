/**
 * A restore drill: a store under load with its cold tier, all of it simulated, loses its machine at a moment
 * that nobody chose. Restored from the bucket alone it has to hold what each client knew up to the stated
 * recovery point. Then the old disk comes back, and an earlier manifest is restored beside it.
 */
import { ColdTier } from "../../src/offload/cold-tier.ts";
import { parseColdKey } from "../../src/offload/cold-names.ts";
import { restore } from "../../src/offload/restore.ts";
import type { RestoreWish } from "../../src/offload/restore-plan.ts";
import { TierFront } from "../../src/offload/tier-front.ts";
import { writeRestoredNode } from "../../src/replica/node-file.ts";
import { goOnFromRestore, tierNodeOf } from "../../src/start-cold-tier.ts";
import { SimClock } from "../sim/sim-clock.ts";
import { SimColdStore } from "../sim/sim-cold-store.ts";
import type { SimColdObject } from "../sim/sim-cold-store.ts";
import { SimDisk } from "../sim/sim-disk.ts";
import { SimRandom } from "../sim/sim-random.ts";
import { SIM_DIRECTORY, openSimStore } from "../sim/sim-store.ts";
import type { SimStore } from "../sim/sim-store.ts";
import { silentLogger, spaceSettings } from "../support/open-store.ts";
import { DrillClient, PLAIN, VERSIONED, differences, seenBy } from "./drill-clients.ts";
import { tierSettings } from "./tier-world.ts";

const CLIENTS = 8;
/** Small ones seal often, large ones leave much to tails. */
const SEGMENT_BYTES = [32 * 1024, 128 * 1024, 1024 * 1024];
const RECOVERY_POINT_MS = 10_000;
/** Beyond the recovery point: a tail takes its time, and is begun a little late. */
const SLACK_MS = 5000;
const NEWEST: RestoreWish = { target: { kind: "newest" }, acceptGap: false };

export type DrillResult = {
  readonly seed: string;
  readonly failures: readonly string[];
  readonly objects: number;
  readonly entries: number;
  /** Answered calls that were younger than the recovery point. */
  readonly lostCalls: number;
  /** By how much the log was longer than what was restored. */
  readonly lostMs: number;
  readonly bucketObjects: number;
};

type Machine = { readonly clock: SimClock; readonly disk: SimDisk; readonly random: SimRandom };
type TierStore = SimStore & { readonly tier: ColdTier };

class Drill {
  readonly random: SimRandom;
  readonly segmentBytes: number;
  readonly clock = new SimClock();
  readonly objects = new Map<string, SimColdObject>();
  readonly oldDisk = this.newDisk();
  readonly clients: DrillClient[] = [];
  readonly failures: string[] = [];
  /** Of the old store, over time. */
  readonly #applied: { readonly atMs: number; readonly index: number }[] = [];

  constructor(seed: string) {
    this.random = new SimRandom(seed);
    this.segmentBytes = this.random.pick(SEGMENT_BYTES);
  }

  newDisk(): SimDisk {
    return new SimDisk({ latency: () => this.clock.sleep(0.5) });
  }

  async open(disk: SimDisk): Promise<TierStore> {
    const { clock, random, segmentBytes } = this;
    const settings = tierSettings({ recoveryPointMs: RECOVERY_POINT_MS });
    const cold = new SimColdStore({ disk, clock, objects: this.objects });
    const front = new TierFront(cold, settings, { clock, logger: silentLogger });
    const machine: Machine = { clock, disk, random };
    const store = await openSimStore(machine, {
      segmentBytes,
      space: spaceSettings({ snapshotEntriesMin: 200, entriesKept: 50, snapshotLogBytes: 8 * segmentBytes }),
      tier: front,
      cold,
      watch: front.watch,
    });
    const onFatal = (error: unknown): void => void store.fatal.push(error);
    const { node } = store;
    const tier = new ColdTier({
      ...{ front, settings, node: tierNodeOf(node), disk, clock, logger: silentLogger, onFatal },
    });
    await goOnFromRestore(node, tier, { disk, directory: SIM_DIRECTORY, logger: silentLogger });
    tier.start();
    return { ...store, tier };
  }

  async close({ tier, node }: TierStore): Promise<void> {
    await this.clock.run(tier.close().then(() => node.close()));
  }

  /** Until there is enough, and then for a while that nobody chose. Returns what was stated at the end. */
  async live(objects: number): Promise<{ readonly coveredIndex: number; readonly lastIndex: number }> {
    const store = await this.clock.run(this.open(this.oldDisk));
    const { service, node } = store;
    for (const name of [PLAIN, VERSIONED]) {
      await this.clock.run(service.buckets.create({ name, owner: "root", location: "" }));
    }
    await this.clock.run(service.versions.setVersioning(VERSIONED, "Enabled"));
    const appliedIndex = (): number => node.index.appliedIndex;
    for (let at = 0; at < CLIENTS; at++) {
      const random = this.random.fork(`client ${at}`);
      this.clients.push(new DrillClient(`c${at}`, { service, appliedIndex, random }));
    }
    for (const client of this.clients) void this.#keepCalling(client);
    while (this.objectsNow < objects) {
      await this.clock.advance(1000);
      this.#applied.push({ atMs: this.clock.monotonicMs(), index: appliedIndex() });
    }
    const lastMs = this.random.between(0, 25_000);
    for (let waitedMs = 0; waitedMs < lastMs; waitedMs += 100) {
      await this.clock.advance(100);
      this.#applied.push({ atMs: this.clock.monotonicMs(), index: appliedIndex() });
    }
    this.failures.push(...store.fatal.map(String));
    return { coveredIndex: store.tier.status.coveredIndex, lastIndex: appliedIndex() };
  }

  get objectsNow(): number {
    return this.clients.reduce((sum, client) => sum + client.objects, 0);
  }

  async #keepCalling(client: DrillClient): Promise<void> {
    for (;;) {
      await client.step();
      await this.clock.sleep(this.random.between(0, 20));
    }
  }

  /** As it happens to a process whose machine goes. */
  async die(): Promise<void> {
    await this.oldDisk.kill();
    this.clock.forgetSleepers();
  }

  /** How long before the end the log had this entry. */
  ageMs(index: number): number {
    const end = this.#applied.at(-1)?.atMs ?? 0;
    const first = this.#applied.find((note) => note.index > index);
    return first === undefined ? 0 : end - first.atMs;
  }

  async revive(wish: RestoreWish): Promise<{ readonly store: TierStore; readonly index: number }> {
    const { clock, random } = this;
    const disk = this.newDisk();
    const cold = new SimColdStore({ disk, clock, objects: this.objects });
    const result = await clock.run(
      restore({
        ...{ store: cold, disk, clock, random, directory: SIM_DIRECTORY, nodeId: "n1", wish },
        tell: () => undefined,
        commit: (node) => writeRestoredNode(disk, SIM_DIRECTORY, node),
      }),
    );
    if (result.kind !== "restored") throw new Error(result.kind);
    return { store: await clock.run(this.open(disk)), index: result.recoveryPoint.index };
  }

  async compare(what: string, { service, fatal, node }: TierStore, index: number): Promise<number> {
    node.cache.clear();
    let objects = 0;
    for (const client of this.clients) {
      const seen = await this.clock.run(seenBy(service, client.prefix));
      objects += seen.objects.size;
      const wrong = differences(client.expected(index), seen);
      this.failures.push(...wrong.slice(0, 5).map((line) => `${what}, entry ${index}: ${line}`));
    }
    this.failures.push(...fatal.map((error) => `${what}: ${String(error)}`));
    return objects;
  }
}

export async function runDrill(options: {
  readonly seed: string;
  readonly objects: number;
}): Promise<DrillResult> {
  const { seed } = options;
  const drill = new Drill(seed);
  const { coveredIndex, lastIndex } = await drill.live(options.objects);
  await drill.die();
  const { store, index } = await drill.revive(NEWEST);
  const objects = await drill.compare("restored", store, index);
  if (index < coveredIndex) drill.failures.push(`stated were ${coveredIndex} entries, there are ${index}`);
  const lostMs = drill.ageMs(index);
  if (lostMs > RECOVERY_POINT_MS + SLACK_MS) drill.failures.push(`${lostMs} ms of the log are lost`);
  await expectOldDiskStops(drill, store);
  await expectEarlier(drill, store.node.node.lineage);
  await drill.close(store);
  return {
    seed,
    failures: drill.failures,
    objects,
    entries: lastIndex,
    lostCalls: drill.clients.reduce((sum, client) => sum + client.lostCalls(index), 0),
    lostMs,
    bucketObjects: drill.objects.size,
  };
}

/** The machine was not lost, only away: what it holds is served, and nothing of it goes to the bucket. */
async function expectOldDiskStops(drill: Drill, revived: TierStore): Promise<void> {
  const { clock, objects, failures } = drill;
  const own = (key: string): boolean => parseColdKey(key)?.place.lineage !== revived.node.node.lineage;
  const before = [...objects.keys()].filter(own);
  const old = await clock.run(drill.open(drill.oldDisk));
  await clock.advance(60_000);
  const { supersededBy, reason = "" } = old.tier.status;
  if (supersededBy !== revived.node.node.lineage) failures.push(`the old disk goes on: ${reason}`);
  const after = [...objects.keys()].filter(own);
  const changed = [...after, ...before].filter((key) => before.includes(key) !== after.includes(key));
  if (changed.length > 0) failures.push(`the old disk changed ${changed.slice(0, 3).join(", ")}`);
  await drill.compare("the old disk", old, Number.MAX_SAFE_INTEGER);
  await drill.close(old);
}

/** To a manifest that is not the newest, while everything else still runs. */
async function expectEarlier(drill: Drill, heir: string): Promise<void> {
  const manifests = [...drill.objects.keys()].flatMap((key) => {
    const parsed = parseColdKey(key);
    if (parsed?.name.kind !== "manifest" || parsed.place.lineage === heir) return [];
    return [{ key, index: parsed.name.index }];
  });
  const chosen = drill.random.pick(manifests);
  const wish: RestoreWish = { target: { kind: "manifest", key: chosen.key }, acceptGap: false };
  const { store, index } = await drill.revive(wish);
  if (index !== chosen.index) drill.failures.push(`${chosen.key} led to entry ${index}`);
  await drill.compare(`to ${chosen.key}`, store, index);
  await drill.close(store);
}

export async function runDrills(options: {
  readonly seed: string;
  readonly rounds: number;
  readonly objects: number;
  readonly report?: (result: DrillResult) => void;
}): Promise<{ readonly rounds: number; readonly failures: readonly string[]; readonly facts: object }> {
  const results: DrillResult[] = [];
  for (let round = 0; round < options.rounds; round++) {
    const result = await runDrill({ seed: `${options.seed}/${round}`, objects: options.objects });
    options.report?.(result);
    results.push(result);
  }
  const sum = (of: (result: DrillResult) => number): number => results.reduce((all, one) => all + of(one), 0);
  const facts = {
    objects: sum(({ objects }) => objects),
    entries: sum(({ entries }) => entries),
    lostCalls: sum(({ lostCalls }) => lostCalls),
    mostLostMs: Math.max(...results.map(({ lostMs }) => lostMs)),
    bucketObjects: sum(({ bucketObjects }) => bucketObjects),
  };
  const failures = results.flatMap((one) => one.failures.map((failure) => `${one.seed}: ${failure}`));
  return { rounds: results.length, failures, facts };
}
