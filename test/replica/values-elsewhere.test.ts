/**
 * A node goes on with segments that lie in the cold tier only: it rewrites, deletes and forgets as before,
 * its index is made again without them, and the read-only start takes them for what they are.
 */
import { describe, expect, test } from "vitest";
import { MemoryDisk } from "../../src/adapters/memory-disk.ts";
import { MemoryIndex } from "../../src/adapters/memory-index-store.ts";
import { MemorySpace } from "../../src/adapters/memory-space.ts";
import { openSalvage } from "../../src/replica/salvage-node.ts";
import type { SalvageNode } from "../../src/replica/salvage-node.ts";
import { MEMORY_CAUTION } from "../../src/replica/space-policy.ts";
import { StorageNode } from "../../src/replica/storage-node.ts";
import { StoreService } from "../../src/service/store-service.ts";
import { keys } from "../../src/state/keys.ts";
import { markKey } from "../../src/store/flush-ring.ts";
import { SimWorld } from "../crash/sim-world.ts";
import { SimColdStore } from "../sim/sim-cold-store.ts";
import { inPlaceScratch } from "../sim/in-place-scratch.ts";
import { SimIndexStore } from "../sim/sim-index-store.ts";
import type { SimStore } from "../sim/sim-store.ts";
import { nodeOptions, testRoot } from "../support/open-store.ts";
import { LocalWorld, offloadTo } from "./local-world.ts";
import { smallSpace } from "./space-world.ts";

async function giveUp(world: LocalWorld, store: SimStore, ids: readonly number[]): Promise<void> {
  for (const id of ids) await world.offload(store, id);
  for (const id of ids) expect(await world.free(store, id)).toBe(true);
}

/** All that entries made, but for what a start adds: marks, the time, the last segment. */
async function rowsOf({ space }: LocalWorld, { node }: SimStore): Promise<ReadonlyMap<string, string>> {
  await space.run(node.index.flushedThrough(node.index.appliedIndex));
  const last = keys.segment(node.state.segments.all.at(-1)?.id ?? 0);
  const iterator = await space.run(node.index.iterate({ from: "", to: "~" }));
  try {
    const rows = await space.run(iterator.next(100_000));
    const isOfEntries = (key: string): boolean => !/^(mark|meta)\//.test(key) && key !== last;
    return new Map(
      rows
        .filter(([key]) => isOfEntries(key))
        .map(([key, value]) => [key, Buffer.from(value).toString("hex")]),
    );
  } finally {
    await iterator.close();
  }
}

/** Every byte of the segment files below the floor becomes another one. */
async function spoilValues({ space }: LocalWorld, floorId: number): Promise<number> {
  let count = 0;
  for (const name of await space.names("log")) {
    if (Number.parseInt(name, 10) > floorId) continue;
    const path = `data/log/${name}`;
    const bytes = Buffer.from((await space.machine.disk.readFile(path)) ?? []);
    space.machine.disk.damage(
      path,
      0,
      bytes.map((byte) => byte ^ 0x55),
    );
    count++;
  }
  return count;
}

function rotIndex({ space }: LocalWorld): void {
  space.machine.disk.damageIndex("data/index", new Map([[markKey(1), Buffer.from("rot")]]));
}

function floorIdOf({ node }: SimStore): number {
  return node.state.segments.find(node.local.floorIndex)?.id ?? 0;
}

describe("the index is made again", () => {
  test.each(["newest", "older"])(
    "from the %s snapshot, and no body below the floor is looked at",
    async (which) => {
      const world = new LocalWorld();
      const store = await world.filled();
      await giveUp(world, store, [1, 2]);
      await world.space.overwrite(store, 40, 2);
      for (let at = 0; at < 15; at++) await world.space.write(store, `late-${at}`);
      const before = await rowsOf(world, store);
      const floorId = floorIdOf(store);
      await world.space.close(store);
      if (which === "older") {
        const [, newest] = await world.space.names("snapshots");
        world.space.machine.disk.damage(`data/snapshots/${newest}`, 100, Buffer.from("rotten"));
      }
      rotIndex(world);
      expect(await spoilValues(world, floorId)).toBeGreaterThan(3);
      const again = await world.space.open();
      expect(again.node.indexRebuilt).toContain("mark");
      expect(again.node.replayedEntries).toBeGreaterThan(10);
      expect(await rowsOf(world, again)).toEqual(before);
      expect(again.node.state.segments.byId(1)?.cold?.key).toBe(world.keyOf(1));
      await world.space.close(again);
    },
  );
});

describe("beside segments that are elsewhere", () => {
  test("others are rewritten and deleted, and only what is here counts", async () => {
    const world = new LocalWorld(50);
    const store = await world.filled();
    const { segments } = store.node.state;
    const { status } = store.node.space;
    const here = segments.all
      .filter(({ id }) => store.node.local.bytesOf(id) > 0 && id <= 6)
      .map(({ id }) => id);
    await giveUp(world, store, here);
    expect(store.node.space.status.fileBytes).toBeLessThan(status.fileBytes);
    await world.space.overwrite(store, 40, 10);
    expect(store.node.space.status.reclaimedBytes).toBeGreaterThan(status.reclaimedBytes + 300_000);
    for (const id of here) {
      expect(segments.byId(id)?.cold?.key).toBe(world.keyOf(id));
      expect(await world.files()).not.toContain(world.nameOf(id));
    }
    expect(store.fatal).toEqual([]);
    for (const id of here) expect(await world.recall(store, id)).toBe(true);
    expect(await world.space.wrong(store)).toEqual([]);
    await world.space.close(store);
  });

  test("one whose last object goes is forgotten, and its copy is to be deleted", async () => {
    const world = new LocalWorld();
    const store = await world.filled();
    const ids = [1, 2, 3];
    await giveUp(world, store, ids);
    for (let at = 0; at < 6; at++) await world.space.write(store, `kept-${at}`);
    await world.space.overwrite(store, 40, 10);
    const { segments } = store.node.state;
    expect(ids.filter((id) => segments.byId(id) !== undefined)).toEqual([]);
    const rows = await rowsOf(world, store);
    for (const id of ids) expect([...rows.keys()]).toContain(keys.condemned(world.keyOf(id)));
    await world.space.close(store);
    const again = await world.space.open();
    expect(await world.space.wrong(again)).toEqual([]);
    await world.space.close(again);
  });
});

/** The read-only start. */
async function salvage({ space }: LocalWorld): Promise<SalvageNode> {
  const { disk, clock, random } = space.machine;
  return await space.run(
    openSalvage({
      ...nodeOptions("data", { segmentBytes: 16 * 1024, disk, clock, random }),
      openIndexStore: (path) => SimIndexStore.open(disk, path),
      makeScratch: () => Promise.resolve(inPlaceScratch(disk)),
    }),
  );
}

describe("the read-only start", () => {
  test.each(["data/vote", "data/floor"])(
    "finds nothing wrong with what was given up, without %s",
    async (path) => {
      const world = new LocalWorld();
      const store = await world.filled();
      await giveUp(world, store, [1, 2]);
      await world.space.close(store);
      await world.space.run(world.space.machine.disk.remove(path));
      const node = await salvage(world);
      const damaged = (node.salvage?.damages ?? []).map((damage) => damage.path);
      expect(damaged.filter((each) => /000000000[12]\.seg/.test(each))).toEqual([]);
      expect(node.salvage?.appliedIndex).toBe(store.node.replica.appliedIndex);
      await world.space.run(node.close());
    },
  );
});

describe("a store in memory", () => {
  test("gives segments up for their copies, gets the room, and reads them from there", async () => {
    const machine = new SimWorld();
    const { clock, random } = machine;
    const room = new MemorySpace({ bytesMax: 8 * 1024 * 1024 });
    const disk = new MemoryDisk(room);
    const index = new MemoryIndex(room);
    const cold = new SimColdStore({ disk, clock });
    const options = {
      segmentBytes: 64 * 1024,
      space: smallSpace(),
      caution: MEMORY_CAUTION,
      cacheBytesMax: 1,
    };
    const open = StorageNode.open(
      nodeOptions("data", { ...options, disk, clock, random, cold, openIndexStore: () => index.open() }),
    );
    const node = await clock.run(open);
    const service = new StoreService(node, { root: testRoot, clock, random });
    const store = { node, service, fatal: [] };
    await clock.run(service.buckets.create({ name: "b", owner: "root", location: "" }));
    const contents = new Map(Array.from({ length: 24 }, (_, at) => [`k${at}`, machine.bytes(20_000)]));
    for (const [key, bytes] of contents) await clock.run(machine.put(store, key, bytes));
    await clock.advance(3000);
    for (let at = 0; at < 8; at++) await clock.run(machine.put(store, "other", machine.bytes(20_000)));
    await clock.advance(3000);
    const before = room.freeBytes;
    const world = { cold, keyOf: (id: number) => `c/${id}.seg`, space: { run: clock.run.bind(clock) } };
    for (const id of [1, 2, 3]) await offloadTo(world, store, id);
    for (const id of [1, 2, 3]) expect(await clock.run(node.local.free(id))).toBe(true);
    expect(room.freeBytes - before).toBeGreaterThan(150_000);
    for (const [key, bytes] of contents) expect((await machine.get(store, key))?.equals(bytes)).toBe(true);
    await clock.run(node.close());
  });
});
