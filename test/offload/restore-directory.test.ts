/** Where a restore may write, and what it refuses before it writes anything. */
import { describe, expect, test } from "vitest";
import { RESTORING_NAME } from "../../src/store/restored-file.ts";
import { verifyStore } from "../../src/replica/verify-store.ts";
import { inPlaceScratch } from "../sim/in-place-scratch.ts";
import { SimIndexStore } from "../sim/sim-index-store.ts";
import type { SimDisk } from "../sim/sim-disk.ts";
import { SIM_DIRECTORY } from "../sim/sim-store.ts";
import { NEWEST, RestoreWorld } from "./restore-world.ts";

async function plant(disk: SimDisk, name: string, text = "x"): Promise<void> {
  const file = await disk.open(`${SIM_DIRECTORY}/${name}`, "write");
  await file.write(Buffer.from(text), 0);
  await file.close();
}

async function withLost(): Promise<RestoreWorld> {
  const world = new RestoreWorld();
  await world.lost();
  return world;
}

describe("is refused, and nothing is touched", () => {
  test("a directory with something in it", async () => {
    const world = await withLost();
    const disk = world.newDisk();
    await world.run(plant(disk, "photo.jpg"));
    await expect(world.restore(disk)).rejects.toThrow("it holds photo.jpg");
    expect(await disk.list(SIM_DIRECTORY)).toEqual(["photo.jpg"]);
  });

  test("the data directory of a store", async () => {
    const world = await withLost();
    const names = await world.oldDisk.list(SIM_DIRECTORY);
    await expect(world.restore(world.oldDisk)).rejects.toThrow("is not empty");
    expect(await world.oldDisk.list(SIM_DIRECTORY)).toEqual(names);
  });

  test("one that somebody else restores into", async () => {
    const world = await withLost();
    const disk = world.newDisk();
    const lock = await disk.lock(`${SIM_DIRECTORY}/lock`);
    await expect(world.restore(disk)).rejects.toThrow("another process uses data");
    await lock?.release();
    await world.restore(disk);
  });

  test("an unfinished restore from elsewhere", async () => {
    const world = await withLost();
    const disk = world.newDisk();
    const elsewhere = Object.assign(world.coldOn(disk), { place: "memory:elsewhere" });
    const dies = { store: elsewhere, commit: () => Promise.reject(new Error("died")) };
    await expect(world.restore(disk, NEWEST, dies)).rejects.toThrow("died");
    await expect(world.restore(disk)).rejects.toThrow("an unfinished restore from memory:elsewhere");
    await world.restore(disk, NEWEST, { store: elsewhere });
  });

  test("a disk without room for it", async () => {
    const world = await withLost();
    const disk = world.newDisk();
    disk.capacityBytes = 60 * 1024 * 1024;
    await expect(world.restore(disk)).rejects.toThrow("bytes left, and the restore needs");
    expect(await disk.list(SIM_DIRECTORY)).toEqual([]);
  });

  test("a bucket with nothing in it, or with several clusters", async () => {
    const world = new RestoreWorld();
    await expect(world.restore(world.newDisk())).rejects.toThrow("memory:cold holds no objects");
    world.objects.set("a/b/notes.txt", {
      bytes: Buffer.alloc(1),
      sha256: "",
      modifiedMs: 0,
      kind: "tail",
      version: 1,
    });
    await expect(world.restore(world.newDisk())).rejects.toThrow("1 objects and no manifest");
    await world.lost("one");
    const [key = ""] = world.keysOf("manifest");
    const [cluster = ""] = key.split("/");
    const object = world.objects.get(key);
    if (object === undefined) throw new Error("there is no manifest");
    world.objects.set(key.replace(cluster, "other"), object);
    await expect(world.restore(world.newDisk())).rejects.toThrow(
      `say which with --cluster (${cluster}, other)`,
    );
    await world.restore(world.newDisk(), NEWEST, { cluster });
  });
});

test("what a mount point holds is no reason to refuse, nor what the caller spares", async () => {
  const world = await withLost();
  const disk = world.newDisk();
  await world.run(plant(disk, "lost+found"));
  await world.run(plant(disk, "cold"));
  await world.restore(disk, NEWEST, { spared: ["cold"] });
  expect(await disk.list(SIM_DIRECTORY)).toEqual(expect.arrayContaining(["lost+found", "cold", "node.json"]));
});

test("what is restored and was not started yet is nothing that verify complains of", async () => {
  const world = await withLost();
  const disk = world.newDisk();
  await world.restore(disk);
  const openIndexStore = (path: string) => SimIndexStore.open(disk, path);
  const makeScratch = () => Promise.resolve(inPlaceScratch(disk));
  const options = { disk, directory: SIM_DIRECTORY, openIndexStore, makeScratch };
  const { ok, lines } = await world.run(verifyStore(options));
  expect(lines.filter((line) => line.includes("DAMAGED"))).toEqual([]);
  expect(ok).toBe(true);
});

test("an unfinished one is no data directory, and a start says what to do", async () => {
  const world = await withLost();
  const disk = world.newDisk();
  const dies = { commit: () => Promise.reject(new Error("died")) };
  await expect(world.restore(disk, NEWEST, dies)).rejects.toThrow("died");
  const before = await disk.list(SIM_DIRECTORY);
  await expect(world.open(disk)).rejects.toThrow('unfinished restore: run "thermocline restore" again');
  expect(await disk.list(SIM_DIRECTORY)).toEqual(before);
  expect(before).toContain(RESTORING_NAME);
});
