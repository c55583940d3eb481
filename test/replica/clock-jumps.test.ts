/**
 * Promises of a whole store whose wall clock is wrong, at the start or later: nothing is given up early,
 * everything is given up in the end, and dates are right as soon as the clock is.
 */
import { describe, expect, test } from "vitest";
import type { PutBody, PutOutcome } from "../../src/service/api.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import { ManualClock, settled } from "../store/manual-clock.ts";
import { newMachine, openNode, openNodeWithBucket } from "./node-world.ts";
import type { Machine, NodeWorld } from "./node-world.ts";

const MIB = 1024 * 1024;
const SECOND = 1000;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;
/** Of wall clocks: more than any age that something is given up for, in both directions. */
const JUMPS = [8 * DAY, -8 * DAY, 20_000 * DAY, -20_000 * DAY];
const none = { kind: "none" } as const;

async function put(world: NodeWorld, key: string, body?: PutBody): Promise<PutOutcome> {
  const bytes = { kind: "bytes" as const, bytes: Buffer.from(key) };
  const head = { bucket: "b", key, etag: "e", attributes: NO_ATTRIBUTES, condition: none };
  return await world.service.objects.put({ ...head, body: body ?? bytes });
}

/** Puts an object, and looks whether its date is what the wall clock shows. */
async function isDatedRight(world: NodeWorld, key: string): Promise<boolean> {
  const shownMs = Math.max(0, world.clock.nowMs());
  const outcome = await put(world, key);
  if (outcome.kind !== "put") throw new Error(outcome.kind);
  const found = await world.service.objects.find(`b/${key}`);
  expect(found?.modifiedMs).toBe(outcome.modifiedMs);
  return Math.abs(outcome.modifiedMs - shownMs) < 100;
}

async function staged(world: NodeWorld, size = MIB): Promise<PutBody> {
  const writer = world.service.objects.startBody();
  await writer.write(Buffer.alloc(size));
  await settled();
  return { kind: "written", writer };
}

async function createUpload(world: NodeWorld, key: string): Promise<string> {
  const head = { bucket: "b", key, owner: "root", attributes: NO_ATTRIBUTES, checksum: undefined };
  const created = await world.service.uploads.create(head);
  if (created.kind !== "created") throw new Error(created.kind);
  return created.uploadId;
}

async function putPart(world: NodeWorld, uploadId: string): Promise<void> {
  const body = { kind: "bytes" as const, bytes: Buffer.alloc(1000, 1) };
  const part = { uploadId, partNumber: 1, etag: "a".repeat(32), checksum: undefined, body };
  expect(await world.service.uploads.putPart(part)).toEqual({ kind: "put" });
}

async function openUploads(world: NodeWorld): Promise<readonly string[]> {
  const query = { bucket: "b", prefix: "", after: undefined, limit: 100 };
  const page = await world.service.uploads.list(query);
  return page?.uploads.map(({ key }) => key) ?? [];
}

async function rowsUnder(world: NodeWorld, prefix: string): Promise<number> {
  const iterator = await world.node.index.iterate({ from: prefix, to: `${prefix}\u{10ffff}` });
  const page = await iterator.next(10_000);
  await iterator.close();
  return page.length;
}

/** Housekeeping looks at everything it ever looks at. */
async function look(world: NodeWorld): Promise<void> {
  await world.clock.advance(61 * SECOND);
}

/** A long time without living through every second of it. */
async function skip(world: NodeWorld, ms: number): Promise<void> {
  world.clock.advanceNow(ms - 2 * SECOND);
  await world.clock.advance(2 * SECOND);
}

/** The same disk under a process that starts later, whatever its wall clock shows then. */
function laterMachine({ disk, clock, gate }: Machine, wallAheadMs: number): Machine {
  return { disk, gate, clock: new ManualClock(clock.nowMs() + wallAheadMs) };
}

describe.each(JUMPS)("a wall clock that jumps by %d ms while the store runs", (jumpMs) => {
  test("takes no upload and no staged body; objects are dated right as soon as it is right", async () => {
    await using world = await openNodeWithBucket();
    const uploadId = await createUpload(world, "open");
    await putPart(world, uploadId);
    const body = await staged(world);
    await look(world);
    world.clock.moveWall(jumpMs);
    await look(world);
    expect(await openUploads(world)).toEqual(["open"]);
    expect(await rowsUnder(world, "stage/")).toBe(1);
    expect(await isDatedRight(world, "meanwhile")).toBe(true);
    world.clock.moveWall(-jumpMs);
    expect(await isDatedRight(world, "after")).toBe(true);
    await look(world);
    expect(await isDatedRight(world, "later")).toBe(true);
    expect(await put(world, "k", body)).toMatchObject({ kind: "put" });
    expect(await openUploads(world)).toEqual(["open"]);
    const parts = [{ partNumber: 1, etag: "a".repeat(32), checksum: undefined }];
    const complete = { bucket: "b", key: "open", uploadId, parts, condition: none };
    const expected = { expectedChecksum: undefined, expectedSize: undefined };
    const done = await world.service.uploads.complete({ ...complete, ...expected });
    expect(done).toMatchObject({ kind: "completed", size: 1000 });
  });

  test("leaves a reader its grace, and what was dropped goes after it all the same", async () => {
    await using world = await openNodeWithBucket();
    await put(world, "k", await staged(world));
    await world.service.objects.delete({ bucket: "b", key: "k", condition: none });
    world.clock.moveWall(jumpMs);
    await world.clock.advance(SECOND / 2);
    expect(await rowsUnder(world, "body/")).toBe(1);
    await world.clock.advance(4 * SECOND);
    expect(await rowsUnder(world, "body/")).toBe(0);
  });

  test("keeps nothing alive: what is idle for long enough goes", async () => {
    await using world = await openNodeWithBucket();
    await createUpload(world, "idle");
    await staged(world);
    world.clock.moveWall(jumpMs);
    await skip(world, HOUR - 61 * SECOND);
    expect(await rowsUnder(world, "stage/")).toBe(1);
    await skip(world, 2 * 61 * SECOND);
    expect(await rowsUnder(world, "stage/")).toBe(0);
    await skip(world, 7 * DAY - 2 * HOUR);
    expect(await openUploads(world)).toEqual(["idle"]);
    await skip(world, HOUR);
    expect(await openUploads(world)).toEqual([]);
  });
});

describe.each(JUMPS)("a start with a wall clock that is wrong by %d ms", (jumpMs) => {
  test("takes no upload, nor does the next start with a right one; then dates are right", async () => {
    const machine = newMachine();
    {
      await using world = await openNodeWithBucket(machine);
      await putPart(world, await createUpload(world, "open"));
    }
    const wrong = laterMachine(machine, jumpMs);
    {
      await using world = await openNode(wrong);
      await look(world);
      expect(await isDatedRight(world, "meanwhile")).toBe(true);
      await look(world);
      expect(await openUploads(world)).toEqual(["open"]);
    }
    await using world = await openNode(laterMachine(wrong, -jumpMs));
    await look(world);
    expect(await openUploads(world)).toEqual(["open"]);
    expect(await isDatedRight(world, "after")).toBe(true);
    expect((await world.service.objects.find("b/meanwhile"))?.etag).toBe("e");
  });

  test("or was when the store was made, changes nothing once it is right", async () => {
    const machine = { ...newMachine(), clock: new ManualClock(1_700_000_000_000 + jumpMs) };
    await using world = await openNodeWithBucket(machine);
    await createUpload(world, "open");
    expect(await isDatedRight(world, "before")).toBe(true);
    world.clock.moveWall(-jumpMs);
    await look(world);
    expect(await isDatedRight(world, "after")).toBe(true);
    expect(await openUploads(world)).toEqual(["open"]);
    expect(world.fatal).toEqual([]);
  });
});

describe("ages", () => {
  test("go on over starts, without the time that the node was off", async () => {
    let machine = newMachine();
    await using first = await openNodeWithBucket(machine);
    await createUpload(first, "open");
    await skip(first, 3 * DAY);
    await put(first, "k");
    await first.node.close();
    machine = laterMachine(machine, 30 * DAY);
    await using second = await openNode(machine);
    await skip(second, 3 * DAY);
    await put(second, "k");
    expect(await openUploads(second)).toEqual(["open"]);
    await second.node.close();
    await using third = await openNode(laterMachine(machine, 30 * DAY));
    await skip(third, 0.9 * DAY);
    expect(await openUploads(third)).toEqual(["open"]);
    await skip(third, 0.1 * DAY + HOUR);
    expect(await openUploads(third)).toEqual([]);
  });

  test("of uploads lose an hour at most by a start, though nobody writes", async () => {
    let machine = newMachine();
    {
      await using world = await openNodeWithBucket(machine);
      await createUpload(world, "open");
    }
    for (let start = 0; start < 7; start++) {
      machine = laterMachine(machine, 0);
      await using world = await openNode(machine);
      expect(await openUploads(world)).toEqual(["open"]);
      for (let half = 0; half < 52; half++) await skip(world, 0.5 * HOUR);
    }
    await using world = await openNode(laterMachine(machine, 0));
    await look(world);
    expect(await openUploads(world)).toEqual([]);
  });

  test("cost no entry when no upload is open", async () => {
    await using world = await openNodeWithBucket();
    const uploadId = await createUpload(world, "open");
    const entriesOf = async (ms: number): Promise<number> => {
      const before = world.node.replica.commitIndex;
      await skip(world, ms);
      return world.node.replica.commitIndex - before;
    };
    expect(await entriesOf(0.5 * HOUR)).toBe(0);
    expect(await entriesOf(HOUR)).toBe(1);
    expect(await entriesOf(0.5 * HOUR)).toBe(0);
    await world.service.uploads.abort({ bucket: "b", key: "open", uploadId });
    expect(await entriesOf(30 * DAY)).toBe(0);
  });
});

describe("a date that has to be set", () => {
  test("is set by an entry in the same write, before what shows it, once", async () => {
    await using world = await openNodeWithBucket();
    world.clock.moveWall(DAY);
    const before = world.node.replica.commitIndex;
    expect(await isDatedRight(world, "a")).toBe(true);
    expect(world.node.replica.commitIndex).toBe(before + 2);
    expect(world.logWrites).toHaveLength(1);
    expect(await isDatedRight(world, "b")).toBe(true);
    expect(world.node.replica.commitIndex).toBe(before + 3);
    expect(world.entries).toEqual([1, 1]);
  });

  test("waits for an entry that shows it: chunks do not", async () => {
    await using world = await openNodeWithBucket();
    world.clock.moveWall(DAY);
    const before = world.node.replica.commitIndex;
    const body = await staged(world, 1000);
    await settled();
    expect(world.node.replica.commitIndex).toBe(before + 1);
    expect(await put(world, "k", body)).toMatchObject({ modifiedMs: world.clock.nowMs() });
  });

  test("is known after a start from the log alone", async () => {
    const machine = newMachine();
    {
      await using world = await openNodeWithBucket(machine);
      world.clock.moveWall(-DAY);
      await put(world, "k");
    }
    await machine.disk.removeDirectory("data/index");
    await using world = await openNode(machine);
    expect(world.node.replayedEntries).toBeGreaterThan(3);
    expect(world.node.state.dates.offsetMs).toBe(-DAY);
    expect((await world.service.objects.find("b/k"))?.modifiedMs).toBe(machine.clock.nowMs());
  });
});

test("uploads of one key list in the order they began, though the clock was put back", async () => {
  await using world = await openNodeWithBucket();
  const began: string[] = [];
  for (const ms of [0, 8 * DAY, -16 * DAY, 5 * DAY, -DAY]) {
    world.clock.moveWall(ms);
    world.clock.advanceNow(1);
    began.push(await createUpload(world, "k"));
  }
  const page = await world.service.uploads.list({ bucket: "b", prefix: "", after: undefined, limit: 10 });
  expect(page?.uploads.map(({ uploadId }) => uploadId)).toEqual(began);
});

test("status tells how far the wall clock is from where it should be", async () => {
  await using world = await openNodeWithBucket();
  await world.clock.advance(5 * SECOND);
  expect(world.service.status().clockSkewMs).toBe(0);
  world.clock.moveWall(-8 * DAY);
  expect(world.service.status().clockSkewMs).toBe(-8 * DAY);
});
