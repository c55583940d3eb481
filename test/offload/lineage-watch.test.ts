/** An old disk that comes back after a restore finds out before it writes anything, and says so (R20). */
import { describe, expect, test } from "vitest";
import { finishAtOnce } from "../../src/base/steps.ts";
import { coldKey } from "../../src/offload/cold-names.ts";
import { noteHeir } from "../../src/offload/heir-notes.ts";
import { encodeManifest } from "../../src/offload/manifest-format.ts";
import { MINUTE_MS, TierWorld, sealedSegments } from "./tier-world.ts";
import type { TierStore } from "./tier-world.ts";
import { manifestOf } from "./manifests.ts";

async function closedWithSegments(): Promise<{ readonly world: TierWorld; readonly store: TierStore }> {
  const world = new TierWorld();
  const store = await world.openWithBucket();
  await world.fill(store, 2);
  await world.until(() => store.tier.status.restorePointIndex > 0);
  await world.pass(30_000);
  await world.close(store);
  return { world, store };
}

function writesOf({ cold }: TierWorld): readonly string[] {
  return cold.calls.filter((call) => call.startsWith("put") || call.startsWith("delete"));
}

async function expectSilence(world: TierWorld): Promise<void> {
  const again = await world.open();
  await world.fill(again, 3, "later");
  await world.pass(5 * MINUTE_MS);
  expect(writesOf(world)).toEqual([]);
  const { status } = again.tier;
  expect(status).toMatchObject({ state: "degraded", supersededBy: "heir" });
  expect(status.reason).toContain("lineage heir was restored from this one");
  expect(world.logged.filter((line) => line.includes("restored from this one"))).toHaveLength(1);
  expect(again.service.status().ready).toBe(true);
  expect(await world.wrong(again)).toEqual([]);
  await world.close(again);
}

describe("a lineage that somebody was restored from", () => {
  test("writes nothing any more, and serves on, where a note says so", async () => {
    const { world, store } = await closedWithSegments();
    const { place } = store.tier;
    await world.run(noteHeir(world.newCold(), place, { lineage: "heir", cutIndex: 7 }));
    await expectSilence(world);
  });

  test("writes nothing any more where a manifest of the new one says so", async () => {
    const { world, store } = await closedWithSegments();
    const { cluster, lineage: parent } = store.tier.place;
    const heir = manifestOf(10, {
      cluster,
      lineage: "heir",
      parent: { lineage: parent, cutIndex: 3 },
      segments: [],
    });
    const { index, term, incarnation } = heir;
    const segment = { id: 1, first: 1, last: index, sealed: false, copy: undefined };
    const chain = { low: 0, high: 0 };
    const segments = [{ ...segment, chainBefore: chain, chainAfter: { low: 1, high: 1 } }];
    const bytes = Buffer.concat(finishAtOnce(encodeManifest({ ...heir, segments })));
    const key = coldKey({ cluster, lineage: "heir" }, { kind: "manifest", index, term, incarnation });
    await world.run(world.newCold().put(key, bytes, { kind: "manifest" }));
    await expectSilence(world);
  });

  test("is noticed by a node that runs, before its next restore point", async () => {
    const world = new TierWorld();
    const store = await world.openWithBucket();
    await world.until(() => store.tier.status.restorePointIndex > 0);
    await world.run(noteHeir(world.newCold(), store.tier.place, { lineage: "heir", cutIndex: 7 }));
    await world.fill(store, 12);
    await world.until(() => store.tier.status.supersededBy === "heir", 11 * MINUTE_MS);
    const writes = writesOf(world).length;
    await world.fill(store, 3, "later");
    await world.pass(5 * MINUTE_MS);
    expect(writesOf(world)).toHaveLength(writes);
    expect(world.keysOf("manifest")).toHaveLength(1);
    await world.close(store);
  });
});

test("lineages of which this one is no parent are nobody's business", async () => {
  const { world, store } = await closedWithSegments();
  const { cluster } = store.tier.place;
  await world.run(
    noteHeir(world.newCold(), { cluster, lineage: "another" }, { lineage: "heir", cutIndex: 7 }),
  );
  const again = await world.open();
  await world.fill(again, 1, "later");
  await world.until(() => sealedSegments(again).every(({ cold }) => cold !== undefined));
  expect(again.tier.status.state).toBe("ok");
  await world.close(again);
});

test("nothing is written before it was looked", async () => {
  const { world } = await closedWithSegments();
  const opening = world.openSoon();
  world.cold.tell("list", ...Array.from({ length: 4 }, () => "failBefore" as const));
  const again = await world.run(opening);
  await world.fill(again, 2, "later");
  await world.until(() => writesOf(world).length > 0);
  const calls = world.cold.calls.map((call) => call.split(" ")[0]);
  const failed = world.cold.calls.filter((call) => call.startsWith("list") && call.endsWith("failBefore"));
  expect(failed.length).toBe(4);
  expect(calls.indexOf("put")).toBeGreaterThan(calls.lastIndexOf("list") - 3);
  expect(calls.slice(0, 5)).not.toContain("put");
  await world.close(again);
});

describe("a disk that was put back to an earlier day", () => {
  /** A machine whose disk is as that of `from` is now, before the same bucket. */
  function copyOf(from: TierWorld): TierWorld {
    const copy = new TierWorld({}, from.objects);
    for (const [path, bytes] of from.machine.disk.files()) copy.machine.disk.plant(path, bytes.fork());
    copy.machine.disk.plantIndex(
      "data/index",
      new Map(from.machine.disk.indexState("data/index").snapshot().rows),
    );
    return copy;
  }

  async function expectHalt(world: TierWorld): Promise<void> {
    const objects = new Map(world.objects);
    const again = await world.open();
    await world.fill(again, 6, "another history");
    await world.pass(10 * MINUTE_MS);
    expect(writesOf(world)).toEqual([]);
    expect(world.objects).toEqual(objects);
    const { status } = again.tier;
    expect(status).toMatchObject({ state: "degraded", supersededBy: again.tier.place.lineage });
    expect(status.reason).toContain("the disk is an earlier copy of itself");
    expect(status.freedSegments).toBe(0);
    await world.close(again);
  }

  test("writes nothing where the bucket has segments or restore points that it never made", async () => {
    const { world } = await closedWithSegments();
    const copy = copyOf(world);
    const store = await world.open();
    await world.fill(store, 8, "later");
    await world.pass(MINUTE_MS);
    await world.close(store);
    await expectHalt(copy);
  });

  test("nor where the bucket only has a tail that it never made", async () => {
    const { world } = await closedWithSegments();
    const copy = copyOf(world);
    const store = await world.open();
    await world.write(store, "later");
    await world.until(() => store.tier.status.recoveryPointSeconds === 0);
    await world.close(store);
    await expectHalt(copy);
  });

  test("nor where another copy of the disk was started, and put a restore point", async () => {
    const { world, store } = await closedWithSegments();
    const [key = ""] = world.keysOf("manifest");
    const manifest = world.objects.get(key);
    if (manifest === undefined) throw new Error("there is no restore point");
    const { nodeId, incarnation } = store.node.node;
    const later = `${nodeId}.${(incarnation + 1).toString(36)}.json`;
    world.objects.set(key.replace(/[^-]+$/, later), manifest);
    await expectHalt(world);
  });
});

test("a bucket without what the state names there gets nothing, and no file is freed for it", async () => {
  const { world } = await closedWithSegments();
  world.objects.clear();
  const again = await world.open();
  await world.fill(again, 12, "later");
  await world.pass(10 * MINUTE_MS);
  expect(writesOf(world)).toEqual([]);
  expect(again.tier.status).toMatchObject({ state: "degraded", freedSegments: 0 });
  expect(again.tier.status.reason).toContain("is it the right bucket and prefix?");
  await world.close(again);
});
