/**
 * A disk without space (RULES.md R13): writes are refused, reads and what was acknowledged stay, and the node
 * goes on by itself when there is space again. Simulated, and on a small file system of its own.
 */
import { describe, expect, test } from "vitest";
import { BusyError, RefusedError } from "../../src/base/errors.ts";
import { SimWorld } from "./sim-world.ts";
import type { SimStore } from "../sim/sim-store.ts";

const MIB = 1024 * 1024;

/** Puts until one is refused; returns how many were acknowledged. */
async function fill(world: SimWorld, store: SimStore): Promise<number> {
  for (let count = 0; ; count++) {
    const outcome = await world.outcome(world.put(store, `fill-${count}`, world.bytes(60_000)));
    if (outcome === "BusyError") return count;
    expect(outcome).toBe("put");
    expect(count).toBeLessThan(10_000);
  }
}

async function expectFilled(world: SimWorld, store: SimStore, count: number): Promise<void> {
  for (let at = 0; at < count; at++) {
    expect((await world.get(store, `fill-${at}`))?.length, `fill-${at}`).toBe(60_000);
  }
}

describe("when space runs low", () => {
  test("bodies are refused first, then everything but deletes; both end by themselves", async () => {
    const world = new SimWorld();
    world.disk.capacityBytes = 40 * MIB;
    const store = await world.openWithBucket();
    await world.clock.advance(20_000);
    const refusedAt = async (share: number): Promise<unknown[]> => {
      world.disk.capacityBytes = world.disk.usedBytes / (1 - share);
      await world.clock.advance(2000);
      return [
        await world.outcome(world.put(store, "k", world.bytes(10))),
        await world.outcome(
          store.service.buckets
            .create({ name: "c", owner: "root", location: "" })
            .then(({ kind }) => (kind === "exists" ? "created" : kind)),
        ),
        await world.outcome(
          store.service.objects
            .delete({ bucket: "b", key: "k", condition: { kind: "none" } })
            .then(({ kind }) => kind),
        ),
        await world.outcome(
          store.service.objects
            .deleteMany("b", [{ key: "k", version: { kind: "null" } }])
            .then(([outcome]) => outcome?.kind ?? "none"),
        ),
      ];
    };
    expect(await refusedAt(0.5)).toEqual(["put", "created", "deleted", "deleted"]);
    expect(await refusedAt(0.15)).toEqual(["BusyError", "created", "deleted", "deleted"]);
    expect(await refusedAt(0.08)).toEqual(["BusyError", "BusyError", "deleted", "deleted"]);
    expect(await refusedAt(0.5)).toEqual(["put", "created", "deleted", "deleted"]);
    await world.close(store);
  });
});

describe("a full disk", () => {
  test("refuses writes, goes on reading, and recovers by itself", async () => {
    const world = new SimWorld();
    const store = await world.openWithBucket();
    await world.clock.advance(20_000);
    // Somebody else takes all the space between two looks.
    world.disk.capacityBytes = world.disk.usedBytes + 400_000;
    const count = await fill(world, store);
    expect(count).toBeGreaterThan(0);
    expect(store.fatal).toEqual([]);
    await expectFilled(world, store, count);
    await world.clock.advance(60_000);
    expect(await world.outcome(world.put(store, "refused", world.bytes(10)))).toBe("BusyError");
    await expectFilled(world, store, count);
    world.disk.capacityBytes = undefined;
    await world.clock.advance(5000);
    expect(await world.outcome(world.put(store, "again", world.bytes(60_000)))).toBe("put");
    await expectFilled(world, store, count);
    expect(store.fatal).toEqual([]);
    await world.close(store);
    const next = await world.open();
    await expectFilled(world, next, count);
    expect(await world.get(next, "again")).toHaveLength(60_000);
    await world.close(next);
  });

  test("that fills up in the middle of a log write leaves whole records only", async () => {
    const world = new SimWorld();
    const store = await world.openWithBucket();
    world.disk.capacityBytes = world.disk.usedBytes + 30_000;
    const waiting = world.put(store, "waits", world.bytes(60_000));
    await world.clock.advance(3000);
    world.disk.capacityBytes = undefined;
    // It was admitted, so it is answered, late.
    expect(await world.outcome(waiting)).toBe("put");
    await world.close(store);
    const next = await world.open();
    expect(await world.get(next, "waits")).toHaveLength(60_000);
    await world.close(next);
  });

  test("can be started on, with the reserve to live from", async () => {
    const world = new SimWorld();
    const store = await world.openWithBucket();
    await world.clock.advance(20_000);
    await world.outcome(world.put(store, "k", world.bytes(1000)));
    await world.close(store);
    world.disk.capacityBytes = world.disk.usedBytes;
    const next = await world.open();
    expect(await world.get(next, "k")).toHaveLength(1000);
    expect(
      await world.outcome(
        next.service.objects
          .delete({ bucket: "b", key: "k", condition: { kind: "none" } })
          .then(({ kind }) => kind),
      ),
    ).toBe("deleted");
    await world.close(next);
  });
});

/** Like `outcome` of the world, but it lets no time pass. */
function ending(work: Promise<string>): Promise<string> {
  return work.catch((error: unknown) => (error instanceof Error ? error.name : String(error)));
}

/** Puts one after the other until one is not answered; how many were, and the outcome of that one. */
async function fillUntilStuck(
  world: SimWorld,
  store: SimStore,
): Promise<{ readonly taken: number; readonly waiting: Promise<unknown> }> {
  for (let taken = 0; ; taken++) {
    const waiting = world.outcome(world.put(store, `k${taken}`, world.bytes(3000)));
    const first = await world.clock.run(Promise.race([waiting, world.clock.sleep(2000).then(() => "waits")]));
    if (first === "waits") return { taken, waiting };
    expect(first).toBe("put");
    expect(taken).toBeLessThan(1000);
  }
}

describe("a stop while the disk is full", () => {
  /** Soon, as a clean stop, and with a next start that has everything that was acknowledged. */
  async function stopAndReopen(world: SimWorld, store: SimStore, taken: number): Promise<SimStore> {
    const startMs = world.clock.monotonicMs();
    expect(await world.outcome(store.node.close())).toBeUndefined();
    expect(world.clock.monotonicMs() - startMs).toBeLessThan(2000);
    expect(store.fatal).toEqual([]);
    world.disk.fault = () => undefined;
    world.disk.capacityBytes = undefined;
    const next = await world.open();
    expect(next.fatal).toEqual([]);
    for (let at = 0; at < taken; at++) expect(await world.get(next, `k${at}`)).toHaveLength(3000);
    return next;
  }

  test.each([0.1, 1000])("whose log waits, stopped %d ms after the writes began", async (ms) => {
    const world = new SimWorld();
    const store = await world.openWithBucket();
    await world.outcome(world.put(store, "k0", world.bytes(3000)));
    // A part of the record reaches the disk.
    world.disk.capacityBytes = world.disk.usedBytes + 2000;
    const waiting = ["a", "b", "c"].map((key) => ending(world.put(store, key, world.bytes(3000))));
    await world.clock.advance(ms);
    const next = await stopAndReopen(world, store, 1);
    for (const outcome of await Promise.all(waiting)) expect(outcome).toBe("UnknownOutcomeError");
    expect(await world.get(next, "a")).toBeUndefined();
    await world.close(next);
  });

  test("whose index waits: what is in the log is unknown, and there at the next start", async () => {
    const world = new SimWorld();
    const store = await world.openWithBucket({ overlayRowsMax: 50 });
    await world.clock.advance(1000);
    world.disk.fault = (effect) => (effect === "batch" ? "ENOSPC" : undefined);
    const { taken, waiting } = await fillUntilStuck(world, store);
    expect(taken).toBeGreaterThan(5);
    const late = world.outcome(world.put(store, "late", world.bytes(10)));
    const next = await stopAndReopen(world, store, taken);
    // It never came into the log.
    expect([await waiting, await late]).toEqual(["UnknownOutcomeError", "UnavailableError"]);
    expect(await world.get(next, "late")).toBeUndefined();
    expect(await world.get(next, `k${taken}`)).toHaveLength(3000);
    await world.close(next);
  });

  test("a slow flush is waited for: what was admitted is answered", async () => {
    const world = new SimWorld();
    const store = await world.openWithBucket({ overlayRowsMax: 50, payloadEntriesMax: 10 });
    await world.clock.advance(1000);
    world.latencyMs = 20;
    const puts = Array.from({ length: 300 }, (_, at) => ending(world.put(store, `k${at}`, world.bytes(10))));
    await world.clock.advance(30);
    await world.outcome(store.node.close());
    expect(new Set(await Promise.all(puts))).toEqual(new Set(["put"]));
    expect(store.fatal).toEqual([]);
  });
});

describe("a quota, of which the free space of the disk says nothing", () => {
  const remove = ({ service }: SimStore, key: string): Promise<string> =>
    service.objects.delete({ bucket: "b", key, condition: { kind: "none" } }).then(({ kind }) => kind);

  test("that is used up refuses writes but deletes, goes on reading, and recovers by itself", async () => {
    const world = new SimWorld();
    const store = await world.openWithBucket();
    await world.clock.advance(20_000);
    world.disk.quotaBytes = world.disk.usedBytes + 400_000;
    const count = await fill(world, store);
    expect(count).toBeGreaterThan(3);
    await expectFilled(world, store, count);
    // The reserve was given up for what was under way; the looks at the disk that follow take none of it.
    await world.clock.advance(60_000);
    expect(await world.outcome(world.put(store, "refused", world.bytes(10)))).toBe("BusyError");
    expect(await world.outcome(remove(store, "fill-0"))).toBe("deleted");
    world.disk.quotaBytes = undefined;
    await world.clock.advance(15_000);
    expect(await world.outcome(world.put(store, "fill-0", world.bytes(60_000)))).toBe("put");
    await expectFilled(world, store, count);
    expect(store.fatal).toEqual([]);
    await world.close(store);
    const next = await world.open();
    await expectFilled(world, next, count);
    await world.close(next);
  });

  test("that is too small for the reserve is no room for writes", async () => {
    const world = new SimWorld();
    const store = await world.openWithBucket();
    world.disk.quotaBytes = world.disk.usedBytes + 100_000;
    await world.clock.advance(12_000);
    expect(await world.disk.readFile("data/reserve")).toBeUndefined();
    expect(await world.outcome(world.put(store, "k", world.bytes(10)))).toBe("BusyError");
    world.disk.quotaBytes = undefined;
    await world.clock.advance(15_000);
    expect(await world.outcome(world.put(store, "k", world.bytes(10)))).toBe("put");
    await world.close(store);
  });

  test("that leaves the index no room to be opened again leaves it open for reads", async () => {
    const world = new SimWorld();
    const store = await world.openWithBucket({ cacheBytesMax: 1 });
    await world.outcome(world.put(store, "k", world.bytes(200)));
    await world.clock.advance(1000);
    world.disk.fault = (_, path) => (/index|probe/.test(path) ? "EDQUOT" : undefined);
    await world.outcome(world.put(store, "k2", world.bytes(200)));
    await world.clock.advance(10_000);
    expect(store.node.index.failing).toBeDefined();
    expect(await world.get(store, "k")).toHaveLength(200);
    expect(await world.get(store, "k2")).toHaveLength(200);
    world.disk.fault = () => undefined;
    await world.clock.advance(3000);
    expect(store.node.index.failing).toBeUndefined();
    expect(store.fatal).toEqual([]);
    await world.close(store);
  });

  test("is not eaten up by what a dead process tried it with", async () => {
    const world = new SimWorld();
    await world.close(await world.open());
    const file = await world.clock.run(world.disk.open("data/probe", "write"));
    await world.clock.run(file.write(Buffer.alloc(MIB), 0));
    await world.close(await world.open());
    expect(await world.disk.readFile("data/probe")).toBeUndefined();
  });

  test("that is used up at the start: the reserve is given up, and without one it refuses", async () => {
    const world = new SimWorld();
    const store = await world.openWithBucket();
    await world.clock.advance(20_000);
    await world.close(store);
    world.disk.quotaBytes = world.disk.usedBytes;
    await world.close(await world.open());
    expect(await world.disk.readFile("data/reserve")).toBeUndefined();
    world.disk.fault = (effect) => (effect === "create" ? "EDQUOT" : undefined);
    await expect(world.open()).rejects.toThrow(RefusedError);
    world.disk.fault = () => undefined;
    world.disk.quotaBytes = undefined;
    await world.close(await world.open());
  });
});

test.each([
  ["write", "EDQUOT", /1\.seg$/],
  ["write", "EFBIG", /1\.seg$/],
  ["create", "EDQUOT", /2\.seg$/],
  ["write", "EDQUOT", /acked$/],
] as const)("a %s that meets %s at %s is waited for", async (effect, code, path) => {
  const world = new SimWorld();
  const refused = (tried: string, where: string) => (tried === effect && path.test(where) ? code : undefined);
  // The next file is made ahead, as soon as there is a first one.
  if (effect === "create") world.disk.fault = refused;
  const store = await world.openWithBucket();
  await world.outcome(world.put(store, "before", world.bytes(10_000)));
  world.disk.fault = refused;
  const writes = [0, 1, 2].map((at) => world.outcome(world.put(store, `k${at}`, world.bytes(40_000))));
  await world.clock.advance(3000);
  expect(await world.get(store, "before")).toHaveLength(10_000);
  world.disk.fault = () => undefined;
  await world.clock.advance(15_000);
  expect(await Promise.all(writes)).toEqual(["put", "put", "put"]);
  expect(await world.outcome(world.put(store, "again", world.bytes(10)))).toBe("put");
  expect(store.fatal).toEqual([]);
  await world.close(store);
  const next = await world.open();
  for (const key of ["k0", "k1", "k2"]) expect(await world.get(next, key)).toHaveLength(40_000);
  await world.close(next);
});

test("an index without space: writes are taken until the overlay is full, and go on later", async () => {
  const world = new SimWorld();
  const store = await world.openWithBucket({ overlayRowsMax: 50 });
  await world.clock.advance(1000);
  world.disk.fault = (effect) => (effect === "batch" ? "ENOSPC" : undefined);
  let taken = 0;
  for (let at = 0; at < 80; at++) {
    const work = world.put(store, `k${at}`, world.bytes(10));
    const outcome = await world.outcome(Promise.race([work, world.clock.sleep(1500).then(() => "waits")]));
    work.catch(() => undefined);
    if (outcome === "put") taken++;
    else expect(["waits", "BusyError"]).toContain(outcome);
  }
  expect(store.fatal).toEqual([]);
  expect(taken).toBeGreaterThan(10);
  expect(taken).toBeLessThan(100);
  expect(await world.get(store, "k0")).toHaveLength(10);
  world.disk.fault = () => undefined;
  await world.clock.advance(5000);
  expect(await world.outcome(world.put(store, "again", world.bytes(10)))).toBe("put");
  expect(store.fatal).toEqual([]);
  await world.close(store);
});

test("a listing that cannot be flushed for is refused, not kept waiting", async () => {
  const world = new SimWorld();
  const store = await world.openWithBucket();
  world.disk.fault = (effect) => (effect === "batch" ? "ENOSPC" : undefined);
  await world.outcome(world.put(store, "k", world.bytes(10)));
  await world.clock.advance(1000);
  const listing = world.clock.run(store.service.objects.list({ bucket: "b", prefix: "", from: "" }));
  await expect(listing).rejects.toThrow(BusyError);
  world.disk.fault = () => undefined;
  await world.close(store);
});
