/** Copies with many dead bytes are packed: never above a snapshot, never with a byte that was not checked. */
import { describe, expect, test } from "vitest";
import { keys } from "../../src/state/keys.ts";
import { windowsOver } from "../../src/offload/cold-pieces.ts";
import { wrongCopies } from "./check-copies.ts";
import { lastOfThird, packerOf, sparse } from "./packer-world.ts";
import { tierNodeOf } from "../../src/start-cold-tier.ts";
import { sealedSegments } from "./tier-world.ts";
import type { TierStore } from "./tier-world.ts";

const { signal } = new AbortController();

/** The same object, but for some of its members. */
function patched<Target extends object>(target: Target, members: Partial<Target>): Target {
  return new Proxy(target, {
    get: (_, name) => {
      if (Object.hasOwn(members, name)) return Reflect.get(members, name) as unknown;
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

const copies = (store: TierStore): readonly (string | undefined)[] =>
  sealedSegments(store)
    .slice(0, 3)
    .map(({ cold }) => cold?.kind);

test("a copy with few live bytes is replaced by one with nothing else, and condemned", async () => {
  const { world, store } = await sparse();
  const before = sealedSegments(store)
    .slice(0, 3)
    .map(({ cold }) => cold);
  expect(copies(store)).toEqual(["verbatim", "verbatim", "verbatim"]);
  const packer = packerOf({ world, store });
  await world.run(packer.packAll(signal));
  expect(copies(store)).toEqual(["packed", "packed", "packed"]);
  expect(await world.run(wrongCopies(store, world.objects))).toEqual([]);
  for (const [at, { cold, liveBytes }] of sealedSegments(store).slice(0, 3).entries()) {
    expect(cold?.bytes).toBeLessThan(liveBytes + 400);
    const old = before[at]?.key ?? "";
    expect(await world.run(store.node.index.getLater(keys.condemned(old)))).toBeDefined();
    expect(world.objects.has(old)).toBe(true);
  }
  expect(packer.counts.segments).toBe(3);
  await world.close(store);
});

test("what is only in the bucket is read from there, with a request for neighbours", async () => {
  const { world, store } = await sparse();
  for (const { id } of sealedSegments(store).slice(0, 3)) {
    expect(await world.run(store.node.local.free(id))).toBe(true);
  }
  world.cold.calls.length = 0;
  await world.run(packerOf({ world, store }).packAll(signal));
  expect(copies(store)).toEqual(["packed", "packed", "packed"]);
  expect(await world.run(wrongCopies(store, world.objects))).toEqual([]);
  // For each: the pieces, and the end of what was put.
  expect(world.cold.calls.filter((call) => call.startsWith("get"))).toHaveLength(6);
  await world.close(store);
});

test("a packed copy is packed again when most of it has died", async () => {
  const { world, store } = await sparse();
  const [first] = sealedSegments(store);
  await world.run(packerOf({ world, store }).packAll(signal));
  const packed = first?.cold;
  if (first === undefined || packed === undefined) throw new Error("no copy");
  await world.run(store.node.local.free(first.id));
  const node = { ...tierNodeOf(store.node), incarnation: "n1.later" };
  const small = packerOf({ world, store }, { node, livePercentMin: 101 });
  await world.run(small.packAll(signal));
  expect(first.cold?.key).not.toBe(packed.key);
  expect(first.cold).toMatchObject({ kind: "packed", bytes: packed.bytes, sha256: packed.sha256 });
  expect(await world.run(wrongCopies(store, world.objects))).toEqual([]);
  await world.close(store);
});

describe("a copy stays as it is", () => {
  test("above the oldest snapshot in the bucket, because a restore replays it", async () => {
    const { world, store } = await sparse();
    const last = lastOfThird(store) ?? 0;
    await world.run(packerOf({ world, store }, { oldestSnapshotIndex: () => last - 1 }).packAll(signal));
    expect(copies(store)).toEqual(["packed", "packed", "verbatim"]);
    await world.close(store);
  });

  test("if the oldest snapshot is not known any more when the log is to be told", async () => {
    const { world, store } = await sparse();
    let asked = 0;
    const oldestSnapshotIndex = (): number => (++asked > 3 ? 0 : Infinity);
    await world.run(packerOf({ world, store }, { oldestSnapshotIndex }).packAll(signal));
    expect(copies(store)).not.toContain("packed");
    await world.close(store);
  });

  test("above the floor of this node, because a start replays it", async () => {
    const { world, store } = await sparse();
    const node = tierNodeOf(store.node);
    const local = patched(node.local, { floorIndex: 0 });
    await world.run(packerOf({ world, store }, { node: { ...node, local } }).packAll(signal));
    expect(copies(store)).not.toContain("packed");
    await world.close(store);
  });

  test("when a byte that is live in it is not what it was: damage gets no checksum of its own", async () => {
    const { world, store } = await sparse();
    const [first] = sealedSegments(store);
    const key = first?.cold?.key ?? "";
    const object = world.objects.get(key);
    if (first === undefined || object === undefined) throw new Error("no copy");
    await world.run(store.node.local.free(first.id));
    const live = world.contentOf("kept-0");
    const at = object.bytes.indexOf(live) + 700;
    object.bytes.writeUInt8(object.bytes.readUInt8(at) ^ 1, at);
    await world.run(packerOf({ world, store }).packAll(signal));
    expect(copies(store)).toEqual(["verbatim", "packed", "packed"]);
    expect(world.keysOf("packed")).toHaveLength(2);
    expect(world.logged.join("\n")).toMatch(/cannot be packed.*do not match their check/);
    await world.close(store);
  });

  test("when rows name other bytes than are counted", async () => {
    const { world, store } = await sparse();
    const [first] = sealedSegments(store);
    if (first === undefined) throw new Error("no segment");
    const node = tierNodeOf(store.node);
    let forgotten: number | undefined;
    // As if a kind of row was.
    const find = (index: number) => {
      const segment = node.segments.find(index);
      if (segment?.id === first.id) forgotten ??= index;
      return index === forgotten ? undefined : segment;
    };
    const segments = patched(node.segments, { find });
    await world.run(packerOf({ world, store }, { node: { ...node, segments } }).packAll(signal));
    expect(copies(store)).toEqual(["verbatim", "packed", "packed"]);
    await world.close(store);
  });

  test("when the bucket said yes and has not kept the new one", async () => {
    const { world, store } = await sparse();
    world.cold.tell("put", "keepNothing", "none", "none");
    await world.run(packerOf({ world, store }).packAll(signal));
    expect(copies(store).filter((kind) => kind === "packed")).toHaveLength(2);
    expect(await world.run(wrongCopies(store, world.objects))).toEqual([]);
    await world.close(store);
  });
});

test("pieces share a request when what lies between them is cheaper than another one", () => {
  const KIB = 1024;
  const places = [
    { start: 0, end: 10 },
    { start: 10, end: 20 },
    { start: 200 * KIB, end: 300 * KIB },
    { start: 600 * KIB, end: 601 * KIB },
    { start: 601 * KIB, end: 5000 * KIB },
  ];
  expect([...windowsOver(places)]).toEqual([
    { start: 0, end: 300 * KIB },
    { start: 600 * KIB, end: 601 * KIB },
    { start: 601 * KIB, end: 5000 * KIB },
  ]);
});
