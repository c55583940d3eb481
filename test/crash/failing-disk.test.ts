/**
 * A disk that fails: after a failed write or sync of the log, the vote or the mark the process has to end,
 * because what is on the disk cannot be known any more (promise P7). Nothing is acknowledged afterwards,
 * nothing is tried again. The index is different: the log has everything in it.
 */
import { describe, expect, test } from "vitest";
import type { DiskEffect } from "../sim/sim-disk.ts";
import { SimWorld } from "./sim-world.ts";

/** Fails every effect that fits, and counts how often it was tried. */
function failing(world: SimWorld, effect: DiskEffect, path: RegExp): { tries: number } {
  const count = { tries: 0 };
  world.disk.fault = (tried, where) => {
    if (tried !== effect || !path.test(where)) return undefined;
    count.tries++;
    return "EIO";
  };
  return count;
}

describe("a failed write ends the node", () => {
  test("of a record: the write is not acknowledged, not tried again, and nothing follows it", async () => {
    const world = new SimWorld();
    const store = await world.openWithBucket();
    await world.clock.run(world.put(store, "before", world.bytes(100)));
    const count = failing(world, "write", /\.seg$/);
    const first = world.outcome(world.put(store, "first", world.bytes(3000)));
    expect(await first).toBe("UnknownOutcomeError");
    expect(store.fatal).toHaveLength(1);
    world.disk.fault = () => undefined;
    expect(await world.outcome(world.put(store, "later", world.bytes(3000)))).toBe("UnavailableError");
    await world.clock.advance(10_000);
    expect(count.tries).toBe(1);
    expect(await world.get(store, "before")).toHaveLength(100);
    expect(store.service.status().ready).toBe(false);
  });

  test("of the name of the next segment", async () => {
    const world = new SimWorld();
    const store = await world.openWithBucket({ segmentBytes: 4096 });
    const count = failing(world, "syncDirectory", /log$/);
    // The segment after the next is made ahead; its failure shows when it is needed, at the latest.
    for (let at = 0; at < 4 && store.fatal.length === 0; at++) {
      await world.outcome(world.put(store, `k${at}`, world.bytes(5000)));
      // A later sync would succeed, and prove nothing.
      if (count.tries > 0) world.disk.fault = () => undefined;
    }
    expect(store.fatal).toHaveLength(1);
    expect(count.tries).toBe(1);
  });

  test("of a footer", async () => {
    const world = new SimWorld();
    const store = await world.openWithBucket({ segmentBytes: 4096 });
    let writes = 0;
    world.disk.fault = (effect, path) => {
      if (effect !== "write" || !path.endsWith("1.seg")) return undefined;
      return ++writes === 2 ? "EIO" : undefined;
    };
    expect(await world.outcome(world.put(store, "cuts", world.bytes(5000)))).toBe("put");
    await world.clock.advance(100);
    expect(store.fatal).toHaveLength(1);
    expect(await world.outcome(world.put(store, "later", world.bytes(10)))).toBe("UnavailableError");
  });

  test("of the mark: nothing is acknowledged after it, and it is never tried again", async () => {
    const world = new SimWorld();
    const store = await world.openWithBucket();
    await world.clock.advance(100);
    const count = failing(world, "write", /acked$/);
    await world.outcome(world.put(store, "k", world.bytes(10)));
    await world.clock.advance(100);
    expect(store.fatal.map(String)).toEqual([expect.stringContaining("EIO")]);
    expect(store.service.status().ready).toBe(false);
    expect(await world.outcome(world.put(store, "later", world.bytes(10)))).toBe("UnavailableError");
    await world.clock.advance(10_000);
    world.disk.fault = (effect, path) => {
      if (effect === "write" && path.endsWith("acked")) count.tries++;
      return undefined;
    };
    expect(await world.outcome(store.node.close())).toBe("SimDiskError");
    expect(count.tries).toBe(1);
    expect(store.fatal).toHaveLength(1);
    const next = await world.open();
    expect(await world.get(next, "k")).toHaveLength(10);
    await world.close(next);
  });

  test("of the mark during the stop: the stop says so, and lets go of the directory", async () => {
    const world = new SimWorld();
    const store = await world.openWithBucket();
    await world.clock.advance(100);
    world.latencyMs = 5;
    const put = world.put(store, "k", world.bytes(10));
    failing(world, "write", /acked$/);
    expect(await world.outcome(store.node.close())).toBe("SimDiskError");
    expect(await put).toBe("put");
    world.disk.fault = () => undefined;
    const next = await world.open();
    expect(await world.get(next, "k")).toHaveLength(10);
    await world.close(next);
  });

  // To heal the other slot at the start, and twice for the new term.
  test.each([1, 2, 3])(
    "of the vote, write %d of a start: it does not start, and writes no entry",
    async (nth) => {
      const world = new SimWorld();
      await world.close(await world.openWithBucket());
      let [votes, records] = [0, 0];
      world.disk.fault = (effect, path) => {
        if (effect === "write" && path.endsWith(".seg")) records++;
        return effect === "write" && path.endsWith("vote") && ++votes === nth ? "EIO" : undefined;
      };
      await expect(world.open()).rejects.toThrow("EIO");
      expect([votes, records]).toEqual([nth, 0]);
      world.disk.fault = () => undefined;
      await world.close(await world.open());
    },
  );

  test.each(["vote", "acked"])("of %s at the very first start: the next one begins anew", async (name) => {
    const world = new SimWorld();
    const count = failing(world, "write", new RegExp(`${name}$`));
    await expect(world.open()).rejects.toThrow("EIO");
    expect(count.tries).toBe(1);
    world.disk.fault = () => undefined;
    await world.close(await world.openWithBucket());
  });
});

test("a failed sync of node.json: it does not start, and the next start does", async () => {
  const world = new SimWorld();
  await world.close(await world.openWithBucket());
  failing(world, "sync", /node\.json/);
  await expect(world.open()).rejects.toThrow("EIO");
  world.disk.fault = () => undefined;
  await world.close(await world.open());
});

test("a failed batch of the index is made again on a fresh handle; writes and reads go on", async () => {
  const world = new SimWorld();
  const store = await world.openWithBucket();
  const count = failing(world, "batch", /index$/);
  const bytes = world.bytes(500);
  expect(await world.outcome(world.put(store, "k", bytes))).toBe("put");
  await world.clock.advance(5000);
  expect(count.tries).toBeGreaterThan(1);
  expect(store.fatal).toEqual([]);
  expect(await world.get(store, "k")).toEqual(bytes);
  expect(await world.outcome(world.put(store, "k2", bytes))).toBe("put");
  expect(store.service.status().reason).toContain("EIO");
  world.disk.fault = () => undefined;
  await world.clock.advance(3000);
  expect(store.node.index.flushedIndex).toBe(store.node.index.appliedIndex);
  expect(store.service.status().reason).toBeUndefined();
  await world.close(store);
});

test("the stop of a node that failed leaves nothing locked", async () => {
  const world = new SimWorld();
  const store = await world.openWithBucket();
  failing(world, "write", /\.seg$/);
  await world.outcome(world.put(store, "k", world.bytes(10)));
  world.disk.fault = () => undefined;
  await world.outcome(store.node.close());
  await world.close(await world.open());
});
