/** Objects whose bytes are gone are told by name: those that cannot be read, and no others. */
import { expect, test } from "vitest";
import { findLostObjects } from "../../src/offload/lost-objects.ts";
import type { LostNames } from "../../src/offload/lost-objects.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import { ColdWorld } from "../replica/cold-world.ts";
import type { SimStore } from "../sim/sim-store.ts";

const { signal } = new AbortController();

function lostWith(
  world: ColdWorld,
  { node }: SimStore,
  segments: ReadonlySet<number>,
  firstMax = 10_000,
): Promise<LostNames> {
  const isLost = ({ index }: { readonly index: number }): boolean =>
    segments.has(node.state.segments.find(index)?.id ?? 0);
  const { clock } = world.local.space.machine;
  return world.run(findLostObjects({ index: node.index, clock, isLost, firstMax, signal }));
}

/** Reading each whole tells it. */
async function unreadable(world: ColdWorld, store: SimStore): Promise<readonly string[]> {
  const failed: string[] = [];
  for (const { key } of world.contents) {
    store.node.cache.clear();
    const error = await world.failure(store, key);
    if (error.message !== `${key} was read`) failed.push(`b/${key}`);
  }
  return failed.toSorted();
}

test("for each segment that may be lost: what names bytes in it, whatever kind of body that is", async () => {
  const world = new ColdWorld();
  const store = await world.cooled();
  const { segments, local } = { segments: store.node.state.segments.all, local: store.node.local };
  const cold = segments.filter(({ id, cold: copy }) => copy !== undefined && local.bytesOf(id) === 0);
  expect(cold.length).toBeGreaterThan(3);
  const told = new Set<string>();
  for (const { id, cold: copy } of cold) {
    const key = copy?.key ?? "";
    const object = world.local.cold.objects.get(key);
    if (object === undefined) throw new Error("no copy");
    world.local.cold.objects.delete(key);
    const { first, count } = await lostWith(world, store, new Set([id]));
    const failed = await unreadable(world, store);
    const names = first.filter((name) => !name.includes("(")).toSorted();
    // A stretch of another body is told with the whole of that one.
    expect(names.filter((name) => name !== "b/slice")).toEqual(failed.filter((name) => name !== "b/slice"));
    expect(failed.includes("b/slice") && !names.includes("b/slice")).toBe(false);
    expect(count).toBe(first.length);
    for (const name of names) told.add(name);
    world.local.cold.objects.set(key, object);
    // Until then nobody asks again for what was not there.
    await world.local.space.machine.clock.advance(1500);
  }
  for (const key of ["record-0", "edge", "stored", "parts", "slice", "appended", "versioned"]) {
    expect([...told]).toContain(`b/${key}`);
  }
  for (const key of ["empty", "inline"]) expect([...told]).not.toContain(`b/${key}`);
  await world.local.space.close(store);
});

test("older versions and parts of open uploads are told as what they are, and all are counted", async () => {
  const world = new ColdWorld();
  const store = await world.cooled();
  await world.write(store, "versioned", 500);
  const { uploads } = store.service;
  const create = { bucket: "b", key: "open", owner: "root", attributes: NO_ATTRIBUTES, checksum: undefined };
  const created = await world.run(uploads.create(create));
  if (created.kind !== "created") throw new Error(created.kind);
  const bytes = world.local.space.machine.bytes(1000);
  const part = { partNumber: 7, etag: "0".repeat(32), checksum: undefined };
  const body = { kind: "bytes", bytes } as const;
  await world.run(uploads.putPart({ uploadId: created.uploadId, ...part, body }));
  const all = new Set(store.node.state.segments.all.map(({ id }) => id));
  const { first, count } = await lostWith(world, store, all);
  expect(first).toContain("b/versioned");
  expect(first).toContain("b/versioned (an older version)");
  expect(first).toContain("b/open (part 7 of an open upload)");
  expect(count).toBe(first.length);
  expect(await lostWith(world, store, all, 2)).toEqual({ count, first: first.slice(0, 2) });
  expect(await lostWith(world, store, new Set())).toEqual({ count: 0, first: [] });
  await world.local.space.close(store);
});
