/** The collector over a bucket and a state: what it deletes, in which order, and wherever it stops. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { heirKey } from "../../src/offload/heir-notes.ts";
import type { ColdEntry } from "../../src/ports/cold-store.ts";
import { FailingColdStore } from "../sim/failing-cold-store.ts";
import { SimClock } from "../sim/sim-clock.ts";
import { SimRandom } from "../sim/sim-random.ts";
import { act, deeds, expectRestorable } from "./garbage-deeds.ts";
import { collectorOf, atOnce, nodeOf, storeOf } from "./garbage-store.ts";
import type { OnDelete } from "./garbage-store.ts";
import { round, settle, unneeded, watched } from "./garbage-watch.ts";
import type { GarbageSettings } from "../../src/offload/garbage-plan.ts";
import { GarbageWorld, HOUR, garbageSettings } from "./garbage-world.ts";
import { at, manifestOf, objectOf, segmentsUpTo, snapshotOf } from "./manifests.ts";
import { coldPort, crashEverywhere, logPort } from "./port-crashes.ts";
import type { Ports } from "./port-crashes.ts";

const { signal } = new AbortController();

test("whatever a store did, and what fails: nothing needed goes, and nothing else stays", async () => {
  let calls = 0;
  await fc.assert(
    fc.asyncProperty(deeds, fc.integer(), async (history, seed) => {
      const store = new GarbageWorld();
      const chances = { failBefore: 0.05, failAfter: 0.1, wrongBytes: 0.02 };
      const random = new SimRandom(`collector ${seed}`);
      const whole = storeOf(store, watched(store));
      const failing = new FailingColdStore(whole, { clock: atOnce, random, chances });
      const collect = async (): Promise<void> => {
        await round(store, { store: failing }).catch(() => undefined);
      };
      for (const deed of history) await act(store, deed, collect);
      store.tail();
      await settle(store, { store: whole });
      expect(unneeded(store)).toEqual([]);
      calls += failing.calls.length;
    }),
    { numRuns: 40 },
  );
  expect(calls).toBeGreaterThan(500);
});

test("two collectors beside each other do what one does", async () => {
  await fc.assert(
    fc.asyncProperty(deeds, async (history) => {
      const store = new GarbageWorld();
      const changes = { store: storeOf(store, watched(store)) };
      const collect = () => Promise.all([round(store, changes), round(store, changes)]);
      for (const deed of history) await act(store, deed, collect);
      store.tail();
      await settle(store, changes);
      expect(unneeded(store)).toEqual([]);
    }),
    { numRuns: 20 },
  );
});

/** Something of everything that a collector clears away. */
function busyWorld(): GarbageWorld {
  const store = new GarbageWorld();
  store.append(45);
  for (const segment of store.sealed.slice(0, 3)) store.upload(segment);
  store.manifest(0);
  store.append(3);
  store.manifest(0);
  const [first, second, third] = store.sealed as [StoreSegment, StoreSegment, StoreSegment];
  store.pack(first);
  store.pack(second, { crash: true });
  store.die(third);
  store.drop(third);
  store.upload(store.sealed.at(-1) as StoreSegment, { crash: true });
  store.manifest(0, { crash: true });
  store.append(2);
  store.manifest(0);
  store.append(2);
  store.manifest(0);
  store.nowMs += 60 * HOUR;
  return store;
}
type StoreSegment = GarbageWorld["segments"][number];

test(
  "a crash at any call of a port costs nothing that is needed, and leaves nothing for ever",
  { timeout: 120_000 },
  async () => {
    const watch = new Map<GarbageWorld, OnDelete>();
    const make = (): GarbageWorld => {
      const store = busyWorld();
      watch.set(store, watched(store));
      return store;
    };
    const run = async (store: GarbageWorld, ports: Ports): Promise<void> => {
      const node = nodeOf(store);
      const changes = {
        store: coldPort(storeOf(store, watch.get(store)), ports),
        node: { ...node, propose: logPort(node.propose, ports) },
      };
      const collector = collectorOf(store, changes);
      for (let looks = 0; looks < 8; looks++) {
        await collector.collect(signal);
        store.nowMs += 12 * HOUR;
        store.append(7);
        for (const segment of store.sealed) store.upload(segment);
        store.manifest(3);
        for (const segment of store.packable.slice(0, 1)) store.pack(segment);
      }
    };
    const check = async (store: GarbageWorld): Promise<void> => {
      const changes = { store: storeOf(store, watch.get(store)) };
      expectRestorable(store, store.plan().retained);
      // At once, with what the one that died has left.
      await round(store, changes);
      await settle(store, changes);
      expect(unneeded(store)).toEqual([]);
    };
    const { calls, crashes } = await crashEverywhere({ make, run, check });
    const kinds = new Set(calls.map((call) => call.split(" ", 2).join(" ")));
    expect(kinds).toEqual(
      new Set(["cold list", "cold get", "cold delete", "log condemnCold", "log pardonCold"]),
    );
    console.info(`collector: ${calls.length} calls of ports, ${crashes} crashes`);
    expect(crashes).toBeGreaterThan(120);
  },
);

/** Four segments uploaded, two manifests that are not old, and an object that nobody names. */
async function withOrphan(): Promise<{ readonly store: GarbageWorld; readonly orphan: string }> {
  const store = new GarbageWorld();
  store.append(40);
  for (const segment of store.sealed) store.upload(segment);
  store.manifest(0);
  store.append(1);
  store.manifest(0);
  const orphan = store.world.put({ kind: "packed", id: 1, incarnation: "n1.x" });
  await round(store);
  return { store, orphan };
}

describe("an object", () => {
  test("that nobody names goes a day of log time after the entry that said so, not before", async () => {
    const { store, orphan } = await withOrphan();
    expect([...store.marks.keys()]).toEqual([orphan]);
    store.nowMs += 24 * HOUR - 1;
    await round(store);
    expect(store.world.objects.has(orphan)).toBe(true);
    store.nowMs += 1;
    await round(store);
    expect(store.world.objects.has(orphan)).toBe(false);
    expect([...store.marks.keys()]).toEqual([]);
  });

  test("that is named between the look and the deletion stays", async () => {
    const { store, orphan } = await withOrphan();
    store.nowMs += 24 * HOUR;
    const [first] = store.segments;
    if (first === undefined) throw new Error("no segment");
    let lists = 0;
    const inner = storeOf(store);
    const list: typeof inner.list = (prefix, options) => {
      // The second look begins.
      if (++lists === 2) first.cold = { kind: "packed", key: orphan };
      return inner.list(prefix, options);
    };
    await round(store, { store: { ...inner, list } });
    expect(lists).toBeGreaterThan(2);
    expect(store.world.objects.has(orphan)).toBe(true);
    await round(store);
    expect([store.world.objects.has(orphan), store.marks.has(orphan)]).toEqual([true, false]);
  });

  test("that a manifest names since stays, though the first look did not know of it", async () => {
    const { store, orphan } = await withOrphan();
    store.nowMs += 24 * HOUR;
    const inner = storeOf(store);
    let lists = 0;
    const list: typeof inner.list = (prefix, options) => {
      if (++lists === 2) {
        const packed = objectOf(at("aa"), { kind: "packed", id: 1, incarnation: "n1.x" });
        const segments = segmentsUpTo(41).map((segment) =>
          segment.id === 1 ? { ...segment, copy: { kind: "packed" as const, ...packed } } : segment,
        );
        const manifest = manifestOf(41, { term: 99, snapshot: snapshotOf(41), segments });
        store.world.manifest(manifest);
      }
      return inner.list(prefix, options);
    };
    await round(store, { store: { ...inner, list } });
    expect(store.world.objects.has(orphan)).toBe(true);
  });

  test("that is written at this moment is not condemned", async () => {
    const store = new GarbageWorld();
    const key = store.world.put({ kind: "packed", id: 1, incarnation: "n1.y" });
    store.inFlight.add(key);
    await round(store);
    expect(store.marks.has(key)).toBe(false);
  });

  test("whose deletion was not answered is asked for again, and closed when it is gone", async () => {
    const { store, orphan } = await withOrphan();
    store.nowMs += 24 * HOUR;
    const random = new SimRandom("delete");
    const failing = new FailingColdStore(storeOf(store), { clock: atOnce, random });
    failing.tell("delete", "failBefore");
    await expect(round(store, { store: failing })).rejects.toThrow("on purpose");
    expect([store.world.objects.has(orphan), store.marks.has(orphan)]).toEqual([true, true]);
    failing.tell("delete", "failAfter");
    await expect(round(store, { store: failing })).rejects.toThrow("on purpose");
    expect([store.world.objects.has(orphan), store.marks.has(orphan)]).toEqual([false, true]);
    await round(store, { store: failing });
    expect(store.marks.size).toBe(0);
  });
});

test("a round tells what lies there, by kind", async () => {
  const store = busyWorld();
  const collector = collectorOf(store, { store: storeOf(store) });
  expect(collector.status.storedBytes).toBeUndefined();
  const bytesOf = (folder: string): number =>
    [...store.world.objects]
      .filter(([key]) => key.split("/")[2] === folder)
      .reduce((sum, [, bytes]) => sum + bytes, 0);
  const [segment, snapshot, manifest] = [bytesOf("segments"), bytesOf("snapshots"), bytesOf("manifest")];
  await collector.collect(signal);
  expect(collector.status.storedBytes).toMatchObject({ segment, snapshot, manifest });
  expect(segment).toBeGreaterThan(0);
  expect(snapshot).toBeGreaterThan(0);
});

describe("nothing goes", () => {
  test("once another lineage went on from this one, even between the two looks", async () => {
    const { store, orphan } = await withOrphan();
    store.nowMs += 24 * HOUR;
    const inner = storeOf(store);
    let lists = 0;
    const list: typeof inner.list = (prefix, options) => {
      if (++lists === 2) {
        const parent = { lineage: "aa", cutIndex: 40 };
        store.world.manifest(manifestOf(40, { lineage: "bb", parent, segments: segmentsUpTo(40) }));
      }
      return inner.list(prefix, options);
    };
    const collector = collectorOf(store, { store: { ...inner, list } });
    await collector.collect(signal);
    await collector.collect(signal);
    expect(collector.status.blockedBy).toEqual(["bb"]);
    expect(store.world.objects.has(orphan)).toBe(true);
  });

  test("once it is noted that another lineage will, even between the two looks", async () => {
    const { store, orphan } = await withOrphan();
    store.nowMs += 24 * HOUR;
    // Somebody else's, so that there are notes already.
    store.world.objects.set(heirKey(at("zz"), { lineage: "yy", cutIndex: 1 }), 1);
    const inner = storeOf(store);
    let lists = 0;
    const list: typeof inner.list = (prefix, options) => {
      if (++lists === 2) store.world.objects.set(heirKey(at("aa"), { lineage: "bb", cutIndex: 40 }), 1);
      return inner.list(prefix, options);
    };
    await round(store, { store: { ...inner, list } });
    expect(store.world.objects.has(orphan)).toBe(true);
  });

  test("because a list that lags has lost a manifest that was there before", async () => {
    const { store } = await withOrphan();
    const inner = storeOf(store);
    const newest = store.world.keysOf("manifest").toSorted().at(-1) as string;
    let lags = false;
    const list = async function* (...asked: Parameters<typeof inner.list>): AsyncGenerator<ColdEntry> {
      for await (const entry of inner.list(...asked)) if (!lags || entry.key !== newest) yield entry;
    };
    const collector = collectorOf(store, { store: { ...inner, list } });
    await collector.collect(signal);
    lags = true;
    expect((await collector.collect(signal)).retained).toContain(newest);
    store.world.remove(newest);
    expect((await collector.collect(signal)).retained).not.toContain(newest);
  });

  test("while there is a manifest that cannot be read", async () => {
    const { store, orphan } = await withOrphan();
    store.nowMs += 24 * HOUR;
    const unread = store.world.put({ kind: "manifest", index: 41, term: 99, incarnation: "n1.z" });
    expect(await round(store)).toMatchObject({ blockedBy: [unread], deleteObjects: [] });
    expect(store.world.objects.has(orphan)).toBe(true);
  });
});

describe("its rounds", () => {
  /** Lets the loop run for so long, with a clock that the world shares. */
  async function live(
    store: GarbageWorld,
    hours: number,
    settings: GarbageSettings = garbageSettings,
  ): Promise<{ readonly lists: number[] }> {
    const lists: number[] = [];
    const clock = new SimClock();
    const startMs = store.nowMs;
    const passed = (): number => Math.floor(clock.monotonicMs());
    const inner = storeOf(store);
    const list: typeof inner.list = (prefix, options) => {
      lists.push(passed() / HOUR);
      return inner.list(prefix, options);
    };
    const node = { ...nodeOf(store), logTimeMs: () => (store.nowMs = startMs + passed()) };
    const ending = new AbortController();
    const collector = collectorOf(store, { store: { ...inner, list }, node, clock, settings });
    const running = collector.run(ending.signal);
    await clock.advance(hours * HOUR);
    ending.abort();
    await clock.run(running);
    return { lists };
  }

  test("cost an idle store that has nothing to clear away one list a day", async () => {
    const { store, orphan } = await withOrphan();
    store.world.remove(orphan);
    store.marks.clear();
    const { lists } = await live(store, 40);
    expect(lists.length).toBe(2);
  });

  test("are an hour apart where garbage waits for days, but where a plan is full", async () => {
    const store = new GarbageWorld();
    store.append(40);
    for (const segment of store.sealed) store.upload(segment);
    store.manifest(0);
    for (let id = 1; id <= 25; id++) store.world.put({ kind: "packed", id, incarnation: "n1.x" });
    const days = { ...garbageSettings, restoreWindowMs: 48 * HOUR, graceMs: 24 * HOUR, deletionsMax: 10 };
    const { lists } = await live(store, 2, days);
    expect(store.marks.size).toBe(25);
    const minutes = lists.map((hour) => Math.floor(hour * 60));
    // Ten each at the first two, and the rest.
    expect(minutes).toEqual([0, 5, 10, 70]);
  });

  test("come when something is due, though nobody writes", async () => {
    const { store, orphan } = await withOrphan();
    const { lists } = await live(store, 25);
    expect([store.world.objects.has(orphan), store.marks.size]).toEqual([false, 0]);
    expect(lists.length).toBeLessThan(30);
  });

  test("come when a manifest gets too old, though nobody writes", async () => {
    const { store } = await withOrphan();
    store.append(1);
    store.manifest(0);
    const before = store.world.keysOf("manifest").length;
    await live(store, 49);
    expect([before, store.world.keysOf("manifest").length]).toEqual([4, 2]);
  });
});
