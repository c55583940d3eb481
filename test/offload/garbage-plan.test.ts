/** What may be deleted in the bucket, when, and that no restore point is ever hurt by it. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseColdKey } from "../../src/offload/cold-names.ts";
import type { GarbagePlan } from "../../src/offload/garbage-plan.ts";
import { heirKey } from "../../src/offload/heir-notes.ts";
import { act, deeds, expectRestorable } from "./garbage-deeds.ts";
import { GarbageWorld, HOUR, garbageSettings } from "./garbage-world.ts";
import { manifestOf, objectOf, at, segmentsUpTo, snapshotOf } from "./manifests.ts";

const deletionsOf = ({ deleteManifests, deleteTails, deleteObjects }: GarbagePlan): readonly string[] => [
  ...deleteManifests,
  ...deleteTails,
  ...deleteObjects,
];

/** By kind, so that a property that deletes nothing would be noticed. */
const deleted = new Map<string, number>();

function collect(store: GarbageWorld, most = Infinity): GarbagePlan {
  const plan = store.plan();
  store.commit(plan);
  for (const key of deletionsOf(plan).slice(0, most)) {
    const kind = parseColdKey(key)?.name.kind ?? "";
    deleted.set(kind, (deleted.get(kind) ?? 0) + 1);
    store.world.remove(key);
    expectRestorable(store, plan.retained);
  }
  return plan;
}

/** Until nothing happens any more, with time going on. */
function settle(store: GarbageWorld): void {
  for (let look = 0; look < 500; look++) {
    const plan = collect(store);
    const isQuiet = deletionsOf(plan).length + plan.mark.length + plan.unmark.length === 0;
    if (isQuiet && store.marks.size === 0) return;
    store.nowMs += HOUR;
  }
  expect.unreachable("it never settles");
}

describe("whatever a store did", () => {
  test("every retained manifest is restorable after each deletion, wherever the collector stops", () => {
    deleted.clear();
    fc.assert(
      fc.property(deeds, (history) => {
        const store = new GarbageWorld();
        for (const deed of history) act(store, deed, collect);
        store.tail();
        for (let look = 0; look < 60; look++) {
          store.nowMs += HOUR;
          collect(store);
        }
      }),
      { numRuns: 60 },
    );
    for (const kind of ["segment", "packed", "snapshot", "tail", "manifest"]) {
      expect([kind, (deleted.get(kind) ?? 0) > 5]).toEqual([kind, true]);
    }
  });

  test("nothing stays that nobody needs, and nothing that somebody needs goes", () => {
    fc.assert(
      fc.property(deeds, (history) => {
        const store = new GarbageWorld();
        for (const deed of history) act(store, deed, collect);
        for (const segment of store.sealed) store.upload(segment);
        for (let round = 0; round < 2; round++) {
          store.append(1);
          for (const segment of store.sealed) store.upload(segment);
          store.manifest(0);
        }
        store.nowMs += 1000 * HOUR;
        settle(store);
        const { retained } = store.plan();
        const needed = new Set<string>(retained);
        let replayIndex = Infinity;
        for (const key of retained) {
          const reading = store.world.manifests.get(key);
          if (reading?.kind !== "manifest") continue;
          const { snapshot, segments } = reading.manifest;
          replayIndex = Math.min(replayIndex, snapshot?.index ?? 0);
          for (const object of [...(snapshot?.parts ?? []), ...segments.map(({ copy }) => copy)]) {
            if (object !== undefined) needed.add(object.key);
          }
        }
        for (const { cold } of store.segments) if (cold !== undefined) needed.add(cold.key);
        expect(retained.length).toBe(2);
        const open = store.segments.at(-1);
        for (const key of store.world.objects.keys()) {
          const isOpenTail =
            key.includes(`/tail/${String(open?.id).padStart(16, "0")}/`) && open?.cold === undefined;
          const isReplayed = key.includes("/segments/") && Number(key.slice(-20, -4)) > replayIndex;
          expect([key, needed.has(key) || isOpenTail || isReplayed]).toEqual([key, true]);
        }
        for (const key of needed) expect([key, store.world.objects.has(key)]).toEqual([key, true]);
      }),
      { numRuns: 40 },
    );
  });
});

/** Segments 1 to 3 uploaded, the fourth open, manifests at 31 and 35, nothing to collect. */
function quietStore(): GarbageWorld {
  const store = new GarbageWorld();
  store.append(30);
  for (const segment of store.sealed) store.upload(segment);
  store.manifest(0);
  store.append(4);
  store.manifest(0);
  store.nowMs += 100 * HOUR;
  settle(store);
  return store;
}

const key = (id: number): string =>
  objectOf(at("aa"), { kind: "segment", first: id * 10 - 9, last: id * 10 }).key;

describe("a manifest", () => {
  test("is kept while it is one of the newest two, or within the window, or the one before it", () => {
    const store = new GarbageWorld();
    const keys = [store.world.keysOf("manifest")[0]];
    for (let day = 1; day <= 6; day++) {
      store.nowMs = day * 24 * HOUR;
      store.append(1);
      store.manifest(0);
      keys.push(store.world.keysOf("manifest").at(-1));
    }
    // The window is two days: it begins a minute after the manifest of the fourth one.
    const { retained, deleteManifests } = store.plan();
    expect(retained).toEqual([keys[6], keys[5], keys[4]]);
    expect(deleteManifests).toEqual([keys[0], keys[1], keys[2], keys[3]]);
    store.nowMs += 1000 * HOUR;
    expect(store.plan().retained).toEqual([keys[6], keys[5]]);
  });

  test("that lacks an object pushes no other one out", () => {
    const store = quietStore();
    const [older, newer] = store.plan().retained.toReversed();
    store.append(1);
    store.manifest(0);
    store.nowMs += 100 * HOUR;
    expect(store.plan().deleteManifests).toEqual([older]);
    store.world.remove(store.world.keysOf("snapshot").at(-1) as string);
    expect(store.plan()).toMatchObject({ deleteManifests: [], retained: [expect.anything(), newer, older] });
  });

  test("that cannot be read holds up everything, until it is old enough to go", () => {
    const store = quietStore();
    const unread = store.plan().retained[0] as string;
    const reading = { kind: "unknownVersion", version: 2 } as const;
    store.world.manifests.set(unread, reading);
    store.world.put({ kind: "packed", id: 9, incarnation: "n1.9" });
    expect(store.plan()).toMatchObject({ blockedBy: [unread], mark: [], deleteManifests: [] });
    for (let round = 0; round < 2; round++) {
      store.append(1);
      store.manifest(0);
    }
    expect(store.plan().blockedBy).toEqual([unread]);
    store.nowMs += 100 * HOUR;
    expect(store.plan()).toMatchObject({ blockedBy: [unread], mark: [] });
    expect(store.plan().deleteManifests).toContain(unread);
    settle(store);
    expect(store.world.keysOf("packed")).toEqual([]);
  });

  test("that was just written counts although the listing does not show it yet", () => {
    const store = quietStore();
    const names = store.plan().retained;
    store.world.objects.delete(names[0] as string);
    expect(store.plan().retained).toEqual(names);
  });
});

describe("an object", () => {
  test("is marked first, and deleted when the grace is over", () => {
    const store = quietStore();
    const orphan = store.world.put({ kind: "packed", id: 1, incarnation: "n0.1" });
    expect(collect(store)).toMatchObject({ mark: [orphan], deleteObjects: [] });
    store.nowMs += 24 * HOUR - 1;
    expect(collect(store)).toMatchObject({ mark: [], deleteObjects: [] });
    store.nowMs += 1;
    expect(collect(store).deleteObjects).toEqual([orphan]);
    expect(collect(store).unmark).toEqual([orphan]);
    expect(store.marks.size).toBe(0);
  });

  test("that the state once named goes after the short grace, behind the manifests that name it", () => {
    const store = quietStore();
    const first = store.segments[0] as (typeof store.segments)[number];
    store.pack(first);
    expect(collect(store)).toMatchObject({ mark: [] });
    for (let round = 0; round < 2; round++) {
      store.append(1);
      store.manifest(0);
    }
    store.nowMs += 47 * HOUR;
    expect(collect(store)).toMatchObject({ mark: [], deleteObjects: [] });
    store.nowMs += HOUR;
    const plan = collect(store);
    expect(plan.deleteManifests.length).toBe(1);
    expect(plan.mark).not.toContain(key(1));
    expect(collect(store).mark).toContain(key(1));
    store.nowMs += HOUR;
    expect(collect(store).deleteObjects).toContain(key(1));
  });

  test("that is being written is nobody's garbage", () => {
    const store = quietStore();
    const orphan = store.world.put({ kind: "packed", id: 1, incarnation: "n0.1" });
    const tail = store.world.tail(1, 10);
    expect(store.plan()).toMatchObject({ mark: [orphan], deleteTails: [tail] });
    store.inFlight.add(orphan).add(tail);
    expect(store.plan()).toMatchObject({ mark: [], deleteTails: [] });
    store.marks.set(orphan, 0);
    expect(store.plan()).toMatchObject({ deleteObjects: [], unmark: [orphan] });
  });

  test("of a verbatim upload whose entry is on its way is kept, however long that takes", () => {
    const store = new GarbageWorld();
    store.append(20);
    const [first, second] = store.sealed;
    if (first === undefined || second === undefined) throw new Error("two segments are sealed");
    store.upload(first, { crash: true });
    store.upload(second);
    for (let round = 0; round < 3; round++) {
      store.append(1);
      store.manifest(0);
    }
    store.nowMs += 1000 * HOUR;
    settle(store);
    expect(store.world.objects.has(key(1))).toBe(true);
    store.die(first);
    store.drop(first);
    for (let round = 0; round < 3; round++) {
      store.append(1);
      store.manifest(0);
    }
    store.nowMs += 1000 * HOUR;
    settle(store);
    expect(store.world.objects.has(key(1))).toBe(false);
  });

  test("of a segment that has a row without a copy is kept, though no manifest asks for it", () => {
    const store = new GarbageWorld();
    store.append(12);
    store.tail();
    const [first] = store.sealed;
    if (first === undefined) throw new Error("a segment is sealed");
    store.upload(first, { crash: true });
    store.die(first);
    for (let round = 0; round < 2; round++) {
      store.append(1);
      store.manifest(0);
    }
    store.nowMs += 1000 * HOUR;
    settle(store);
    const tails = store.world.keysOf("tail").filter((name) => name.includes("/0000000000000001/"));
    expect([store.world.objects.has(key(1)), tails.length]).toEqual([true, 2]);
    store.drop(first);
    settle(store);
    store.nowMs += 1000 * HOUR;
    settle(store);
    expect([store.world.objects.has(key(1)), tails.some((name) => store.world.objects.has(name))]).toEqual([
      false,
      false,
    ]);
  });

  test("of the log is kept while there is no manifest at all", () => {
    const store = quietStore();
    store.world.remove(...store.world.keysOf("manifest"));
    store.world.put({ kind: "segment", first: 41, last: 50 });
    expect(store.plan()).toMatchObject({
      blockedBy: [],
      mark: store.world.keysOf("snapshot"),
      deleteTails: [],
    });
  });

  test("needed for a replay stays although nothing in it is live", () => {
    const store = quietStore();
    store.append(10);
    const fourth = store.sealed[3] as (typeof store.segments)[number];
    store.upload(fourth);
    store.die(fourth);
    store.drop(fourth);
    store.nowMs += 1000 * HOUR;
    settle(store);
    expect(store.world.objects.has(key(4))).toBe(true);
    for (let round = 0; round < 2; round++) {
      store.append(1);
      store.manifest(0);
    }
    store.nowMs += 1000 * HOUR;
    settle(store);
    expect(store.world.objects.has(key(4))).toBe(false);
  });

  test("that nobody made here is never touched", () => {
    const store = quietStore();
    store.world.objects.set("c0ffee/aa/segments/notes.txt", 1);
    store.world.objects.set("decade/aa/packed/0000000000000001-n1.1.seg", 1);
    store.nowMs += 1000 * HOUR;
    expect(store.plan()).toMatchObject({ mark: [], deleteObjects: [] });
  });
});

describe("another lineage", () => {
  const heirOf = (parent: string, lineage: string) =>
    manifestOf(20, {
      lineage,
      parent: { lineage: parent, cutIndex: 20 },
      segments: segmentsUpTo(20, parent),
    });

  const withOrphan = (): GarbageWorld => {
    const store = quietStore();
    store.world.put({ kind: "packed", id: 1, incarnation: "n0.1" });
    expect(store.plan().blockedBy).toEqual([]);
    return store;
  };

  test("that was restored from this one stops every deletion here", () => {
    const store = withOrphan();
    store.world.manifest(heirOf("aa", "bb"), { alone: true });
    expect(store.plan()).toMatchObject({ blockedBy: ["bb"], mark: [], deleteManifests: [], deleteTails: [] });
    store.world.manifest(heirOf("bb", "cc"), { alone: true });
    expect(store.plan().blockedBy).toEqual(["bb", "cc"]);
  });

  test("that says nothing of where it comes from stops them too: it may be a restore under way", () => {
    const store = withOrphan();
    const object = store.world.put({ kind: "segment", first: 1, last: 10 }, "bb");
    expect(store.plan().blockedBy).toEqual(["bb"]);
    store.world.remove(object);
    const manifest = store.world.manifest(manifestOf(20, { lineage: "bb" }), { alone: true });
    expect(store.plan().blockedBy).toEqual([]);
    store.world.manifests.set(manifest, { kind: "damaged", reason: "bits" });
    expect(store.plan().blockedBy).toEqual(["bb"]);
  });

  test("that is noted to go on from this one stops them before it has put anything", () => {
    const store = withOrphan();
    const note = heirKey(at("aa"), { lineage: "bb", cutIndex: 20 });
    store.world.objects.set(note, 100);
    expect(store.plan()).toMatchObject({ blockedBy: ["bb"], mark: [], deleteManifests: [], deleteTails: [] });
    store.world.remove(note);
    store.world.objects.set(heirKey(at("00"), { lineage: "aa", cutIndex: 20 }), 100);
    expect(store.plan().blockedBy).toEqual([]);
  });

  test("that this one was restored from is left alone, and nothing of it is deleted", () => {
    const store = new GarbageWorld();
    store.append(20);
    const parent = { lineage: "00", cutIndex: 20 };
    const manifest = manifestOf(21, {
      parent,
      term: 99,
      snapshot: snapshotOf(21),
      segments: segmentsUpTo(21),
    });
    store.world.manifest(manifest);
    store.world.manifest(manifestOf(20, { lineage: "00" }));
    store.world.put({ kind: "packed", id: 1, incarnation: "n0.1" }, "00");
    store.nowMs += 1000 * HOUR;
    const plan = store.plan();
    expect(plan.blockedBy).toEqual([]);
    expect([...plan.mark, ...deletionsOf(plan)].filter((name) => !name.startsWith("c0ffee/aa/"))).toEqual([]);
  });

  test("that was restored from the same one as this is no heir", () => {
    const store = withOrphan();
    const own = store.world.manifest(heirOf("00", "aa"), { alone: true });
    expect(own).toContain("/aa/");
    store.world.manifest(heirOf("00", "bb"), { alone: true });
    store.world.manifest(manifestOf(20, { lineage: "00" }), { alone: true });
    expect(store.plan().blockedBy).toEqual([]);
  });
});

describe("a plan", () => {
  test("is bounded, and goes on where the last one stopped", () => {
    const store = quietStore();
    for (let id = 1; id <= 12; id++) store.world.put({ kind: "packed", id, incarnation: "n0.1" });
    const counts = [collect(store), collect(store), collect(store), collect(store)].map(
      ({ mark }) => mark.length,
    );
    expect(counts).toEqual([garbageSettings.deletionsMax, 5, 2, 0]);
    store.nowMs += 24 * HOUR;
    expect(collect(store).deleteObjects.length).toBe(5);
  });

  test("deletes tails when the segment that holds them is verified, not when it is merely there", () => {
    const store = new GarbageWorld();
    store.append(8);
    store.tail();
    store.append(8);
    store.tail();
    const [first] = store.sealed;
    if (first === undefined) throw new Error("a segment is sealed");
    expect(store.world.keysOf("tail").length).toBe(4);
    store.upload(first, { crash: true });
    expect(store.plan().deleteTails).toEqual([]);
    store.upload(first);
    expect(store.plan().deleteTails.length).toBe(3);
    store.world.remove(key(1));
    expect(store.plan().deleteTails).toEqual([]);
  });
});
