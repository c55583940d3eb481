/** Everything into the bucket on demand, and off this disk; pins stay. */
import { describe, expect, test } from "vitest";
import { finishAtOnce } from "../../src/base/steps.ts";
import { decodeManifest } from "../../src/offload/manifest-format.ts";
import { noteHeir } from "../../src/offload/heir-notes.ts";
import type { OffloadCounts } from "../../src/offload/offload-all.ts";
import type { ColdTierSettings } from "../../src/offload/tier-settings.ts";
import { MINUTE_MS, openTier, sealedSegments } from "./tier-world.ts";
import type { TierStore, TierWorld } from "./tier-world.ts";

const HOURS = 60 * MINUTE_MS;

const opened = async (changes: Partial<ColdTierSettings> = {}): ReturnType<typeof openTier> =>
  await openTier({ afterMs: 24 * HOURS, ...changes });

function hotSegments(store: TierStore): number {
  return sealedSegments(store).filter(({ id }) => store.node.local.bytesOf(id) > 0).length;
}

async function offloadAll(
  world: TierWorld,
  { tier }: TierStore,
): Promise<{ readonly counts: OffloadCounts; readonly lines: readonly string[] }> {
  const lines: string[] = [];
  const { signal } = new AbortController();
  const counts = await world.run(tier.offloadAll({ signal, onProgress: (line) => lines.push(line) }));
  return { counts, lines };
}

describe.each([
  ["where the bucket follows the log", {}],
  ["where uploads wait for age", { recoveryPointMs: undefined }],
])("everything goes into the bucket, %s", (_, changes) => {
  test("young as it is: uploaded, verified, in a manifest, and off the disk", async () => {
    const { world, store } = await opened(changes);
    for (let round = 0; round < 3; round++) {
      await world.fill(store, 2, `round-${round}`);
      await world.pass(1000);
    }
    await world.write(store, "last");
    const written = store.node.replica.appliedIndex;
    const { counts, lines } = await offloadAll(world, store);
    const last = sealedSegments(store).findLast(({ firstIndex }) => firstIndex <= written);
    expect(counts.kept).toBe(0);
    expect(counts.freed).toBe(last?.id);
    expect(counts.index).toBeGreaterThanOrEqual(written);
    expect(hotSegments(store)).toBe(0);
    expect(lines.at(-1)).toContain("restore point");
    const readings = world.keysOf("manifest").map((key) => {
      return finishAtOnce(decodeManifest(world.objects.get(key)?.bytes ?? Buffer.alloc(0)));
    });
    const named = readings.flatMap((reading) =>
      reading.kind === "manifest" ? reading.manifest.segments : [],
    );
    for (const { id, cold } of sealedSegments(store)) {
      if (id <= (last?.id ?? 0)) expect(named.some(({ copy }) => copy?.key === cold?.key)).toBe(true);
    }
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
    const again = await world.open();
    expect(await world.wrong(again)).toEqual([]);
    await world.close(again);
  });

  test("and stays there, however much it was read before", async () => {
    const { world, store } = await opened(changes);
    await world.fill(store, 4);
    await offloadAll(world, store);
    const ids = sealedSegments(store).map(({ id }) => id);
    // Twice as much as it takes.
    const read = [...ids, ...ids];
    expect(await world.run(store.tier.recall(read, new AbortController()))).toBeGreaterThan(2);
    await offloadAll(world, store);
    await world.pass(MINUTE_MS);
    expect(hotSegments(store)).toBe(0);
    await world.close(store);
  });

  test("twice, and the second time costs hardly anything", async () => {
    const { world, store } = await opened(changes);
    await world.fill(store, 4);
    await offloadAll(world, store);
    const segments = world.keysOf("segments").length;
    await offloadAll(world, store);
    expect(world.keysOf("segments").length).toBeLessThanOrEqual(segments + 1);
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
  });
});

describe("it is not done", () => {
  test("where the bucket keeps nothing: everything stays here, and the reason is told", async () => {
    const { world, store } = await opened();
    await world.fill(store, 3);
    world.cold.loses = (key) => key.includes("/segments/");
    const { signal } = new AbortController();
    const work = store.tier.offloadAll({ signal, onProgress: () => undefined });
    expect(await world.machine.outcome(work)).toBe("ColdDamagedError");
    expect(hotSegments(store)).toBe(sealedSegments(store).length);
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
  });

  test("where another lineage goes on from this one", async () => {
    const { world, store } = await opened();
    await world.fill(store, 2);
    await world.run(noteHeir(world.newCold(), store.tier.place, { lineage: "heir", cutIndex: 1 }));
    const { signal } = new AbortController();
    const work = store.tier.offloadAll({ signal, onProgress: () => undefined });
    await expect(world.run(work)).rejects.toThrow("lineage heir was restored from this one");
    await world.close(store);
  });
});

describe("what is pinned", () => {
  const pins = [{ bucket: "b", prefix: "pinned/" }];

  async function filled(changes: ConstructorParameters<typeof TierWorld>[0] = {}): Promise<{
    readonly world: TierWorld;
    readonly store: TierStore;
    readonly pinnedIds: readonly number[];
  }> {
    const { world, store } = await opened({ afterMs: MINUTE_MS, pins, ...changes });
    for (let round = 0; round < 4; round++) {
      if (round === 1) await world.write(store, "pinned/one");
      await world.fill(store, 3, `round-${round}`);
      await world.pass(2000);
    }
    const found = await world.run(Promise.resolve(store.service.objects.find("b/pinned/one")));
    const { birthIndex } = found as { readonly birthIndex: number };
    const pinnedIds = [store.node.state.segments.find(birthIndex)?.id ?? 0];
    return { world, store, pinnedIds };
  }

  test("stays on the disk when everything else has left it", async () => {
    const { world, store, pinnedIds } = await filled();
    await world.pass(10 * MINUTE_MS);
    await offloadAll(world, store);
    const hot = sealedSegments(store).filter(({ id }) => store.node.local.bytesOf(id) > 0);
    expect(hot.map(({ id }) => id)).toEqual(expect.arrayContaining([...pinnedIds]));
    expect(hot.length).toBeLessThanOrEqual(3);
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
  });

  test("comes back to it when it is pinned later, and goes when it is not any more", async () => {
    const { world, store, pinnedIds } = await filled({ pins: [] });
    await world.pass(10 * MINUTE_MS);
    await offloadAll(world, store);
    expect(store.node.local.bytesOf(pinnedIds[0] ?? 0)).toBe(0);
    await world.close(store);
    world.settings = { ...world.settings, pins };
    const again = await world.open();
    await world.until(() => again.node.local.bytesOf(pinnedIds[0] ?? 0) > 0);
    await world.close(again);
    world.settings = { ...world.settings, pins: [] };
    const third = await world.open();
    await world.until(() => third.node.local.bytesOf(pinnedIds[0] ?? 0) === 0);
    await world.close(third);
  });
});
