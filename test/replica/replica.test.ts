/**
 * Promises of the order of effects: stable, then committed, then applied, then answered; load makes batches
 * within their bounds; nobody is left without an answer, whatever ends the loop.
 */
import { describe, expect, test } from "vitest";
import { BusyError, TooLargeError, UnavailableError, UnknownOutcomeError } from "../../src/base/errors.ts";
import { FormatError } from "../../src/base/bytes.ts";
import { logIndex } from "../../src/base/units.ts";
import type { Command, CommandResult, PutObject } from "../../src/state/command.ts";
import { keys } from "../../src/state/keys.ts";
import type { StoredObject } from "../../src/state/stored-object.ts";
import { settled } from "../store/manual-clock.ts";
import { closeGate, newMachine, openNode, openNodeWithBucket, putCommand, watch } from "./node-world.ts";
import { chunkOf } from "../state/chunk-of.ts";

const MIB = 1024 * 1024;

describe("acknowledging", () => {
  test("waits until the entry is stable and applied", async () => {
    await using world = await openNodeWithBucket();
    const { replica } = world.node;
    const before = replica.appliedIndex;
    const open = closeGate(world);
    const put = watch(replica.propose(putCommand("k")));
    await settled();
    expect([put.state(), replica.commitIndex, replica.appliedIndex]).toEqual(["pending", before, before]);
    expect(world.service.objects.find("b/k")).toBeUndefined();
    open();
    await settled();
    expect([put.state(), replica.commitIndex, replica.appliedIndex]).toEqual([
      "resolved",
      before + 1,
      before + 1,
    ]);
    expect(world.service.objects.find("b/k")).toMatchObject({ size: 1 });
  });

  test("moves the mark a few milliseconds later, and exactly at a clean stop", async () => {
    const machine = newMachine();
    const first = await openNodeWithBucket(machine);
    await first.node.replica.propose(putCommand("k"));
    const { appliedIndex } = first.node.replica;
    await first.node.close();
    const again = await openNode(machine);
    expect(again.node.replica.appliedIndex).toBe(logIndex(appliedIndex + 1));
    expect(again.node.replayedEntries).toBe(0);
    await again.node.close();
  });
});

describe("batches", () => {
  test("of concurrent commands are a few entries of bounded size, all answered", async () => {
    await using world = await openNodeWithBucket(newMachine(), { payloadEntriesMax: 100 });
    const puts = Array.from({ length: 1000 }, (_, at) => world.node.replica.propose(putCommand(`k${at}`)));
    const results = await Promise.all(puts);
    expect(results.every(({ kind }) => kind === "objectPut")).toBe(true);
    expect(Math.max(...world.entries)).toBe(100);
    expect(world.entries.reduce((sum, count) => sum + count, 0)).toBe(1000);
    expect(world.logWrites.length).toBeLessThanOrEqual(3);
  });

  test("carry answers of different kinds to the right callers", async () => {
    await using world = await openNodeWithBucket();
    const { replica } = world.node;
    const answers = await Promise.all([
      replica.propose(putCommand("a")),
      replica.propose({ kind: "deleteBucket", name: "b" }),
      replica.proposeTogether([putCommand("c"), { kind: "deleteBucket", name: "absent" }]),
      replica.propose({ kind: "createBucket", name: "b", owner: "x", location: "" }),
      replica.proposeTogether([]),
      replica.proposeTogether([putCommand("d")]),
      replica.proposeChunk(chunkOf("x", 5, Buffer.from("x"))),
    ]);
    const kinds = answers.map((answer) => (Array.isArray(answer) ? answer.map(({ kind }) => kind) : answer));
    expect(kinds).toMatchObject([
      { kind: "objectPut" },
      { kind: "bucketNotEmpty" },
      ["objectPut", "noSuchBucket"],
      { kind: "bucketExists", owner: "root" },
      [],
      ["objectPut"],
      { kind: "bodyGone" },
    ]);
  });

  test("keep groups whole: one entry each, however large", async () => {
    await using world = await openNodeWithBucket(newMachine(), { payloadEntriesMax: 10 });
    const { replica } = world.node;
    const group = Array.from({ length: 250 }, (_, at) => putCommand(`g${at}`));
    await Promise.all([
      replica.propose(putCommand("a")),
      replica.proposeTogether(group),
      replica.propose(putCommand("z")),
    ]);
    expect(world.entries).toEqual([1, 250, 1]);
  });

  test("keep the order of the calls, of single commands, groups and chunks alike", async () => {
    await using world = await openNodeWithBucket(newMachine(), { payloadEntriesMax: 7 });
    const { replica } = world.node;
    const chunks: Promise<CommandResult>[] = [];
    const puts: Promise<unknown>[] = [];
    for (let at = 0; at < 300; at++) {
      const command = putCommand("same", Buffer.from(String(at)));
      if (at % 3 === 0) puts.push(replica.propose(command));
      else if (at % 3 === 1) puts.push(replica.proposeTogether([command, putCommand("other")]));
      chunks.push(replica.proposeChunk(chunkOf("x", at, Buffer.from([at]))));
    }
    await Promise.all(puts);
    expect((await Promise.all(chunks)).every(({ kind }) => kind === "done")).toBe(true);
    const found = await world.service.objects.find("b/same");
    expect(Buffer.from(found?.bytes ?? []).toString()).toBe("298");
  });

  test.each([
    ["commands", 200, 60 * 1024],
    ["chunks", 40, MIB],
  ] as const)("of large %s are closed at their size, beside one entry", async (kind, count, size) => {
    await using world = await openNodeWithBucket();
    const { replica } = world.node;
    const proposals = Array.from({ length: count }, (_, at) => {
      const bytes = Buffer.alloc(size, at);
      if (kind === "commands") return replica.propose(putCommand(`k${at}`, bytes));
      return replica.proposeChunk(chunkOf(`x${at}`, 0, bytes));
    });
    await Promise.all(proposals);
    expect(Math.max(...world.logWrites)).toBeLessThan(6 * MIB);
  });

  test.each([
    ["hold one chunk of a body each: a small write does not wait for the others", 20, 1],
    ["are for small writes alone behind one with a chunk, if such writes come", 1, 0],
  ])("%s", async (_name, chunksBefore, chunksAhead) => {
    await using world = await openNodeWithBucket();
    const { replica } = world.node;
    const answered: string[] = [];
    const note = async (name: string, work: Promise<unknown>): Promise<void> => {
      await work;
      answered.push(name);
    };
    let at = 0;
    const chunk = (): Promise<unknown> => replica.proposeChunk(chunkOf("x", at++, Buffer.alloc(MIB)));
    for (let count = 0; count < chunksBefore; count++) await chunk();
    const open = closeGate(world);
    const chunks = [0, 1, 2, 3].map((number) => note(`chunk ${number}`, chunk()));
    await settled();
    const small = note("small", replica.propose(putCommand("k")));
    await settled();
    open();
    await Promise.all([...chunks, small]);
    expect(answered.indexOf("small")).toBe(1 + chunksAhead);
    expect(answered.filter((name) => name !== "small")).toEqual(["chunk 0", "chunk 1", "chunk 2", "chunk 3"]);
    expect(Math.max(...world.logWrites)).toBeLessThan(1.5 * MIB);
    const smallWrites = world.logWrites.slice(-5).filter((bytes) => bytes < MIB);
    expect(smallWrites).toHaveLength(1 - chunksAhead);
  });

  test("hold many bodies of 100 KB each: they share syncs like small writes", async () => {
    await using world = await openNodeWithBucket();
    const { replica } = world.node;
    const bytes = Buffer.alloc(100_000, 1);
    const put = async (at: number): Promise<unknown> => {
      const bodyId = `body${at}`;
      const chunk = replica.proposeChunk(chunkOf(bodyId, 0, bytes));
      const body = { kind: "stored", bodyId, size: bytes.length } as const;
      const named = replica.propose({ ...(putCommand(`k${at}`) as PutObject), body });
      return await Promise.all([chunk, named]);
    };
    await Promise.all(Array.from({ length: 100 }, (_, at) => put(at)));
    for (let at = 0; at < 100; at++) {
      expect((await world.service.objects.find(`b/k${at}`))?.size).toBe(bytes.length);
    }
    expect(world.logWrites.length).toBeLessThanOrEqual(13);
    expect(Math.max(...world.logWrites)).toBeLessThan(1.5 * MIB);
  });

  test("gather while a write is under way, and one write is under way at a time", async () => {
    await using world = await openNodeWithBucket();
    const { replica } = world.node;
    const open = closeGate(world);
    const first = replica.propose(putCommand("first"));
    await settled();
    const more = Array.from({ length: 50 }, (_, at) => replica.propose(putCommand(`k${at}`)));
    await settled();
    expect(world.logWrites).toHaveLength(0);
    open();
    await Promise.all([first, ...more]);
    expect(world.logWrites).toHaveLength(2);
    expect(world.entries).toEqual([1, 50]);
  });
});

describe("bounds", () => {
  test("refuse what does not fit into the queue, and what was refused did not happen", async () => {
    await using world = await openNodeWithBucket(newMachine(), { pendingWritesMax: 10 });
    const { replica } = world.node;
    const ends = await Promise.allSettled(
      Array.from({ length: 30 }, (_, at) => replica.propose(putCommand(`k${at}`))),
    );
    const refused = ends.filter((end) => end.status === "rejected");
    expect(refused).toHaveLength(20);
    expect(refused.every(({ reason }) => reason instanceof BusyError)).toBe(true);
    for (const [at, { status }] of ends.entries()) {
      const found = await world.service.objects.find(`b/k${at}`);
      expect(found !== undefined).toBe(status === "fulfilled");
    }
  });

  test("refuse what does not fit in bytes", async () => {
    await using world = await openNodeWithBucket(newMachine(), { pendingBytesMax: 100_000 });
    const large = Array.from({ length: 4 }, (_, at) =>
      world.node.replica.propose(putCommand(`k${at}`, Buffer.alloc(40_000))),
    );
    const ends = await Promise.allSettled(large);
    expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "rejected"]);
  });

  test("refuse a group that no record could hold, and keep the node in order", async () => {
    await using world = await openNodeWithBucket();
    const group = Array.from({ length: 300 }, (_, at) => putCommand(`k${at}`, Buffer.alloc(64 * 1024)));
    await expect(world.node.replica.proposeTogether(group)).rejects.toThrow(TooLargeError);
    expect((await world.node.replica.propose(putCommand("after"))).kind).toBe("objectPut");
    expect(world.fatal).toEqual([]);
  });
});

describe("entries", () => {
  const largest: Readonly<Record<string, readonly Command[]>> = {
    "1,000 puts with 2 KB of metadata": Array.from({ length: 1000 }, (_, at) => ({
      ...putCommand(`k${at}`),
      attributes: { headers: [], metadata: [["name", "x".repeat(2044)]], checksum: undefined },
    })),
    "1,000 deletes of the longest names": Array.from({ length: 1000 }, (_, at) => ({
      kind: "deleteObject",
      bucket: "b".repeat(63),
      key: `${at}`.padStart(5, "0") + "€".repeat(339),
      condition: { kind: "none" },
    })),
    "a Complete of 10,000 parts of different sizes": [
      {
        kind: "completeUpload",
        uploadId: "no such upload",
        revision: 2 ** 53 - 1,
        bucket: "b",
        key: "k".repeat(1024),
        runs: Array.from({ length: 10_000 }, (_, at) => ({
          firstPart: at + 1,
          count: 1,
          size: 2 ** 32 + at,
        })),
        size: 2 ** 53 - 1,
        etag: "0".repeat(38),
        checksum: undefined,
        condition: { kind: "none" },
      },
    ],
  };

  test.each(Object.keys(largest))("hold the most that S3 allows at once: %s", async (name) => {
    await using world = await openNodeWithBucket();
    const commands = largest[name] as readonly Command[];
    const results = await world.node.replica.proposeTogether(commands);
    expect(results).toHaveLength(commands.length);
    expect(world.fatal).toEqual([]);
  });

  test("of single commands stay within a record, however much one batch may gather", async () => {
    const changes = { batchBytesMax: 64 * MIB, pendingBytesMax: 256 * MIB, payloadEntriesMax: 10_000 };
    await using world = await openNodeWithBucket(newMachine(), changes);
    const puts = Array.from({ length: 400 }, (_, at) =>
      world.node.replica.propose(putCommand(`k${at}`, Buffer.alloc(64 * 1024))),
    );
    for (const { kind } of await Promise.all(puts)) expect(kind).toBe("objectPut");
    expect(world.fatal).toEqual([]);
    expect(Math.max(...world.entries)).toBeLessThan(256);
  });

  test("that cannot be encoded end the node, and everybody is answered", async () => {
    const world = await openNodeWithBucket();
    const { replica } = world.node;
    const open = closeGate(world);
    const underWay = watch(replica.propose(putCommand("a")));
    await settled();
    // Grows once it is admitted, beyond what a record holds.
    let looks = 0;
    const lies = {
      kind: "bytes" as const,
      crc32c: 0,
      get bytes() {
        return Buffer.alloc(++looks <= 2 ? 10 : 17 * MIB);
      },
    };
    const beside = watch(replica.propose(putCommand("b")));
    const bad = watch(replica.propose({ ...putCommand("bad"), body: lies } as Command));
    const group = watch(replica.proposeTogether([putCommand("c"), putCommand("d")]));
    open();
    await settled(100);
    const ends = [underWay, beside, bad, group].map(({ state }) => state());
    expect(ends[0]).toMatch(/resolved|UnknownOutcomeError/);
    expect(ends.slice(1)).toEqual(["UnknownOutcomeError", "UnknownOutcomeError", "UnavailableError"]);
    expect(world.fatal.map(String)).toEqual([expect.stringContaining("does not fit into a record")]);
    await expect(replica.propose(putCommand("later"))).rejects.toThrow(UnavailableError);
  });
});

describe("stopping", () => {
  test("answers what was admitted and refuses what comes later", async () => {
    const world = await openNodeWithBucket();
    const { replica } = world.node;
    const open = closeGate(world);
    const admitted = Array.from({ length: 20 }, (_, at) => replica.propose(putCommand(`k${at}`)));
    await settled();
    const closing = world.node.close();
    await expect(replica.propose(putCommand("late"))).rejects.toThrow(UnavailableError);
    open();
    const results = await Promise.all(admitted);
    await closing;
    expect(results.every(({ kind }) => kind === "objectPut")).toBe(true);
    expect(world.fatal).toEqual([]);
  });

  test("waits neither for the log nor for the index of a full disk, and is no failure", async () => {
    const machine = newMachine();
    const world = await openNodeWithBucket(machine, { overlayRowsMax: 8 });
    const { replica, index } = world.node;
    world.disk.fault = (effect) => (effect === "batch" ? "ENOSPC" : undefined);
    let taken = 0;
    for (; !index.full; taken++) await replica.propose(putCommand(`k${taken}`));
    const open = closeGate(world);
    const inLog = watch(replica.propose(putCommand("in the log")));
    await settled();
    world.disk.fault = (effect) => (effect === "batch" || effect === "write" ? "ENOSPC" : undefined);
    const onTheWay = watch(replica.propose(putCommand("on the way")));
    open();
    await world.clock.advance(1000);
    expect([inLog.state(), onTheWay.state()]).toEqual(["pending", "pending"]);
    expect(replica.commitIndex).toBe(replica.appliedIndex + 1);
    const closing = watch(world.node.close());
    await world.clock.advance(1000);
    expect(closing.state()).toBe("resolved");
    expect([inLog.state(), onTheWay.state()]).toEqual(["UnknownOutcomeError", "UnknownOutcomeError"]);
    expect(world.fatal).toEqual([]);
    world.disk.fault = () => undefined;
    await using next = await openNode(machine);
    for (let at = 0; at < taken; at++) expect(next.service.objects.find(`b/k${at}`)).toBeDefined();
    expect(next.service.objects.find("b/in the log")).toBeDefined();
    expect(next.service.objects.find("b/on the way")).toBeUndefined();
  });

  test("ends with a failure if the last write fails", async () => {
    const world = await openNodeWithBucket(newMachine(), { overlayRowsMax: 8 });
    const { replica, index } = world.node;
    world.disk.fault = (effect) => (effect === "batch" ? "ENOSPC" : undefined);
    for (let at = 0; !index.full; at++) await replica.propose(putCommand(`k${at}`));
    const open = closeGate(world);
    const inLog = watch(replica.propose(putCommand("in the log")));
    await settled();
    world.disk.fault = (effect) => (effect === "batch" ? "ENOSPC" : effect === "write" ? "EIO" : undefined);
    const onTheWay = watch(replica.propose(putCommand("on the way")));
    const closing = watch(world.node.close());
    open();
    await world.clock.advance(2000);
    expect([inLog.state(), onTheWay.state()]).toEqual(["UnknownOutcomeError", "UnknownOutcomeError"]);
    expect(closing.state()).not.toBe("pending");
    expect(world.fatal.map(String)).toEqual([expect.stringContaining("EIO")]);
  });

  test("while it reaps is no failure", async () => {
    const world = await openNodeWithBucket();
    const { objects } = world.service;
    for (let at = 0; at < 30; at++) {
      const writer = objects.startBody();
      await writer.write(Buffer.alloc(1000, at));
      writer.abort();
    }
    await world.clock.advance(9_500);
    const advancing = world.clock.advance(5_000);
    await settled(30);
    await world.node.close();
    await advancing;
    expect(world.fatal).toEqual([]);
  });
});

describe("a broken disk", () => {
  test("ends the node once: what was under way is unknown, later is unavailable", async () => {
    const world = await openNodeWithBucket();
    const { replica } = world.node;
    const open = closeGate(world);
    const underWay = watch(replica.propose(putCommand("a")));
    await settled();
    const waiting = watch(replica.propose(putCommand("b")));
    world.disk.fault = (effect) => (effect === "write" ? "EIO" : undefined);
    const second = watch(replica.propose(putCommand("c")));
    open();
    await settled(100);
    expect(underWay.state()).toBe("resolved");
    expect([waiting.state(), second.state()]).toEqual(["UnknownOutcomeError", "UnknownOutcomeError"]);
    expect(world.fatal).toHaveLength(1);
    await expect(replica.propose(putCommand("d"))).rejects.toThrow(UnavailableError);
    expect(replica.failure).toBe(world.fatal[0]);
    expect(world.service.status()).toMatchObject({ ready: false });
  });

  test("that another part met: what is gathered already is not written, and answered", async () => {
    let fail: (() => void) | undefined;
    const telemetry = { logWrite: () => undefined, batchEntries: () => fail?.() };
    const world = await openNodeWithBucket(newMachine(), { telemetry });
    const { replica } = world.node;
    fail = () => replica.fail(new Error("the mark could not be written"));
    let writes = 0;
    world.disk.fault = (effect, path) => {
      if (effect === "write" && path.endsWith(".seg")) writes++;
      return undefined;
    };
    await expect(replica.propose(putCommand("k"))).rejects.toThrow(UnknownOutcomeError);
    await expect(replica.propose(putCommand("later"))).rejects.toThrow(UnavailableError);
    await settled();
    expect(writes).toBe(0);
    expect(world.fatal).toHaveLength(1);
    await world.node.close();
  });

  test("never makes what it did not hold visible", async () => {
    const world = await openNodeWithBucket();
    world.disk.fault = (effect) => (effect === "write" ? "EIO" : undefined);
    await expect(world.node.replica.propose(putCommand("k"))).rejects.toThrow(UnknownOutcomeError);
    expect(world.service.objects.find("b/k")).toBeUndefined();
    expect(world.node.replica.appliedIndex).toBe(world.node.replica.commitIndex);
  });
});

test("an apply that cannot go on ends the node and answers everybody", async () => {
  const world = await openNodeWithBucket();
  const { index, replica } = world.node;
  const broken: unknown = Object.assign(Buffer.from("2 is no layout"), { body: { kind: "empty" }, runs: [] });
  index.putObject(keys.objectPrefix(1), "bad", broken as StoredObject);
  const proposals = ["a", "bad", "c", "d"].map((key) =>
    watch(replica.proposeTogether([putCommand(key), putCommand(key)])),
  );
  await settled(200);
  const [first, ...others] = proposals.map(({ state }) => state());
  expect(first).toBe("resolved");
  expect(others).toEqual(["UnknownOutcomeError", "UnknownOutcomeError", "UnknownOutcomeError"]);
  expect(world.fatal).toHaveLength(1);
  expect(world.fatal[0]).toBeInstanceOf(FormatError);
});
