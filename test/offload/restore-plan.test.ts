/** What a restore would do, from what is in a bucket: how far it gets, from where, and what it refuses. */
import { describe, expect, test } from "vitest";
import type { Manifest } from "../../src/offload/manifest.ts";
import { planRestore } from "../../src/offload/restore-plan.ts";
import type { RestorePlan, RestoreRefusal, RestoreWish } from "../../src/offload/restore-plan.ts";
import { ColdWorld } from "./cold-world.ts";
import {
  at,
  chainOf,
  firstOf,
  lastOf,
  manifestOf,
  objectOf,
  segmentOf,
  segmentsUpTo,
  snapshotOf,
} from "./manifests.ts";

const NEWEST: RestoreWish = { target: { kind: "newest" }, acceptGap: false };
const ACCEPTED: RestoreWish = { target: { kind: "newest" }, acceptGap: true };
const upTo = (key: string): RestoreWish => ({ target: { kind: "manifest", key }, acceptGap: false });
const asOf = (minutes: number): RestoreWish => ({
  target: { kind: "time", dateMs: minutes * 60_000 },
  acceptGap: false,
});

function planned(world: ColdWorld, wish: RestoreWish = NEWEST): RestorePlan {
  const plan = planRestore(world.contents, wish);
  expect(plan).toMatchObject({ kind: "plan" });
  return plan as RestorePlan;
}

function refused(world: ColdWorld, wish: RestoreWish = NEWEST): RestoreRefusal {
  const plan = planRestore(world.contents, wish);
  expect(plan).toMatchObject({ kind: "refused" });
  return plan as RestoreRefusal;
}

const ranges = (
  fetches: readonly { readonly first: number; readonly last: number; readonly keep?: string }[],
) => fetches.map(({ first, last, keep }) => `${first}-${last}${keep === undefined ? "" : ` ${keep}`}`);

/** Snapshot at 25, manifest at 34, segments 1 to 3 sealed, the fourth open. */
function usualWorld(changes: Partial<Manifest> = {}) {
  const world = new ColdWorld();
  const manifest = world.manifest(manifestOf(34, { snapshot: snapshotOf(25), ...changes }));
  const tails = [world.tail(31, 33), world.tail(34, 34)];
  return { world, manifest, tails };
}

const key = (id: number, lineage = "aa"): string =>
  objectOf(at(lineage), { kind: "segment", first: firstOf(id), last: lastOf(id) }).key;

describe("a restore", () => {
  test("goes on from the snapshot through segments and tails, and leaves sealed segments cold", () => {
    const { world, manifest, tails } = usualWorld();
    const plan = planned(world);
    expect(plan.manifestKey).toBe(manifest);
    expect(plan.snapshot).toEqual(snapshotOf(25).parts);
    expect(plan.cold.map((segment) => segment.key)).toEqual([key(1), key(2), key(3)]);
    expect(plan.replay.map((fetch) => fetch.key)).toEqual([key(3), ...tails]);
    expect(ranges(plan.replay)).toEqual(["21-30 cold", "31-33 hot", "34-34 hot"]);
    expect(plan.applyFrom).toBe(26);
    expect(plan.recoveryPoint).toEqual({ index: 34, chain: chainOf("log", 34) });
    expect(plan).toMatchObject({ lost: [], accepted: [], warnings: [], passedOver: [], fill: [] });
  });

  test("takes what came after the manifest", () => {
    const { world } = usualWorld();
    const sealed = world.segment(4);
    const next = world.segment(5);
    const tail = world.tail(51, 57);
    const plan = planned(world);
    expect(plan.replay.map((fetch) => fetch.key)).toEqual([key(3), sealed, next, tail]);
    expect(plan.recoveryPoint.index).toBe(57);
  });

  test("takes of several tails the one that goes furthest", () => {
    const { world } = usualWorld();
    world.tail(31, 32);
    const longest = world.tail(31, 37);
    expect(planned(world).replay.map((fetch) => fetch.key)).toEqual([key(3), longest]);
  });

  test("of a young store needs no snapshot", () => {
    const world = new ColdWorld();
    world.manifest(manifestOf(14));
    world.tail(11, 16);
    const plan = planned(world);
    expect(plan).toMatchObject({ snapshot: [], applyFrom: 1, recoveryPoint: { index: 16 } });
    expect(ranges(plan.replay)).toEqual(["1-10 cold", "11-16 hot"]);
  });

  test("begins with the open segment, even where the snapshot holds all of its entries", () => {
    const { world } = usualWorld({ snapshot: snapshotOf(34) });
    const plan = planned(world);
    expect(ranges(plan.replay)).toEqual(["31-33 hot", "34-34 hot"]);
    expect(plan).toMatchObject({ applyFrom: 35, recoveryPoint: { index: 34 } });
  });

  test("behind a snapshot of sealed segments only needs no entry at all", () => {
    const world = new ColdWorld();
    world.manifest(manifestOf(30, { snapshot: snapshotOf(30) }));
    expect(planned(world)).toMatchObject({ replay: [], recoveryPoint: { index: 30 }, applyFrom: 31 });
    world.tail(31, 31);
    expect(planned(world).recoveryPoint.index).toBe(31);
  });

  test("takes a segment that was not yet verified from its tails, or as it was uploaded since", () => {
    const segments = segmentsUpTo(34).map((one) => (one.id === 2 ? { ...one, copy: undefined } : one));
    const { world } = usualWorld({ segments });
    world.remove(key(2));
    const tails = [world.tail(11, 15), world.tail(14, 20)];
    const plan = planned(world);
    expect(plan.fill.map((fetch) => fetch.key)).toEqual(tails);
    expect(ranges(plan.fill)).toEqual(["11-15 hot", "16-20 hot"]);
    expect(plan.cold.map((segment) => segment.key)).toEqual([key(1), key(3)]);
    world.segment(2);
    expect(planned(world).cold.map((segment) => segment.key)).toEqual([key(1), key(2), key(3)]);
    world.remove(key(2), tails[0] as string);
    expect(refused(world).problems).toContainEqual({ kind: "nowhere", segment: 2, first: 11, last: 20 });
  });

  test("finds a parent's objects by their full keys", () => {
    const world = new ColdWorld();
    const segments = [
      segmentOf(1, {}, "aa"),
      segmentOf(2, {}, "bb"),
      segmentOf(3, { last: 24, sealed: false, copy: undefined }),
    ];
    const parent = { lineage: "aa", cutIndex: 12 };
    world.manifest(manifestOf(24, { lineage: "bb", parent, snapshot: snapshotOf(12, "bb"), segments }));
    world.manifest(manifestOf(16, { snapshot: snapshotOf(9) }));
    world.tail(21, 24, { lineage: "bb" });
    // The old disk went on for a while.
    world.segment(3, { lineage: "aa", history: "old" });
    const plan = planned(world);
    expect(plan.manifest.lineage).toBe("bb");
    expect(plan.cold.map((segment) => segment.key)).toEqual([key(1, "aa"), key(2, "bb")]);
    expect(plan.recoveryPoint).toEqual({ index: 24, chain: chainOf("log", 24) });
  });
});

describe("the manifest", () => {
  test("is the newest by term, then by index", () => {
    const world = new ColdWorld();
    const old = world.manifest(manifestOf(20, { term: 1 }));
    const young = world.manifest(manifestOf(18, { term: 2, segments: segmentsUpTo(18) }));
    world.tail(11, 18);
    expect(planned(world).manifestKey).toBe(young);
    expect(planned(world, upTo(old)).manifestKey).toBe(old);
  });

  const spoiled: readonly (readonly [what: string, spoil: (world: ColdWorld, key: string) => void])[] = [
    ["is damaged", (world, manifest) => world.manifests.set(manifest, { kind: "damaged", reason: "bits" })],
    ["was not read", (world, manifest) => world.manifests.delete(manifest)],
    [
      "is another one than its name says",
      (world, manifest) => world.manifests.set(manifest, { kind: "manifest", manifest: manifestOf(33) }),
    ],
    ["lacks a part of its snapshot", (world) => world.remove(snapshotOf(25).parts[0]?.key ?? "")],
    ["has a snapshot that is too short", (world) => world.objects.set(snapshotOf(25).parts[0]?.key ?? "", 1)],
  ];
  test.each(spoiled)("that %s is passed over, and the one before it leads as far", (_, spoil) => {
    const { world, manifest } = usualWorld();
    const older = world.manifest(manifestOf(22, { snapshot: snapshotOf(12) }));
    spoil(world, manifest);
    const plan = planned(world);
    expect(plan).toMatchObject({ manifestKey: older, recoveryPoint: { index: 34 }, applyFrom: 13 });
    expect(plan.passedOver.map((over) => over.key)).toEqual([manifest]);
  });

  test("that was damaged still says by its name how far the log has to go", () => {
    const { world, manifest, tails } = usualWorld();
    world.manifest(manifestOf(22, { snapshot: snapshotOf(12) }));
    world.manifests.set(manifest, { kind: "damaged", reason: "bits" });
    world.remove(tails[1] as string);
    expect(refused(world)).toMatchObject({
      reason: "gap",
      problems: [{ kind: "gap", first: 34, last: 34, behind: manifest }],
    });
    expect(planned(world, ACCEPTED).recoveryPoint.index).toBe(33);
  });

  test("of a newer release is not passed over in silence", () => {
    const { world, manifest } = usualWorld();
    const older = world.manifest(manifestOf(22, { snapshot: snapshotOf(12) }));
    world.manifests.set(manifest, { kind: "unknownVersion", version: 9 });
    expect(refused(world)).toMatchObject({
      reason: "newerRelease",
      problems: [{ kind: "unknownVersion", key: manifest, version: 9 }],
    });
    expect(refused(world, upTo(manifest)).reason).toBe("newerRelease");
    expect(planned(world, ACCEPTED).manifestKey).toBe(older);
  });

  test("that lacks a body is no way to restore, unless that is accepted and told", () => {
    const { world, manifest } = usualWorld();
    world.remove(key(1));
    const problem = { kind: "missing", key: key(1) };
    expect(refused(world)).toMatchObject({ reason: "noSoundManifest", problems: [problem] });
    const plan = planned(world, ACCEPTED);
    expect(plan).toMatchObject({
      manifestKey: manifest,
      lost: [{ first: 1, last: 10 }],
      accepted: [problem],
    });
    expect(plan.recoveryPoint.index).toBe(34);
    world.objects.set(key(1), 7);
    expect(refused(world).problems).toEqual([{ kind: "wrongSize", key: key(1), bytes: 7, expected: 1000 }]);
  });

  test("without its snapshot is no way at all", () => {
    const { world } = usualWorld();
    world.remove(snapshotOf(25).parts[0]?.key ?? "");
    expect(refused(world, ACCEPTED).reason).toBe("noSoundManifest");
  });

  test("that nobody wrote is not made up", () => {
    const world = new ColdWorld();
    expect(refused(world).reason).toBe("noManifest");
    world.segment(1);
    expect(refused(world).reason).toBe("noManifest");
    expect(refused(world, upTo("c0ffee/aa/manifest/x")).reason).toBe("noManifest");
    expect(refused(world, asOf(1)).reason).toBe("noManifest");
    expect(refused(world, { ...NEWEST, lineage: "zz" }).reason).toBe("noManifest");
  });
});

describe("an earlier point", () => {
  test("by manifest ends with the entry that it covers, in the middle of a segment", () => {
    const { world, manifest } = usualWorld();
    world.segment(4);
    world.manifest(manifestOf(40, { snapshot: snapshotOf(38) }));
    const plan = planned(world, upTo(manifest));
    expect(ranges(plan.replay)).toEqual(["21-30 cold", "31-34 hot"]);
    expect(plan.replay.at(-1)).toMatchObject({ kind: "segment", key: key(4) });
    expect(plan.recoveryPoint).toEqual({ index: 34, chain: undefined });
    expect(plan.cold.map((segment) => segment.key)).toEqual([key(1), key(2), key(3)]);
  });

  test("by manifest begins before it if its own snapshot is gone", () => {
    const { world, manifest } = usualWorld();
    const older = world.manifest(manifestOf(22, { snapshot: snapshotOf(12) }));
    world.remove(snapshotOf(25).parts[0]?.key ?? "");
    expect(planned(world, upTo(manifest))).toMatchObject({
      manifestKey: older,
      recoveryPoint: { index: 34 },
    });
  });

  test("by time begins with the last manifest that is not younger, and ends before the next one", () => {
    const world = new ColdWorld();
    for (const index of [12, 22, 34]) world.manifest(manifestOf(index, { snapshot: snapshotOf(index - 2) }));
    world.tail(31, 34);
    const plan = planned(world, asOf(23));
    expect(plan.manifest.index).toBe(22);
    expect(plan).toMatchObject({ untilDateMs: 23 * 60_000, recoveryPoint: { index: 34 } });
    expect(planned(world, asOf(21)).recoveryPoint.index).toBe(22);
    expect(planned(world, asOf(12)).manifest.index).toBe(12);
    expect(planned(world, asOf(99)).manifest.index).toBe(34);
    expect(refused(world, asOf(11)).reason).toBe("noManifest");
  });

  test("by time is not cut off at a manifest that cannot be read", () => {
    const world = new ColdWorld();
    world.manifest(manifestOf(12, { snapshot: snapshotOf(10) }));
    const damaged = world.manifest(manifestOf(22, { snapshot: snapshotOf(20) }));
    world.manifest(manifestOf(34, { snapshot: snapshotOf(30) }));
    world.tail(31, 34);
    world.manifests.set(damaged, { kind: "damaged", reason: "bits" });
    expect(planned(world, asOf(23))).toMatchObject({ manifest: { index: 12 }, recoveryPoint: { index: 34 } });
  });

  test("before a restore is looked for in the lineage that was served then", () => {
    const world = new ColdWorld();
    world.manifest(manifestOf(22, { snapshot: snapshotOf(12) }));
    world.tail(21, 22);
    const dateMs = 100 * 60_000;
    const parent = { lineage: "aa", cutIndex: 20 };
    const segments = segmentsUpTo(20, "aa");
    world.manifest(
      manifestOf(20, { lineage: "bb", parent, snapshot: snapshotOf(20, "bb"), segments, dateMs }),
    );
    expect(planned(world, asOf(99)).manifest).toMatchObject({ lineage: "aa", index: 22 });
    expect(planned(world, asOf(100)).manifest).toMatchObject({ lineage: "bb", index: 20 });
    expect(planned(world).manifest.lineage).toBe("bb");
  });
});

describe("several lineages", () => {
  test("that nobody went on from are a question, not a guess", () => {
    const world = new ColdWorld();
    world.manifest(manifestOf(20));
    for (const lineage of ["bb", "cc"]) {
      const parent = { lineage: "aa", cutIndex: 20 };
      world.manifest(manifestOf(20, { lineage, parent, segments: segmentsUpTo(20, "aa") }));
    }
    expect(refused(world)).toMatchObject({ reason: "severalLineages", message: "say which lineage: bb, cc" });
    expect(planned(world, { ...NEWEST, lineage: "cc" }).manifest.lineage).toBe("cc");
  });
});

describe("a hole in the log", () => {
  test("with data behind it is a refusal that names both ends", () => {
    const { world, tails } = usualWorld();
    world.remove(tails[1] as string);
    world.segment(5);
    const [, fourth] = [world.tail(35, 38), world.tail(36, 40)];
    expect(refused(world).problems[0]).toEqual({
      kind: "gap",
      first: 34,
      last: 34,
      behind: world.keysOf("tail")[1],
    });
    world.remove(world.keysOf("tail")[1] as string);
    expect(refused(world).problems[0]).toEqual({ kind: "gap", first: 34, last: 35, behind: fourth });
    const plan = planned(world, ACCEPTED);
    expect(plan.recoveryPoint).toEqual({ index: 33, chain: chainOf("log", 33) });
    expect(plan.accepted).toEqual([{ kind: "gap", first: 34, last: 35, behind: fourth }]);
  });

  test("is one too where the object is there and cannot be used", () => {
    const { world, tails } = usualWorld();
    const [, last] = tails as [string, string];
    world.tails.set(last, { kind: "damaged", reason: "bits" });
    const gap = { kind: "gap", first: 34, last: 34, behind: last };
    expect(refused(world).problems).toEqual([gap, { kind: "damaged", key: last, reason: "bits" }]);
    world.tails.delete(last);
    expect(refused(world).problems[1]).toMatchObject({ reason: "it was not read" });
    const other = world.tails.get(tails[0] as string);
    if (other !== undefined) world.tails.set(last, other);
    expect(refused(world).problems[1]).toMatchObject({ reason: "it says that it is another one" });
    const chainBefore = (index: number) => chainOf("log", index - 1);
    const elsewhere = { lineage: "bb", segmentId: 4, first: 34, last: 34, chainBefore };
    world.tails.set(last, { kind: "tail", tail: elsewhere });
    expect(refused(world).problems[1]).toMatchObject({ reason: "it says that it is another one" });
    world.tails.set(last, { kind: "unknownVersion", version: 2 });
    expect(refused(world).problems[1]).toEqual({ kind: "unknownVersion", key: last, version: 2 });
  });

  test("is one too where only the manifest says that there was more", () => {
    const { world, manifest, tails } = usualWorld();
    world.remove(...tails);
    expect(refused(world).problems).toEqual([{ kind: "gap", first: 31, last: 34, behind: manifest }]);
    expect(planned(world, ACCEPTED).recoveryPoint.index).toBe(30);
  });

  test("before the end of the snapshot leaves no state; if it is accepted, its bytes are lost", () => {
    const { world, tails } = usualWorld({ snapshot: snapshotOf(34) });
    const [, last] = tails as [string, string];
    world.remove(last);
    expect(refused(world).reason).toBe("noSoundManifest");
    const plan = planned(world, ACCEPTED);
    expect(plan).toMatchObject({
      lost: [{ first: 34, last: 34 }],
      recoveryPoint: { index: 34, chain: undefined },
    });
  });

  test("behind a manifest that says it is the end is none: what lies there came for other reasons", () => {
    const { world } = usualWorld({ isEnd: true });
    world.segment(6);
    world.tail(35, 37);
    const plan = planned(world);
    expect(plan.recoveryPoint.index).toBe(34);
    expect(plan.warnings).toEqual([]);
  });

  test("that a missing segment leaves is filled from tails", () => {
    const { world } = usualWorld();
    world.remove(key(3));
    expect(refused(world).problems).toContainEqual({ kind: "missing", key: key(3) });
    world.tail(21, 30);
    const plan = planned(world);
    expect(ranges(plan.replay)).toEqual(["21-30 hot", "31-33 hot", "34-34 hot"]);
    expect(plan.warnings).toEqual([{ kind: "missing", key: key(3) }]);
  });

  test("behind the wanted point does not matter", () => {
    const { world, manifest, tails } = usualWorld();
    world.segment(6);
    expect(refused(world).reason).toBe("gap");
    expect(planned(world, upTo(manifest)).recoveryPoint.index).toBe(34);
    world.remove(...tails);
    expect(refused(world, upTo(manifest)).problems[0]).toMatchObject({ kind: "gap", first: 31 });
  });
});

describe("two histories", () => {
  const fork = { history: "fork" };
  const disagreement = (index: number, one: string, other: string) => ({
    kind: "disagreement",
    index,
    keys: [one, other],
  });

  test("in two tails are a refusal, and what comes before is kept if that is accepted", () => {
    const { world, tails } = usualWorld();
    const [, last] = tails as [string, string];
    world.remove(last);
    const one = world.tail(34, 37);
    const other = world.tail(35, 36, fork);
    expect(refused(world).problems).toEqual([disagreement(35, one, other)]);
    expect(planned(world, ACCEPTED).recoveryPoint).toEqual({ index: 34, chain: chainOf("log", 34) });
  });

  test("that begin at the same entry leave nothing of it", () => {
    const { world, tails } = usualWorld();
    const [first] = tails as [string];
    const other = world.tail(34, 36, fork);
    expect(refused(world).problems).toEqual([disagreement(33, first, other)]);
    expect(planned(world, ACCEPTED).recoveryPoint.index).toBe(33);
  });

  test("of segment and manifest are a refusal", () => {
    const { world } = usualWorld();
    const [one, other] = [world.segment(4), world.segment(5, fork)];
    expect(refused(world).problems).toEqual([disagreement(41, one, other)]);
  });

  test("of manifest and tails are a refusal, also where nothing lies behind them", () => {
    const { world, manifest } = usualWorld({
      segments: [
        ...segmentsUpTo(30),
        segmentOf(4, { last: 34, sealed: false, copy: undefined, chainAfter: chainOf("fork", 34) }),
      ],
    });
    const [, last] = world.keysOf("tail") as [string, string];
    expect(refused(world).problems).toEqual([disagreement(34, last, manifest)]);
    expect(refused(world, upTo(manifest)).problems).toEqual([disagreement(34, last, manifest)]);
    world.tail(33, 38);
    expect(refused(world).problems[0]).toMatchObject({ kind: "disagreement", index: 34 });
  });

  test("that part within a segment of which the manifest knows the end are a refusal", () => {
    const pending = segmentOf(4, { copy: undefined });
    const { world, manifest, tails } = usualWorld({ index: 40, segments: [...segmentsUpTo(30), pending] });
    world.remove(...tails);
    const fourth = world.segment(4);
    expect(planned(world).recoveryPoint.index).toBe(40);
    const chains = { chainBefore: chainOf("log", 30), chainAfter: chainOf("fork", 40) };
    world.ends.set(fourth, { kind: "ends", first: 31, last: 40, ...chains });
    const problem = disagreement(40, fourth, manifest);
    expect(refused(world).problems).toEqual([problem]);
    expect(refused(world, upTo(manifest)).problems).toEqual([problem]);
    world.tail(41, 44, fork);
    expect(refused(world).problems).toEqual([problem]);
  });

  test("are settled by a sealed segment that holds their entries", () => {
    const { world } = usualWorld();
    world.tail(33, 36, fork);
    expect(refused(world).reason).toBe("gap");
    world.segment(4);
    expect(planned(world).recoveryPoint.index).toBe(40);
  });

  test("in a segment that says it holds other entries, or whose ends are damaged, are not followed", () => {
    const { world, tails } = usualWorld();
    world.remove(...tails);
    const fourth = world.segment(4);
    world.ends.set(fourth, { kind: "damaged", reason: "bits" });
    expect(refused(world).problems).toContainEqual({ kind: "damaged", key: fourth, reason: "bits" });
    const chains = { chainBefore: chainOf("log", 30), chainAfter: chainOf("log", 39) };
    world.ends.set(fourth, { kind: "ends", first: 31, last: 39, ...chains });
    expect(refused(world).problems).toContainEqual({
      kind: "damaged",
      key: fourth,
      reason: "it holds entries 31 to 39",
    });
    world.ends.delete(fourth);
    expect(planned(world).recoveryPoint).toEqual({ index: 40, chain: undefined });
  });

  test("in two segments that begin alike are a refusal", () => {
    const { world } = usualWorld();
    const keys = [world.segment(4, {}, 38), world.segment(4)] as const;
    expect(refused(world).problems).toEqual([
      { kind: "gap", first: 39, last: 40, behind: keys[1] },
      disagreement(39, ...keys),
    ]);
  });
});
