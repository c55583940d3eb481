/** When a snapshot is due and how far the floor goes, decided from numbers alone. */
import { describe, expect, test } from "vitest";
import { floorBelow, isSparse, logBytesSince, wantsSnapshot } from "../../src/replica/space-policy.ts";
import type { SpaceFacts } from "../../src/replica/space-policy.ts";
import type { SnapshotInfo } from "../../src/store/snapshot-file.ts";
import { spaceSettings } from "../support/open-store.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const settings = spaceSettings();

/** Segments of 1000 entries and 64 MiB; the last one is open. */
function segmentsOf(count: number, entries = 1000) {
  return Array.from({ length: count }, (_, at) => ({
    id: at + 1,
    firstIndex: at * entries + 1,
    entries: at === count - 1 ? 10 : entries,
    bytes: at === count - 1 ? MIB : 64 * MIB,
    liveBytes: MIB,
    cut: at < count - 1,
    chain: { low: at, high: at },
    chainLow: at,
    chainHigh: at,
  }));
}

function snapshotOf(segments: number, bytes = MIB): SnapshotInfo {
  const all = segmentsOf(segments);
  const index = (segments - 1) * 1000 + 10;
  return { path: "snapshot", index, rowCount: 1, bytes, segments: all };
}

function facts(changes: Partial<SpaceFacts>): SpaceFacts {
  const usual = { appliedIndex: 10_000, snapshot: undefined, sinceSnapshotMs: 0, logBytes: 0, deadBytes: 0 };
  return { ...usual, ...changes };
}

describe("a snapshot is due", () => {
  test("after a gibibyte of log and 5,000 entries, not before either", () => {
    expect(wantsSnapshot(facts({ logBytes: GIB }), settings)).toBe(true);
    expect(wantsSnapshot(facts({ logBytes: GIB - 1 }), settings)).toBe(false);
    expect(wantsSnapshot(facts({ logBytes: GIB, appliedIndex: 4999 }), settings)).toBe(false);
    const few = spaceSettings({ snapshotEntriesMin: 10 });
    expect(wantsSnapshot(facts({ logBytes: GIB, appliedIndex: 4999 }), few)).toBe(true);
  });

  test("after five times its size, if that is more", () => {
    const snapshot = snapshotOf(2, GIB);
    expect(wantsSnapshot(facts({ snapshot, logBytes: 4 * GIB }), settings)).toBe(false);
    expect(wantsSnapshot(facts({ snapshot, logBytes: 5 * GIB }), settings)).toBe(true);
  });

  test("when a quarter of that can be freed, however few the entries", () => {
    const dead = { deadBytes: 256 * MIB, logBytes: 256 * MIB, appliedIndex: 20 };
    expect(wantsSnapshot(facts(dead), settings)).toBe(true);
    expect(wantsSnapshot(facts({ ...dead, deadBytes: 255 * MIB }), settings)).toBe(false);
  });

  test("a minute later if hardly anything was written since", () => {
    const dead = { deadBytes: GIB, logBytes: 1000 };
    expect(wantsSnapshot(facts({ ...dead, sinceSnapshotMs: 59_000 }), settings)).toBe(false);
    expect(wantsSnapshot(facts({ ...dead, sinceSnapshotMs: 60_000 }), settings)).toBe(true);
  });

  test("never of what the last one holds", () => {
    const snapshot = snapshotOf(11);
    const same = { snapshot, appliedIndex: snapshot.index, deadBytes: GIB, sinceSnapshotMs: 1e9 };
    expect(wantsSnapshot(facts(same), settings)).toBe(false);
  });
});

test("bytes of log are counted from where the snapshot ends, within its last segment too", () => {
  const segments = segmentsOf(4);
  expect(logBytesSince(undefined, segments)).toBe(3 * 64 * MIB + MIB);
  expect(logBytesSince(snapshotOf(3), segments)).toBe(63 * MIB + MIB);
  expect(logBytesSince(snapshotOf(4), segments)).toBe(0);
});

test("a segment is sparse below its share, and empty at any share", () => {
  expect(isSparse({ liveBytes: 49, fileBytes: 100 }, settings)).toBe(true);
  expect(isSparse({ liveBytes: 50, fileBytes: 100 }, settings)).toBe(false);
  expect(isSparse({ liveBytes: 0, fileBytes: 100 }, spaceSettings({ livePercentMin: 0 }))).toBe(true);
  expect(isSparse({ liveBytes: 1, fileBytes: 100 }, spaceSettings({ livePercentMin: 0 }))).toBe(false);
});

describe("the floor", () => {
  const log = { firstUnsealedId: 100, stableIndex: 100_000, uploadedThroughId: Infinity };
  const none = spaceSettings({ entriesKept: 0 });

  test("is the end of the last whole segment that the snapshot knows", () => {
    const floor = floorBelow(snapshotOf(6), log, none);
    expect(floor).toEqual({ segmentId: 5, lastIndex: 5000, chain: { low: 4, high: 4 } });
  });

  test("leaves as many entries above it as are to be kept", () => {
    expect(floorBelow(snapshotOf(6), log, spaceSettings({ entriesKept: 10 }))?.segmentId).toBe(5);
    expect(floorBelow(snapshotOf(6), log, spaceSettings({ entriesKept: 11 }))?.segmentId).toBe(4);
    expect(floorBelow(snapshotOf(6), log, settings)?.segmentId).toBe(4);
    expect(floorBelow(snapshotOf(6), log, spaceSettings({ entriesKept: 5000 }))).toBeUndefined();
  });

  test("waits for the footer, and for an entry above it", () => {
    expect(floorBelow(snapshotOf(6), { ...log, firstUnsealedId: 5 }, none)?.segmentId).toBe(4);
    expect(floorBelow(snapshotOf(6), { ...log, stableIndex: 5000 }, none)?.segmentId).toBe(4);
  });

  test("waits for the bucket, where that has to follow", () => {
    expect(floorBelow(snapshotOf(6), { ...log, uploadedThroughId: 3 }, none)?.segmentId).toBe(3);
    expect(floorBelow(snapshotOf(6), { ...log, uploadedThroughId: 0 }, none)).toBeUndefined();
  });
});
