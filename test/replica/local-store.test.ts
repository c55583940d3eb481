/**
 * What the cold tier may do with the files of a node: borrow them, give them up for a verified copy, bring
 * them back; and what the node does by itself when files are elsewhere.
 */
import { describe, expect, test } from "vitest";
import { readFloor } from "../../src/store/floor-file.ts";
import { LocalWorld } from "./local-world.ts";

describe("a segment is given up", () => {
  test("if the applied state names its copy, and not before", async () => {
    const world = new LocalWorld();
    const store = await world.filled();
    expect(await world.free(store, 1)).toBe(false);
    expect(await world.files()).toContain(world.nameOf(1));
    await world.offload(store, 1);
    expect(await world.free(store, 1)).toBe(true);
    expect(await world.files()).not.toContain(world.nameOf(1));
    expect(store.node.local.bytesOf(1)).toBe(0);
    expect(await world.free(store, 1)).toBe(false);
    expect(await world.space.wrong(store)).toEqual([]);
    world.cold.objects.clear();
    expect(await world.space.outcome(world.space.find(store, "key-0"))).not.toBe("DamageError");
    await expect(world.space.wrong(store)).rejects.toThrow("lies in the cold tier");
    await world.space.close(store);
  });

  test("below the floor only", async () => {
    const world = new LocalWorld();
    const store = await world.filled();
    const { segments } = store.node.state;
    const above = segments.all.find(({ cut, firstIndex }) => cut && firstIndex > store.node.local.floorIndex);
    const id = above?.id ?? 0;
    await world.offload(store, id);
    expect(await world.free(store, id)).toBe(false);
    expect(await world.files()).toContain(world.nameOf(id));
    await world.space.close(store);
  });

  test("when nobody has borrowed it any more", async () => {
    const world = new LocalWorld();
    const store = await world.filled();
    const { local } = store.node;
    await world.offload(store, 1);
    const gate = Promise.withResolvers<void>();
    const steps: string[] = [];
    const borrowed = local.withFile(1, async ({ path }) => {
      await gate.promise;
      steps.push(`borrowed ${(await world.space.machine.disk.readFile(path))?.length !== undefined}`);
    });
    const freed = local.free(1).then(() => steps.push("freed"));
    await world.space.machine.clock.advance(2000);
    expect(steps).toEqual([]);
    gate.resolve();
    await world.space.run(Promise.all([borrowed, freed]));
    expect(steps).toEqual(["borrowed true", "freed"]);
    await world.space.close(store);
  });

  test("once, however many ask", async () => {
    const world = new LocalWorld();
    const store = await world.filled();
    await world.offload(store, 1);
    const { local } = store.node;
    expect(await world.space.run(Promise.all([local.free(1), local.free(1)]))).toEqual([true, false]);
    expect(store.fatal).toEqual([]);
    await world.space.close(store);
  });

  test("and the next start neither misses it nor believes that it is here", async () => {
    const world = new LocalWorld();
    let store = await world.filled();
    await world.offload(store, 1);
    await world.offload(store, 2);
    await world.free(store, 1);
    const bytes = store.node.space.status.fileBytes;
    await world.space.close(store);
    store = await world.space.open();
    await world.space.machine.clock.advance(1000);
    expect(store.node.local.bytesOf(1)).toBe(0);
    expect(store.node.local.bytesOf(2)).toBeGreaterThan(0);
    expect(Math.abs(store.node.space.status.fileBytes - bytes)).toBeLessThan(1000);
    expect(await world.free(store, 2)).toBe(true);
    await world.space.close(store);
  });

  test("and one that no copy is known of is missed at the start", async () => {
    const world = new LocalWorld();
    const store = await world.filled();
    await world.offload(store, 2);
    await world.space.close(store);
    await world.space.run(world.space.machine.disk.remove(`data/log/${world.nameOf(2)}`));
    await world.space.close(await world.space.open());
    await world.space.run(world.space.machine.disk.remove(`data/log/${world.nameOf(1)}`));
    await expect(world.space.open()).rejects.toThrow("nothing says that they are in the cold tier");
  });

  test("and a failing sync of the names ends the node", async () => {
    const world = new LocalWorld();
    const store = await world.filled();
    await world.offload(store, 1);
    world.space.machine.disk.fault = (effect, path) =>
      effect === "syncDirectory" && path === "data/log" ? "EIO" : undefined;
    expect(await world.space.outcome(store.node.local.free(1))).not.toBe(true);
    expect(store.fatal).toHaveLength(1);
  });
});

describe("on a disk that is nearly full", () => {
  test("copies are told and condemned, segments given up, and writes are taken again", async () => {
    const world = new LocalWorld();
    const { space } = world;
    const { disk, clock } = space.machine;
    const store = await space.openWithBucket();
    for (let at = 0; at < 300; at++) await space.write(store, `kept-${at}`);
    await space.overwrite(store, 20, 8);
    disk.capacityBytes = Math.ceil(disk.usedBytes * 1.06);
    await clock.advance(1500);
    expect(store.node.guard.refusal).toBe("allButDeletes");
    const { replica, state, local } = store.node;
    const below = state.segments.all.filter(({ firstIndex }) => firstIndex < local.floorIndex);
    expect(below.length).toBeGreaterThan(10);
    for (const { id } of below) await world.offload(store, id);
    await space.run(replica.propose({ kind: "condemnCold", keys: ["c/l/tail/1/1-2"] }));
    await space.run(replica.propose({ kind: "pardonCold", keys: ["c/l/tail/1/1-2"] }));
    for (const { id } of below) expect(await world.free(store, id)).toBe(true);
    await clock.advance(1500);
    expect(store.node.guard.refusal).toBe("none");
    await space.write(store, "new");
    expect(await space.wrong(store)).toEqual([]);
    await space.close(store);
  });
});

describe("a segment comes back", () => {
  test("under its name, and every object in it is read from here", async () => {
    const world = new LocalWorld();
    const store = await world.filled();
    for (const id of [1, 2, 3]) await world.offload(store, id);
    for (const id of [1, 2, 3]) await world.free(store, id);
    for (const id of [1, 2, 3]) expect(await world.recall(store, id)).toBe(true);
    expect(await world.recall(store, 1)).toBe(false);
    world.cold.objects.clear();
    expect(await world.space.wrong(store)).toEqual([]);
    expect(store.node.local.bytesOf(1)).toBeGreaterThan(0);
    await world.space.close(store);
  });

  test("not at all, if its bytes could not be brought: nothing is left of them", async () => {
    const world = new LocalWorld();
    const store = await world.filled();
    await world.offload(store, 1);
    await world.free(store, 1);
    const fetch = async (path: string): Promise<void> => {
      await world.fetch(1, path);
      throw new Error("the line is dead");
    };
    expect(await world.space.outcome(store.node.local.recall(1, fetch))).toBe("Error");
    expect((await world.files()).filter((name) => !/^\d{10}\.seg$/.test(name))).toEqual([]);
    expect(store.fatal).toEqual([]);
    expect(store.node.local.bytesOf(1)).toBe(0);
    expect(await world.recall(store, 1)).toBe(true);
    await world.space.close(store);
  });

  test("not at all, if it is shorter or longer than its copy", async () => {
    const world = new LocalWorld();
    const store = await world.filled();
    await world.offload(store, 1);
    await world.free(store, 1);
    const { disk } = world.space.machine;
    for (const change of [-1, 1]) {
      const fetch = async (path: string): Promise<void> => {
        await world.fetch(1, path);
        const file = await disk.open(path, "write");
        await file.truncate((await file.size()) + change);
        await file.close();
      };
      expect(await world.space.outcome(store.node.local.recall(1, fetch))).toBe("DamageError");
    }
    expect(await world.files()).not.toContain(world.nameOf(1));
    expect(store.fatal).toEqual([]);
    expect(await world.space.wrong(store)).toEqual([]);
    await world.space.close(store);
  });

  test("not at all, if nothing in it is needed any more when its bytes have come", async () => {
    const world = new LocalWorld();
    const store = await world.filled();
    await world.offload(store, 1);
    await world.free(store, 1);
    const gate = Promise.withResolvers<void>();
    const recalling = store.node.local.recall(1, async (path) => {
      await world.fetch(1, path);
      await gate.promise;
    });
    await world.space.write(store, "kept-0");
    await world.space.overwrite(store, 40, 4);
    expect(store.node.state.segments.byId(1)).toBeUndefined();
    gate.resolve();
    expect(await world.space.run(recalling)).toBe(false);
    const files = await world.files();
    expect(files.filter((name) => name.startsWith(world.nameOf(1)))).toEqual([]);
    await world.space.close(store);
  });

  test("if it is gone below the floor, and has a row", async () => {
    const world = new LocalWorld();
    const store = await world.filled();
    expect(await world.recall(store, 2)).toBe(false);
    expect(await world.recall(store, 100_000)).toBe(false);
    await world.space.close(store);
  });
});

describe("a borrowed segment", () => {
  test("is what was sealed, above the floor, and nothing that is still written to", async () => {
    const world = new LocalWorld();
    const store = await world.space.openWithBucket();
    for (let at = 0; at < 40; at++) await world.space.write(store, `k-${at}`);
    const { local, state } = store.node;
    const kinds: (string | undefined)[] = [];
    for (const { id } of state.segments.all) {
      kinds.push(await world.space.run(local.withFile(id, ({ kind }) => Promise.resolve(kind))));
    }
    expect(local.floorIndex).toBe(0);
    expect(kinds).toEqual([...kinds.slice(1).map(() => "verbatim"), undefined]);
    await world.space.close(store);
  });

  test("is not rewritten before it is given back", async () => {
    const world = new LocalWorld(90);
    const store = await world.space.openWithBucket();
    await world.space.write(store, "kept");
    const gate = Promise.withResolvers<void>();
    for (let at = 0; at < 20; at++) await world.space.write(store, `key-${at}`);
    const path = `data/log/${world.nameOf(1)}`;
    const before = await world.space.machine.disk.readFile(path);
    const held = store.node.local.withFile(1, () => gate.promise);
    await world.space.overwrite(store, 20, 16);
    expect(store.node.local.floorIndex).toBeGreaterThan(100);
    expect(await world.space.machine.disk.readFile(path)).toEqual(before);
    gate.resolve();
    await world.space.run(held);
    await world.space.overwrite(store, 20, 8);
    const kind = await world.space.run(store.node.local.withFile(1, (file) => Promise.resolve(file.kind)));
    expect(kind).toBe("packed");
    expect(await world.space.wrong(store)).toEqual([]);
    await world.space.close(store);
  });

  test("is not deleted before it is given back, though nothing in it is live", async () => {
    const world = new LocalWorld();
    const store = await world.filled();
    const gate = Promise.withResolvers<void>();
    const held = store.node.local.withFile(1, () => gate.promise);
    await world.space.write(store, "kept-0");
    await world.space.overwrite(store, 40, 6);
    expect(await world.files()).toContain(world.nameOf(1));
    gate.resolve();
    await world.space.run(held);
    await world.space.overwrite(store, 40, 6);
    expect(await world.files()).not.toContain(world.nameOf(1));
    await world.space.close(store);
  });
});

describe("the floor", () => {
  test("stays below the first segment that is not in the bucket, as long as that has to follow", async () => {
    const world = new LocalWorld();
    world.tier.uploadedThroughSegment = 3;
    const store = await world.filled();
    const floor = () => world.space.run(readFloor(world.space.machine.disk, "data"));
    expect((await floor()).segmentId).toBe(3);
    expect((await world.files())[3]).toBe(world.nameOf(4));
    // Nobody writes any more, and there is no further snapshot.
    world.tier.uploadedThroughSegment = 4;
    await world.space.machine.clock.advance(1000);
    expect((await floor()).segmentId).toBe(4);
    world.tier.uploadedThroughSegment = Infinity;
    await world.space.overwrite(store, 40, 4);
    expect((await floor()).segmentId).toBeGreaterThan(20);
    await world.space.close(store);
  });
});

describe("verify", () => {
  test("says how many segments lie in the cold tier only, and calls none of them damaged", async () => {
    const world = new LocalWorld();
    const store = await world.filled();
    for (const id of [1, 2]) await world.offload(store, id);
    for (const id of [1, 2]) await world.free(store, id);
    await world.space.close(store);
    const { ok, lines } = await world.space.run(world.space.verify());
    expect(lines.join("\n")).toMatch(/^2 segments with [1-9]\d+ live bytes lie in the cold tier only/m);
    expect(ok).toBe(true);
    await world.space.run(world.space.machine.disk.remove(`data/log/${world.nameOf(3)}`));
    const missing = await world.space.run(world.space.verify());
    expect(missing.lines.join("\n")).toMatch(/^DAMAGED .*0000000003.seg is missing/m);
  });
});

describe("a node that closes", () => {
  test("waits for a segment that is being brought back, and begins nothing more", async () => {
    const world = new LocalWorld();
    const store = await world.filled();
    for (const id of [1, 2]) await world.offload(store, id);
    await world.free(store, 1);
    const gate = Promise.withResolvers<void>();
    const steps: string[] = [];
    const recalling = store.node.local.recall(1, async (path) => {
      await world.fetch(1, path);
      await gate.promise;
    });
    void recalling.then(() => steps.push("recalled"));
    const closing = store.node.close().then(() => steps.push("closed"));
    await world.space.machine.clock.advance(5000);
    expect(steps).toEqual([]);
    expect(await world.space.outcome(store.node.local.free(2))).toBe("UnavailableError");
    gate.resolve();
    await world.space.run(closing);
    expect(steps).toEqual(["recalled", "closed"]);
    expect(await world.files()).toContain(world.nameOf(1));
    const snapshot = store.node.local.withSnapshot(1e9, () => Promise.resolve());
    expect(await world.space.outcome(snapshot)).toBe("UnavailableError");
    expect(await world.space.outcome(store.node.local.seal())).toBe("UnavailableError");
  });
});
