/**
 * Copies in the cold tier that are packed, or stand in for a file here that is damaged.
 */
import { describe, expect, test } from "vitest";
import { DamageError } from "../../src/base/errors.ts";
import { SIM_DIRECTORY } from "../sim/sim-store.ts";
import type { SimStore } from "../sim/sim-store.ts";
import { ColdWorld } from "./cold-world.ts";

describe("a packed copy", () => {
  /** Two objects in each of the first segments, packed there. */
  async function packed() {
    const world = new ColdWorld(60);
    const { space } = world.local;
    const store = await space.openWithBucket();
    for (let at = 0; at < 4; at++) {
      await world.write(store, `kept-${at}`, 700 + at);
      await world.write(store, `also-${at}`, 900 + at);
      await space.overwrite(store, 20, 1);
    }
    await space.overwrite(store, 40, 10);
    await space.machine.clock.advance(20_000);
    const kinds = await world.run(
      Promise.all([1, 2, 3].map((id) => store.node.local.withFile(id, ({ kind }) => Promise.resolve(kind)))),
    );
    expect(kinds).toContain("packed");
    await world.coolAll(store);
    const segment = kinds.indexOf("packed") + 1;
    expect(store.node.state.segments.byId(segment)?.cold?.kind).toBe("packed");
    return { world, store, segment };
  }

  test("is read by its table, which costs a GET of its own once", async () => {
    const { world, store } = await packed();
    for (const { key, bytes } of world.contents) {
      expect(await world.tierOf(store, await world.find(store, key)), key).toBe("cold");
      expect((await world.get(store, key)).equals(bytes), key).toBe(true);
    }
    const before = world.gets;
    store.node.cache.clear();
    for (const { key, bytes } of world.contents) {
      expect((await world.get(store, key)).equals(bytes), key).toBe(true);
    }
    expect(world.gets - before).toBe(world.contents.length);
    await world.local.space.close(store);
  });

  test("with a damaged table is an error, and read when it came wrong once", async () => {
    const { world, store, segment } = await packed();
    const key = world.local.keyOf(segment);
    const object = world.local.cold.objects.get(key);
    if (object === undefined) throw new Error(`${key} is not there`);
    const rotten = Buffer.from(object.bytes);
    const at = rotten.length - 100;
    rotten[at] = (rotten[at] ?? 0) ^ 1;
    world.local.cold.objects.set(key, { ...object, bytes: rotten });
    const inIt = [];
    for (const { key: name } of world.contents) {
      const { birthIndex } = await world.find(store, name);
      if (store.node.state.segments.find(birthIndex)?.id === segment) inIt.push(name);
    }
    const [name = ""] = inIt;
    const failure = await world.failure(store, name);
    expect(failure).toBeInstanceOf(DamageError);
    expect(failure.message).toContain(key);
    world.local.cold.objects.set(key, object);
    world.cold.tell("get", "wrongBytes");
    expect((await world.get(store, name)).equals(world.contentOf(name))).toBe(true);
    await world.local.space.close(store);
  });

  test("that has the name of another segment's is an error", async () => {
    const { world, store, segment } = await packed();
    const { objects } = world.local.cold;
    const other = [...store.node.state.segments.all].find(
      ({ id, cold }) => id !== segment && cold?.kind === "packed",
    );
    const [mine, theirs] = [segment, other?.id ?? 0].map((id) => objects.get(world.local.keyOf(id)));
    if (mine === undefined || theirs === undefined) throw new Error("there are not two of them");
    objects.set(world.local.keyOf(segment), theirs);
    for (const { key } of world.contents) {
      const { birthIndex } = await world.find(store, key);
      if (store.node.state.segments.find(birthIndex)?.id !== segment) continue;
      expect(await world.failure(store, key)).toBeInstanceOf(DamageError);
    }
    await world.local.space.close(store);
  });
});

describe("damage here", () => {
  /** Into the middle of these bytes, if they are in the file. */
  async function rot(world: ColdWorld, id: number, bytes: Buffer): Promise<void> {
    const path = `${SIM_DIRECTORY}/log/${world.local.nameOf(id)}`;
    const place = await world.local.space.placeOf(path, bytes.subarray(100, 200));
    if (place < 0) return;
    const file = await world.local.space.machine.disk.open(path, "write");
    await file.write(Buffer.from("rot"), place + 50);
    await file.close();
  }

  async function damagedHere(world: ColdWorld, keys: readonly string[]): Promise<SimStore> {
    const store = await world.local.space.openWithBucket();
    for (const [at, key] of keys.entries()) await world.write(store, key, at === 0 ? 3000 : 300_000);
    await world.local.space.overwrite(store, 40, 20);
    for (const { id, liveBytes, firstIndex, entries } of [...store.node.state.segments.all]) {
      if (firstIndex + entries - 1 > store.node.local.floorIndex) break;
      if (liveBytes === 0) continue;
      await world.local.offload(store, id);
      for (const key of keys) await world.run(rot(world, id, world.contentOf(key)));
    }
    store.node.cache.clear();
    world.cold.calls.length = 0;
    return store;
  }

  test("is read from the copy, told to whom it concerns, and counted", async () => {
    const world = new ColdWorld();
    const store = await damagedHere(world, ["small", "large"]);
    for (const key of ["small", "large"]) {
      expect((await world.get(store, key)).equals(world.contentOf(key)), key).toBe(true);
    }
    expect(world.gets).toBe(2);
    expect(world.watched.damaged).toHaveLength(2);
    expect(store.node.reader.coldFigures).toMatchObject({ mended: 2, gets: 2, damaged: 0 });
    await world.local.space.close(store);
  });

  test("costs no GET for who only looks, and is cold for who reads", async () => {
    const world = new ColdWorld();
    const store = await damagedHere(world, ["small"]);
    // Open the file, so that the next read is one that waits for nothing.
    const found = await world.find(store, "small");
    const again = await world.find(store, "small");
    expect(world.gets).toBe(0);
    expect([await world.tierOf(store, found), await world.tierOf(store, again)]).toEqual(["cold", "cold"]);
    expect((await world.read(store, again)).equals(world.contentOf("small"))).toBe(true);
    expect(world.gets).toBe(1);
    await world.local.space.close(store);
  });

  test("and in the copy, too, is an error", async () => {
    const world = new ColdWorld();
    const store = await damagedHere(world, ["small"]);
    const { id } = store.node.state.segments.find((await world.find(store, "small")).birthIndex) ?? { id: 0 };
    world.local.cold.objects.delete(world.local.keyOf(id));
    expect(await world.failure(store, "small")).toBeInstanceOf(DamageError);
    await world.local.space.close(store);
  });
});

test("reads are told by segment, those in memory are not", async () => {
  const world = new ColdWorld();
  const store = await world.cooled();
  const { birthIndex } = await world.find(store, "record-0");
  const { id } = store.node.state.segments.find(birthIndex) ?? { id: 0 };
  world.watched.read.length = 0;
  await world.get(store, "record-0");
  await world.get(store, "record-0");
  expect(world.watched.read).toEqual([id]);
  await world.local.space.close(store);
});
