/** A stop that is no crash leaves nothing behind that only its disk has, and does not wait for a bucket. */
import { describe, expect, test } from "vitest";
import { openTier } from "./tier-world.ts";
import type { TierStore, TierWorld } from "./tier-world.ts";

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
    await world.run(store.tier.finish());
    expect(store.tier.status.coveredIndex).toBe(store.node.state.changedIndex);
    expect(world.machine.clock.monotonicMs() - startMs).toBeLessThan(2000);
    const { length } = world.cold.calls;
    await world.run(store.tier.finish());
    expect(world.cold.calls).toHaveLength(length);
    await world.close(store);
    await world.run(store.tier.finish());
  });

  test("gives up after two seconds where the bucket does not answer", async () => {
    const { world, store } = await written();
    const startMs = world.machine.clock.monotonicMs();
    world.cold.tell("put", "slow");
    await world.run(store.tier.finish());
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
    await world.run(store.tier.finish());
    expect(Math.round(world.machine.clock.monotonicMs() - startMs)).toBe(2000);
    await world.close(store);
    expect(Math.round(world.machine.clock.monotonicMs() - startMs)).toBe(2000);
  });

  test("asks nothing of a bucket that is down, and says so where it finds out only now", async () => {
    const { world, store } = await written();
    world.cold.isDown = true;
    await world.run(store.tier.finish());
    expect(world.logged.join("\n")).toContain("the last writes are on this disk alone");
    const { length } = world.cold.calls;
    await world.run(store.tier.finish());
    expect(world.cold.calls).toHaveLength(length);
    await world.close(store);
  });
});
