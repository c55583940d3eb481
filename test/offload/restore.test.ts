/** A restore from the bucket alone: what was in the store is in the restored one, and goes on from there. */
import { describe, expect, test } from "vitest";
import type { SimDisk } from "../sim/sim-disk.ts";
import { SIM_DIRECTORY } from "../sim/sim-store.ts";
import type { SimStore } from "../sim/sim-store.ts";
import { contentsOf, load } from "./restore-load.ts";
import { Bucket, RestoreWorld, lineageRow } from "./restore-world.ts";

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
    const old = await world.open();
    const bucket = new Bucket(world, old);
    await world.run(load(old, { seed: "a", steps: 120 }));
    await bucket.run((to) => to.everything());
    await world.run(load(old, { seed: "b", steps: 60 }));
    await bucket.run((to) => to.segments());
    await bucket.run((to) => to.tail());
    const before = await world.run(contentsOf(old));
    await world.close(old);
    const { store, disk } = await world.revived();
    const { files, rows } = await segmentsOf(store, disk);
    expect(store.node.local.floorIndex).toBeGreaterThan(0);
    expect(rows.filter((id) => !files.includes(id)).length).toBeGreaterThan(5);
    expect(await world.run(contentsOf(store))).toEqual(before);
    expect(lineageRow(store.node)).toMatchObject({
      lineage: store.node.node.lineage,
      parent: old.node.node.lineage,
    });
    expect(await disk.list(SIM_DIRECTORY)).not.toContain("restored");
    await world.close(store);
  });
});
