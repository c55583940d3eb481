/** Which segments lie on the disk: what has cooled goes, what is read comes back, nothing goes too early. */
import { describe, expect, test } from "vitest";
import { MINUTE_MS, SEGMENT_BYTES, TierWorld, sealedSegments } from "./tier-world.ts";
import type { TierStore } from "./tier-world.ts";

function hotIds(store: TierStore): readonly number[] {
  return sealedSegments(store)
    .map(({ id }) => id)
    .filter((id) => store.node.local.bytesOf(id) > 0);
}

/** Twelve segments with something in each, of which some lie below the floor. */
async function filled(changes: ConstructorParameters<typeof TierWorld>[0] = {}): Promise<{
  readonly world: TierWorld;
  readonly store: TierStore;
}> {
  const world = new TierWorld(changes);
  const store = await world.openWithBucket();
  for (let round = 0; round < 4; round++) {
    await world.fill(store, 3, `round-${round}`);
    await world.pass(2000);
  }
  await world.until(() => store.node.local.floorIndex > 0);
  return { world, store };
}

describe("a segment leaves the disk", () => {
  test("once it has a copy, is below the floor, and has cooled; and everything is still there", async () => {
    const { world, store } = await filled();
    const before = hotIds(store);
    await world.pass(2 * MINUTE_MS);
    const gone = before.filter((id) => !hotIds(store).includes(id));
    expect(gone.length).toBeGreaterThan(3);
    const { floorIndex } = store.node.local;
    for (const id of gone) {
      const segment = store.node.state.segments.byId(id);
      expect(segment?.cold).toBeDefined();
      expect((segment?.firstIndex ?? 0) + (segment?.entries ?? 0)).toBeLessThanOrEqual(floorIndex + 1);
    }
    expect(store.tier.status).toMatchObject({ coldOnlySegments: gone.length, freedSegments: gone.length });
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
    const again = await world.open();
    expect(await world.wrong(again)).toEqual([]);
    await world.close(again);
  });

  test("not while it is young", async () => {
    const { world, store } = await filled({ afterMs: 60 * MINUTE_MS });
    const before = hotIds(store);
    await world.pass(10 * MINUTE_MS);
    expect(hotIds(store)).toEqual(before);
    await world.close(store);
  });

  test("young or not where the disk is to hold less, and then no more than it has to", async () => {
    const { world, store } = await filled({ afterMs: 60 * MINUTE_MS, hotBytesMax: 10 * SEGMENT_BYTES });
    await world.pass(MINUTE_MS);
    expect(store.node.local.fileBytes).toBeLessThanOrEqual(10 * SEGMENT_BYTES);
    expect(store.node.local.fileBytes).toBeGreaterThan(7 * SEGMENT_BYTES);
    await world.close(store);
  });

  test("never before its copy was verified", async () => {
    const world = new TierWorld({ hotBytesMax: SEGMENT_BYTES });
    const store = await world.openWithBucket();
    world.cold.tell("put", ...Array.from({ length: 100 }, () => "keepNothing" as const));
    await world.fill(store, 12);
    await world.pass(MINUTE_MS);
    expect(hotIds(store)).toHaveLength(sealedSegments(store).length);
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
  });

  test("and nothing of the log leaves while the bucket has not followed it", async () => {
    const world = new TierWorld();
    const store = await world.openWithBucket();
    await world.until(() => store.tier.status.state === "ok");
    world.cold.isDown = true;
    for (let round = 0; round < 4; round++) {
      await world.fill(store, 3, `round-${round}`);
      await world.pass(2000);
    }
    expect(store.node.space.status.snapshotIndex).toBeGreaterThan(0);
    expect(store.node.local.floorIndex).toBe(0);
    await world.close(store);
  });
});

describe("a segment comes back", () => {
  test("when it is read much", async () => {
    const { world, store } = await filled({ hotBytesMax: 1000 * SEGMENT_BYTES });
    await world.pass(2 * MINUTE_MS);
    const [gone] = sealedSegments(store).filter(({ id }) => store.node.local.bytesOf(id) === 0);
    if (gone === undefined) throw new Error("nothing left the disk");
    for (let at = 0; at < 20; at++) {
      store.node.cache.clear();
      await world.machine.get(store, "round-0-3");
    }
    await world.until(() => store.tier.status.recalledSegments > 0);
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
  });

  test("only as what was uploaded: a damaged copy does not become a file", async () => {
    const { world, store } = await filled();
    await world.pass(2 * MINUTE_MS);
    const [gone] = sealedSegments(store).filter(({ id }) => store.node.local.bytesOf(id) === 0);
    const found = world.objects.get(gone?.cold?.key ?? "");
    if (gone === undefined || found === undefined) throw new Error("nothing left the disk");
    const bytes = Buffer.from(found.bytes);
    bytes[5000] = (bytes[5000] ?? 0) ^ 1;
    world.objects.set(gone.cold?.key ?? "", { ...found, bytes });
    const { signal } = new AbortController();
    const recall = store.tier.recall([gone.id], { signal });
    expect(await world.machine.outcome(recall)).toBe("ColdDamagedError");
    expect(store.node.local.bytesOf(gone.id)).toBe(0);
    expect((await world.files()).some((name) => name.endsWith(".new"))).toBe(false);
    await world.close(store);
  });

  test("when it is asked for", async () => {
    const { world, store } = await filled();
    await world.pass(2 * MINUTE_MS);
    const gone = sealedSegments(store).filter(({ id }) => store.node.local.bytesOf(id) === 0);
    const { signal } = new AbortController();
    const ids = gone.map(({ id }) => id);
    expect(await world.run(store.tier.recall(ids, { signal }))).toBe(gone.length);
    for (const id of ids) expect(store.node.local.bytesOf(id)).toBeGreaterThan(0);
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
  });
});

test("a file that is damaged here is replaced by its copy when a read meets it", async () => {
  const { world, store } = await filled({ afterMs: 60 * MINUTE_MS });
  const path = "data/log/0000000001.seg";
  const bytes = Buffer.from((await world.machine.disk.readFile(path)) ?? []);
  const sound = Buffer.from(bytes);
  for (let at = 2000; at < 14_000; at += 100) bytes[at] = (bytes[at] ?? 0) ^ 1;
  const file = await world.run(world.machine.disk.open(path, "write"));
  await world.run(file.write(bytes, 0));
  await world.run(file.close());
  expect(await world.wrong(store)).toEqual([]);
  await world.until(() => store.tier.status.recalledSegments === 1);
  expect(Buffer.from((await world.machine.disk.readFile(path)) ?? []).equals(sound)).toBe(true);
  await world.close(store);
});

test("a file that is damaged here stays if its copy cannot take its place", async () => {
  const { world, store } = await filled({ afterMs: 60 * MINUTE_MS });
  const path = "data/log/0000000001.seg";
  const file = await world.run(world.machine.disk.open(path, "write"));
  await world.run(file.write(Buffer.from("rot"), 8000));
  await world.run(file.close());
  const key = store.node.state.segments.byId(1)?.cold?.key ?? "";
  const copy = world.objects.get(key);
  if (copy === undefined) throw new Error("it has no copy");
  world.objects.delete(key);
  const lost = await world.unread(store);
  expect(lost).toHaveLength(1);
  await world.pass(MINUTE_MS);
  expect(store.node.local.bytesOf(1)).toBeGreaterThan(0);
  expect(await world.unread(store)).toEqual(lost);
  world.objects.set(key, copy);
  await world.pass(10 * MINUTE_MS);
  expect(await world.wrong(store)).toEqual([]);
  await world.until(() => store.tier.status.recalledSegments === 1);
  await world.close(store);
});
