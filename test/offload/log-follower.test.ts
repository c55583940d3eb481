/** The bucket follows the log: restore points, tails up to the recovery point, and never a gap. */
import { describe, expect, test } from "vitest";
import { finishAtOnce } from "../../src/base/steps.ts";
import { coldKey } from "../../src/offload/cold-names.ts";
import { decodeManifest } from "../../src/offload/manifest-format.ts";
import type { Manifest } from "../../src/offload/manifest.ts";
import { decodeTail } from "../../src/segment/tail-format.ts";
import type { Tail } from "../../src/segment/tail-format.ts";
import { MINUTE_MS, TierWorld, isUploaded, openTier, sealedSegments } from "./tier-world.ts";
import type { TierStore } from "./tier-world.ts";

function manifestsOf(world: TierWorld): readonly Manifest[] {
  return world.keysOf("manifest").map((key) => {
    const reading = finishAtOnce(decodeManifest(world.objects.get(key)?.bytes ?? Buffer.alloc(0)));
    if (reading.kind !== "manifest") throw new Error(`${key}: ${reading.kind}`);
    return reading.manifest;
  });
}

function tailsOf(world: TierWorld): readonly Tail[] {
  return world.keysOf("tail").map((key) => {
    const reading = decodeTail(world.objects.get(key)?.bytes ?? Buffer.alloc(0));
    if (reading.kind !== "tail") throw new Error(`${key}: ${reading.kind}`);
    return reading.tail;
  });
}

/** The last entry that segments and tails of the bucket hold without a gap, from the first one on. */
function reachOf(world: TierWorld): number {
  const ranges = [
    ...world.keysOf("segments").map((key) => {
      const [, first = "", last = ""] = /(\d{16})-(\d{16})\.seg$/.exec(key) ?? [];
      return { first: Number(first), last: Number(last) };
    }),
    ...tailsOf(world),
  ].toSorted((one, other) => one.first - other.first);
  let reach = 0;
  for (const { first, last } of ranges) if (first <= reach + 1) reach = Math.max(reach, last);
  return reach;
}

function furthestOf(world: TierWorld): number {
  const lasts = world.keysOf("segments").map((key) => Number(key.slice(-20, -4)));
  return Math.max(0, ...lasts, ...tailsOf(world).map(({ last }) => last));
}

const appliedOf = ({ node }: TierStore): number => node.replica.appliedIndex;

describe("a small store", () => {
  test("can be restored from its first seconds on: a manifest, and tails up to now", async () => {
    const { world, store } = await openTier();
    await world.write(store, "one");
    const written = appliedOf(store);
    await world.pass(12_000);
    const [manifest] = manifestsOf(world);
    expect(manifest?.snapshot).toBeUndefined();
    expect(manifest?.segments.at(-1)).toMatchObject({ id: 1, first: 1, sealed: false });
    expect(reachOf(world)).toBeGreaterThanOrEqual(written);
    expect(store.tier.status).toMatchObject({ state: "ok", recoveryPointSeconds: 0 });
    await world.close(store);
  });

  test("that nobody writes to costs nothing but a look now and then", async () => {
    const { world, store } = await openTier();
    await world.write(store, "one");
    await world.pass(MINUTE_MS);
    const calls = world.cold.calls.length;
    await world.pass(9 * MINUTE_MS);
    const asked = world.cold.calls.slice(calls);
    expect(asked.filter((call) => !call.startsWith("list"))).toEqual([]);
    expect(asked.length).toBeLessThan(5);
    await world.close(store);
  });
});

describe("tails", () => {
  test("hold what is younger than the recovery point at no moment only here", async () => {
    const { world, store } = await openTier({ recoveryPointMs: 5000 });
    await world.until(() => world.keysOf("manifest").length > 0);
    const written: { readonly index: number; readonly atMs: number }[] = [];
    for (let at = 0; at < 120; at++) {
      await world.write(store, `key-${at}`, 300);
      written.push({ index: appliedOf(store), atMs: world.machine.clock.monotonicMs() });
      await world.pass(700);
      const nowMs = world.machine.clock.monotonicMs();
      const due = written.filter(({ atMs }) => atMs <= nowMs - 5000).at(-1)?.index ?? 0;
      expect(reachOf(world)).toBeGreaterThanOrEqual(due);
      expect(store.tier.status.recoveryPointSeconds).toBeLessThanOrEqual(5);
    }
    expect(sealedSegments(store).length).toBeGreaterThan(1);
    await world.close(store);
  });

  test("go on while a restore point takes longer than the recovery point", async () => {
    const { world, store } = await openTier({ recoveryPointMs: 5000 });
    await world.until(() => world.keysOf("manifest").length > 0);
    world.cold.delaysMs = (key) => (key.includes("/snapshots/") ? 5 * MINUTE_MS : 0);
    await world.fill(store, 10);
    await world.until(() => world.cold.calls.some((call) => call.includes("/snapshots/")));
    for (let at = 0; at < 60; at++) {
      await world.write(store, `later-${at}`, 300);
      await world.pass(1000);
      expect(store.tier.status.recoveryPointSeconds).toBeLessThanOrEqual(5);
      expect(furthestOf(world)).toBe(reachOf(world));
    }
    expect(world.keysOf("manifest")).toHaveLength(1);
    await world.until(() => world.keysOf("manifest").length > 1);
    await world.close(store);
  });

  test("are few for each segment, and cost a request each time and few bytes twice", async () => {
    const { world, store } = await openTier({ recoveryPointMs: 1000 });
    await world.until(() => world.keysOf("manifest").length > 0);
    const before = world.cold.calls.length;
    for (let at = 0; at < 30; at++) {
      await world.write(store, `key-${at}`, 100);
      await world.pass(1500);
    }
    expect(sealedSegments(store)).toHaveLength(0);
    expect(store.tier.status.tails).toBeLessThanOrEqual(5);
    const puts = world.cold.calls.slice(before).filter((call) => call.startsWith("put"));
    expect(puts.length).toBeLessThanOrEqual(31);
    await world.pass(2 * MINUTE_MS);
    expect(world.keysOf("tail").length).toBe(store.tier.status.tails);
    await world.close(store);
  });

  test("that the bucket did not keep count for nothing, and are put again", async () => {
    const { world, store } = await openTier({ recoveryPointMs: 2000 });
    await world.until(() => world.keysOf("manifest").length > 0);
    await world.pass(10_000);
    const { loses } = world.cold;
    world.cold.loses = (key) => key.includes("/tail/");
    const before = appliedOf(store);
    await world.write(store, "one", 300);
    await world.pass(20_000);
    expect(store.tier.status.coveredIndex).toBeLessThanOrEqual(before);
    world.cold.loses = loses;
    await world.until(() => store.tier.status.coveredIndex > before);
    expect(reachOf(world)).toBeGreaterThan(before);
    await world.close(store);
  });

  test("go when their segment is in the bucket", async () => {
    const { world, store } = await openTier({ recoveryPointMs: 1000 });
    for (let at = 0; at < 5; at++) {
      await world.write(store, `key-${at}`);
      await world.pass(1500);
    }
    const before = world.keysOf("tail");
    expect(before.length).toBeGreaterThan(0);
    await world.fill(store, 2);
    await world.until(() => isUploaded(store));
    await world.pass(2 * MINUTE_MS);
    expect(world.keysOf("tail").filter((key) => before.includes(key))).toEqual([]);
    await world.close(store);
  });

  test("are not put where the bucket would have a gap before them", async () => {
    const { world, store } = await openTier({ recoveryPointMs: 1000 });
    await world.until(() => world.keysOf("manifest").length > 0);
    await world.pass(2000);
    world.cold.delaysMs = (key) => (key.includes("/segments/") ? 8000 : 0);
    await world.fill(store, 2);
    for (let at = 0; at < 60; at++) {
      await world.write(store, `more-${at}`, 200);
      await world.pass(500);
      expect(furthestOf(world)).toBe(reachOf(world));
    }
    await world.until(() => reachOf(world) === appliedOf(store));
    await world.close(store);
  });

  test("go on behind a start, over the same entries", async () => {
    const { world, store } = await openTier({ recoveryPointMs: 1000 });
    for (let at = 0; at < 5; at++) {
      await world.write(store, `key-${at}`);
      await world.pass(1500);
    }
    await world.close(store);
    const again = await world.open();
    await world.write(again, "later");
    const written = appliedOf(again);
    await world.until(() => reachOf(world) >= written);
    expect(world.keysOf("manifest")).toHaveLength(1);
    await world.close(again);
  });
});

describe("a restore point", () => {
  test("is made anew when the log has grown, on a snapshot of its own", async () => {
    const { world, store } = await openTier();
    await world.fill(store, 12);
    await world.until(() => manifestsOf(world).some(({ snapshot }) => snapshot !== undefined));
    const manifest = manifestsOf(world).at(-1);
    expect(manifest?.snapshot?.index).toBeLessThanOrEqual(manifest?.index ?? 0);
    for (const { key, bytes } of manifest?.snapshot?.parts ?? []) {
      expect(world.objects.get(key)?.bytes.length).toBe(bytes);
    }
    await world.close(store);
  });

  test("names only what is there already, and is put last", async () => {
    const { world, store } = await openTier();
    for (let round = 0; round < 8; round++) {
      await world.fill(store, 3, `round-${round}`);
      await world.pass(3000);
      for (const { snapshot, segments, index } of manifestsOf(world)) {
        const named = [...(snapshot?.parts ?? []), ...segments.flatMap(({ copy }) => copy ?? [])];
        for (const { key, bytes } of named) expect(world.objects.get(key)?.bytes.length).toBe(bytes);
        expect(reachOf(world)).toBeGreaterThanOrEqual(index);
      }
    }
    expect(manifestsOf(world).length).toBeGreaterThan(2);
    await world.close(store);
  });

  test("that the bucket did not keep counts for nothing, and is made again", async () => {
    const { world, store } = await openTier();
    await world.until(() => store.tier.status.restorePointIndex > 0);
    await world.fill(store, 9);
    world.cold.loses = (key) => key.includes("/manifest/");
    await world.pass(30_000);
    expect(world.keysOf("manifest")).toHaveLength(1);
    expect(store.tier.status.state).toBe("degraded");
    const before = store.tier.status.restorePointIndex;
    world.cold.loses = () => false;
    await world.until(() => store.tier.status.restorePointIndex > before);
    expect(store.tier.status.state).toBe("ok");
    await world.close(store);
  });

  test("is not made on a snapshot that the bucket did not keep", async () => {
    const { world, store } = await openTier();
    world.cold.loses = (key) => key.includes("/snapshots/");
    await world.fill(store, 12);
    await world.pass(MINUTE_MS);
    expect(manifestsOf(world).every(({ snapshot }) => snapshot === undefined)).toBe(true);
    expect(store.tier.status.reason).toContain("it was put, and is not there");
    world.cold.loses = () => false;
    await world.until(() => manifestsOf(world).some(({ snapshot }) => snapshot !== undefined));
    await world.close(store);
  });

  test("of before a start is found again", async () => {
    const { world, store } = await openTier();
    await world.fill(store, 12);
    await world.until(() => manifestsOf(world).some(({ snapshot }) => snapshot !== undefined));
    await world.pass(30_000);
    const { restorePointIndex } = store.tier.status;
    await world.close(store);
    const again = await world.open();
    await world.until(() => again.tier.status.restorePointIndex > 0);
    expect(again.tier.status.restorePointIndex).toBe(restorePointIndex);
    await world.pass(30_000);
    expect(world.keysOf("manifest").some((key) => key.includes("n1.2"))).toBe(false);
    await world.close(again);
  });

  test("names no copy that was packed by a younger state than its own", async () => {
    const { world, store } = await openTier({ afterMs: 60 * MINUTE_MS });
    await world.fill(store, 3);
    await world.until(() => sealedSegments(store).every(({ cold }) => cold !== undefined));
    await world.write(store, "last");
    world.cold.delaysMs = (key) => (key.includes("/tail/") ? MINUTE_MS : 0);
    const minIndex = appliedOf(store);
    const work = world.machine.outcome(store.tier.writeManifest({ minIndex }));
    await world.pass(2000);
    await world.write(store, "younger");
    const youngest = appliedOf(store);
    const index = await world.run(store.node.local.withSnapshot(youngest, async (made) => made.index));
    const [segment] = sealedSegments(store);
    if (segment === undefined) throw new Error("nothing was sealed");
    const { id: segmentId, firstIndex, entries } = segment;
    const key = coldKey(store.tier.place, { kind: "packed", id: segmentId, incarnation: "n1.9" });
    const copy = { kind: "packed", key, bytes: 1, sha256: "ab".repeat(32) } as const;
    const told = { kind: "segmentOffloaded", segmentId, firstIndex, entries, copy } as const;
    await world.run(store.node.replica.propose(told));
    await world.pass(2 * MINUTE_MS);
    expect(await work).toBe("BusyError");
    for (const manifest of manifestsOf(world)) {
      const isNamed = manifest.segments.some((other) => other.copy?.kind === "packed");
      expect(isNamed && manifest.index < index).toBe(false);
    }
    await world.close(store);
  });

  test("stands on a new snapshot if something has gone that the newest one shows", async () => {
    const { world, store } = await openTier({ afterMs: 1000, livePercentMin: 0 });
    for (let round = 0; round < 4; round++) {
      await world.fill(store, 3, `round-${round}`);
      await world.pass(3000);
    }
    await world.until(() => store.tier.status.coldOnlySegments > 2);
    const gone = sealedSegments(store).filter(({ id }) => store.node.local.bytesOf(id) === 0);
    const doomed = Array.from({ length: 40 }, (_, at) => `round-0-${at}`);
    await world.remove(store, ...doomed);
    await world.until(() => gone.some(({ id }) => store.node.state.segments.byId(id) === undefined));
    await world.close(store);
    // Somebody has lost the restore points.
    for (const key of world.keysOf("manifest")) world.objects.delete(key);
    const again = await world.open();
    await world.until(() => again.tier.status.restorePointIndex > 0);
    await world.close(again);
  });

  test("is made at once for a store that had no tier, of what is live in it", async () => {
    const world = new TierWorld();
    const patient = { snapshot: { entriesMin: 20, logBytes: 1e12 }, afterMs: 1e12 };
    world.settings = { ...world.settings, recoveryPointMs: undefined, ...patient };
    const store = await world.openWithBucket();
    for (let round = 0; round < 4; round++) {
      await world.fill(store, 3, `round-${round}`);
      await world.pass(2000);
    }
    expect(world.keysOf("segments")).toEqual([]);
    await world.close(store);
    world.settings = { ...world.settings, recoveryPointMs: 10_000, afterMs: MINUTE_MS };
    const again = await world.open();
    await world.until(() => again.tier.status.restorePointIndex > 0);
    await world.until(() => isUploaded(again));
    await world.close(again);
  });
});

describe("where the bucket need not follow the log", () => {
  test("a restore point is made once everything has cooled, and says that it is the end", async () => {
    const { world, store } = await openTier({ recoveryPointMs: undefined });
    await world.fill(store, 3);
    await world.until(() => manifestsOf(world).length > 0);
    expect(manifestsOf(world).every(({ isEnd }) => isEnd === true)).toBe(true);
    await world.pass(3 * MINUTE_MS);
    expect(isUploaded(store)).toBe(true);
    expect(manifestsOf(world).at(-1)?.index).toBeGreaterThanOrEqual(
      (sealedSegments(store).at(-1)?.firstIndex ?? 0) + 1,
    );
    await world.close(store);
  });

  test("no further one is made while nobody writes, whatever is cleared away of those before", async () => {
    const hourMs = 60 * MINUTE_MS;
    const windows = { restoreWindowMs: hourMs, graceMs: hourMs };
    const { world, store } = await openTier({ recoveryPointMs: undefined, afterMs: hourMs, ...windows });
    const { signal } = new AbortController();
    for (let round = 0; round < 4; round++) {
      await world.fill(store, 3, `round-${round % 2}`);
      await world.run(store.tier.offloadAll({ signal, onProgress: () => undefined }));
    }
    const puts = (): number => world.cold.calls.filter((call) => call.startsWith("put ")).length;
    const pass = async (hours: number): Promise<void> => {
      for (let part = 0; part < 6 * hours; part++) {
        world.machine.clock.skip(10 * MINUTE_MS);
        await world.pass(2000);
      }
    };
    await pass(30);
    const before = puts();
    expect(world.keysOf("snapshots").length).toBeLessThanOrEqual(2);
    await pass(30);
    expect(puts()).toBe(before);
    await world.write(store, "another");
    await pass(3);
    expect(puts()).toBeGreaterThan(before);
    await world.close(store);
  });
});

test("a restore point that an audit asks for ends with who asked", async () => {
  const { world, store } = await openTier();
  await world.fill(store, 12);
  await world.until(() => world.keysOf("snapshots").length > 0);
  const [lost = ""] = world.keysOf("snapshots");
  world.objects.delete(lost);
  world.cold.delaysMs = (key) => (/\/(snapshots|manifest)\//.test(key) ? 60 * MINUTE_MS : 0);
  const puts = (): number =>
    world.cold.calls.filter((each) => /^put .*(snapshots|manifest)\//.test(each)).length;
  const before = puts();
  const gone = new AbortController();
  const call = { signal: gone.signal, onProgress: () => undefined };
  const audit = store.tier.audit({ deep: false, repair: true }, call).then(
    () => "done",
    () => "ended",
  );
  await world.until(() => puts() > before);
  gone.abort(new Error("nobody waits"));
  await world.pass(1000);
  expect(await Promise.race([audit, Promise.resolve("goes on")])).toBe("ended");
  await world.close(store);
});

test("a restore point says no more than what it holds, whatever was written while it was made", async () => {
  const { world, store } = await openTier({ recoveryPointMs: 60 * MINUTE_MS });
  await world.until(() => manifestsOf(world).length > 0);
  await world.write(store, "before");
  world.cold.delaysMs = (key) => (key.includes("/manifest/") ? 5000 : 0);
  const making = store.tier.writeManifest();
  await world.pass(1000);
  await world.write(store, "meanwhile");
  const { index } = await world.run(making);
  expect(index).toBeLessThan(store.node.state.changedIndex);
  expect(index).toBe(Math.max(...manifestsOf(world).map((manifest) => manifest.index)));
  expect(store.tier.status).toMatchObject({ restorePointIndex: index, coveredIndex: index });
  await world.close(store);
});
