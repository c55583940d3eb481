/**
 * What users of other stores suffered from their tiers, each as a test of ours: the loops of production over
 * a simulated machine and a bucket that outlives it.
 */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { ColdTierSettings } from "../../src/offload/tier-settings.ts";
import { SIM_DIRECTORY } from "../sim/sim-store.ts";
import { wrongCopies } from "./check-copies.ts";
import { RestoreWorld } from "./restore-world.ts";
import { MINUTE_MS, TierWorld, sealedSegments } from "./tier-world.ts";
import type { TierStore } from "./tier-world.ts";

type Tiered = { readonly world: TierWorld; readonly store: TierStore };

/** A dozen segments, some of which lie in the bucket alone. */
async function tiered(
  changes: Partial<ColdTierSettings> = {},
  world: TierWorld = new TierWorld(changes),
): Promise<Tiered> {
  const store = await world.openWithBucket();
  await grow({ world, store });
  await world.until(() => coldOnly(store).length > 3);
  return { world, store };
}

async function grow({ world, store }: Tiered, prefix = "round"): Promise<void> {
  for (let round = 0; round < 4; round++) {
    await world.fill(store, 3, `${prefix}-${round}`);
    await world.pass(2000);
  }
}

const coldOnly = (store: TierStore): readonly number[] =>
  sealedSegments(store)
    .filter(({ id, liveBytes }) => liveBytes > 0 && store.node.local.bytesOf(id) === 0)
    .map(({ id }) => id);

async function kill({ world }: Tiered): Promise<void> {
  world.machine.clock.forgetSleepers();
  await world.machine.disk.kill();
}

const digests = ({ objects }: TierWorld): ReadonlyMap<string, string> =>
  new Map([...objects].map(([key, { sha256 }]) => [key, sha256]));

describe("seaweedfs#7362: a restart deleted what was in the tier", () => {
  test.each(["stopped", "killed"])(
    "a node that is %s and started again leaves every object where it is",
    async (how) => {
      let { world, store } = await tiered();
      const named = sealedSegments(store).flatMap(({ cold }) => (cold === undefined ? [] : [cold.key]));
      for (let restart = 0; restart < 3; restart++) {
        if (how === "killed") await kill({ world, store });
        else await world.close(store);
        store = await world.open();
        await world.pass(2 * MINUTE_MS);
        expect(
          world.cold.calls.filter((call) => call.startsWith("delete") && /segments|packed/.test(call)),
        ).toEqual([]);
        for (const key of named) expect([key, world.objects.has(key)]).toEqual([key, true]);
        expect(await world.wrong(store)).toEqual([]);
      }
      await world.close(store);
    },
  );
});

describe("minio#14278: a recall that failed deleted the remote copy", () => {
  test.each([
    ["no answer", "failBefore"],
    ["other bytes", "wrongBytes"],
    ["too few bytes", "shortBytes"],
  ] as const)("after %s the copy is there, and the segment is read from it", async (_what, fault) => {
    const { world, store } = await tiered();
    const [id = 0] = coldOnly(store);
    const before = digests(world);
    world.cold.tell("get", fault);
    const { signal } = new AbortController();
    await expect(world.run(store.tier.recall([id], { signal }))).rejects.toThrow();
    expect(store.node.local.bytesOf(id)).toBe(0);
    expect([...before].filter(([key, sha256]) => world.objects.get(key)?.sha256 !== sha256)).toEqual([]);
    expect(await world.wrong(store)).toEqual([]);
    expect(await world.run(store.tier.recall([id], { signal }))).toBe(1);
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
  });
});

describe("minio#20559: a new drive had lost the pointers to what was in the tier", () => {
  test("an index that is lost is made again with them, from a snapshot and the log", async () => {
    const { world, store } = await tiered();
    const pointers = sealedSegments(store).map(({ id, cold }) => [id, cold?.key]);
    await world.close(store);
    await world.run(world.machine.disk.removeDirectory(`${SIM_DIRECTORY}/index`));
    const again = await world.open();
    expect(again.node.indexRebuilt).toBeDefined();
    const found = new Map(sealedSegments(again).map(({ id, cold }) => [id, cold?.key]));
    for (const [id, key] of pointers) if (found.has(id as number)) expect(found.get(id as number)).toBe(key);
    expect(coldOnly(again).length).toBeGreaterThan(3);
    expect(await world.wrong(again)).toEqual([]);
    await world.close(again);
  });

  test("a disk that is lost is restored with them from the bucket alone", async () => {
    const { world, store } = await tiered();
    await world.pass(MINUTE_MS);
    await kill({ world, store });
    const restored = new RestoreWorld();
    // Another machine draws other names.
    restored.machine.bytes(64);
    for (const [key, object] of world.objects) restored.objects.set(key, object);
    const { store: revived, disk } = await restored.revived();
    const named = revived.node.state.segments.all.filter(
      ({ cold, liveBytes }) => cold !== undefined && liveBytes > 0,
    );
    expect(named.length).toBeGreaterThan(3);
    expect(await disk.list(`${SIM_DIRECTORY}/log`)).not.toHaveLength(0);
    expect(await restored.run(wrongCopies(revived, restored.objects))).toEqual([]);
    await restored.close(revived);
  });
});

describe("seaweedfs#5747: what was in the bucket could not be read", () => {
  test("another process reads every object, out of copies as they were sealed and packed ones", async () => {
    const { world, store } = await tiered({ restoreWindowMs: 0, graceMs: MINUTE_MS });
    await world.fill(store, 3, "doomed");
    await world.write(store, "kept");
    await world.fill(store, 1, "doomed-too");
    for (const prefix of ["doomed", "doomed-too"]) {
      await world.remove(store, ...Array.from({ length: 60 }, (_, at) => `${prefix}-${at}`));
    }
    await grow({ world, store }, "later");
    await world.until(
      () => sealedSegments(store).some(({ cold }) => cold?.kind === "packed"),
      60 * MINUTE_MS,
    );
    await world.pass(5 * MINUTE_MS);
    await world.close(store);
    const again = await world.open();
    const kinds = sealedSegments(again)
      .filter(({ id }) => coldOnly(again).includes(id))
      .map(({ cold }) => cold?.kind);
    expect(new Set(kinds)).toEqual(new Set(["verbatim", "packed"]));
    expect(await world.wrong(again)).toEqual([]);
    await world.close(again);
  });
});

describe("all flushed segments were dropped, the ones that were not archived yet included", () => {
  test("while the bucket takes nothing, nothing live leaves the disk, however full it gets", async () => {
    const world = new TierWorld({ hotBytesMax: 1, recoveryPointMs: undefined });
    const store = await world.openWithBucket();
    world.cold.isDown = true;
    await grow({ world, store });
    await world.pass(10 * MINUTE_MS);
    expect(world.objects.size).toBe(0);
    expect(coldOnly(store)).toEqual([]);
    expect(await world.wrong(store)).toEqual([]);
    world.cold.isDown = false;
    await world.until(() => coldOnly(store).length > 3);
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
  });

  test("a bucket that says yes and keeps nothing is given nothing in exchange", async () => {
    const world = new TierWorld({ hotBytesMax: 1, recoveryPointMs: undefined });
    const store = await world.openWithBucket();
    world.cold.tell("put", ...Array.from({ length: 200 }, () => "keepNothing" as const));
    await grow({ world, store });
    await world.pass(2 * MINUTE_MS);
    expect(coldOnly(store)).toEqual([]);
    expect(await world.wrong(store)).toEqual([]);
    expect(store.tier.status.state).toBe("degraded");
    await world.close(store);
  });
});

describe("segment ids began again and older objects were overwritten", () => {
  test("no name is ever given to other bytes: over kills, an index made anew and new tails", async () => {
    let { world, store } = await tiered();
    const seen = new Map<string, string>();
    const look = (): void => {
      for (const [key, { bytes }] of world.objects) {
        const digest = createHash("sha256").update(bytes).digest("hex");
        expect([key, seen.get(key) ?? digest]).toEqual([key, digest]);
        seen.set(key, digest);
      }
    };
    for (let life = 0; life < 4; life++) {
      look();
      await kill({ world, store });
      if (life === 2) await world.run(world.machine.disk.removeDirectory(`${SIM_DIRECTORY}/index`));
      store = await world.open();
      await grow({ world, store }, `life-${life}`);
      await world.pass(MINUTE_MS);
    }
    look();
    expect(seen.size).toBeGreaterThan(60);
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
  });

  test("a store that begins anew in the same bucket leaves the objects of the one before", async () => {
    const { world, store } = await tiered();
    await world.close(store);
    const before = digests(world);
    const fresh = new TierWorld({}, world.objects);
    // Another machine draws other names.
    fresh.machine.bytes(64);
    const other = await tiered({}, fresh);
    expect(sealedSegments(other.store)[0]?.id).toBe(1);
    expect([...before].filter(([key, sha256]) => world.objects.get(key)?.sha256 !== sha256)).toEqual([]);
    await fresh.close(other.store);
    const again = await world.open();
    expect(await world.wrong(again)).toEqual([]);
    await world.close(again);
  });
});

describe("two nodes on one bucket collided", () => {
  test("each reads its own, and neither clears away what is the other's", async () => {
    const changes = { restoreWindowMs: 0, graceMs: MINUTE_MS };
    const one = await tiered(changes);
    const machine = new TierWorld(changes, one.world.objects);
    machine.machine.bytes(64);
    const two = await tiered(changes, machine);
    expect(one.store.tier.place.cluster).not.toBe(two.store.tier.place.cluster);
    for (let round = 0; round < 4; round++) {
      for (const each of [one, two]) {
        await each.world.fill(each.store, 3, "again");
        await each.world.pass(10 * MINUTE_MS);
      }
    }
    for (const { world, store } of [one, two]) {
      expect(store.tier.status.deletedObjects).toBeGreaterThan(0);
      expect(await world.wrong(store)).toEqual([]);
      expect(await world.run(wrongCopies(store, world.objects))).toEqual([]);
      await world.close(store);
    }
  });
});

test("a missing object cost 0.7 s of retries: here one request, and an error that says what", async () => {
  const { world, store } = await tiered();
  const [id = 0] = coldOnly(store);
  const { cold } = store.node.state.segments.byId(id) ?? {};
  const { bytes = Buffer.alloc(0) } = world.objects.get(cold?.key ?? "") ?? {};
  const key = [...Array(40).keys()]
    .map((at) => `round-0-${at}`)
    .find((name) => bytes.includes(world.contentOf(name)));
  if (key === undefined) throw new Error("nothing in it is known");
  world.objects.delete(cold?.key ?? "");
  store.node.cache.clear();
  await world.run(store.tier.close());
  world.cold.calls.length = 0;
  const startMs = world.machine.clock.monotonicMs();
  const outcome = await world.machine.get(store, key).then(
    () => "it was read",
    (error: unknown) => String(error),
  );
  expect(outcome).toContain(cold?.key);
  expect(world.cold.calls.filter((call) => call.startsWith("get"))).toHaveLength(1);
  expect(world.machine.clock.monotonicMs() - startMs).toBeLessThan(50);
  await world.close(store);
});
