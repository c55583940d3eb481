/** What a restored store may do with the objects of its parent, before and after it has adopted them. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { adopt, adoptOutcome } from "../../src/offload/adopt.ts";
import type { AdoptReport } from "../../src/offload/adopt.ts";
import { heirKey } from "../../src/offload/heir-notes.ts";
import { act, deeds, expectRestorable } from "./garbage-deeds.ts";
import { atOnce, collectorOf, nodeOf, rowsOf, storeOf } from "./garbage-store.ts";
import { settle, unneeded, watched } from "./garbage-watch.ts";
import { GarbageWorld, HOUR } from "./garbage-world.ts";
import { at, manifestOf, segmentsUpTo } from "./manifests.ts";

const { signal } = new AbortController();

function adoptIn(store: GarbageWorld): Promise<AdoptReport> {
  const parts = { node: nodeOf(store), index: rowsOf(store), store: storeOf(store), clock: atOnce };
  return adopt(parts, { signal });
}

const keysBelow = (store: GarbageWorld, lineage: string): readonly string[] =>
  [...store.world.objects.keys()].filter((key) => key.includes(`/${lineage}/`)).toSorted();

/** Thirty entries as `aa`, restored as `bb`, and ten more. */
function restored(): GarbageWorld {
  const store = new GarbageWorld();
  store.append(29);
  for (const segment of store.sealed) store.upload(segment);
  store.manifest(0);
  store.restore("bb");
  store.append(10);
  return store;
}

test("a restored store leaves its parent's objects alone until it has adopted them", async () => {
  let adopted = 0;
  await fc.assert(
    fc.asyncProperty(deeds, deeds, async (before, after) => {
      const store = new GarbageWorld();
      const bucket = storeOf(store, watched(store));
      const collect = () => collectorOf(store, { store: bucket }).collect(signal);
      for (const deed of before) await act(store, deed, collect);
      store.restore("bb");
      const theirs = keysBelow(store, "aa");
      for (const deed of after) await act(store, deed, collect);
      expect(keysBelow(store, "aa")).toEqual(theirs);
      expect((await adoptIn(store)).kind).toBe("adopted");
      store.tail();
      await settle(store, { store: bucket });
      expectRestorable(store, store.plan().retained);
      expect(unneeded(store)).toEqual([]);
      adopted += theirs.length - keysBelow(store, "aa").length;
    }),
    { numRuns: 25 },
  );
  expect(adopted).toBeGreaterThan(100);
});

describe("adopting", () => {
  test("takes over every lineage before, and says what is there", async () => {
    const store = restored();
    store.manifest(0);
    store.restore("cc");
    const theirs = [...keysBelow(store, "aa"), ...keysBelow(store, "bb")];
    const report = await adoptIn(store);
    expect(report).toMatchObject({ kind: "adopted", lineages: ["bb", "aa"], objects: theirs.length });
    expect(store.adopted).toEqual(["bb", "aa"]);
    expect(adoptOutcome(report)).toMatchObject({ ok: true, facts: { lineages: ["bb", "aa"] } });
  });

  test("is refused while another one was restored from the same objects", async () => {
    const store = restored();
    const parent = { lineage: "aa", cutIndex: 20 };
    const drill = manifestOf(20, { lineage: "dd", parent, segments: segmentsUpTo(20) });
    const key = store.world.manifest(drill, { alone: true });
    const report = await adoptIn(store);
    expect(report).toEqual({ kind: "refused", heirs: ["dd"] });
    expect(adoptOutcome(report).ok).toBe(false);
    expect(store.adopted).toEqual([]);
    store.world.remove(key);
    expect((await adoptIn(store)).kind).toBe("adopted");
  });

  test("is refused while it is noted that another one will be", async () => {
    const store = restored();
    store.world.objects.set(heirKey(at("aa"), { lineage: "dd", cutIndex: 20 }), 1);
    store.world.objects.set(heirKey(at("aa"), { lineage: "bb", cutIndex: 30 }), 1);
    expect(await adoptIn(store)).toEqual({ kind: "refused", heirs: ["dd"] });
  });

  test("has nothing to do where nothing was restored", async () => {
    expect(await adoptIn(new GarbageWorld())).toEqual({ kind: "noParent" });
  });
});

test("a restore from a parent that was adopted stops every deletion again", async () => {
  const store = restored();
  await adoptIn(store);
  store.world.objects.set(heirKey(at("aa"), { lineage: "ee", cutIndex: 20 }), 1);
  store.nowMs += 1000 * HOUR;
  const size = store.world.objects.size;
  expect(await collectorOf(store).collect(signal)).toMatchObject({ blockedBy: ["ee"] });
  expect(store.world.objects.size).toBe(size);
});

test("a tail of the parent stays though a segment here has the same number", async () => {
  const store = new GarbageWorld();
  store.append(29);
  for (const segment of store.sealed.slice(0, 2)) store.upload(segment);
  store.manifest(0);
  const tails = keysBelow(store, "aa").filter((key) => key.includes("/tail/"));
  expect(tails.length).toBeGreaterThan(0);
  store.restore("bb");
  await adoptIn(store);
  await collectorOf(store).collect(signal);
  const left = keysBelow(store, "aa").filter((key) => key.includes("/tail/"));
  const third = tails.filter((key) => key.includes(`/${"3".padStart(16, "0")}/`));
  expect(left).toEqual(expect.arrayContaining(third));
  expect(third.length).toBeGreaterThan(0);
});
