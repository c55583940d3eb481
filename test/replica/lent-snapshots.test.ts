/** Snapshots of the index for others: the newest, or one that is made for them, as long as they read. */
import { describe, expect, test } from "vitest";
import { scanSnapshot } from "../../src/store/snapshot-file.ts";
import type { SnapshotInfo } from "../../src/store/snapshot-file.ts";
import { openWorld } from "./space-world.ts";

const indexOf = ({ index }: SnapshotInfo): Promise<number> => Promise.resolve(index);
const spend = (): Promise<void> => Promise.resolve();

describe("a snapshot is lent", () => {
  test("as it is, if it is new enough, and made anew if not", async () => {
    const world = openWorld();
    const store = await world.filled();
    const { local, replica } = store.node;
    const names = await world.names("snapshots");
    const newest = await world.run(local.withSnapshot(1, indexOf));
    expect(names.at(-1)).toBe(`${String(newest).padStart(16, "0")}.snap`);
    await world.write(store, "later");
    const { appliedIndex } = replica;
    expect(await world.run(local.withSnapshot(appliedIndex, indexOf))).toBeGreaterThanOrEqual(appliedIndex);
    await world.close(store);
  });

  test("and made where there was none, once for all who wait for it", async () => {
    const world = openWorld();
    const store = await world.openWithBucket();
    const { local, replica } = store.node;
    expect(await world.names("snapshots")).toEqual([]);
    const asked = [1, 2, 3].map(() => local.withSnapshot(replica.appliedIndex, indexOf));
    expect(new Set(await world.run(Promise.all(asked))).size).toBe(1);
    expect(await world.names("snapshots")).toHaveLength(1);
    await world.close(store);
  });

  test("and stays while it is read, whatever comes after it, and goes then", async () => {
    const world = openWorld();
    const store = await world.filled();
    const gate = Promise.withResolvers<void>();
    const lent = Promise.withResolvers<SnapshotInfo>();
    const reading = store.node.local.withSnapshot(1, async (snapshot) => {
      lent.resolve(snapshot);
      await gate.promise;
      return await scanSnapshot(world.machine.disk, snapshot.path, { spend });
    });
    const { path } = await world.run(lent.promise);
    const name = path.slice(path.lastIndexOf("/") + 1);
    await world.overwrite(store, 40, 12);
    expect(await world.names("snapshots")).toHaveLength(3);
    expect(await world.names("snapshots")).toContain(name);
    gate.resolve();
    expect((await world.run(reading)).path).toBe(path);
    await world.overwrite(store, 40, 4);
    expect(await world.names("snapshots")).toHaveLength(2);
    await world.close(store);
  });

  test("not where there is no room for one, and nothing of it stays", async () => {
    const world = openWorld();
    const store = await world.openWithBucket();
    world.machine.disk.fault = (effect, path) =>
      effect === "write" && path.includes("snapshots") ? "ENOSPC" : undefined;
    expect(await world.outcome(store.node.local.withSnapshot(1, indexOf))).toBe("BusyError");
    expect(await world.names("snapshots")).toEqual([]);
    world.machine.disk.fault = () => undefined;
    expect(await world.run(store.node.local.withSnapshot(1, indexOf))).toBeGreaterThan(0);
    await world.close(store);
  });

  test("not of entries that are not applied", async () => {
    const world = openWorld();
    const store = await world.openWithBucket();
    expect(await world.outcome(store.node.local.withSnapshot(1_000_000, indexOf))).toBe("BusyError");
    await world.close(store);
  });
});
