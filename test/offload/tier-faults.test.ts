/**
 * Buckets on bad days, each kind by name and all of them together, and what a restore makes of what is left
 * there when the only disk goes: nothing that the tier said it had is lost.
 */
import { describe, expect, test } from "vitest";
import { restore } from "../../src/offload/restore.ts";
import type { RestoreResult } from "../../src/offload/restore.ts";
import { writeRestoredNode } from "../../src/replica/node-file.ts";
import { SimRandom } from "../sim/sim-random.ts";
import { SIM_DIRECTORY } from "../sim/sim-store.ts";
import { MINUTE_MS, TierWorld, sealedSegments } from "./tier-world.ts";
import type { TierStore } from "./tier-world.ts";

const KEYS = 25;

/** What was written under a key, by the entries that did it. */
type Written = { readonly index: number; readonly bytes: Buffer };

class Drill {
  readonly world: TierWorld;
  readonly random: SimRandom;
  readonly written = new Map<string, Written[]>();

  constructor(seed: string, badDays: TierWorld["badDays"], changes = {}) {
    this.world = new TierWorld({ recoveryPointMs: 3000, ...changes });
    this.world.badDays = badDays;
    this.random = new SimRandom(seed);
  }

  async write(store: TierStore): Promise<void> {
    const { machine } = this.world;
    const key = `key-${this.random.below(KEYS)}`;
    const bytes = machine.bytes(this.random.between(1, 3000));
    expect(await this.world.run(machine.put(store, key, bytes))).toBe("put");
    const found = await this.world.run(Promise.resolve(store.service.objects.find(`b/${key}`)));
    const { birthIndex: index } = found as unknown as { readonly birthIndex: number };
    this.written.set(key, [...(this.written.get(key) ?? []), { index, bytes }]);
  }

  async load(store: TierStore, steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      await this.write(store);
      if (this.random.chance(0.3)) await this.world.pass(this.random.below(3000));
    }
  }

  /** Keys whose objects are not what they were after this entry. */
  async wrong(world: TierWorld, store: TierStore, index: number): Promise<readonly string[]> {
    store.node.cache.clear();
    const wrong: string[] = [];
    for (const [key, all] of this.written) {
      const expected = all.findLast((written) => written.index <= index)?.bytes;
      const found = await readAtLast(world, store, key);
      const isSame = expected === undefined ? found === undefined : found?.equals(expected) === true;
      if (!isSame) wrong.push(key);
    }
    return wrong;
  }

  /** The disk is gone; another machine with the same bucket. */
  async revive(): Promise<{ readonly world: TierWorld; readonly result: RestoreResult }> {
    const next = new TierWorld({ recoveryPointMs: 3000 }, new Map(this.world.objects));
    const { disk, clock, random } = next.machine;
    const work = restore({
      store: next.newCold(),
      disk,
      clock,
      random,
      directory: SIM_DIRECTORY,
      nodeId: "n1",
      wish: { target: { kind: "newest" }, acceptGap: false },
      tell: () => undefined,
      commit: (node) => writeRestoredNode(disk, SIM_DIRECTORY, node),
    });
    return { world: next, result: await next.run(work) };
  }
}

/** Of what lies in a bucket that has a bad day: an error is an answer, other bytes are not. */
async function readAtLast(world: TierWorld, store: TierStore, key: string): Promise<Buffer | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await world.machine.get(store, key);
    } catch (error) {
      if (attempt === 20) throw error;
      await world.pass(1000);
    }
  }
}

/** Load on a bad bucket, then the disk goes: everything up to what the tier promised is there again. */
async function lose(drill: Drill, steps = 150): Promise<void> {
  const { world } = drill;
  const store = await world.openWithBucket();
  await drill.load(store, steps);
  expect(store.fatal).toEqual([]);
  expect(await drill.wrong(world, store, Infinity)).toEqual([]);
  await world.until(() => store.tier.status.restorePointIndex > 0, 60 * MINUTE_MS);
  await drill.load(store, 20);
  const promised = store.tier.status.coveredIndex;
  const { world: next, result } = await drill.revive();
  if (result.kind !== "restored") throw new Error("it was not restored");
  expect(result.recoveryPoint.index).toBeGreaterThanOrEqual(promised);
  const revived = await next.open();
  expect(await drill.wrong(next, revived, result.recoveryPoint.index)).toEqual([]);
  // What is dead below its snapshot needs no copy any more.
  const isSafe = (): boolean => {
    return sealedSegments(revived).every(({ cold, liveBytes }) => liveBytes === 0 || cold !== undefined);
  };
  await next.until(isSafe, 60 * MINUTE_MS);
  expect(await drill.wrong(next, revived, result.recoveryPoint.index)).toEqual([]);
  await next.close(revived);
  await world.close(store);
}

describe("nothing is lost where the bucket", () => {
  test("is sound", async () => {
    await lose(new Drill("sound", {}));
  });

  test("says yes and keeps nothing", async () => {
    await lose(new Drill("keeps nothing", { chances: { keepNothing: 0.2 } }));
  });

  test("drops connections after it has done what was asked", async () => {
    await lose(new Drill("dropped", { chances: { failAfter: 0.2 } }));
  });

  test("fails before it does anything", async () => {
    await lose(new Drill("fails", { chances: { failBefore: 0.2 } }));
  });

  test("answers with short or wrong bytes", async () => {
    await lose(new Drill("wrong", { chances: { shortBytes: 0.1, wrongBytes: 0.1 } }));
  });

  test("is slow", async () => {
    await lose(new Drill("slow", { chances: { slow: 0.1 }, slowMs: 5000 }));
  });

  test("lists what was there a while ago", async () => {
    const drill = new Drill("lag", { listLagMs: 20_000 });
    const { world } = drill;
    const store = await world.openWithBucket();
    await drill.load(store, 100);
    await world.close(store);
    // What it sees of itself after a start is old: at worst it does something again.
    const again = await world.open();
    await drill.load(again, 60);
    await world.until(() => again.tier.status.recoveryPointSeconds === 0, 60 * MINUTE_MS);
    const promised = again.tier.status.coveredIndex;
    const { world: next, result } = await drill.revive();
    if (result.kind !== "restored") throw new Error("it was not restored");
    expect(result.recoveryPoint.index).toBeGreaterThanOrEqual(promised);
    const revived = await next.open();
    expect(await drill.wrong(next, revived, result.recoveryPoint.index)).toEqual([]);
    await next.close(revived);
    await world.close(again);
  });

  test("is down for an hour in the middle", async () => {
    const drill = new Drill("down", {});
    const { world } = drill;
    const store = await world.openWithBucket();
    await drill.load(store, 60);
    world.cold.isDown = true;
    await drill.load(store, 60);
    await world.pass(60 * MINUTE_MS);
    expect(store.tier.status.recoveryPointSeconds).toBeGreaterThan(3000);
    expect(await drill.wrong(world, store, Infinity)).toEqual([]);
    world.cold.isDown = false;
    await world.until(() => store.tier.status.recoveryPointSeconds === 0);
    await world.close(store);
  });

  const everything = {
    failBefore: 0.05,
    failAfter: 0.05,
    keepNothing: 0.05,
    wrongBytes: 0.03,
    shortBytes: 0.03,
  };
  test.each(["one", "two", "three", "four", "five"])("does all of it, seed %s", async (seed) => {
    await lose(new Drill(seed, { chances: everything, listLagMs: 3000 }), 250);
  });

  test.each(["one", "two"])("does all of it while segments leave the disk, seed %s", async (seed) => {
    const changes = { afterMs: 2000, restoreWindowMs: MINUTE_MS, graceMs: MINUTE_MS };
    await lose(new Drill(seed, { chances: everything }, changes), 400);
  });
});
