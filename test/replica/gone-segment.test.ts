/**
 * A small body whose segment is deleted between the look at its row and the read: the row is looked up once
 * more (RULES.md R12). A segment that is gone while the row stands is damage.
 */
import { expect, test } from "vitest";
import { openWorld } from "./space-world.ts";
import type { SpaceWorld } from "./space-world.ts";
import type { SimStore } from "../sim/sim-store.ts";

/** An object in segment 1, known to the index alone, and reads that go through threads. */
async function slowStore(world: SpaceWorld): Promise<SimStore> {
  const { clock } = world.machine;
  const first = await world.openWithBucket();
  await world.write(first, "a");
  for (let at = 0; at < 30; at++) await world.write(first, `other-${at}`);
  await world.close(first);
  const store = await world.open();
  clock.lookMs = () => 6;
  // In another segment: the first one is not to be open yet.
  for (let at = 0; !store.node.index.slow; at++) await world.run(world.find(store, `other-${20 + (at % 9)}`));
  clock.lookMs = () => 0;
  store.node.cache.clear();
  await world.run(store.node.index.flushedThrough(store.node.index.appliedIndex));
  return store;
}

/** A read of "a" that is under way when "a" is written anew. */
async function overtakenRead() {
  const world = openWorld();
  const store = await slowStore(world);
  const { machine } = world;
  machine.latencyMs = 500;
  const reading = world.find(store, "a");
  machine.latencyMs = 0.1;
  await world.write(store, "a", 1100);
  return { world, store, reading };
}

test("a read that finds its segment gone gives what was written meanwhile", async () => {
  const { world, store, reading } = await overtakenRead();
  const { machine } = world;
  await world.run(store.node.index.flushedThrough(store.node.index.appliedIndex));
  await world.run(machine.disk.remove("data/log/0000000001.seg"));
  const found = await world.run(reading);
  expect(found?.size).toBe(1100);
  expect(Buffer.from(found?.bytes ?? []).equals(world.contentOf("a"))).toBe(true);
  await world.close(store);
});

test("so does one that finds its segment's row gone, too", async () => {
  const { world, store, reading } = await overtakenRead();
  for (let at = 0; at < 20; at++) await world.write(store, `other-${at}`, 10);
  await world.run(store.node.replica.propose({ kind: "dropSegments", segmentIds: [1] }));
  expect(store.node.state.segments.all[0]?.id).toBe(2);
  await world.run(store.node.index.flushedThrough(store.node.index.appliedIndex));
  expect((await world.run(reading))?.size).toBe(1100);
  await world.close(store);
});

test("it is an error, and not another object, if nothing was written", async () => {
  const world = openWorld();
  const store = await slowStore(world);
  const { machine } = world;
  machine.latencyMs = 500;
  const reading = world.outcome(world.find(store, "a"));
  machine.latencyMs = 0.1;
  await world.run(machine.disk.remove("data/log/0000000001.seg"));
  expect(await reading).toBe("DamageError");
  await world.close(store);
});
