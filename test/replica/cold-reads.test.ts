/**
 * Bodies of segments that lie in the cold tier alone: every kind reads right, whole and in ranges, for one
 * GET per record; who does not need a body fetches none; what is missing, wrong or away is said as it is.
 */
import { describe, expect, test } from "vitest";
import { DamageError } from "../../src/base/errors.ts";
import { ColdMissingError, ColdUnavailableError } from "../../src/ports/cold-store.ts";
import { ColdWorld } from "./cold-world.ts";

async function cooled() {
  const world = new ColdWorld();
  const store = await world.cooled();
  return { world, store, close: () => world.local.space.close(store) };
}

const WITHOUT_RECORD = new Set(["empty", "inline"]);

describe("what lies in the cold tier alone", () => {
  test("reads right, whatever kind of body it is, whole and in ranges", async () => {
    const { world, store, close } = await cooled();
    for (const { key, bytes } of world.contents) {
      const tier = WITHOUT_RECORD.has(key) ? "hot" : "cold";
      expect(await world.tierOf(store, await world.find(store, key)), key).toBe(tier);
      expect((await world.get(store, key)).equals(bytes), key).toBe(true);
      const { length } = bytes;
      for (const [from, to] of [
        [0, 1],
        [length >> 1, (length >> 1) + 1],
        [length - 1, length],
        [length >> 2, length - (length >> 2)],
      ] as const) {
        if (from < 0 || to > length || from >= to) continue;
        store.node.cache.clear();
        const found = await world.find(store, key);
        const read = await world.read(store, found, from, to);
        expect(read.equals(bytes.subarray(from, to)), `${key} ${from}-${to}`).toBe(true);
      }
    }
    await close();
  });

  test("does so for its older versions", async () => {
    const { world, store, close } = await cooled();
    const before = world.contentOf("versioned");
    const { birthIndex, birthSub } = await world.find(store, "versioned");
    await world.write(store, "versioned", 500);
    world.cold.calls.length = 0;
    const older = await world.findVersion(store, "versioned", { kind: "birth", birthIndex, birthSub });
    expect(world.gets).toBe(0);
    expect(await world.tierOf(store, older)).toBe("cold");
    expect((await world.read(store, older)).equals(before)).toBe(true);
    expect(world.gets).toBe(1);
    await close();
  });

  test("costs a GET for a small body, and none once it is in memory", async () => {
    const { world, store, close } = await cooled();
    for (const key of ["record-3", "edge"]) {
      world.cold.calls.length = 0;
      await world.get(store, key);
      expect(world.gets).toBe(1);
      const found = await world.find(store, key);
      expect(Buffer.from(found.bytes ?? []).equals(world.contentOf(key))).toBe(true);
      expect(await world.tierOf(store, found)).toBe("hot");
      await world.get(store, key);
      expect(world.gets).toBe(1);
    }
    await close();
  });

  test("costs a GET for each record of a large body, and one for a range within a record", async () => {
    const { world, store, close } = await cooled();
    await world.get(store, "stored");
    expect(world.gets).toBe(3);
    const found = await world.find(store, "stored");
    await world.read(store, found, 1_200_000, 1_200_100);
    expect(world.gets).toBe(4);
    await close();
  });

  test("is not fetched for who only looks at it, lists it or shares it in a copy", async () => {
    const { world, store, close } = await cooled();
    const { service } = store;
    for (const { key, bytes } of world.contents) {
      expect((await world.find(store, key)).size).toBe(bytes.length);
    }
    const cursor = await world.run(service.objects.list({ bucket: "b", prefix: "", from: "" }));
    expect(await world.run(cursor?.next(100) ?? Promise.resolve([]))).not.toHaveLength(0);
    await world.run(cursor?.close() ?? Promise.resolve());
    const copied = await world.run(
      service.copies.copy({
        source: { bucket: "b", key: "stored" },
        target: { bucket: "b", key: "copy" },
        condition: { kind: "none" },
        look: ({ attributes }) => ({ attributes, tags: undefined, checksum: undefined }),
      }),
    );
    expect(copied.kind).toBe("copied");
    await world.run(service.objects.delete({ bucket: "b", key: "record-1", condition: { kind: "none" } }));
    expect(world.gets).toBe(0);
    expect((await world.get(store, "copy")).equals(world.contentOf("stored"))).toBe(true);
    await close();
  });

  test("is copied by value where its bytes are needed", async () => {
    const { world, store, close } = await cooled();
    const { copies } = store.service;
    const copied = await world.run(
      copies.copy({
        source: { bucket: "b", key: "record-2" },
        target: { bucket: "b", key: "copy" },
        condition: { kind: "none" },
        look: ({ attributes }) => ({ attributes, tags: undefined, checksum: "SHA256" }),
      }),
    );
    expect(copied.kind).toBe("copied");
    expect(world.gets).toBe(1);
    expect((await world.get(store, "copy")).equals(world.contentOf("record-2"))).toBe(true);
    await close();
  });

  test("is fetched once for a hundred readers at a time", async () => {
    const { world, store, close } = await cooled();
    for (const key of ["record-5", "stored"]) {
      world.cold.calls.length = 0;
      const readers = Array.from({ length: 100 }, async () => {
        const found = await world.local.space.find(store, key);
        return await world.readSoon(store, found as NonNullable<typeof found>);
      });
      for (const bytes of await world.run(Promise.all(readers))) {
        expect(bytes.equals(world.contentOf(key))).toBe(true);
      }
      expect(world.gets).toBe(key === "stored" ? 3 : 1);
    }
    await close();
  });

  test("is fetched together with its neighbours that are wanted too", async () => {
    const { world, store, close } = await cooled();
    const keys = Array.from({ length: 10 }, (_, at) => `record-${at}`);
    const reading = keys.map(async (key) => {
      const found = await world.local.space.find(store, key);
      return await world.readSoon(store, found as NonNullable<typeof found>);
    });
    const bodies = await world.run(Promise.all(reading));
    expect(bodies.map((bytes, at) => bytes.equals(world.contentOf(keys[at] ?? "")))).not.toContain(false);
    expect(world.gets).toBe(1);
    expect(store.node.reader.coldFigures).toMatchObject({ gets: 1, coalesced: 9 });
    await close();
  });

  test("does not come back into memory after it was overwritten", async () => {
    const { world, store, close } = await cooled();
    world.cold.tell("get", "slow");
    const before = world.contentOf("record-4");
    const found = await world.find(store, "record-4");
    const reading = world.readSoon(store, found);
    await world.write(store, "record-4", 400);
    expect((await world.run(reading)).equals(before)).toBe(true);
    expect((await world.get(store, "record-4")).equals(world.contentOf("record-4"))).toBe(true);
    await close();
  });

  test("is read from the copy that took the place of the one that was looked at", async () => {
    const { world, store, close } = await cooled();
    const { objects } = world.local.cold;
    const found = await world.find(store, "record-9");
    const segment = store.node.state.segments.find(found.birthIndex);
    const { id = 0, firstIndex = 0, entries = 0, cold } = segment ?? {};
    if (cold === undefined) throw new Error("it has no copy");
    // The GET of the old one takes longer than all of this.
    world.cold.slowMs = 15_000;
    const reading = world.readSoon(store, found);
    const bytes = objects.get(cold.key);
    if (bytes !== undefined) objects.set(`${cold.key}.new`, bytes);
    const copy = { ...cold, key: `${cold.key}.new` };
    await world.local.space.machine.clock.advance(100);
    world.cold.slowMs = 20;
    const command = { kind: "segmentOffloaded", segmentId: id, firstIndex, entries, copy } as const;
    await world.run(store.node.replica.propose(command));
    objects.delete(cold.key);
    expect((await world.run(reading)).equals(world.contentOf("record-9"))).toBe(true);
    expect(store.node.reader.coldFigures).toMatchObject({ missing: 0 });
    await close();
  });

  test("reads right after a start, and when it was brought back", async () => {
    const { world, store, close } = await cooled();
    await close();
    const again = await world.local.space.open();
    expect(await world.tierOf(again, await world.find(again, "record-6"))).toBe("cold");
    expect((await world.get(again, "record-6")).equals(world.contentOf("record-6"))).toBe(true);
    expect(await world.local.recall(again, 1)).toBe(true);
    again.node.cache.clear();
    world.cold.calls.length = 0;
    const found = await world.find(again, "record-6");
    expect(await world.tierOf(again, found)).toBe("hot");
    expect((await world.read(again, found)).equals(world.contentOf("record-6"))).toBe(true);
    expect(world.gets).toBe(0);
    expect(store.fatal).toEqual([]);
    await world.local.space.close(again);
  });
});

describe("a cold object that is", () => {
  test("missing is an error with its name, and not asked for again at once", async () => {
    const { world, store, close } = await cooled();
    const key = world.local.keyOf(1);
    const object = world.local.cold.objects.get(key);
    world.local.cold.objects.delete(key);
    const failure = await world.failure(store, "record-1");
    expect(failure).toBeInstanceOf(DamageError);
    expect(failure.cause).toBeInstanceOf(ColdMissingError);
    expect(failure.message).toContain(key);
    expect(failure.message).toContain("thermocline tier audit");
    for (let at = 0; at < 5; at++) expect(await world.failure(store, "record-2")).toBeInstanceOf(DamageError);
    expect(world.gets).toBe(1);
    expect(store.node.reader.coldFigures).toMatchObject({ missing: 6 });
    // Mended by somebody.
    if (object !== undefined) world.local.cold.objects.set(key, object);
    await world.local.space.machine.clock.advance(1100);
    expect((await world.get(store, "record-1")).equals(world.contentOf("record-1"))).toBe(true);
    await close();
  });

  test("wrong is never returned; once is bad luck", async () => {
    const { world, store, close } = await cooled();
    for (const fault of ["wrongBytes", "shortBytes"] as const) {
      for (const key of ["record-7", "stored", "appended"]) {
        store.node.cache.clear();
        world.cold.tell("get", ...Array.from({ length: 20 }, () => fault));
        expect(await world.failure(store, key), `${key} ${fault}`).toBeInstanceOf(DamageError);
        world.cold.forget("get");
        world.cold.tell("get", "wrongBytes");
        expect((await world.get(store, key)).equals(world.contentOf(key)), key).toBe(true);
      }
    }
    expect(store.node.reader.coldFigures?.damaged).toBeGreaterThanOrEqual(6);
    await close();
  });

  test("out of reach is said so, and read when it is back", async () => {
    const { world, store, close } = await cooled();
    world.cold.isDown = true;
    expect(await world.failure(store, "record-8")).toBeInstanceOf(ColdUnavailableError);
    expect(await world.failure(store, "parts")).toBeInstanceOf(ColdUnavailableError);
    expect((await world.find(store, "record-8")).size).toBe(1008);
    expect((await world.get(store, "key-1")).length).toBe(1000);
    world.cold.isDown = false;
    expect((await world.get(store, "record-8")).equals(world.contentOf("record-8"))).toBe(true);
    expect(store.node.reader.coldFigures).toMatchObject({ damaged: 0, missing: 0 });
    expect(store.node.reader.coldFigures?.unavailable).toBeGreaterThanOrEqual(2);
    await close();
  });
});
