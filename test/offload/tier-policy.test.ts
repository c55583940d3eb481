/** What goes to the bucket, what leaves the disk and what comes back: each decision from numbers alone. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvariantError } from "../../src/base/assert.ts";
import { finishAtOnce } from "../../src/base/steps.ts";
import { BestFew } from "../../src/offload/best-few.ts";
import { freeVerdict, planTier, uploadVerdict } from "../../src/offload/tier-policy.ts";
import type { TierPlan, TierSegment, TierSettings, TierSituation } from "../../src/offload/tier-policy.ts";

const MIB = 1024 * 1024;
const HOUR = 3_600_000;
const settings: TierSettings = {
  recoveryPoint: true,
  afterMs: HOUR,
  livePercentMin: 50,
  freeHeatMax: 1,
  recallHeatMin: 8,
  hotBytesHigh: 1000 * MIB,
  hotBytesLow: 800 * MIB,
  decisionsMax: 4,
};
const off: TierSettings = { ...settings, recoveryPoint: false };
/** Ten hours on, the floor at entry 1,000 and a snapshot in the bucket at 900. */
const usual: TierSituation = {
  nowMs: 10 * HOUR,
  floorIndex: 1000,
  coldSnapshotIndex: 900,
  hotBytes: 500 * MIB,
};
const pressed: TierSituation = { ...usual, hotBytes: 1001 * MIB };

const verbatim = { kind: "verbatim", bytes: 64 * MIB } as const;

function segment(changes: Partial<TierSegment> = {}): TierSegment {
  return {
    id: 1,
    lastIndex: 100,
    bytes: 64 * MIB,
    liveBytes: 60 * MIB,
    endedAtMs: 0,
    cold: undefined,
    hotBytes: 64 * MIB,
    heat: 0,
    isPinned: false,
    ...changes,
  };
}

const plan = (
  segments: readonly TierSegment[],
  situation: TierSituation = usual,
  wanted: TierSettings = settings,
): TierPlan => finishAtOnce(planTier(segments, situation, wanted));

const young = { endedAtMs: 9.5 * HOUR };
const sparse = { liveBytes: 20 * MIB };
const recent = { lastIndex: 1500 };
const done = { cold: verbatim };

describe("with a recovery point a segment", () => {
  test.each<[what: string, changes: Partial<TierSegment>, verdict: object]>([
    ["that was just sealed is uploaded", { ...recent, ...young }, { kind: "upload" }],
    [
      "that is needed for a replay is uploaded though it is dead",
      { ...recent, liveBytes: 0 },
      { kind: "upload" },
    ],
    ["that is needed for a replay is not packed", { lastIndex: 901, ...sparse }, { kind: "upload" }],
    [
      "that no replay needs is packed if little of it is live",
      { lastIndex: 900, ...sparse },
      { kind: "pack" },
    ],
    [
      "that no replay needs and that is dead costs nothing",
      { liveBytes: 0 },
      { kind: "nothing", why: "dead" },
    ],
    ["that has its copy is not uploaded again", { ...recent, ...done }, { kind: "nothing", why: "uploaded" }],
  ])("%s", (_, changes, verdict) => {
    expect(uploadVerdict(segment(changes), usual, settings)).toEqual(verdict);
  });
});

describe("without a recovery point a segment", () => {
  test.each<[what: string, changes: Partial<TierSegment>, verdict: object]>([
    ["waits until it has cooled", { endedAtMs: 9 * HOUR + 1 }, { kind: "nothing", why: "young" }],
    ["is uploaded when it has", { endedAtMs: 9 * HOUR }, { kind: "upload" }],
    ["that died before costs no request", { liveBytes: 0 }, { kind: "nothing", why: "dead" }],
    [
      "that died costs none although a replay would want it",
      { ...recent, liveBytes: 0 },
      { kind: "nothing", why: "dead" },
    ],
    ["with many dead bytes is packed first", sparse, { kind: "pack" }],
    ["half of which is live is not", { liveBytes: 32 * MIB }, { kind: "upload" }],
    [
      "with many dead bytes waits for the floor",
      { ...sparse, ...recent, endedAtMs: 8.5 * HOUR },
      { kind: "nothing", why: "notBelowFloor" },
    ],
    [
      "does not wait for the floor for ever",
      { ...sparse, ...recent, endedAtMs: 8 * HOUR },
      { kind: "upload" },
    ],
  ])("%s", (_, changes, verdict) => {
    expect(uploadVerdict(segment(changes), usual, off)).toEqual(verdict);
  });

  test("does not wait where the disk is full", () => {
    expect(uploadVerdict(segment(young), pressed, off)).toEqual({ kind: "upload" });
    expect(uploadVerdict(segment({ ...young, ...sparse }), pressed, off)).toEqual({ kind: "pack" });
    expect(uploadVerdict(segment({ ...young, ...sparse, ...recent }), pressed, off)).toEqual({
      kind: "upload",
    });
  });
});

describe("a segment on this node", () => {
  test.each<[what: string, changes: Partial<TierSegment>, situation: TierSituation, verdict: object]>([
    ["that cooled is freed", done, usual, { kind: "free", why: "cooled" }],
    ["without a copy is kept whatever happens", {}, pressed, { kind: "keep", why: "noCopy" }],
    ["above the floor is kept", { ...done, ...recent }, pressed, { kind: "keep", why: "notBelowFloor" }],
    ["that is pinned is kept", { ...done, isPinned: true }, pressed, { kind: "keep", why: "pinned" }],
    ["that is young is kept", { ...done, ...young }, usual, { kind: "keep", why: "young" }],
    ["that is read is kept", { ...done, heat: 1.01 }, usual, { kind: "keep", why: "warm" }],
    ["that is hardly read is freed", { ...done, heat: 1 }, usual, { kind: "free", why: "cooled" }],
    [
      "that is young is freed if the disk is full",
      { ...done, ...young },
      pressed,
      { kind: "free", why: "diskFull" },
    ],
    [
      "that is read is freed if the disk is full",
      { ...done, heat: 99 },
      pressed,
      { kind: "free", why: "diskFull" },
    ],
    ["that is not here cannot be freed", { ...done, hotBytes: 0 }, pressed, { kind: "keep", why: "notHere" }],
  ])("%s", (_, changes, situation, verdict) => {
    expect(freeVerdict(segment(changes), situation, settings)).toEqual(verdict);
  });
});

describe("a look", () => {
  test("uploads in the order of the log, a few at a time", () => {
    const ids = [9, 3, 7, 1, 5, 8];
    const found = plan(ids.map((id) => segment({ id, ...recent })));
    expect(found.uploads.map(({ id }) => id)).toEqual([1, 3, 5, 7]);
  });

  test("frees the coldest first, and stops at the low mark", () => {
    const segments = [5, 2, 9, 7, 3].map((heat, at) =>
      segment({ id: at + 1, ...done, heat, hotBytes: 120 * MIB }),
    );
    const found = plan(segments, { ...usual, hotBytes: 1010 * MIB });
    expect(found.frees).toEqual([
      { id: 2, why: "diskFull" },
      { id: 5, why: "diskFull" },
    ]);
    expect(found.stuckBytes).toBe(0);
  });

  test("frees no more at a time than it may, for whatever reasons", () => {
    const segments = [0, 0, 0, 5, 5, 5].map((heat, at) => segment({ id: at + 1, ...done, heat }));
    const found = plan(segments, { ...usual, hotBytes: 2000 * MIB });
    expect(found.frees.map(({ why }) => why)).toEqual(["cooled", "cooled", "cooled", "diskFull"]);
    expect(found.stuckBytes).toBe(0);
  });

  test("frees nothing that is read while what has cooled is enough", () => {
    const segments = [segment({ id: 1, ...done, heat: 5 }), segment({ id: 2, ...done })];
    expect(plan(segments, pressed).frees).toEqual([{ id: 2, why: "cooled" }]);
  });

  test("says how much is stuck above the high mark", () => {
    const segments = [segment({ id: 1, ...done, isPinned: true }), segment({ id: 2 })];
    expect(plan(segments, pressed).stuckBytes).toBe(MIB);
    expect(plan(segments, usual).stuckBytes).toBe(0);
  });

  test("fetches back what is read, the hottest first, while there is room", () => {
    const segments = [8, 20, 7.9, 30, 9].map((heat, at) =>
      segment({ id: at + 1, ...done, heat, hotBytes: 0 }),
    );
    expect(plan(segments).recalls).toEqual([4, 2, 5, 1]);
    expect(plan(segments, { ...usual, hotBytes: 672 * MIB }).recalls).toEqual([4, 2]);
    expect(plan(segments, { ...usual, hotBytes: 737 * MIB }).recalls).toEqual([]);
  });

  test("fetches back what is pinned before anything else, and nothing that is dead", () => {
    const pinned = segment({ id: 3, ...done, hotBytes: 0, isPinned: true });
    const hot = segment({ id: 1, ...done, hotBytes: 0, heat: 99 });
    const dead = segment({ id: 2, ...done, hotBytes: 0, heat: 99, liveBytes: 0 });
    expect(plan([hot, dead, pinned]).recalls).toEqual([3, 1]);
  });

  test("packs copies with most dead bytes first, never one that a replay needs", () => {
    const copies = [
      segment({ id: 1, ...done, liveBytes: 30 * MIB }),
      segment({ id: 2, ...done, liveBytes: 10 * MIB }),
      segment({ id: 3, ...done, liveBytes: 33 * MIB }),
      segment({ id: 4, ...done, liveBytes: 1, lastIndex: 901 }),
      segment({ id: 5, ...done, liveBytes: 0 }),
      segment({ id: 6, cold: { kind: "packed", bytes: 40 * MIB }, liveBytes: 10 * MIB, hotBytes: 0 }),
      segment({ id: 7, cold: { kind: "packed", bytes: 10 * MIB }, liveBytes: 9 * MIB, hotBytes: 0 }),
    ];
    expect(plan(copies).repacks).toEqual([2, 1, 6]);
    expect(plan(copies, { ...usual, coldSnapshotIndex: 5000, floorIndex: 50 }).repacks).toEqual([]);
  });

  test("with settings that would fetch back what it frees is a mistake", () => {
    expect(() => plan([], usual, { ...settings, recallHeatMin: 1 })).toThrow(InvariantError);
    expect(() => plan([], usual, { ...settings, hotBytesLow: 1001 * MIB })).toThrow(InvariantError);
  });

  test("of a million segments is made in steps", () => {
    const one = segment(done);
    function* many(): Generator<TierSegment> {
      for (let id = 1; id <= 1_000_000; id++) yield { ...one, id };
    }
    const steps = planTier(many(), usual, settings);
    let count = 0;
    while (steps.next().done !== true) count++;
    expect(count).toBeGreaterThan(400);
  });
});

const anySegment = fc.record({
  lastIndex: fc.integer({ min: 1, max: 1200 }),
  bytes: fc.constant(64 * MIB),
  liveBytes: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 64 * MIB })),
  endedAtMs: fc.nat(10 * HOUR),
  cold: fc.option(
    fc.record({
      kind: fc.constantFrom("verbatim" as const, "packed" as const),
      bytes: fc.integer({ min: 1, max: 64 * MIB }),
    }),
    { nil: undefined },
  ),
  hotBytes: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 64 * MIB })),
  heat: fc.double({ min: 0, max: 20, noNaN: true }),
  isPinned: fc.boolean(),
});
const worlds = fc.record({
  segments: fc
    .array(anySegment, { maxLength: 30 })
    .map((list) => list.map((one, at) => ({ ...one, id: at + 1 }))),
  hotBytes: fc.nat(1500 * MIB),
  coldSnapshotIndex: fc.nat(1200),
  floorIndex: fc.nat(1200),
  recoveryPoint: fc.boolean(),
});

describe("whatever the segments are", () => {
  test("a look keeps to the rules, is bounded and does not depend on their order", () => {
    fc.assert(
      fc.property(worlds, fc.func(fc.nat()), ({ segments, hotBytes, recoveryPoint, ...marks }, shuffle) => {
        const situation = { nowMs: 10 * HOUR, hotBytes, ...marks };
        const wanted = { ...settings, recoveryPoint };
        const found = plan(segments, situation, wanted);
        const shuffled = segments.toSorted((one, other) => shuffle(one.id) - shuffle(other.id));
        expect(plan(shuffled, situation, wanted)).toEqual(found);
        for (const list of [found.uploads, found.repacks, found.frees, found.recalls]) {
          expect(list.length).toBeLessThanOrEqual(settings.decisionsMax);
        }
        const byId = (id: number): TierSegment => segments[id - 1] as TierSegment;
        for (const { id } of found.frees) {
          const { cold, isPinned, lastIndex } = byId(id);
          expect([cold !== undefined, isPinned, lastIndex <= marks.floorIndex]).toEqual([true, false, true]);
        }
        for (const { id, how } of found.uploads) {
          const { cold, liveBytes, lastIndex } = byId(id);
          expect(cold).toBeUndefined();
          if (how === "packed") {
            expect(lastIndex).toBeLessThanOrEqual(marks.floorIndex);
            if (recoveryPoint) expect(lastIndex).toBeLessThanOrEqual(marks.coldSnapshotIndex);
          }
          if (!recoveryPoint) expect(liveBytes).toBeGreaterThan(0);
        }
        for (const id of found.repacks) {
          const { cold, lastIndex } = byId(id);
          expect(cold).toBeDefined();
          expect(lastIndex).toBeLessThanOrEqual(Math.min(marks.floorIndex, marks.coldSnapshotIndex));
        }
        const fetched = found.recalls.reduce((sum, id) => sum + (byId(id).cold?.bytes ?? 0), 0);
        if (fetched > 0) expect(hotBytes + fetched).toBeLessThanOrEqual(settings.hotBytesLow);
        expect(found.recalls.every((id) => byId(id).hotBytes === 0)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test("a full disk is brought below its high mark by a few looks, or what is stuck is told", () => {
    fc.assert(
      fc.property(worlds, ({ segments, ...marks }) => {
        let now = segments;
        for (let look = 0; look <= segments.length; look++) {
          const hotBytes = now.reduce((sum, one) => sum + one.hotBytes, 0);
          const found = plan(now, { nowMs: 10 * HOUR, ...marks, hotBytes }, settings);
          const freed = new Set(found.frees.map(({ id }) => id));
          if (freed.size === 0) {
            expect(hotBytes <= settings.hotBytesHigh || found.stuckBytes > 0).toBe(true);
            return;
          }
          now = now.map((one) => (freed.has(one.id) ? { ...one, hotBytes: 0 } : one));
        }
        expect.unreachable("a look freed what was not there");
      }),
    );
  });

  test("the best few are those that sorting would put first", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer()), fc.nat(6), (numbers, max) => {
        const few = new BestFew<number>(max, (one, other) => one - other);
        for (const number of numbers) few.add(number);
        expect(few.all).toEqual(numbers.toSorted((one, other) => one - other).slice(0, max));
      }),
    );
  });
});
