/** A stop that is no crash leaves nothing behind that only its disk has, and does not wait for a bucket. */
import { describe, expect, test } from "vitest";
import { openTier, sealedSegments } from "./tier-world.ts";
import type { TierStore, TierWorld } from "./tier-world.ts";

const ALONE = "what was written last is on this disk alone";

/** With a restore point, and one write that no tail has yet. */
async function written(): Promise<{ readonly world: TierWorld; readonly store: TierStore }> {
  const opened = await openTier({ recoveryPointMs: 60_000 });
  const { world, store } = opened;
  await world.until(() => world.keysOf("manifest").length > 0);
  await world.pass(1000);
  await world.write(store, "last");
  expect(store.tier.status.coveredIndex).toBeLessThan(store.node.state.changedIndex);
  return opened;
}

describe("a node that is stopping", () => {
  test("puts what was written last, once", async () => {
    const { world, store } = await written();
    const startMs = world.machine.clock.monotonicMs();
    await world.run(store.tier.finish(2000));
    expect(store.tier.status.coveredIndex).toBe(store.node.state.changedIndex);
    expect(world.machine.clock.monotonicMs() - startMs).toBeLessThan(2000);
    const { length } = world.cold.calls;
    await world.run(store.tier.finish(2000));
    expect(world.cold.calls).toHaveLength(length);
    await world.close(store);
    await world.run(store.tier.finish(2000));
  });

  test("gives up after two seconds where the bucket does not answer", async () => {
    const { world, store } = await written();
    const startMs = world.machine.clock.monotonicMs();
    world.cold.tell("put", "slow");
    await world.run(store.tier.finish(2000));
    expect(Math.round(world.machine.clock.monotonicMs() - startMs)).toBe(2000);
    expect(store.tier.status.coveredIndex).toBeLessThan(store.node.state.changedIndex);
    await world.close(store);
  });

  test("gives up behind a tail that is under way and hangs, too", async () => {
    const { world, store } = await written();
    world.cold.slowMs = 60_000;
    world.cold.tell("put", "slow");
    await world.pass(50_000);
    expect(world.cold.calls.at(-1)).toMatch(/^put .*slow$/);
    const startMs = world.machine.clock.monotonicMs();
    await world.run(store.tier.finish(2000));
    expect(Math.round(world.machine.clock.monotonicMs() - startMs)).toBe(2000);
    await world.close(store);
    expect(Math.round(world.machine.clock.monotonicMs() - startMs)).toBe(2000);
  });

  test("waits for segments that are on their way", async () => {
    const { world, store } = await written();
    await world.fill(store, 2);
    await world.write(store, "behind them");
    expect(sealedSegments(store).every(({ cold }) => cold !== undefined)).toBe(false);
    await world.run(store.tier.finish(2000));
    expect(store.tier.status.coveredIndex).toBeGreaterThanOrEqual(store.node.state.changedIndex);
    expect(world.logged.join("\n")).not.toContain(ALONE);
    await world.close(store);
  });

  test("says so where the bucket is down, and asks nothing of one that never answered", async () => {
    const { world, store } = await written();
    world.cold.isDown = true;
    await world.run(store.tier.finish(2000));
    expect(world.logged.filter((line) => line.includes(ALONE))).toHaveLength(1);
    await world.close(store);
    const again = await world.open();
    await world.write(again, "more");
    const { length } = world.cold.calls;
    await world.run(again.tier.finish(2000));
    expect(world.cold.calls).toHaveLength(length);
    expect(world.logged.filter((line) => line.includes(ALONE))).toHaveLength(2);
    await world.close(again);
  });
});
