/** The open segment is ended when somebody asks for it: by an entry, so that every replica cuts there. */
import { describe, expect, test } from "vitest";
import { TRAILER_BYTES, readTrailer } from "../../src/segment/footer.ts";
import type { SimStore } from "../sim/sim-store.ts";
import { openWorld } from "./space-world.ts";
import type { SpaceWorld } from "./space-world.ts";

const pathOf = (id: number): string => `data/log/${String(id).padStart(10, "0")}.seg`;

async function isSealed({ machine }: SpaceWorld, id: number): Promise<boolean> {
  const bytes = Buffer.from((await machine.disk.readFile(pathOf(id))) ?? []);
  return readTrailer(bytes.subarray(-TRAILER_BYTES)) !== undefined;
}

const lastIndexOf = ({ node }: SimStore): number => node.replica.appliedIndex;

describe("sealing", () => {
  test("ends the open segment, and the next entry begins another one", async () => {
    const world = openWorld();
    let store = await world.openWithBucket();
    await world.write(store, "a");
    expect(await isSealed(world, 1)).toBe(false);
    expect(await world.run(store.node.local.seal())).toBe(1);
    expect(await isSealed(world, 1)).toBe(true);
    await world.write(store, "b");
    const { all } = store.node.state.segments;
    expect(all.map(({ id, cut }) => [id, cut])).toEqual([
      [1, true],
      [2, false],
    ]);
    expect(all[0]?.ended).toBeDefined();
    expect(await world.run(store.node.local.withFile(1, ({ kind }) => Promise.resolve(kind)))).toBe(
      "verbatim",
    );
    expect(
      await world.run(store.node.local.withFile(2, ({ kind }) => Promise.resolve(kind))),
    ).toBeUndefined();
    await world.close(store);
    store = await world.open();
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
    expect((await world.run(world.verify())).ok).toBe(true);
  });

  test("is the same after a start that applies the log again", async () => {
    const world = openWorld();
    const store = await world.openWithBucket();
    await world.write(store, "a");
    await world.run(store.node.local.seal());
    await world.write(store, "b");
    const before = structuredClone(store.node.state.segments.all);
    await world.close(store);
    const rows = world.machine.disk.indexState("data/index").snapshot().sorted;
    world.machine.disk.damageIndex("data/index", new Map(rows.map((key) => [key, null])));
    const again = await world.open();
    expect(again.node.replayedEntries).toBeGreaterThanOrEqual(lastIndexOf(store));
    expect(again.node.state.segments.all.slice(0, 1)).toEqual(before.slice(0, 1));
    expect(await world.wrong(again)).toEqual([]);
    await world.close(again);
  });

  test("writes nothing where no entry is in the open segment", async () => {
    const world = openWorld();
    const store = await world.openWithBucket();
    const first = await world.run(store.node.local.seal());
    const index = lastIndexOf(store);
    expect(await world.run(store.node.local.seal())).toBe(first);
    expect(lastIndexOf(store)).toBe(index);
    await world.close(store);
  });

  test("is done once for all who ask at the same time, and each finds all that it wrote sealed", async () => {
    const world = openWorld();
    const store = await world.openWithBucket();
    const bytes = world.machine.bytes(100);
    const sealAfterPut = async (key: string): Promise<readonly [number, number]> => {
      await world.machine.put(store, key, bytes);
      const written = lastIndexOf(store);
      return [written, await store.node.local.seal()];
    };
    const ends = await world.run(Promise.all(["a", "b", "c"].map((key) => sealAfterPut(key))));
    for (const [written, sealed] of ends) {
      const { id = 0 } = store.node.state.segments.find(written) ?? {};
      expect(id).toBeGreaterThan(0);
      expect(id).toBeLessThanOrEqual(sealed);
    }
    expect(store.node.state.segments.all.length).toBeLessThanOrEqual(3);
    await world.close(store);
  });

  test("waits for entries that fill the segment and are on their way", async () => {
    const world = openWorld();
    const store = await world.openWithBucket();
    const done: string[] = [];
    const put = async (at: number): Promise<void> => {
      await world.machine.put(store, `k${at}`, world.machine.bytes(1000));
      done.push("put");
    };
    const puts = Array.from({ length: 17 }, (_, at) => put(at));
    // All of them wait in the queue now, in front of the seal.
    await new Promise((resolve) => setImmediate(resolve));
    const sealing = store.node.local.seal().then((id) => {
      done.push("sealed");
      return id;
    });
    const id = await world.run(sealing);
    await world.run(Promise.all(puts));
    expect(done.indexOf("sealed")).toBe(17);
    expect(id).toBe(1);
    expect(await isSealed(world, 1)).toBe(true);
    expect(store.node.state.segments.all).toHaveLength(1);
    await world.close(store);
  });

  test("is allowed on a disk that is nearly full", async () => {
    const world = openWorld();
    const store = await world.openWithBucket();
    const { disk, clock } = world.machine;
    const ballast = await world.run(disk.open("data/ballast", "write"));
    await world.run(ballast.write(Buffer.alloc(500_000), 0));
    disk.capacityBytes = disk.usedBytes + 30_000;
    await clock.advance(1500);
    expect(store.node.guard.refusal).toBe("allButDeletes");
    expect(await world.outcome(world.machine.put(store, "b", world.machine.bytes(10)))).toBe("BusyError");
    expect(await world.run(store.node.local.seal())).toBe(1);
    await world.close(store);
  });

  test("is busy while there is no room for the footer, and done by the next attempt", async () => {
    const world = openWorld();
    const store = await world.openWithBucket();
    let writes = 0;
    world.machine.disk.fault = (effect, path) =>
      effect === "write" && path === pathOf(1) && ++writes === 2 ? "ENOSPC" : undefined;
    expect(await world.outcome(store.node.local.seal())).toBe("BusyError");
    expect(await isSealed(world, 1)).toBe(false);
    expect(await world.run(store.node.local.seal())).toBe(1);
    expect(await isSealed(world, 1)).toBe(true);
    expect(store.fatal).toEqual([]);
    await world.close(store);
  });
});
