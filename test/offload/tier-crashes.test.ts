/**
 * The tier as a whole, with all its loops: uploads, tails, restore points, freeing, packing, clearing away.
 * The process dies before and after the calls of the bucket, of the log and of the disk's names that they
 * make. The next one has everything, and after some hours the bucket holds nothing that nobody needs.
 */
import { expect, test } from "vitest";
import { wrongCopies } from "./check-copies.ts";
import { collectorOver } from "./packer-world.ts";
import { crashEverywhere } from "./port-crashes.ts";
import type { Ports } from "./port-crashes.ts";
import { MINUTE_MS, TierWorld, isUploaded } from "./tier-world.ts";

const HOUR_MS = 60 * MINUTE_MS;
/** All 668 of them take three minutes, and were made: so many are left out each time. */
const EVERY = 5;
/** Without one of these nothing would be shown of it. */
const DEEDS = [
  /^cold putFile .*\/segments\//,
  /^cold put .*\/tail\//,
  /^cold put\w* .*\/snapshots\//,
  /^cold put .*\/manifest\//,
  /^cold put .*\/packed\//,
  /^cold delete .*\/segments\//,
  /^cold delete .*\/tail\//,
  /^cold delete .*\/snapshots\//,
  /^cold delete .*\/manifest\//,
  /^disk remove .*\/log\/\d+\.seg$/,
  /^log segmentOffloaded$/,
  /^log condemnCold$/,
  /^log pardonCold$/,
];
const call = { signal: new AbortController().signal, onProgress: () => undefined };

const settings = {
  restoreWindowMs: 2 * MINUTE_MS,
  graceMs: MINUTE_MS,
  orphanGraceMs: 24 * HOUR_MS,
  deletionsMax: 1000,
};

type Scene = { readonly world: TierWorld; ended: Promise<void> };

async function make(): Promise<Scene> {
  const world = new TierWorld({
    restoreWindowMs: settings.restoreWindowMs,
    graceMs: settings.graceMs,
    afterMs: 10_000,
    livePercentMin: 60,
  });
  await world.close(await world.openWithBucket());
  return { world, ended: Promise.resolve() };
}

/** Everything that the tier does happens in it, most of it several times. */
async function live(world: TierWorld): Promise<void> {
  const store = await world.open();
  for (let round = 0; round < 8; round++) {
    await world.write(store, `kept-${round}`);
    await world.fill(store, 3, "again");
    await world.pass(30_000);
  }
  await world.until(() => isUploaded(store));
  await world.pass(22 * MINUTE_MS);
}

async function run(scene: Scene, ports: Ports): Promise<void> {
  const { world } = scene;
  world.ports = ports;
  // Whoever drives the clock then finds that everybody waits.
  const died = ports.death.then(() => world.machine.clock.forgetSleepers());
  scene.ended = live(world).catch(async (error: unknown) => {
    await Promise.race([died, Promise.reject(error as Error)]);
  });
  await scene.ended;
}

async function check({ world, ended }: Scene): Promise<void> {
  await ended;
  world.ports = undefined;
  world.machine.clock.forgetSleepers();
  await world.machine.disk.kill();
  const store = await world.open();
  expect(await world.wrong(store)).toEqual([]);
  await world.fill(store, 1, "next");
  await world.pass(11 * MINUTE_MS);
  // Nobody waits a day here for what a dead process has left.
  for (const laterMs of [25 * HOUR_MS, 50 * HOUR_MS, 75 * HOUR_MS, 100 * HOUR_MS]) {
    await world.run(collectorOver({ world, store }, laterMs, { settings }).collect(call.signal));
  }
  expect(await world.wrong(store)).toEqual([]);
  expect(await world.run(wrongCopies(store, world.objects))).toEqual([]);
  const report = await world.run(store.tier.audit({ deep: true, repair: false }, call));
  expect(report).toMatchObject({ isSound: true, findings: [], blockedBy: [] });
  expect(store.fatal).toEqual([]);
  await world.close(store);
}

test(
  "a crash anywhere in the life of a tier loses nothing, and leaves nothing in the bucket for ever",
  {
    timeout: 600_000,
  },
  async () => {
    const isCounted = (name: string): boolean => /^(cold|log|disk (rename|remove|syncDirectory)) /.test(name);
    const { calls, crashes } = await crashEverywhere({ make, run, check, isCounted }, { every: EVERY });
    console.info(`tier: ${calls.length} calls of ports, ${crashes} crashes`);
    for (const deed of DEEDS) expect([deed, calls.some((name) => deed.test(name))]).toEqual([deed, true]);
    expect(crashes).toBeGreaterThan(50);
  },
);
