/** Sealed segments come into the bucket, verified before anybody is told; what fails is tried again. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { ColdDamagedError } from "../../src/ports/cold-store.ts";
import { SegmentUploader } from "../../src/offload/segment-uploader.ts";
import { TierPace } from "../../src/offload/tier-pace.ts";
import { auditParts, uploaded } from "./audit-world.ts";
import { MINUTE_MS, SEGMENT_BYTES, TierWorld, isUploaded, openTier, sealedSegments } from "./tier-world.ts";

async function segmentBytes(world: TierWorld, id: number): Promise<Buffer> {
  const bytes = await world.machine.disk.readFile(`data/log/${String(id).padStart(10, "0")}.seg`);
  return Buffer.from(bytes ?? []);
}

async function damageFirst(world: TierWorld): Promise<void> {
  const bytes = await segmentBytes(world, 1);
  bytes[SEGMENT_BYTES / 2] = (bytes[SEGMENT_BYTES / 2] ?? 0) ^ 1;
  const file = await world.run(world.machine.disk.open("data/log/0000000001.seg", "write"));
  await world.run(file.write(bytes, 0));
  await world.run(file.close());
}

function putsOf({ cold }: TierWorld): readonly string[] {
  return cold.calls.filter((call) => call.startsWith("put") && call.includes("/segments/"));
}

describe("a sealed segment", () => {
  test("is put as it lies here, byte for byte, and the log is told where", async () => {
    const { world, store } = await openTier();
    await world.fill(store, 3);
    await world.until(() => isUploaded(store));
    for (const { id, cold, firstIndex, entries } of sealedSegments(store)) {
      const bytes = await segmentBytes(world, id);
      const last = firstIndex + entries - 1;
      expect(cold?.key).toMatch(new RegExp(`/segments/0*${firstIndex}-0*${last}\\.seg$`));
      expect(cold).toMatchObject({ kind: "verbatim", bytes: bytes.length });
      expect(cold?.sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
      expect(world.objects.get(cold?.key ?? "")?.bytes.equals(bytes)).toBe(true);
    }
    expect(store.tier.status).toMatchObject({ state: "ok", coldSegments: 3, uploadedSegments: 3 });
    await world.close(store);
  });

  test("is put once, whatever happens afterwards", async () => {
    const { world, store } = await openTier();
    await world.fill(store, 3);
    await world.until(() => isUploaded(store));
    await world.close(store);
    const again = await world.open();
    await world.pass(MINUTE_MS);
    expect(putsOf(world)).toEqual([]);
    await world.close(again);
  });

  test("waits until it has cooled where the bucket need not follow the log", async () => {
    const { world, store } = await openTier({ recoveryPointMs: undefined });
    await world.fill(store, 2);
    await world.pass(MINUTE_MS - 5000);
    expect(world.keysOf("segments")).toEqual([]);
    await world.until(() => isUploaded(store));
    await world.close(store);
  });
});

describe("the state is not told of a copy", () => {
  test("that the bucket said yes to and did not keep", async () => {
    const { world, store } = await openTier();
    world.cold.tell("put", "keepNothing", "keepNothing");
    await world.fill(store, 1);
    await world.until(() => store.tier.status.state === "degraded");
    expect(sealedSegments(store)[0]?.cold).toBeUndefined();
    expect(store.tier.status.reason).toContain("it was put, and is not there");
    await world.until(() => isUploaded(store));
    expect(world.keysOf("segments")).toHaveLength(1);
    expect(store.tier.status).toMatchObject({ state: "ok" });
    await world.close(store);
  });

  test.each(["wrongBytes", "shortBytes"] as const)("whose end comes back as %s", async (fault) => {
    const { world, store } = await openTier();
    world.cold.tell("get", fault);
    await world.fill(store, 1);
    await world.until(() => store.tier.status.state === "degraded");
    expect(sealedSegments(store)[0]?.cold).toBeUndefined();
    await world.until(() => isUploaded(store));
    await world.close(store);
  });

  test("of which another byte comes back, when all of it is read", async () => {
    const { world, store } = await openTier({ verify: "full" });
    world.cold.tell("get", "wrongBytes");
    await world.fill(store, 1);
    await world.until(() => store.tier.status.state === "degraded");
    expect(store.tier.status.reason).toContain("SHA-256");
    expect(sealedSegments(store)[0]?.cold).toBeUndefined();
    await world.until(() => isUploaded(store));
    await world.close(store);
  });

  test("of a file that is damaged here; those behind it are uploaded", async () => {
    const { world, store } = await openTier();
    world.cold.isDown = true;
    await world.fill(store, 3);
    await damageFirst(world);
    world.cold.isDown = false;
    await world.until(() =>
      sealedSegments(store)
        .slice(1)
        .every(({ cold }) => cold !== undefined),
    );
    expect(sealedSegments(store)[0]?.cold).toBeUndefined();
    expect(putsOf(world).some((call) => call.includes("/0000000000000001-"))).toBe(false);
    expect(store.tier.status).toMatchObject({ state: "degraded" });
    expect(store.tier.status.reason).toContain("segment 1 cannot be uploaded");
    await world.close(store);
  });
});

test("bytes that changed behind the look at them are refused, and what the bucket has stays", async () => {
  const audited = await uploaded();
  const { world } = audited;
  const [key = ""] = world.keysOf("segments");
  const sound = world.objects.get(key);
  const put = Promise.withResolvers<void>();
  const { signal } = new AbortController();
  const how = { signal, isAgain: true, mayPut: put.promise };
  const again = auditParts(audited).uploader.upload(1, how);
  again.catch(() => undefined);
  await world.pass(1000);
  await damageFirst(world);
  put.resolve();
  await expect(world.run(again)).rejects.toThrow(ColdDamagedError);
  expect(world.objects.get(key)).toEqual(sound);
});

test.each([
  ["goes up beside a snapshot of gigabytes, where the bucket follows the log", true, 1000],
  ["waits its turn where nobody waits for it", false, 600_000],
])("a segment %s", async (_what, isFollowed, withinMs) => {
  const audited = await uploaded();
  const { world } = audited;
  const { clock } = world.machine;
  const { signal } = new AbortController();
  const pace = new TierPace(clock, { bytesPerSecondMax: 1024 ** 2, requestsPerMinuteMax: 60_000 });
  await world.run(pace.spend({ bytes: 500 * 1024 ** 2, requests: 1 }, signal));
  const uploader = new SegmentUploader({ ...auditParts(audited), pace, isFollowed });
  const startMs = clock.monotonicMs();
  await world.run(uploader.upload(1, { signal, isAgain: true }));
  const tookMs = clock.monotonicMs() - startMs;
  expect(tookMs).toBeLessThan(withinMs);
  expect(tookMs).toBeGreaterThanOrEqual(isFollowed ? 0 : 500_000);
});

describe("uploads that fail", () => {
  test("go on when the bucket is back; meanwhile everything that is hot goes on", async () => {
    const { world, store } = await openTier();
    world.cold.isDown = true;
    await world.fill(store, 3);
    await world.pass(MINUTE_MS);
    const { status } = store.tier;
    expect(status).toMatchObject({ state: "degraded", coldSegments: 0, pendingSegments: 3 });
    expect(store.service.status()).toMatchObject({ ready: true });
    await world.write(store, "meanwhile");
    expect(await world.wrong(store)).toEqual([]);
    world.cold.isDown = false;
    await world.until(() => isUploaded(store));
    expect(store.tier.status).toMatchObject({ state: "ok", pendingSegments: 0 });
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
  });

  test("that succeeded, with the answer lost, put the same bytes under the same key again", async () => {
    const { world, store } = await openTier();
    world.cold.tell("put", "failAfter");
    await world.fill(store, 1);
    await world.until(() => isUploaded(store));
    expect(new Set(putsOf(world).map((call) => call.split(" ")[1])).size).toBe(1);
    expect(putsOf(world)).toHaveLength(2);
    expect(world.keysOf("segments")).toHaveLength(1);
    await world.close(store);
  });

  test("are made less often the longer it takes", async () => {
    const { world, store } = await openTier();
    world.cold.isDown = true;
    await world.fill(store, 1);
    await world.pass(10 * MINUTE_MS);
    const calls = world.cold.calls.length;
    await world.pass(10 * MINUTE_MS);
    expect(world.cold.calls.length - calls).toBeLessThan(40);
    await world.close(store);
  });

  test("say so once, not with each attempt", async () => {
    const { world, store } = await openTier();
    await world.until(() => store.tier.status.state === "ok");
    world.cold.isDown = true;
    await world.fill(store, 1);
    await world.pass(10 * MINUTE_MS);
    expect(world.logged.filter((line) => line.startsWith("the cold tier is degraded"))).toHaveLength(1);
    await world.close(store);
  });
});

describe("a place that", () => {
  test("is down at the start keeps nobody from starting", async () => {
    const world = new TierWorld();
    const first = await world.openWithBucket();
    await world.write(first, "before");
    await world.close(first);
    const opening = world.openSoon();
    world.cold.isDown = true;
    const store = await world.run(opening);
    await world.pass(5000);
    expect(store.tier.status.state).toBe("degraded");
    expect(store.tier.status.reason).toContain("failed on purpose");
    expect(world.logged.filter((line) => line.includes("failed on purpose"))).toHaveLength(1);
    await world.fill(store, 1);
    expect(await world.wrong(store)).toEqual([]);
    world.cold.isDown = false;
    await world.until(() => isUploaded(store));
    await world.close(store);
  });

  test("is slow holds nothing up but itself", async () => {
    const { world, store } = await openTier();
    world.cold.tell("put", ...Array.from({ length: 6 }, () => "slow" as const));
    await world.fill(store, 3);
    const startMs = world.machine.clock.monotonicMs();
    await world.write(store, "meanwhile");
    expect(world.machine.clock.monotonicMs() - startMs).toBeLessThan(1000);
    await world.until(() => isUploaded(store));
    await world.close(store);
  });
});

test("the bucket never holds a segment behind one that it lacks", async () => {
  const { world, store } = await openTier();
  // Those that come first take longest, and some of them fail.
  world.cold.delaysMs = (key) => (key.includes("/segments/") ? 20_000 / Number(key.slice(-37, -21)) : 0);
  world.cold.tell("put", "none", "none", "none", "failBefore", "none", "failAfter");
  await world.fill(store, 6);
  for (let seen = 0; seen < 6; await world.pass(50)) {
    const keys = world.keysOf("segments");
    const lasts = keys.map((key) => Number(key.slice(-20, -4)));
    const firsts = keys.map((key) => Number(key.slice(-37, -21)));
    expect(firsts).toEqual([1, ...lasts.map((last) => last + 1)].slice(0, keys.length));
    seen = keys.length;
  }
  await world.until(() => isUploaded(store));
  await world.close(store);
});

describe("what is spent", () => {
  test("in bytes a second is bounded", async () => {
    const { world, store } = await openTier({
      budget: { bytesPerSecondMax: SEGMENT_BYTES / 10, requestsPerMinuteMax: 60_000 },
    });
    const startMs = world.machine.clock.monotonicMs();
    await world.fill(store, 4);
    await world.until(() => isUploaded(store));
    expect(world.machine.clock.monotonicMs() - startMs).toBeGreaterThan(30_000);
    await world.close(store);
  });

  test("in requests a minute is bounded", async () => {
    const { world, store } = await openTier({
      budget: { bytesPerSecondMax: 1024 ** 3, requestsPerMinuteMax: 6 },
    });
    await world.fill(store, 4);
    const before = world.cold.calls.length;
    await world.pass(5 * MINUTE_MS);
    expect(world.cold.calls.length - before).toBeLessThanOrEqual(40);
    await world.close(store);
  });
});
