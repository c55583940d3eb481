/** A store over hours, with all its loops: what it needs no more leaves the bucket, and nothing else does. */
import { expect, test } from "vitest";
import type { ColdTierSettings } from "../../src/offload/tier-settings.ts";
import { wrongCopies } from "./check-copies.ts";
import { MINUTE_MS, TierWorld, isUploaded } from "./tier-world.ts";
import type { TierStore } from "./tier-world.ts";

const call = { signal: new AbortController().signal, onProgress: () => undefined };

/** The same objects over and over, and some that stay, for so many times ten minutes. */
async function overwrite(world: TierWorld, store: TierStore, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await world.write(store, `kept-${round}`);
    await world.fill(store, 3, "key");
    await world.until(() => isUploaded(store));
    await world.pass(10 * MINUTE_MS);
  }
}

async function lived(rounds: number, changes: Partial<ColdTierSettings> = {}) {
  const world = new TierWorld({ recoveryPointMs: 10_000, livePercentMin: 50, ...changes });
  const store = await world.openWithBucket();
  await overwrite(world, store, rounds);
  return { world, store };
}

test("what nothing needs leaves the bucket, and everything else can be read and restored", async () => {
  const { world, store } = await lived(16, { restoreWindowMs: 20 * MINUTE_MS, graceMs: 5 * MINUTE_MS });
  await world.pass(60 * MINUTE_MS);
  const { deletedObjects, garbageObjects, packedSegments } = store.tier.status;
  expect(deletedObjects).toBeGreaterThan(20);
  expect([garbageObjects, store.tier.status.deletionsBlockedBy]).toEqual([0, undefined]);
  expect(packedSegments).toBeGreaterThan(0);
  expect(world.keysOf("manifest").length).toBeLessThanOrEqual(3);
  expect(await world.run(wrongCopies(store, world.objects))).toEqual([]);
  const report = await world.run(store.tier.audit({ deep: true, repair: false }, call));
  expect(report).toMatchObject({ isSound: true, findings: [], objects: world.objects.size });
  expect(await world.wrong(store)).toEqual([]);
  let bytes = 0;
  for (const object of world.objects.values()) bytes += object.bytes.length;
  expect(bytes).toBeLessThan(store.tier.status.uploadedBytes / 2);
  await world.close(store);
});
