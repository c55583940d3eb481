/**
 * Promises of the applied state: what is applied is visible at once and stays so through every flush;
 * readers that wait get what was there when they asked or something newer; a store that cannot be written is
 * waited for.
 */
import { describe, expect, test } from "vitest";
import { BusyError, DamageError, UnavailableError } from "../../src/base/errors.ts";
import type { IndexIterator, IndexStore } from "../../src/ports/index-store.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import { keys, prefixRange } from "../../src/state/keys.ts";
import { decodeObject } from "../../src/state/object-row.ts";
import { NO_RUNS, bytesInMemory, storedObject } from "../../src/state/stored-object.ts";
import type { StoredObject } from "../../src/state/stored-object.ts";
import { readRing } from "../../src/store/flush-ring.ts";
import { ReadPace } from "../../src/store/read-pace.ts";
import { StateIndex } from "../../src/store/state-index.ts";
import { SimDisk } from "../sim/sim-disk.ts";
import { SimIndexStore } from "../sim/sim-index-store.ts";
import { silentLogger } from "../support/open-store.ts";
import { GatedIndexStore } from "./gated-index-store.ts";
import { ManualClock, settled } from "./manual-clock.ts";

type World = AsyncDisposable & {
  readonly clock: ManualClock;
  readonly store: GatedIndexStore;
  readonly index: StateIndex;
  /** Stores that `reopen` gave out. */
  readonly reopened: GatedIndexStore[];
  readonly disk: SimDisk;
  readonly stop: () => Promise<void>;
};

type Bounds = { readonly rowsMax?: number; readonly bytesMax?: number; readonly iteratorsMax?: number };

async function openWorld(bounds: Bounds = {}): Promise<World> {
  const clock = new ManualClock();
  const disk = new SimDisk();
  const store = new GatedIndexStore(await SimIndexStore.open(disk, "/index"));
  const reopened: GatedIndexStore[] = [];
  const reopen = async (old: IndexStore): Promise<IndexStore> => {
    await old.close();
    const fresh = new GatedIndexStore(await SimIndexStore.open(disk, "/index"));
    reopened.push(fresh);
    return fresh;
  };
  const index = new StateIndex({
    store,
    reopen,
    clock,
    logger: silentLogger,
    pace: new ReadPace(clock),
    appliedIndex: 0,
    flushNumber: 0,
    rowsMax: bounds.rowsMax ?? 1000,
    bytesMax: bounds.bytesMax ?? 1024 * 1024,
    iteratorsMax: bounds.iteratorsMax ?? 4,
  });
  const abort = new AbortController();
  const running = index.run(abort.signal);
  const stop = async (): Promise<void> => {
    abort.abort();
    await running;
    await index.close();
  };
  return { clock, store, index, reopened, disk, stop, [Symbol.asyncDispose]: stop };
}

/** One entry that writes these rows. */
function apply(index: StateIndex, rows: Readonly<Record<string, string | null>>): void {
  for (const [key, value] of Object.entries(rows)) {
    if (value === null) index.delete(key);
    else index.put(key, Buffer.from(value));
  }
  index.entryApplied(index.appliedIndex + 1);
}

const PREFIX = keys.objectPrefix(1);

/** One entry that writes objects (by their ETag) or removes them. */
function applyObjects(index: StateIndex, objects: Readonly<Record<string, string | null>>): void {
  for (const [key, etag] of Object.entries(objects)) {
    if (etag === null) index.deleteObject(PREFIX, key);
    else index.putObject(PREFIX, key, objectOf(etag));
  }
  index.entryApplied(index.appliedIndex + 1);
}

function objectOf(etag: string): StoredObject {
  const flags = { hasDetail: false, hasVersionId: false, tagCount: 0 };
  const place = { ...flags, birthIndex: 1, birthSub: 0, body: { kind: "empty" } as const };
  const row = { modifiedMs: 1, size: 0, etag, ...place, attributes: NO_ATTRIBUTES };
  return storedObject(row, NO_ATTRIBUTES, { bytes: bytesInMemory(place.body), runs: NO_RUNS });
}

const etagOf = (object: StoredObject | Uint8Array | undefined): string | undefined =>
  object instanceof Uint8Array ? decodeObject(object).etag : object?.etag;

const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : Buffer.from(value).toString();

async function rowsOf(iterator: IndexIterator<Uint8Array>): Promise<Readonly<Record<string, string>>> {
  const rows = await iterator.next(1000);
  await iterator.close();
  return Object.fromEntries(rows.map(([key, value]) => [key, Buffer.from(value).toString()]));
}

describe("reads", () => {
  test("see an entry at once, before and while and after it is flushed", async () => {
    await using world = await openWorld();
    const { index, store, clock } = world;
    const gate = Promise.withResolvers<void>();
    store.beforeWrite = () => gate.promise;
    apply(index, { a: "1", b: "1" });
    apply(index, { b: null });
    const seen = () => [text(index.get("a")), text(index.get("b"))];
    expect(seen()).toEqual(["1", undefined]);
    await clock.advance(400);
    expect([index.flushedIndex, ...seen()]).toEqual([0, "1", undefined]);
    apply(index, { a: "2" });
    expect(seen()).toEqual(["2", undefined]);
    gate.resolve();
    await settled();
    expect([index.flushedIndex, ...seen()]).toEqual([2, "2", undefined]);
    await clock.advance(400);
    expect([index.flushedIndex, index.overlayRows, ...seen()]).toEqual([3, 0, "2", undefined]);
  });

  test("see objects at once, whether they are flushed or not, and as rows in iterators", async () => {
    await using world = await openWorld();
    const { index, store } = world;
    applyObjects(index, { a: "1", b: "1", c: "1" });
    expect(etagOf(index.object(PREFIX, "a"))).toBe("1");
    await index.flushedThrough(1);
    expect(index.recentObject(PREFIX, "a")).toBeUndefined();
    expect(etagOf(index.object(PREFIX, "a"))).toBe("1");
    applyObjects(index, { a: "2", b: null });
    const gate = Promise.withResolvers<void>();
    store.beforeWrite = () => gate.promise;
    const flushed = index.flushedThrough(2);
    await settled();
    expect(index.recentObject(PREFIX, "b")).toBeNull();
    applyObjects(index, { c: null, d: "3" });
    const seen = ["a", "b", "c", "d"].map((key) => etagOf(index.object(PREFIX, key)));
    expect(seen).toEqual(["2", undefined, undefined, "3"]);
    gate.resolve();
    await flushed;
    expect(["a", "b", "c", "d"].map((key) => etagOf(index.object(PREFIX, key)))).toEqual(seen);
    const iterator = await index.iterate(prefixRange(PREFIX));
    const rows = await iterator.next(10);
    await iterator.close();
    expect(rows.map(([key, row]) => [key, decodeObject(row).etag])).toEqual([
      [`${PREFIX}a`, "2"],
      [`${PREFIX}d`, "3"],
    ]);
  });

  test("are checked: a row that is not what was written is damage, not data", async () => {
    await using world = await openWorld();
    apply(world.index, { a: "value" });
    await world.clock.advance(400);
    const direct = await SimIndexStore.open(world.disk, "/index");
    const sealed = Buffer.from(direct.getSync("a") as Uint8Array);
    sealed[0] = (sealed[0] as number) ^ 1;
    const batch = direct.batch();
    batch.put("a", sealed);
    await batch.write();
    expect(() => world.index.get("a")).toThrow(DamageError);
    await expect(world.index.getLater("a")).rejects.toThrow(DamageError);
    await expect(rowsOf(await world.index.iterate({ from: "a", to: "b" }))).rejects.toThrow(DamageError);
  });

  test("that wait get the row as it was when they asked, though its flush ends meanwhile", async () => {
    await using world = await openWorld();
    const { index, store, clock } = world;
    apply(index, { old: "1", gone: "1" });
    await clock.advance(400);
    apply(index, { old: "2", gone: null, fresh: "1" });
    const gate = Promise.withResolvers<void>();
    store.afterRead = () => gate.promise;
    const reading = index.getManyLater(["old", "gone", "fresh", "absent"]);
    await clock.advance(400);
    expect(index.flushedIndex).toBe(2);
    gate.resolve();
    expect((await reading).map(text)).toEqual(["2", undefined, "1", undefined]);
  });

  test("that wait never get something older than when they asked, whatever flushes do", async () => {
    for (let delay = 0; delay < 12; delay++) {
      await using world = await openWorld();
      const { index, store, clock } = world;
      for (let version = 1; version <= 4; version++) {
        apply(index, { row: String(version) });
        if (version === 2) {
          store.beforeWrite = () => settled(3);
          store.afterRead = () => settled(delay);
        }
        const flushing = clock.advance(400);
        await settled(delay % 5);
        const asked = version;
        expect(Number(text(await index.getLater("row")))).toBeGreaterThanOrEqual(asked);
        await flushing;
      }
    }
  });

  test("of prefetched rows do not block, and are forgotten when they may be old", async () => {
    await using world = await openWorld();
    const { index, store, clock } = world;
    apply(index, { a: "1", b: "1" });
    await clock.advance(400);
    await index.prefetch(["a", "b", "absent"]);
    const before = store.syncReads;
    expect([text(index.get("a")), index.get("absent")]).toEqual(["1", undefined]);
    expect(store.syncReads).toBe(before);
    apply(index, { a: "2" });
    expect(text(index.get("a"))).toBe("2");
    await clock.advance(400);
    expect([text(index.get("a")), text(index.get("b"))]).toEqual(["2", "1"]);
    index.forgetPrefetched();
    expect(text(index.get("a"))).toBe("2");
  });

  test("of a prefetch that a flush overtook are not kept", async () => {
    await using world = await openWorld();
    const { index, store, clock } = world;
    apply(index, { a: "1" });
    await clock.advance(400);
    const gate = Promise.withResolvers<void>();
    store.afterRead = () => gate.promise;
    const prefetching = index.prefetch(["a"]);
    apply(index, { a: "2" });
    await clock.advance(400);
    gate.resolve();
    await prefetching;
    expect(text(index.get("a"))).toBe("2");
  });
});

describe("iterators", () => {
  test("see everything that is applied when they are asked for, and nothing of later", async () => {
    await using world = await openWorld();
    const { index } = world;
    apply(index, { a: "1", b: "1" });
    apply(index, { b: null, c: "1" });
    const iterator = await index.iterate({ from: "a", to: "m" });
    apply(index, { a: "2", d: "1" });
    expect(await rowsOf(iterator)).toEqual({ a: "1", c: "1" });
    expect(await rowsOf(await index.iterate({ from: "a", to: "m" }))).toEqual({ a: "2", c: "1", d: "1" });
  });

  test("do not wait for the clock", async () => {
    await using world = await openWorld();
    apply(world.index, { a: "1" });
    const iterator = await world.index.iterateText({ from: "a", to: "m" });
    expect((await iterator.next(10)).map(([key]) => key)).toEqual(["a"]);
    await iterator.close();
    expect(world.clock.monotonicMs()).toBe(0);
  });

  test("are bounded in number; closing one, once or twice, makes room for one", async () => {
    await using world = await openWorld({ iteratorsMax: 2 });
    const open = () => world.index.iterate({ from: "a", to: "m" });
    const [first, second] = [await open(), await open()];
    await expect(open()).rejects.toThrow(BusyError);
    await first.close();
    await first.close();
    const third = await open();
    await expect(open()).rejects.toThrow(BusyError);
    await second.close();
    await third.close();
  });

  test("that cannot be opened take no place", async () => {
    await using world = await openWorld({ iteratorsMax: 1 });
    world.store.beforeWrite = () => {
      throw new Error("no space");
    };
    apply(world.index, { a: "1" });
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(world.index.iterate({ from: "a", to: "m" })).rejects.toThrow("cannot be written");
    }
  });
});

describe("flushes", () => {
  test("begin soon by themselves, one at a time, and each is in the ring", async () => {
    await using world = await openWorld();
    const { index, clock, store } = world;
    for (let round = 0; round < 5; round++) {
      apply(index, { [`k${round}`]: "1" });
      await clock.advance(400);
    }
    expect([index.flushedIndex, store.writes]).toEqual([5, 5]);
    expect(await readRing(store)).toMatchObject({
      kind: "whole",
      newest: { number: 5, before: 4, after: 5 },
    });
  });

  test("of nothing do not happen", async () => {
    await using world = await openWorld();
    await world.clock.advance(10_000);
    expect(world.store.writes).toBe(0);
  });

  test("begin at half of the bound without waiting for the clock", async () => {
    await using world = await openWorld({ rowsMax: 100 });
    await settled();
    for (let at = 0; at < 60; at++) apply(world.index, { [`k${at}`]: "1" });
    await settled();
    expect(world.index.flushedIndex).toBeGreaterThanOrEqual(50);
  });

  test("are what bounds rows and bytes: `full` is said at the bound and taken back after", async () => {
    for (const bounds of [{ rowsMax: 10 }, { bytesMax: 10_000 }]) {
      await using world = await openWorld(bounds);
      const gate = Promise.withResolvers<void>();
      world.store.beforeWrite = () => gate.promise;
      expect(world.index.full).toBe(false);
      for (let at = 0; at < 10; at++) apply(world.index, { [`k${at}`]: "x".repeat(1000) });
      expect(world.index.full).toBe(true);
      await settled();
      expect(world.index.full).toBe(true);
      gate.resolve();
      await world.index.flushedThrough(10);
      expect(world.index.full).toBe(false);
    }
  });

  test("of large generations let others run", async () => {
    await using world = await openWorld({ rowsMax: 100_000 });
    for (let at = 0; at < 5000; at++) world.index.put(`k${at}`, Buffer.from("1"));
    world.index.entryApplied(1);
    await world.index.flushedThrough(1);
    expect(await rowsOf(await world.index.iterate({ from: "k19", to: "k2" }))).toHaveProperty("k1999");
  });
});

describe("a store that cannot be written", () => {
  const failing = (): never => {
    throw Object.assign(new Error("no space left"), { code: "ENOSPC" });
  };

  test("is told to those who wait, reads go on, and it is tried again on a fresh handle", async () => {
    await using world = await openWorld();
    const { index, store, clock, reopened } = world;
    apply(index, { a: "1" });
    await clock.advance(400);
    store.beforeWrite = failing;
    apply(index, { a: "2", b: "1" });
    await expect(index.flushedThrough(2)).rejects.toThrow(BusyError);
    expect(index.failing).toContain("no space left");
    await expect(index.iterate({ from: "a", to: "m" })).rejects.toThrow(BusyError);
    expect([text(index.get("a")), text(index.get("b"))]).toEqual(["2", "1"]);
    await clock.advance(1000);
    expect([index.failing, index.flushedIndex, reopened.length, store.closed]).toEqual([
      undefined,
      2,
      1,
      true,
    ]);
    expect(await rowsOf(await index.iterate({ from: "a", to: "m" }))).toEqual({ a: "2", b: "1" });
    expect(await readRing(reopened[0] as IndexStore)).toMatchObject({ kind: "whole", newest: { number: 2 } });
  });

  test("keeps its generation through many attempts, and what is applied meanwhile", async () => {
    await using world = await openWorld();
    const { index, store, clock } = world;
    let attempts = 0;
    store.beforeWrite = () => {
      attempts++;
      failing();
    };
    apply(index, { a: "1" });
    await clock.advance(400);
    apply(index, { a: "2" });
    apply(index, { b: "1" });
    expect([attempts, text(index.get("a")), text(index.get("b"))]).toEqual([1, "2", "1"]);
    await clock.advance(1000);
    await clock.advance(400);
    expect([index.flushedIndex, index.overlayRows]).toEqual([3, 0]);
  });

  test("does not keep a stop waiting: what was not flushed is the log's to replay", async () => {
    const world = await openWorld();
    world.store.beforeWrite = failing;
    apply(world.index, { a: "1" });
    await world.clock.advance(400);
    await world.stop();
    const after = await SimIndexStore.open(world.disk, "/index");
    expect(await readRing(after)).toEqual({ kind: "empty" });
  });
});

describe("closing", () => {
  test("flushes what is left, so that the next start replays nothing", async () => {
    const world = await openWorld();
    apply(world.index, { a: "1" });
    await world.stop();
    await world.index.close();
    const after = await SimIndexStore.open(world.disk, "/index");
    expect(await readRing(after)).toMatchObject({ kind: "whole", newest: { after: 1 } });
  });

  test("answers those who still wait", async () => {
    const world = await openWorld();
    apply(world.index, { a: "1" });
    await world.stop();
    await expect(world.index.flushedThrough(5)).rejects.toThrow(UnavailableError);
  });
});
