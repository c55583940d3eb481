/**
 * Space comes back: snapshots of the index, the floor behind them, and segments that nothing needs any more.
 */
import { describe, expect, test } from "vitest";
import { BusyError } from "../../src/base/errors.ts";
import { keys, ranges } from "../../src/state/keys.ts";
import { markKey } from "../../src/store/flush-ring.ts";
import { readFloor } from "../../src/store/floor-file.ts";
import { scanSnapshot } from "../../src/store/snapshot-file.ts";
import type { SimStore } from "../sim/sim-store.ts";
import { openWorld } from "./space-world.ts";
import type { SpaceWorld } from "./space-world.ts";

/** A mark of the ring is rotten: the index cannot be believed. */
function rotIndex({ machine }: SpaceWorld): void {
  machine.disk.damageIndex("data/index", new Map([[markKey(1), Buffer.from("rot")]]));
}

async function flipByte({ machine }: SpaceWorld, path: string, offset: number): Promise<void> {
  const bytes = Buffer.from((await machine.disk.readFile(path)) ?? []);
  machine.disk.damage(path, offset, Buffer.from([(bytes[offset] as number) ^ 1]));
}

async function rowKeysOf(
  { node }: SimStore,
  range: { readonly from: string; readonly to: string },
): Promise<readonly string[]> {
  const iterator = await node.index.iterate(range);
  try {
    return (await iterator.next(10_000)).map(([key]) => key);
  } finally {
    await iterator.close();
  }
}

async function putBack({ machine }: SpaceWorld, path: string, bytes: Uint8Array): Promise<void> {
  const file = await machine.disk.open(path, "write");
  await file.write(bytes, 0);
  await file.close();
}

describe("overwriting", () => {
  test("keeps the disk within bounds, and every object readable", async () => {
    const world = openWorld();
    let store = await world.openWithBucket();
    let mostBytes = 0;
    for (let round = 0; round < 25; round++) {
      await world.overwrite(store, 40, 4);
      mostBytes = Math.max(mostBytes, world.machine.disk.usedBytes);
    }
    // 40 KB of objects, 64 KiB between snapshots: 4 MB were written.
    expect(mostBytes).toBeLessThan(400_000);
    expect(store.node.space.status.reclaimedBytes).toBeGreaterThan(3_000_000);
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
    store = await world.open();
    expect(await world.wrong(store)).toEqual([]);
    await world.overwrite(store, 40, 4);
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
  });

  test("two snapshots are kept, and nothing unfinished", async () => {
    const world = openWorld();
    const store = await world.openWithBucket();
    await world.overwrite(store, 40, 20);
    expect(await world.names("snapshots")).toHaveLength(2);
    const strange = (await world.names("log")).filter((name) => !/^\d{10}\.seg$/.test(name));
    expect(strange).toEqual([]);
    await world.close(store);
  });

  test("a segment that holds one object that is never overwritten stays", async () => {
    const world = openWorld({ livePercentMin: 0 });
    const store = await world.openWithBucket();
    await world.write(store, "kept");
    await world.overwrite(store, 40, 20);
    expect((await world.names("log"))[0]).toBe("0000000001.seg");
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
  });
});

/** Ids of the segments that have a row, and of those that have a file. */
async function segmentsOf(
  world: SpaceWorld,
  store: SimStore,
): Promise<{ readonly rows: readonly number[]; readonly files: readonly number[] }> {
  const names = await world.names("log");
  const rows = store.node.state.segments.all.map(({ id }) => id);
  return { rows, files: names.map((name) => Number.parseInt(name, 10)) };
}

/** What `work` proposes about rows finds no room. */
async function withoutDroppedRows(store: SimStore, work: () => Promise<void>): Promise<void> {
  const { replica } = store.node;
  const propose = replica.propose.bind(replica);
  replica.propose = (command) =>
    command.kind === "dropSegments" ? Promise.reject(new BusyError("not now")) : propose(command);
  await work();
  replica.propose = propose;
}

describe("the row of a segment", () => {
  test("goes with its file, and a start does not miss it", async () => {
    const world = openWorld();
    let store = await world.filled();
    for (let start = 0; start < 3; start++) {
      const { rows, files } = await segmentsOf(world, store);
      expect(rows).toEqual(files.slice(0, rows.length));
      expect(files[0]).toBeGreaterThan(40);
      const stored = await world.run(rowKeysOf(store, ranges.segments));
      expect(stored).toEqual(rows.map((id) => keys.segment(id)));
      await world.close(store);
      store = await world.open();
      expect(await world.wrong(store)).toEqual([]);
    }
    await world.overwrite(store, 40, 4);
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
    expect((await world.run(world.verify())).lines.filter((line) => line.startsWith("DAMAGED"))).toEqual([]);
  });

  test("that a process left behind goes in the next one", async () => {
    const world = openWorld();
    let store = await world.openWithBucket();
    await withoutDroppedRows(store, () => world.overwrite(store, 40, 20));
    const before = await segmentsOf(world, store);
    expect(before.rows[0]).toBe(1);
    expect(before.files[0]).toBeGreaterThan(40);
    expect(store.fatal).toEqual([]);
    await world.close(store);
    store = await world.open();
    await world.machine.clock.advance(5000);
    const { rows, files } = await segmentsOf(world, store);
    expect(rows).toEqual(files.slice(0, rows.length));
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
  });

  test.each([0, 1])("comes back with snapshot %i and goes again in the replay", async (at) => {
    const world = openWorld();
    const first = await world.filled();
    const before = await segmentsOf(world, first);
    await world.close(first);
    const names = await world.names("snapshots");
    const spend = () => Promise.resolve();
    const path = `data/snapshots/${names[at]}`;
    const snapshot = await world.run(scanSnapshot(world.machine.disk, path, { spend }));
    expect(snapshot.segments[0]?.id).toBeLessThan(before.rows[0] as number);
    if (at === 0) await flipByte(world, `data/snapshots/${names[1]}`, 100);
    rotIndex(world);
    const store = await world.open();
    expect(store.node.indexRebuilt).toContain("mark");
    expect((await segmentsOf(world, store)).rows[0]).toBeGreaterThanOrEqual(before.rows[0] as number);
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
  });

  test("may be gone while the file is there again: then that goes, too", async () => {
    const world = openWorld();
    const first = await world.openWithBucket();
    await world.write(first, "a");
    const [name] = await world.names("log");
    const path = `data/log/${name}`;
    for (let at = 0; at < 30; at++) await world.write(first, "a");
    const bytes = Buffer.from((await world.machine.disk.readFile(path)) ?? []);
    await world.overwrite(first, 40, 20);
    await world.close(first);
    expect(await world.names("log")).not.toContain(name);
    await world.run(putBack(world, path, bytes));
    const store = await world.open();
    await world.machine.clock.advance(5000);
    expect(await world.names("log")).not.toContain(name);
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
  });
});

/** Of every segment file that is packed: its name. */
async function packedNames(world: SpaceWorld): Promise<readonly string[]> {
  const names: string[] = [];
  for (const name of await world.names("log")) {
    const bytes = Buffer.from((await world.machine.disk.readFile(`data/log/${name}`)) ?? []);
    if (bytes.toString("latin1", 0, 8) === "THERMPAK") names.push(name);
  }
  return names;
}

/** Objects that stay, small and in chunks, among many that are overwritten. */
async function withSomeKept(world: SpaceWorld): Promise<SimStore> {
  const store = await world.openWithBucket();
  for (let at = 0; at < 12; at++) {
    await world.write(store, `kept-${at}`, 700 + at);
    await world.overwrite(store, 10, 2);
  }
  await world.overwrite(store, 40, 12);
  return store;
}

describe("a segment with few live bytes", () => {
  test("is rewritten with these alone, and every object is read from where it was born", async () => {
    const world = openWorld();
    let store = await withSomeKept(world);
    expect((await packedNames(world)).length).toBeGreaterThan(5);
    expect(await world.wrong(store)).toEqual([]);
    const { fileBytes } = store.node.space.status;
    expect(fileBytes).toBeLessThan(150_000);
    await world.close(store);
    store = await world.open();
    expect(await world.wrong(store)).toEqual([]);
    expect(store.node.space.status.fileBytes).toBeLessThan(150_000);
    await world.close(store);
    const { lines } = await world.run(world.verify());
    expect(lines.filter((line) => line.startsWith("DAMAGED"))).toEqual([]);
  });

  test("keeps chunks whole, and ranges of them are read", async () => {
    const world = openWorld({ livePercentMin: 80 });
    const store = await world.openWithBucket();
    const bytes = await world.writeStreamed(store, "large", { size: 9000, chunkBytes: 2500 });
    await world.overwrite(store, 40, 12);
    expect(await packedNames(world)).toContain("0000000001.seg");
    expect(await world.wrong(store)).toEqual([]);
    expect(await world.range(store, "large", 2400, 5100)).toEqual(bytes.subarray(2400, 5100));
    await world.close(store);
  });

  test("is rewritten once more when what was kept dies", async () => {
    const world = openWorld();
    const store = await withSomeKept(world);
    const before = await packedNames(world);
    for (let at = 0; at < 11; at++) await world.write(store, `kept-${at}`, 10);
    await world.overwrite(store, 40, 12);
    expect((await packedNames(world)).length).toBeLessThan(before.length);
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
  });

  test("that does not hold what rows name stays as it is", async () => {
    const world = openWorld();
    const store = await world.openWithBucket();
    await world.write(store, "kept", 900);
    const at = await world.placeOf("data/log/0000000001.seg", world.contentOf("kept"));
    world.machine.disk.damage("data/log/0000000001.seg", at + 5, Buffer.from("rot"));
    await world.overwrite(store, 40, 12);
    expect(await packedNames(world)).not.toContain("0000000001.seg");
    expect(await world.names("log")).toContain("0000000001.seg");
    await world.close(store);
  });

  test("stays as it is while rows name less of it than is counted", async () => {
    const world = openWorld();
    const store = await world.openWithBucket();
    await world.write(store, "kept", 900);
    // Somebody who is not known to the rewriting names some bytes of it.
    store.node.state.segments.addLive(2, 100);
    await world.overwrite(store, 40, 12);
    expect(await packedNames(world)).not.toContain("0000000001.seg");
    expect(await world.names("log")).toContain("0000000001.seg");
    await world.close(store);
  });

  test("whose table is damaged gives errors and never other bytes", async () => {
    const world = openWorld();
    await world.close(await withSomeKept(world));
    const [name] = await packedNames(world);
    const path = `data/log/${name}`;
    const { length } = (await world.machine.disk.readFile(path)) ?? { length: 0 };
    await flipByte(world, path, length - 100);
    const store = await world.open();
    const failing: string[] = [];
    for (let at = 0; at < 12; at++) {
      const outcome = await world.outcome(world.find(store, `kept-${at}`));
      if (outcome === "DamageError") failing.push(`kept-${at}`);
    }
    expect(failing.length).toBeGreaterThan(0);
    await world.close(store);
  });
});

describe("the index is made again", () => {
  test("from the newest snapshot and the log above it", async () => {
    const world = openWorld();
    await world.close(await world.filled());
    rotIndex(world);
    const store = await world.open();
    expect(store.node.indexRebuilt).toContain("mark");
    expect(store.node.replayedEntries).toBeLessThan(200);
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
  });

  test("from the older one, if the newest is damaged", async () => {
    const world = openWorld();
    await world.close(await world.filled());
    const newest = (await world.names("snapshots")).at(-1) as string;
    await flipByte(world, `data/snapshots/${newest}`, 100);
    rotIndex(world);
    const store = await world.open();
    expect(await world.wrong(store)).toEqual([]);
    await world.overwrite(store, 40, 8);
    expect(await world.names("snapshots")).not.toContain(newest);
    await world.close(store);
  });

  test("not at all, if both are damaged: the start refuses and leaves everything as it is", async () => {
    const world = openWorld();
    await world.close(await world.filled());
    for (const name of await world.names("snapshots")) await flipByte(world, `data/snapshots/${name}`, 100);
    rotIndex(world);
    for (const attempt of ["first", "second"]) {
      expect(await world.outcome(world.openSoon()), attempt).toBe("RefusedError");
      expect(await world.names(".")).not.toContain("index.damaged");
    }
  });

  test("and the old one goes as soon as the new one is stable, and not before", async () => {
    const world = openWorld();
    await world.close(await world.filled());
    rotIndex(world);
    const { disk, clock } = world.machine;
    // The first process finds no room for a new one.
    disk.fault = (effect) => (effect === "batch" ? "ENOSPC" : undefined);
    await world.outcome(world.openSoon());
    expect(await world.names(".")).toContain("index.damaged");
    disk.fault = () => undefined;
    const store = await world.open();
    await clock.advance(1000);
    expect(await world.names(".")).not.toContain("index.damaged");
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
  });

  test("also if it ends below the floor: its batches were lost", async () => {
    const world = openWorld();
    await world.close(await world.filled());
    const rows = world.machine.disk.indexState("data/index").snapshot().sorted;
    world.machine.disk.damageIndex("data/index", new Map(rows.map((key) => [key, null])));
    const store = await world.open();
    expect(store.node.indexRebuilt).toContain("the log begins behind");
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
  });
});

describe("the floor", () => {
  test("never stands above the older snapshot, and entries stay above it", async () => {
    const world = openWorld({ entriesKept: 30 });
    const store = await world.openWithBucket();
    let moved = 0;
    for (let round = 0; round < 20; round++) {
      await world.overwrite(store, 40, 1);
      const names = await world.names("snapshots");
      const floor = await world.run(readFloor(world.machine.disk, "data"));
      if (floor.segmentId === 0) continue;
      moved++;
      expect(names).toHaveLength(2);
      const older = Number((names[0] as string).slice(0, 16));
      expect(floor.lastIndex).toBeLessThanOrEqual(older - 30);
    }
    expect(moved).toBeGreaterThan(5);
    await world.close(store);
  });

  test("below it a segment with live bytes that is gone is a refusal, above it any", async () => {
    const world = openWorld({ livePercentMin: 0 });
    const first = await world.openWithBucket();
    await world.write(first, "kept");
    await world.overwrite(first, 40, 20);
    await world.close(first);
    const names = await world.names("log");
    const kept = `data/log/${names[0]}`;
    const bytes = (await world.machine.disk.readFile(kept)) as Buffer;
    await world.run(world.machine.disk.remove(kept));
    await expect(world.open()).rejects.toThrow("are still named");
    await world.run(putBack(world, kept, bytes));
    await world.close(await world.open());
    await world.run(world.machine.disk.remove(`data/log/${names.at(-3)}`));
    await expect(world.open()).rejects.toThrow("is missing");
  });

  test("damage of both its slots is a refusal", async () => {
    const world = openWorld();
    await world.close(await world.filled());
    for (const offset of [20, 4116]) await flipByte(world, "data/floor", offset);
    await expect(world.open()).rejects.toThrow("both slots");
  });
});

describe("a snapshot", () => {
  test("is not made while a row of the index is damaged: the floor stays", async () => {
    const world = openWorld();
    const store = await world.openWithBucket();
    await world.write(store, "a");
    await world.machine.clock.advance(1000);
    const key = "bucket/b";
    world.machine.disk.damageIndex("data/index", new Map([[key, Buffer.from("rotten row")]]));
    await world.overwrite(store, 40, 10);
    expect(await world.names("snapshots")).toEqual([]);
    expect((await world.run(readFloor(world.machine.disk, "data"))).segmentId).toBe(0);
    await world.close(store);
  });

  test("that finds no room is tried again, and leaves nothing behind", async () => {
    const world = openWorld();
    const store = await world.openWithBucket();
    world.machine.disk.fault = (effect, path) =>
      effect === "write" && path.includes("snapshots") ? "ENOSPC" : undefined;
    await world.overwrite(store, 40, 10);
    expect(await world.names("snapshots")).toEqual([]);
    world.machine.disk.fault = () => undefined;
    await world.machine.clock.advance(15_000);
    expect(await world.names("snapshots")).toHaveLength(1);
    expect(store.fatal).toEqual([]);
    await world.close(store);
  });

  test("that does not read back as it was written is not used", async () => {
    const world = openWorld();
    const store = await world.openWithBucket();
    const { disk } = world.machine;
    disk.fault = (effect, path) => {
      if (effect === "sync" && path.includes("snapshots")) disk.damage(path, 90, Buffer.from("rotten"));
      return undefined;
    };
    await world.overwrite(store, 40, 10);
    expect(await world.names("snapshots")).toEqual([]);
    expect(await world.names("log")).toContain("0000000001.seg");
    await world.close(store);
  });

  test("whose sync fails ends the node", async () => {
    const world = openWorld();
    const store = await world.openWithBucket();
    world.machine.disk.fault = (effect, path) =>
      effect === "sync" && path.includes("snapshots") ? "EIO" : undefined;
    await expect(world.overwrite(store, 40, 4)).rejects.toThrow("stopping");
    expect(store.fatal).toHaveLength(1);
  });

  test("is whole: every byte of it counts", async () => {
    const world = openWorld();
    await world.close(await world.filled());
    const path = `data/snapshots/${(await world.names("snapshots"))[0]}`;
    const scan = () => {
      const spend = () => Promise.resolve();
      return world.run(scanSnapshot(world.machine.disk, path, { spend }));
    };
    const { bytes } = await scan();
    for (let at = 0; at < bytes; at += 97) {
      await flipByte(world, path, at);
      await expect(scan(), `byte ${at}`).rejects.toThrow("is damaged");
      await flipByte(world, path, at);
    }
    await scan();
  });
});
