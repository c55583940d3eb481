/** The collector as a part of the tier, with its settings: what goes from the bucket, and when. */
import { expect, test } from "vitest";
import { MINUTE_MS, TierWorld, isUploaded } from "./tier-world.ts";
import type { TierStore } from "./tier-world.ts";

async function rounds(world: TierWorld, store: TierStore, count: number): Promise<void> {
  for (let round = 0; round < count; round++) {
    await world.fill(store, 9, "again");
    await world.pass(MINUTE_MS);
  }
  await world.until(() => isUploaded(store));
}

async function manifestsAfter(restoreWindowMs: number): Promise<number> {
  const world = new TierWorld({ restoreWindowMs, graceMs: MINUTE_MS });
  const store = await world.openWithBucket();
  await rounds(world, store, 6);
  await world.pass(30 * MINUTE_MS);
  const manifests = world.keysOf("manifest").length;
  expect(await world.wrong(store)).toEqual([]);
  await world.close(store);
  return manifests;
}

test("restore points go when newer ones are there and the restore window is over", async () => {
  expect(await manifestsAfter(MINUTE_MS)).toBe(2);
  expect(await manifestsAfter(24 * 60 * MINUTE_MS)).toBeGreaterThan(4);
});

async function segmentsAfter(graceMs: number): Promise<number> {
  const world = new TierWorld({ restoreWindowMs: MINUTE_MS, graceMs });
  const store = await world.openWithBucket();
  await rounds(world, store, 8);
  await world.pass(60 * MINUTE_MS);
  const segments = world.keysOf("segments").length;
  expect(await world.wrong(store)).toEqual([]);
  await world.close(store);
  return segments;
}

test("what nothing needs any more goes at the end of its grace", async () => {
  const [early, late] = [await segmentsAfter(MINUTE_MS), await segmentsAfter(24 * 60 * MINUTE_MS)];
  expect(early).toBeLessThan(late / 2);
});
