/** A restore from the bucket alone: what was in the store is in the restored one, and goes on from there. */
import { describe, expect, test } from "vitest";
import { parseColdKey } from "../../src/offload/cold-names.ts";
import { findHeirs, heirPrefix } from "../../src/offload/heir-notes.ts";
import { put } from "../service/service-world.ts";
import type { SimDisk } from "../sim/sim-disk.ts";
import { SIM_DIRECTORY } from "../sim/sim-store.ts";
import type { SimStore } from "../sim/sim-store.ts";
import { contentsOf, load } from "./restore-load.ts";
import { Bucket, NEWEST, RestoreWorld, lineageRow, placeOf } from "./restore-world.ts";

async function segmentsOf(
  { node }: SimStore,
  disk: SimDisk,
): Promise<{ readonly files: readonly number[]; readonly rows: readonly number[] }> {
  const names = await disk.list(`${SIM_DIRECTORY}/log`);
  const files = names.map((name) => Number.parseInt(name, 10));
  return { files, rows: node.state.segments.all.map(({ id }) => id) };
}

describe("a restore", () => {
  test("brings back everything up to the last tail, and leaves bodies in the bucket", async () => {
    const world = new RestoreWorld();
    const before = await world.lost();
    const { store, disk } = await world.revived();
    const { files, rows } = await segmentsOf(store, disk);
    expect(store.node.local.floorIndex).toBeGreaterThan(0);
    expect(rows.filter((id) => !files.includes(id)).length).toBeGreaterThan(5);
    expect(await world.run(contentsOf(store))).toEqual(before);
    expect(await disk.list(SIM_DIRECTORY)).not.toContain("restored");
    await world.close(store);
  });

  test.each(["a", "b", "c", "d", "e", "f"])("whatever was in it: seed %s", async (seed) => {
    const world = new RestoreWorld();
    const before = await world.lost(seed);
    const { store } = await world.revived();
    expect(await world.run(contentsOf(store))).toEqual(before);
    await world.close(store);
  });

  test("of a bucket without a snapshot replays the log from its first entry", async () => {
    const world = new RestoreWorld();
    const old = await world.open();
    const bucket = new Bucket(world, old);
    await world.run(load(old, { seed: "short", steps: 40 }));
    await bucket.run((to) => to.segments());
    await bucket.run((to) => to.tail());
    await bucket.run((to) => to.manifest());
    const before = await world.run(contentsOf(old));
    const { store } = await world.revived();
    expect(world.keysOf("snapshots").filter((key) => key.includes(old.node.node.lineage))).toEqual([]);
    expect(await world.run(contentsOf(store))).toEqual(before);
    await world.close(store);
  });

  test("lacks what came after the last tail, and nothing else", async () => {
    const world = new RestoreWorld();
    const old = await world.open();
    const bucket = new Bucket(world, old);
    await world.run(load(old, { seed: "x", steps: 80 }));
    await bucket.run((to) => to.everything());
    const before = await world.run(contentsOf(old));
    await world.run(put(old.service, "late", "too late"));
    const { store } = await world.revived();
    expect(await world.run(contentsOf(store))).toEqual(before);
  });

  test("writes nothing into the bucket, and needs nothing of the old disk", async () => {
    const world = new RestoreWorld();
    await world.lost();
    const keys = [...world.objects.keys()];
    await world.restore(world.newDisk());
    expect([...world.objects.keys()]).toEqual(keys);
  });

  test("goes on: writes, starts again, and is restored itself", async () => {
    const world = new RestoreWorld();
    await world.lost();
    const first = await world.revived();
    await world.run(load(first.store, { seed: "second life", steps: 80 }));
    await world.close(first.store);
    const again = await world.open(first.disk);
    expect(again.node.restored).toBeUndefined();
    const next = new Bucket(world, again, first.disk);
    await next.run((to) => to.everything());
    const before = await world.run(contentsOf(again));
    await world.close(again);
    const second = await world.revived();
    expect(await world.run(contentsOf(second.store))).toEqual(before);
    expect(lineageRow(second.store.node)?.parent).toBe(first.store.node.node.lineage);
    await world.close(second.store);
  });

  test("may be for a node with another name", async () => {
    const world = new RestoreWorld();
    const before = await world.lost();
    const { store } = await world.revived(NEWEST, { nodeId: "elsewhere" });
    expect(store.node.node.nodeId).toBe("elsewhere");
    expect(await world.run(contentsOf(store))).toEqual(before);
    await world.close(store);
  });
});

describe("the new lineage", () => {
  test("is another one, of the same cluster, and knows its parent and where it was cut", async () => {
    const world = new RestoreWorld();
    const old = await world.open();
    const bucket = new Bucket(world, old);
    await world.run(load(old, { seed: "x", steps: 80 }));
    await bucket.run((to) => to.everything());
    const cutIndex = old.node.index.appliedIndex;
    const { store } = await world.revived();
    const { cluster, lineage } = placeOf(old.node);
    expect(placeOf(store.node)).toEqual({ cluster, lineage: expect.not.stringMatching(lineage) });
    const row = { lineage: placeOf(store.node).lineage, parent: lineage, cutIndex };
    expect(lineageRow(store.node)).toMatchObject(row);
    expect(store.node.replica.term).toBeGreaterThan(old.node.replica.term);
  });

  test("names nothing as the old one did", async () => {
    const world = new RestoreWorld();
    await world.lost();
    const incarnations = new Set<number>();
    for (let round = 0; round < 3; round++) {
      const { store } = await world.revived({ ...NEWEST, lineage: lineageOf(world.keysOf("manifest")[0]) });
      expect(store.node.node.incarnation).toBeGreaterThan(2 ** 40);
      incarnations.add(store.node.node.incarnation);
      await world.close(store);
    }
    expect(incarnations.size).toBe(3);
  });

  test("tells the bucket of itself, and touches nothing of its parent", async () => {
    const world = new RestoreWorld();
    await world.lost();
    const before = new Map(world.objects);
    const parent = { cluster: "", lineage: "", ...parseColdKey([...before.keys()][0] ?? "")?.place };
    const { store, disk } = await world.revived();
    for (const [key, object] of before) expect(world.objects.get(key)).toBe(object);
    const fresh = [...world.objects.keys()].filter((key) => !before.has(key));
    const { cluster, lineage } = placeOf(store.node);
    const isOwn = (key: string): boolean => key.startsWith(`${cluster}/${lineage}/`);
    expect(fresh.filter((key) => !isOwn(key) && !key.startsWith(heirPrefix(parent)))).toEqual([]);
    const heirs = await world.run(findHeirs(world.coldOn(disk), parent));
    expect(heirs).toMatchObject([{ lineage, cutIndex: lineageRow(store.node)?.cutIndex }]);
    expect(await world.run(findHeirs(world.coldOn(disk), placeOf(store.node)))).toEqual([]);
  });

  test("has a manifest of its own before anybody is served, and the segment it shares is ended", async () => {
    const world = new RestoreWorld();
    await world.lost();
    const { store } = await world.revived();
    const { lineage } = placeOf(store.node);
    expect(world.keysOf("manifest").filter((key) => lineageOf(key) === lineage)).toHaveLength(1);
    const { cutIndex = 0 } = lineageRow(store.node) ?? {};
    expect(store.node.state.segments.find(cutIndex)?.cut).toBe(true);
  });
});

function lineageOf(key = ""): string {
  return key.split("/")[1] ?? "";
}
