/**
 * Promises of apply that deserve an example of their own: order within an entry, conditions, bodies in
 * pages.
 */
import { describe, expect, test } from "vitest";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { Command, CommandBody, WriteCondition } from "../../src/state/command.ts";
import { keys } from "../../src/state/keys.ts";
import { decodeObject } from "../../src/state/object-row.ts";
import { EXTENTS_PER_ROW, rows } from "../../src/state/rows.ts";
import { SegmentTable } from "../../src/state/segment-table.ts";
import { StateMachine } from "../../src/state/state-machine.ts";
import { crc32c } from "../../src/base/crc.ts";
import { RecordType } from "../../src/segment/record.ts";
import { recount } from "./recount.ts";
import { StateWorld } from "./state-world.ts";
import { chunkOf } from "./chunk-of.ts";

const ETAG = "9".repeat(32);

function put(
  key: string,
  text: string,
  options: { readonly condition?: WriteCondition; readonly etag?: string; readonly body?: CommandBody } = {},
): Command {
  const bytes = Buffer.from(text);
  return {
    kind: "putObject",
    bucket: "b",
    key,
    etag: options.etag ?? ETAG,
    attributes: NO_ATTRIBUTES,
    body: options.body ?? { kind: "bytes", bytes, crc32c: crc32c(bytes) },
    condition: options.condition ?? { kind: "none" },
  };
}

function remove(key: string): Command {
  return { kind: "deleteObject", bucket: "b", key, condition: { kind: "none" } };
}

function withBucket(): StateWorld {
  const world = new StateWorld();
  world.apply([{ kind: "createBucket", name: "b", owner: "o", location: "" }]);
  return world;
}

function inlineText(world: StateWorld, key: string): string | undefined {
  const row = world.view.get(keys.object(1, key));
  const body = row === undefined ? undefined : decodeObject(row).body;
  return body?.kind === "inline" ? Buffer.from(body.bytes).toString() : undefined;
}

/** A staged body of `chunks` chunks of 10 bytes. */
function stage(world: StateWorld, bodyId: string, chunks: number): CommandBody {
  for (let sequence = 0; sequence < chunks; sequence++) {
    world.applyChunk(chunkOf(bodyId, sequence, Buffer.alloc(4, sequence), Buffer.alloc(6, sequence)));
  }
  return { kind: "stored", bodyId, size: chunks * 10 };
}

describe("an entry sees its own effects in order", () => {
  test("put a; delete a; put a leaves the second a", () => {
    const world = withBucket();
    const results = world.apply([put("a", "first"), remove("a"), put("a", "second")]);
    expect(results.map(({ kind }) => kind)).toEqual(["objectPut", "done", "objectPut"]);
    expect(inlineText(world, "a")).toBe("second");
    expect(world.cached.has("b/a")).toBe(true);
    expect(recount(world.view.rows)).toEqual([]);
  });

  test("put a; put a; delete a leaves none and counts none", () => {
    const world = withBucket();
    world.apply([put("a", "1"), put("a", "22"), remove("a")]);
    expect(inlineText(world, "a")).toBeUndefined();
    expect(world.cached.size).toBe(0);
    expect(world.apply([{ kind: "deleteBucket", name: "b" }])).toEqual([{ kind: "done" }]);
  });

  test("of two that want to create the same key the first one does", () => {
    const world = withBucket();
    const condition = { kind: "absent" } as const;
    const [first, second] = world.apply([put("a", "1", { condition }), put("a", "2", { condition })]);
    expect([first?.kind, second?.kind]).toEqual(["objectPut", "preconditionFailed"]);
    expect(inlineText(world, "a")).toBe("1");
  });

  test("a bucket can be made, filled, emptied, dropped and made again in one entry", () => {
    const world = new StateWorld();
    const create: Command = { kind: "createBucket", name: "b", owner: "o", location: "" };
    const drop: Command = { kind: "deleteBucket", name: "b" };
    const results = world.apply([create, put("a", "1"), drop, remove("a"), drop, create, put("a", "2")]);
    const kinds = ["done", "objectPut", "bucketNotEmpty", "done", "done", "done", "objectPut"];
    expect(results.map(({ kind }) => kind)).toEqual(kinds);
    expect(recount(world.view.rows)).toEqual([]);
  });
});

describe("conditions", () => {
  test("an etag must be that of the current object; * is any; absent objects have none", () => {
    const world = withBucket();
    const ifEtag = (etag: string) => put("a", "2", { condition: { kind: "etag", etag } });
    expect(world.apply([ifEtag("*")])).toEqual([{ kind: "noSuchKey" }]);
    world.apply([put("a", "1", { etag: "a".repeat(32) })]);
    expect(world.apply([ifEtag("b".repeat(32))])).toEqual([{ kind: "preconditionFailed" }]);
    expect(world.apply([ifEtag("a".repeat(32))])[0]?.kind).toBe("objectPut");
    expect(world.apply([ifEtag("*")])[0]?.kind).toBe("objectPut");
  });

  test("a refused put takes no body: it can be given up, or named by another", () => {
    const world = withBucket();
    world.apply([put("a", "1")]);
    const body = stage(world, "x", 2);
    const condition = { kind: "absent" } as const;
    expect(world.apply([put("a", "", { body, condition })])).toEqual([{ kind: "preconditionFailed" }]);
    expect(world.apply([put("b", "", { body })])[0]?.kind).toBe("objectPut");
    expect(recount(world.view.rows)).toEqual([]);
  });
});

describe("staged bodies", () => {
  test("a body is named once: the second put that names it finds it gone", () => {
    const world = withBucket();
    const body = stage(world, "x", 3);
    const results = world.apply([put("a", "", { body }), put("b", "", { body })]);
    expect(results.map(({ kind }) => kind)).toEqual(["objectPut", "bodyGone"]);
    expect(recount(world.view.rows)).toEqual([]);
  });

  test("a body that lacks a chunk is not named", () => {
    const world = withBucket();
    const body = stage(world, "x", 2);
    world.applyChunk(chunkOf("x", 3, Buffer.alloc(10)));
    expect(world.apply([put("a", "", { body: { ...body, size: 30 } as CommandBody })])).toEqual([
      { kind: "bodyGone" },
    ]);
  });

  test("a body that was given up takes no more chunks and no name, also before it is reaped", () => {
    const world = withBucket();
    const body = stage(world, "x", 2);
    world.apply([{ kind: "abortBody", bodyId: "x" }]);
    expect(world.applyChunk(chunkOf("x", 2, Buffer.alloc(10)))).toEqual({ kind: "bodyGone" });
    expect(world.apply([put("a", "", { body })])).toEqual([{ kind: "bodyGone" }]);
    expect(recount(world.view.rows)).toEqual([]);
  });

  test("a body whose last pages are reaped already cannot be named any more", () => {
    const world = withBucket();
    const body = stage(world, "x", EXTENTS_PER_ROW + 5);
    world.apply([{ kind: "abortBody", bodyId: "x" }]);
    world.apply([{ kind: "reapBody", bodyId: "x", page: 1 }]);
    expect(world.apply([put("a", "", { body })])).toEqual([{ kind: "bodyGone" }]);
    expect(world.view.get(keys.object(1, "a"))).toBeUndefined();
  });

  test("a named body is not given up by a late abort", () => {
    const world = withBucket();
    world.apply([put("a", "", { body: stage(world, "x", 2) })]);
    world.apply([{ kind: "abortBody", bodyId: "x" }]);
    world.apply([{ kind: "reapBody", bodyId: "x", page: 0 }]);
    expect(world.view.get(keys.body("x"))).toBeDefined();
    expect(recount(world.view.rows)).toEqual([]);
  });

  test("extents beyond the first row stand in pages and are reaped from the last to the first", () => {
    const world = withBucket();
    const count = EXTENTS_PER_ROW * 2 + 88;
    world.apply([put("a", "", { body: stage(world, "x", count) })]);
    expect(recount(world.view.rows)).toEqual([]);
    world.apply([remove("a")]);
    const reap = (page: number): void => void world.apply([{ kind: "reapBody", bodyId: "x", page }]);
    reap(0);
    expect(rows.body.decode(world.view.get(keys.body("x")) as Uint8Array).extentCount).toBe(count);
    for (const page of [2, 2, 1]) {
      reap(page);
      expect(recount(world.view.rows)).toEqual([]);
    }
    reap(0);
    const left = [...world.view.rows.keys()].filter((key) => /^(body|stage|reap)/.test(key));
    expect(left).toEqual([]);
    expect(world.machine.segments.all.every(({ liveBytes }) => liveBytes === 0)).toBe(true);
    expect(world.replayed().dump()).toEqual(world.dump());
  });
});

describe("log time", () => {
  test("never goes back, whatever the proposer's clock says", () => {
    const world = withBucket();
    world.apply([put("a", "1")], 5000);
    const [result] = world.apply([put("a", "2")], 3000);
    expect(result).toMatchObject({ kind: "objectPut", modifiedMs: 5000 });
    expect(world.machine.logTimeMs).toBe(5000);
  });

  test("is known again after a restart", () => {
    const world = withBucket();
    world.apply([put("a", "1")], 7000);
    const effects = { objectWritten: () => undefined, objectRemoved: () => undefined };
    expect(new StateMachine(world.view, effects).logTimeMs).toBe(7000);
  });
});

describe("segments", () => {
  test("the table follows the cuts of the log, seal entries included", () => {
    const world = withBucket();
    world.applyBlank(RecordType.seal);
    world.applyBlank(RecordType.noop);
    const segments = world.machine.segments.all.map(({ firstIndex, entries, cut }) => [
      firstIndex,
      entries,
      cut,
    ]);
    expect(segments).toEqual([
      [1, 2, true],
      [3, 1, false],
    ]);
    expect([1, 2, 3, 4].map((index) => world.machine.segments.find(index)?.id)).toEqual([1, 1, 2, undefined]);
  });

  test("an entry that is not the next one is refused", () => {
    const world = withBucket();
    const position = world.log[0]?.position;
    expect(() => world.machine.applyBlank(position as NonNullable<typeof position>)).toThrow(
      "entry 1 where 2",
    );
  });

  /** Five segments; the first and the third hold an object, the fifth is open. */
  function withFive(): StateWorld {
    const world = withBucket();
    for (const at of [1, 2, 3, 4]) {
      if (at % 2 === 1) world.apply([put(`kept-${at}`, "x".repeat(1000))]);
      world.applyBlank(RecordType.seal);
    }
    world.applyBlank(RecordType.noop);
    return world;
  }

  const drop = (...segmentIds: number[]): Command => ({ kind: "dropSegments", segmentIds });
  const idsOf = ({ machine }: StateWorld): readonly number[] => machine.segments.all.map(({ id }) => id);

  /** The table as a start reads it. */
  function reloaded(world: StateWorld): SegmentTable {
    const table = new SegmentTable();
    const rowKeys = [...world.view.rows.keys()].filter((key) => key.startsWith("segment/"));
    for (const key of rowKeys.toSorted()) table.load(key, world.view.rows.get(key) as Uint8Array);
    return table;
  }

  test("rows of dropped ones go, and those of live ones, of the open one and of the last one stay", () => {
    const world = withFive();
    world.apply([drop(1, 2, 3, 4, 5, 6)]);
    expect(idsOf(world)).toEqual([1, 3, 5]);
    world.apply([remove("kept-1"), remove("kept-3")]);
    world.applyBlank(RecordType.seal);
    world.apply([drop(1, 2, 3, 4, 5)]);
    expect(idsOf(world)).toEqual([6]);
    world.applyBlank(RecordType.seal);
    world.applyBlank(RecordType.noop);
    expect(idsOf(world)).toEqual([6, 7]);
    expect(reloaded(world).all).toMatchObject([{ id: 6, droppedBefore: 5 }, { id: 7 }]);
    expect(world.replayed().dump()).toEqual(world.dump());
  });

  test("the row of the segment that the very entry ends stays: the log goes on from it", () => {
    const world = withFive();
    world.apply([drop(...Array.from({ length: 5000 }, (_, at) => at + 1))]);
    const last = world.machine.segments.all.at(-1);
    expect(last).toMatchObject({ cut: true, liveBytes: 0 });
    world.applyBlank(RecordType.noop);
    expect(idsOf(world)).toEqual([1, 3, 5, 6]);
    expect(reloaded(world).all.map(({ id }) => id)).toEqual([1, 3, 5, 6]);
  });

  test("between gaps entries are found where they are, and nowhere else", () => {
    const world = withFive();
    world.apply([drop(2, 4)]);
    const found = world.log.map(({ position }) => reloaded(world).find(position.index)?.id);
    expect(found).toEqual(
      world.log.map(({ position: { segmentId } }) => (segmentId % 2 === 0 ? undefined : segmentId)),
    );
  });

  test("a row that is lost is noticed, one that was dropped is not missed", () => {
    const world = withFive();
    world.apply([drop(2)]);
    expect(reloaded(world).all.map(({ id }) => id)).toEqual([1, 3, 4, 5]);
    world.view.rows.delete(keys.segment(3));
    expect(() => reloaded(world)).toThrow("segment row 4 stands where 2 is due");
  });

  test("overwritten and deleted bodies are no longer live", () => {
    const world = withBucket();
    const live = (): number => world.machine.segments.all.reduce((sum, { liveBytes }) => sum + liveBytes, 0);
    world.apply([put("a", "x".repeat(1000)), put("b", "y".repeat(700))]);
    expect(live()).toBe(1700);
    world.apply([put("a", "small")]);
    expect(live()).toBe(700);
    world.apply([remove("b")]);
    expect(live()).toBe(0);
  });
});
