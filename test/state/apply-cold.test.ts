/** What the state says about the cold tier, and what it never forgets. */
import { expect, test } from "vitest";
import { crc32c } from "../../src/base/crc.ts";
import { RecordType } from "../../src/segment/record.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { Command, CommandResult } from "../../src/state/command.ts";
import { keys } from "../../src/state/keys.ts";
import { rows } from "../../src/state/rows.ts";
import type { ColdCopy, CondemnedRow, LineageRow } from "../../src/state/rows.ts";
import { SegmentTable } from "../../src/state/segment-table.ts";
import { StateWorld } from "./state-world.ts";

const body = Buffer.alloc(1000, 0x78);
const put: Command = {
  kind: "putObject",
  bucket: "b",
  key: "k",
  etag: "9".repeat(32),
  attributes: NO_ATTRIBUTES,
  body: { kind: "bytes", bytes: body, crc32c: crc32c(body) },
  condition: { kind: "none" },
};
const remove: Command = { kind: "deleteObject", bucket: "b", key: "k", condition: { kind: "none" } };

function copyAt(key: string, kind: ColdCopy["kind"] = "verbatim"): ColdCopy {
  return { kind, key, bytes: 4096, sha256: "ab".repeat(32) };
}

/** Segment 1 holds the bucket and an object, and is sealed. */
function withSealed(): StateWorld {
  const world = new StateWorld();
  world.apply([{ kind: "createBucket", name: "b", owner: "root", location: "" }]);
  world.apply([put]);
  world.applyBlank(RecordType.seal);
  return world;
}

function offload(world: StateWorld, copy: ColdCopy, change: object = {}): readonly CommandResult[] {
  const first = world.machine.segments.all[0];
  const { id: segmentId = 1, firstIndex = 1, entries = 0 } = first ?? {};
  return world.apply([{ kind: "segmentOffloaded", segmentId, firstIndex, entries, copy, ...change }]);
}

function condemned(world: StateWorld, key: string): CondemnedRow | undefined {
  const row = world.view.rows.get(keys.condemned(key));
  return row === undefined ? undefined : rows.condemned.decode(row);
}

test("a copy is named by the row of the segment that it was made of, for every later start too", () => {
  const world = withSealed();
  expect(offload(world, copyAt("a"))).toEqual([{ kind: "done" }]);
  expect(world.machine.segments.all[0]?.cold).toEqual(copyAt("a"));
  const table = new SegmentTable();
  table.load(keys.segment(1), world.view.rows.get(keys.segment(1)) as Uint8Array);
  expect(table.all[0]?.cold).toEqual(copyAt("a"));
  expect(world.replayed().dump()).toEqual(world.dump());
});

test.each([
  ["another first entry", { firstIndex: 2 }],
  ["another number of entries", { entries: 2 }],
  ["an id that nothing has", { segmentId: 9 }],
])("a copy of a segment with %s is no copy", (_what, change) => {
  const world = withSealed();
  expect(offload(world, copyAt("a"), change)).toEqual([{ kind: "noSuchSegment" }]);
  expect(world.machine.segments.all[0]?.cold).toBeUndefined();
});

test("an open segment has no copy", () => {
  const world = new StateWorld();
  world.applyBlank(RecordType.noop);
  expect(offload(world, copyAt("a"))).toEqual([{ kind: "noSuchSegment" }]);
});

test("a copy that another one replaces is condemned, and not by being named twice", () => {
  const world = withSealed();
  offload(world, copyAt("a"));
  offload(world, copyAt("a"));
  expect(condemned(world, "a")).toBeUndefined();
  offload(world, copyAt("b", "packed"));
  expect(condemned(world, "a")).toMatchObject({ wasNamed: true, sinceMs: world.machine.logTimeMs });
  expect(condemned(world, "b")).toBeUndefined();
});

test("the copy of a segment without live bytes is condemned with its row, in the same entry", () => {
  const world = withSealed();
  offload(world, copyAt("a"));
  world.apply([{ kind: "dropSegments", segmentIds: [1] }]);
  expect(condemned(world, "a")).toBeUndefined();
  world.apply([remove]);
  world.apply([{ kind: "dropSegments", segmentIds: [1] }]);
  expect(world.view.rows.has(keys.segment(1))).toBe(false);
  expect(condemned(world, "a")).toMatchObject({ wasNamed: true });
  expect(world.replayed().dump()).toEqual(world.dump());
});

test("the grace of what nobody named runs from the first entry that said so, until it is pardoned", () => {
  const world = withSealed();
  world.apply([{ kind: "condemnCold", keys: ["x", "y"] }]);
  const since = condemned(world, "x");
  expect(since).toMatchObject({ wasNamed: false });
  world.apply([put]);
  world.apply([{ kind: "condemnCold", keys: ["x"] }]);
  expect(condemned(world, "x")).toEqual(since);
  world.apply([{ kind: "pardonCold", keys: ["x", "absent"] }]);
  expect(condemned(world, "x")).toBeUndefined();
  expect(condemned(world, "y")).toEqual(since);
});

test("a copy that is named again is no longer condemned", () => {
  const world = withSealed();
  world.apply([{ kind: "condemnCold", keys: ["a"] }]);
  offload(world, copyAt("a"));
  expect(condemned(world, "a")).toBeUndefined();
});

const begin: Command = { kind: "beginLineage", lineage: "l2", parent: "l1", cutIndex: 2 };

function lineage(world: StateWorld): LineageRow | undefined {
  const row = world.view.rows.get(keys.meta("lineage"));
  return row === undefined ? undefined : rows.lineage.decode(row);
}

test("a restored state knows what it was restored from, and what it has adopted since", () => {
  const world = withSealed();
  world.apply([{ kind: "adoptLineages", lineage: "l2", adopted: ["l1"] }]);
  expect(lineage(world)).toBeUndefined();
  world.apply([begin]);
  expect(lineage(world)).toMatchObject({ lineage: "l2", parent: "l1", cutIndex: 2 });
  expect(lineage(world)?.adopted).toBeUndefined();
  world.apply([{ kind: "adoptLineages", lineage: "l2", adopted: ["l1", "l0"] }]);
  expect(lineage(world)).toMatchObject({ lineage: "l2", parent: "l1", cutIndex: 2, adopted: ["l1", "l0"] });
  expect(world.replayed().dump()).toEqual(world.dump());
});

test("what was adopted before a restore is not adopted by what goes on from it", () => {
  const world = withSealed();
  world.apply([begin, { kind: "adoptLineages", lineage: "l2", adopted: ["l1"] }]);
  world.apply([{ kind: "beginLineage", lineage: "l3", parent: "l2", cutIndex: 4 }]);
  world.apply([{ kind: "adoptLineages", lineage: "l2", adopted: ["l1", "l0"] }]);
  expect(lineage(world)).toMatchObject({ lineage: "l3", parent: "l2" });
  expect(lineage(world)?.adopted).toBeUndefined();
});

test("a segment knows when it ended, and behind a gap where its chain begins", () => {
  const world = withSealed();
  const ended = world.machine.logTimeMs;
  world.applyBlank(RecordType.seal);
  world.apply([put]);
  world.applyBlank(RecordType.seal);
  world.applyBlank(RecordType.noop);
  const [first, second] = world.machine.segments.all;
  expect(first?.ended).toMatchObject({ timeMs: ended });
  const { chainLow: low, chainHigh: high } = second ?? {};
  expect(world.machine.segments.all[2]?.chainBefore).toBeUndefined();
  world.apply([{ kind: "dropSegments", segmentIds: [1, 2] }]);
  expect(world.machine.segments.all[0]).toMatchObject({ id: 3, chainBefore: { low, high } });
  expect(world.machine.segments.all.at(-1)?.ended).toBeUndefined();
});

test("what goes later from before a gap does not change where the chain behind it begins", () => {
  const world = withSealed();
  world.applyBlank(RecordType.seal);
  world.apply([put]);
  world.applyBlank(RecordType.seal);
  world.applyBlank(RecordType.noop);
  const { chainLow: low, chainHigh: high } = world.machine.segments.all[1] ?? {};
  world.apply([{ kind: "dropSegments", segmentIds: [2] }]);
  world.apply([{ kind: "dropSegments", segmentIds: [1] }]);
  const [left] = world.machine.segments.all;
  expect(left).toMatchObject({ id: 3, droppedBefore: 2, chainBefore: { low, high } });
});
