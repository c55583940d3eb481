/** A restore from a bucket in which something is damaged or gone: around it if there is a way, else not. */
import { describe, expect, test } from "vitest";
import { parseColdKey } from "../../src/offload/cold-names.ts";
import { RestoreRefusedError, problemText } from "../../src/offload/restore-outline.ts";
import type { RestoreNews } from "../../src/offload/restore.ts";
import { TRAILER_BYTES } from "../../src/segment/footer.ts";
import { FailingColdStore } from "../sim/failing-cold-store.ts";
import { SimRandom } from "../sim/sim-random.ts";
import type { SimColdObject } from "../sim/sim-cold-store.ts";
import { SIM_DIRECTORY } from "../sim/sim-store.ts";
import type { SimStore } from "../sim/sim-store.ts";
import { bytesOf, find, listAll } from "../service/service-world.ts";
import { contentsOf, load, rowsOf } from "./restore-load.ts";
import { Bucket, NEWEST, RestoreWorld, lineageRow } from "./restore-world.ts";

const ACCEPTED = { ...NEWEST, acceptGap: true };

type Lost = {
  readonly world: RestoreWorld;
  readonly store: SimStore;
  /** Of each manifest: its key, what was in the store, and what was in the bucket. */
  readonly manifests: readonly Point[];
  readonly end: Point;
};
type Point = { readonly key: string; readonly contents: unknown; readonly index: number };

/** Two manifests with snapshots of their own, segments and a tail behind them. */
async function lost(): Promise<Lost> {
  const world = new RestoreWorld();
  const store = await world.open();
  const bucket = new Bucket(world, store);
  const manifests: Point[] = [];
  const point = async (key: string): Promise<Point> => {
    return { key, contents: await world.run(contentsOf(store)), index: store.node.index.appliedIndex };
  };
  for (const seed of ["one", "two"]) {
    await world.run(load(store, { seed, steps: 90 }));
    await bucket.run((to) => to.segments());
    await bucket.run((to) => to.snapshot(store.node.index.appliedIndex));
    await bucket.run((to) => to.tail());
    manifests.push(await point(String(await bucket.run((to) => to.manifest()))));
  }
  await world.run(load(store, { seed: "three", steps: 60 }));
  await bucket.run((to) => to.segments());
  await bucket.run((to) => to.tail());
  return { world, store, manifests, end: await point("") };
}

function flip(world: RestoreWorld, key: string, at = 0.5): void {
  const object = world.objects.get(key) as SimColdObject;
  const bytes = Buffer.from(object.bytes);
  const offset = Math.floor(bytes.length * at);
  bytes[offset] = (bytes[offset] ?? 0) ^ 4;
  world.objects.set(key, { ...object, bytes });
}

/** A sealed segment whose entries are all behind the newest snapshot; the first of them. */
function replayed({ world, manifests }: Lost): string {
  const { index = 0 } = manifests.at(-1) ?? {};
  const key = world.keysOf("segments").find((segment) => {
    const name = parseColdKey(segment)?.name;
    return name?.kind === "segment" && name.first > index;
  });
  return key ?? "";
}

/** Reads every object of a bucket; how many there are, and which of them cannot be read. */
async function readAll({
  service,
}: SimStore): Promise<{ readonly objects: number; readonly unread: readonly string[] }> {
  const listed = await listAll(service);
  const unread: string[] = [];
  for (const { key } of listed) {
    const found = await find(service, key);
    if (found === undefined) throw new Error(`${key} is listed and not found`);
    await bytesOf(service, found).catch(() => unread.push(key));
  }
  return { objects: listed.length, unread };
}

async function refusal(world: RestoreWorld): Promise<readonly string[]> {
  const error: unknown = await world.restore(world.newDisk()).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(RestoreRefusedError);
  const { problems, passedOver } = (error as RestoreRefusedError).refusal;
  return [...problems, ...passedOver.flatMap((over) => over.problems)].map(problemText);
}

async function expectContents(world: RestoreWorld, contents: unknown, wish = NEWEST): Promise<void> {
  const { store } = await world.revived(wish);
  expect(await world.run(contentsOf(store))).toEqual(contents);
  expect(store.fatal).toEqual([]);
  await world.close(store);
}

type Spoil = (world: RestoreWorld, key: string) => void;

const spoils: readonly (readonly [string, Spoil])[] = [
  ["missing", ({ objects }, key) => void objects.delete(key)],
  ["damaged", (world, key) => flip(world, key)],
  [
    "cut off",
    ({ objects }, key) => {
      const object = objects.get(key) as SimColdObject;
      objects.set(key, { ...object, bytes: object.bytes.subarray(0, -1) });
    },
  ],
];

describe.each(spoils)("%s", (how, spoil) => {
  test("the newest manifest: the one before it and the log lead as far", async () => {
    const { world, manifests, end } = await lost();
    spoil(world, manifests.at(-1)?.key ?? "");
    await expectContents(world, end.contents);
  });

  test("a part of the newest snapshot: the manifest before it and the log lead as far", async () => {
    const { world, end } = await lost();
    spoil(world, world.keysOf("snapshots").at(-1) ?? "");
    await expectContents(world, end.contents);
  });

  test("a segment behind the snapshot: refused by name; accepted, the log ends in front of it", async () => {
    const world = await lost();
    const key = replayed(world);
    spoil(world.world, key);
    expect((await refusal(world.world)).join()).toMatch(/in no object, though|is damaged|is missing/);
    const { store } = await world.world.revived(ACCEPTED);
    const last = parseColdKey(key)?.name;
    const due = last?.kind === "segment" ? last.first - 1 : 0;
    expect(store.node.state.segments.find(due)?.cut).toBe(true);
    await world.world.run(load(store, { seed: "goes on", steps: 30 }));
    expect(store.fatal).toEqual([]);
  });

  test("the last tail is where the log ends, unless something says that it went on", async () => {
    const { world } = await lost();
    const tails = world.keysOf("tail");
    spoil(world, tails.at(-1) ?? "");
    if (how === "missing") {
      const { store } = await world.revived();
      expect(store.fatal).toEqual([]);
      return;
    }
    expect((await refusal(world)).join()).toContain(tails.at(-1));
    const { store } = await world.revived(ACCEPTED);
    expect(store.fatal).toEqual([]);
  });
});

test("a segment that no manifest names has to end in the footer of its records", async () => {
  const world = await lost();
  const key = replayed(world);
  const object = world.world.objects.get(key) as SimColdObject;
  // Within its offset table: neither a record nor the trailer.
  flip(world.world, key, (object.bytes.length - TRAILER_BYTES - 4) / object.bytes.length);
  const news: RestoreNews[] = [];
  const tell = (heard: RestoreNews): void => void news.push(heard);
  await world.world.restore(world.world.newDisk(), ACCEPTED, { tell });
  const damaged = { kind: "damaged", key, reason: "its footer is not that of its records" };
  expect(news).toContainEqual(damaged);
});

test("a record that goes bad after the restore is damage, and no torn tail", async () => {
  const { world } = await lost();
  const disk = world.newDisk();
  await world.restore(disk);
  const names = [...(await disk.list(`${SIM_DIRECTORY}/log`))].toSorted();
  const path = `${SIM_DIRECTORY}/log/${names.at(-1)}`;
  const bytes = Buffer.from((await disk.readFile(path)) ?? []);
  disk.damage(path, bytes.length - 5, Buffer.from([1 ^ (bytes.at(-5) as number)]));
  await expect(world.open(disk)).rejects.toThrow("was acknowledged and is damaged");
});

test("a segment below the snapshot that is gone: refused by name; accepted, it cannot be read", async () => {
  const { world, end } = await lost();
  const [key = ""] = world.keysOf("segments");
  world.objects.delete(key);
  expect(await refusal(world)).toContain(`${key} is missing`);
  const { store, disk } = await world.revived(ACCEPTED);
  const told = await world.run(contentsOf(store).catch((error: unknown) => error));
  expect(String(told)).toContain(`${key} is not there`);
  await world.close(store);
  // The next start does not mistake it for a file that was lost here.
  const again = await world.open(disk);
  expect(again.fatal).toEqual([]);
  expect(end).toBeDefined();
});

test("a snapshot whose own tail is gone: accepted, the log begins anew behind it", async () => {
  const world = new RestoreWorld();
  const store = await world.open();
  const bucket = new Bucket(world, store);
  await world.run(load(store, { seed: "one", steps: 90 }));
  await bucket.run((to) => to.segments());
  await world.run(load(store, { seed: "some more", steps: 3 }));
  await bucket.run((to) => to.snapshot(store.node.index.appliedIndex));
  await bucket.run((to) => to.tail());
  await bucket.run((to) => to.manifest());
  const index = store.node.index.appliedIndex;
  const rows = await world.run(rowsOf(store));
  await world.close(store);
  for (const key of world.keysOf("tail")) world.objects.delete(key);
  expect((await refusal(world)).join()).toContain("in no object");
  const disk = world.newDisk();
  const result = await world.restore(disk, ACCEPTED);
  const [open] = store.node.state.segments.all.slice(-1);
  expect(result).toMatchObject({ lostBodies: [{ first: open?.firstIndex, last: index }] });
  const revived = await world.open(disk);
  await world.begin(revived, disk);
  expect(await world.run(rowsOf(revived))).toEqual(rows);
  expect(lineageRow(revived.node)?.cutIndex).toBe(index);
  // What was in the open segment alone is gone; all else is there, and the store goes on.
  const { objects, unread } = await world.run(readAll(revived));
  expect(objects).toBeGreaterThan(20);
  expect(unread.length).toBeGreaterThan(0);
  expect(unread.length).toBeLessThan(10);
  await world.run(load(revived, { seed: "goes on", steps: 60 }));
  expect(revived.fatal).toEqual([]);
  await world.close(revived);
  const again = await world.open(disk);
  await world.run(load(again, { seed: "and on", steps: 20 }));
  expect(again.fatal).toEqual([]);
});

test("what came wrong over the line once is fetched again, whichever it was", async () => {
  const { world, end } = await lost();
  const { clock } = world.machine;
  const whole = new FailingColdStore(world.coldOn(world.newDisk()), { clock, random: new SimRandom("line") });
  await world.restore(world.newDisk(), NEWEST, { store: whole });
  const gets = whole.calls.filter((call) => call.startsWith("get ")).length;
  expect(gets).toBeGreaterThan(10);
  for (let at = 0; at < gets; at++) {
    const disk = world.newDisk();
    const cold = new FailingColdStore(world.coldOn(disk), { clock, random: new SimRandom(`line ${at}`) });
    cold.tell("get", ...Array.from({ length: at }, () => "none" as const), "wrongBytes");
    const news: RestoreNews[] = [];
    const done = await world.restore(disk, NEWEST, { store: cold, tell: (heard) => void news.push(heard) });
    expect(cold.calls.some((call) => call.endsWith("wrongBytes"))).toBe(true);
    expect(news.filter(({ kind }) => kind === "damaged")).toEqual([]);
    expect(done).toMatchObject({
      plan: { passedOver: [], warnings: [] },
      recoveryPoint: { index: end.index },
    });
  }
});

test("an object that is found damaged while it is fetched is told, and left out of the plan", async () => {
  const { world, end } = await lost();
  const key = world.keysOf("snapshots").at(-1) ?? "";
  flip(world, key);
  const news: RestoreNews[] = [];
  await world.restore(world.newDisk(), NEWEST, { tell: (heard) => void news.push(heard) });
  expect(news).toContainEqual({ kind: "damaged", key, reason: "it does not match its digest" });
  expect(news.filter(({ kind }) => kind === "planned")).toHaveLength(2);
  expect(end).toBeDefined();
});

test("a bucket that does not answer is no damage: the next call goes on", async () => {
  const { world, end } = await lost();
  const disk = world.newDisk();
  const { clock } = world.machine;
  for (let calls = 5; ; calls += 7) {
    const cold = new FailingColdStore(world.coldOn(disk), { clock, random: new SimRandom("down") });
    cold.tell("get", ...Array.from({ length: calls }, () => "none" as const), "failBefore");
    const done = await world.restore(disk, NEWEST, { store: cold }).catch(() => undefined);
    if (done !== undefined) break;
    expect(calls).toBeLessThan(500);
  }
  const store = await world.open(disk);
  await world.begin(store, disk);
  expect(await world.run(contentsOf(store))).toEqual(end.contents);
});

test("what a first start does not find in the bucket any more is a refusal, before it writes", async () => {
  const { world } = await lost();
  const disk = world.newDisk();
  await world.restore(disk);
  const [key = ""] = world.keysOf("segments");
  world.objects.delete(key);
  const store = await world.open(disk);
  await expect(world.begin(store, disk)).rejects.toThrow(`(${key}): restore again`);
  expect(world.keysOf("manifest")).toHaveLength(2);
  await world.close(store);
});
