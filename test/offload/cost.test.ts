/** What the cold tier costs, by list prices and others, beside the same objects one by one; and a dry run. */
import { describe, expect, test } from "vitest";
import { finishAtOnce } from "../../src/base/steps.ts";
import {
  NO_USAGE,
  S3_STANDARD_US_EAST_1,
  added,
  costOf,
  costReport,
  pricesWith,
} from "../../src/offload/cost.ts";
import type { Prices, Usage } from "../../src/offload/cost.ts";
import { forecastPolicy } from "../../src/offload/policy-forecast.ts";
import type { ForecastFacts, ForecastPolicy } from "../../src/offload/policy-forecast.ts";
import type { TierSegment } from "../../src/offload/tier-policy.ts";

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const TIB = 1024 ** 4;
const HOUR = 3_600_000;
const list = S3_STANDARD_US_EAST_1;
const usage = (changes: Partial<Usage>): Usage => ({ ...NO_USAGE, ...changes });
const none = {
  segment: NO_USAGE,
  packed: NO_USAGE,
  snapshot: NO_USAGE,
  tail: NO_USAGE,
  manifest: NO_USAGE,
  other: NO_USAGE,
};

describe("a cost", () => {
  test.each<[what: string, changes: Partial<Usage>, cost: object]>([
    ["of nothing is nothing", {}, { requests: 0, transfer: 0, storagePerMonth: 0 }],
    ["of a million PUTs is five dollars", { puts: 1_000_000 }, { requests: 5 }],
    ["of a million LISTs is five dollars too", { lists: 1_000_000 }, { requests: 5 }],
    ["of a million GETs is forty cents", { gets: 1_000_000 }, { requests: 0.4 }],
    ["of a million HEADs is forty cents too", { heads: 1_000_000 }, { requests: 0.4 }],
    ["of deletions is nothing", { deletes: 1_000_000 }, { requests: 0 }],
    ["of bytes within the region is nothing", { bytesIn: TIB, bytesOut: TIB }, { transfer: 0 }],
    ["of a tebibyte for a month", { storedBytes: TIB }, { storagePerMonth: 1024 * 0.023 }],
    [
      "of much is cheaper above each bound only",
      { storedBytes: 51 * TIB },
      { storagePerMonth: 1024 * (50 * 0.023 + 0.022) },
    ],
    [
      "of very much too",
      { storedBytes: 600 * TIB },
      { storagePerMonth: 1024 * (50 * 0.023 + 450 * 0.022 + 100 * 0.021) },
    ],
  ])("%s", (_, changes, cost) => {
    const found = costOf(usage(changes), list);
    for (const [name, value] of Object.entries(cost))
      expect([name, found[name as keyof typeof found]]).toEqual([name, expect.closeTo(value as number, 9)]);
  });

  test("follows prices that somebody else has set", () => {
    const prices: Prices = {
      name: "ours",
      per1000Writes: 1,
      per1000Reads: 2,
      per1000Deletes: 3,
      storage: [{ upToGib: Infinity, perGibMonth: 4 }],
      perGibIn: 5,
      perGibOut: 6,
    };
    const all = { puts: 1000, gets: 1000, heads: 1000, lists: 1000, deletes: 1000 };
    const found = costOf({ ...all, bytesIn: GIB, bytesOut: 2 * GIB, storedBytes: 3 * GIB }, prices);
    expect(found).toEqual({ requests: 2 + 4 + 3, transfer: 17, storagePerMonth: 12 });
    expect(costReport(none, NO_USAGE, prices).prices).toBe("ours");
  });

  test("takes the prices that were set, and the list's for the others", () => {
    const same = pricesWith(list, {});
    expect(same).toEqual(list);
    const set = pricesWith(list, { thousandWrites: 0.0045, gibMonth: 0.01 });
    expect(set.name).toMatch(/^prices that were set; where none were, S3 Standard list prices/);
    const found = costOf(usage({ puts: 1000, gets: 1000, storedBytes: 600 * TIB, bytesOut: GIB }), set);
    expect(found.requests).toBeCloseTo(0.0049, 12);
    expect(found.storagePerMonth).toBeCloseTo(600 * 1024 * 0.01, 9);
    expect(found.transfer).toBe(0);
    const all = { thousandReads: 1, thousandDeletes: 2, gibIn: 3, gibOut: 4 };
    const others = costOf(
      usage({ heads: 1000, deletes: 1000, bytesIn: GIB, bytesOut: GIB }),
      pricesWith(list, all),
    );
    expect(others).toMatchObject({ requests: 3, transfer: 7 });
    expect(pricesWith(list, { gibMonth: 0 }).storage).toEqual([{ upToGib: Infinity, perGibMonth: 0 }]);
  });

  test("of a billion small objects is some thirty cents, and five thousand dollars one by one", () => {
    const segments = usage({ puts: 61_036, bytesIn: 61_036 * 64 * MIB, storedBytes: 61_036 * 64 * MIB });
    const objects = usage({ puts: 1_000_000_000, bytesIn: 4096e9, storedBytes: 4096e9 });
    const report = costReport({ ...none, segment: segments }, objects, list);
    expect(report.total.requests).toBeCloseTo(0.305, 3);
    expect(report.oneByOne.requests).toBeCloseTo(5000, 6);
    expect(report.timesCheaper).toBeCloseTo(16_384, -1);
    expect(report.prices).toContain("S3 Standard list prices, us-east-1");
  });
});

describe("a report", () => {
  test("has a line for each kind, and their sum", () => {
    const report = costReport(
      {
        segment: usage({ puts: 10, heads: 10, gets: 5, bytesIn: 100, storedBytes: 90 }),
        packed: usage({ puts: 1, storedBytes: 5 }),
        snapshot: usage({ puts: 2, deletes: 1 }),
        tail: usage({ puts: 100, deletes: 99 }),
        manifest: usage({ puts: 3, lists: 3, bytesOut: 7 }),
        other: usage({ lists: 1 }),
      },
      usage({ puts: 5000, gets: 100 }),
      list,
    );
    expect(report.total).toMatchObject({ puts: 116, heads: 10, gets: 5, lists: 4, deletes: 100 });
    expect(report.total).toMatchObject({ bytesIn: 100, bytesOut: 7, storedBytes: 95 });
    const lines = Object.values(report.byKind).map(({ requests }) => requests);
    expect(lines.reduce((sum, line) => sum + line, 0)).toBeCloseTo(report.total.requests, 12);
    expect(report.byKind.tail.requests).toBeCloseTo(0.0005, 12);
    expect(report.timesCheaper).toBeCloseTo((5000 * 0.005 + 100 * 0.0004) / (120 * 0.005 + 15 * 0.0004), 9);
  });

  test("of a store that asked nothing of its bucket has no ratio", () => {
    expect(costReport(none, usage({ puts: 5 }), list).timesCheaper).toBeUndefined();
  });

  test("adds up every field", () => {
    const one = { puts: 1, gets: 2, heads: 3, lists: 4, deletes: 5, bytesIn: 6, bytesOut: 7, storedBytes: 8 };
    expect(added(one, one)).toEqual({
      puts: 2,
      gets: 4,
      heads: 6,
      lists: 8,
      deletes: 10,
      bytesIn: 12,
      bytesOut: 14,
      storedBytes: 16,
    });
  });
});

const tier = {
  recoveryPoint: true,
  afterMs: HOUR,
  livePercentMin: 50,
  freeHeatMax: 1,
  recallHeatMin: 8,
  hotBytesHigh: 10 * GIB,
  hotBytesLow: 8 * GIB,
  decisionsMax: 2,
};
const policy = (changes: Partial<typeof tier> = {}, recoveryPointMs?: number): ForecastPolicy => ({
  tier: { ...tier, ...changes },
  recoveryPointMs,
  collectEveryMs: 300_000,
});

function segment(id: number, changes: Partial<TierSegment> = {}): TierSegment {
  const usual = { bytes: 64 * MIB, liveBytes: 60 * MIB, hotBytes: 64 * MIB, heat: 0, isPinned: false };
  return { id, lastIndex: id * 10, endedAtMs: 0, cold: undefined, ...usual, ...changes };
}

const facts = (segments: readonly TierSegment[]): ForecastFacts => ({
  segments,
  situation: {
    nowMs: 10 * HOUR,
    floorIndex: 1000,
    coldSnapshotIndex: 0,
    hotBytes: segments.length * 64 * MIB,
  },
  halfLifeMs: HOUR,
});

/** Of the collector every five minutes, and of the lineage every ten. */
const LISTS = (8640 + 3 * 4320) * 0.000_005;

describe("a dry run of a policy", () => {
  const forecast = (segments: readonly TierSegment[], wanted: ForecastPolicy) =>
    finishAtOnce(forecastPolicy(facts(segments), wanted, list));

  test("counts all that would be uploaded, not only what one look does", () => {
    const segments = [1, 2, 3, 4, 5].map((id) => segment(id));
    const off = forecast(segments, policy({ afterMs: 11 * HOUR }));
    expect(off.uploads).toEqual({ segments: 0, bytes: 0 });
    expect(off.dollarsNow).toBe(0);
    const soon = forecast(segments, policy());
    expect(soon.uploads).toEqual({ segments: 5, bytes: 5 * 64 * MIB });
    // Each is put, asked for, and read at its end.
    expect(soon.dollarsNow).toBeCloseTo(5 * (0.000_005 + 2 * 0.000_000_4), 12);
    expect(soon.coldBytes).toBe(5 * 64 * MIB);
    expect(soon.dollarsPerMonth).toBeCloseTo(LISTS + (5 * 64 * 0.023) / 1024, 9);
  });

  test("tells what a recovery point costs at most", () => {
    const on = forecast([], policy({}, 10_000));
    // One is begun after seven tenths of it.
    expect(on.tailsPerMonthMax).toBe(Math.ceil(2_592_000 / 7));
    expect(on.dollarsPerMonth).toBeCloseTo(LISTS + on.tailsPerMonthMax * 0.000_005_8, 9);
    expect(forecast([], policy())).toMatchObject({ tailsPerMonthMax: 0, listsPerMonth: 21_600 });
    expect(forecast([], policy()).dollarsPerMonth).toBeCloseTo(LISTS, 12);
    const young = segment(1, { endedAtMs: 10 * HOUR });
    expect(forecast([young], policy({}, 10_000)).uploads.segments).toBe(1);
    expect(forecast([young], policy()).uploads.segments).toBe(0);
  });

  test("tells what looking for garbage costs: a listing of everything, however little changes", () => {
    const cold = { kind: "verbatim", bytes: 64 * MIB } as const;
    const many = Array.from({ length: 2500 }, (_, at) => segment(at + 1, { cold }));
    expect(forecast(many, policy()).listsPerMonth).toBe(8640 * 3 + 4320 * 3);
  });

  test("counts what is packed by what is live in it", () => {
    const sparse = segment(1, { liveBytes: MIB });
    const found = forecast([sparse, segment(2)], policy());
    expect(found).toMatchObject({
      packs: { segments: 1, bytes: MIB },
      uploads: { segments: 1 },
      coldBytes: 65 * MIB,
    });
    expect(forecast([sparse, segment(2)], policy({ livePercentMin: 1 })).coldBytes).toBe(128 * MIB);
  });

  test("tells how much would leave the disk, and what reading it from the bucket would cost", () => {
    const cold = { kind: "verbatim", bytes: 64 * MIB } as const;
    const segments = [
      segment(1, { cold, heat: 0.5 }),
      segment(2, { cold, heat: 4 }),
      segment(3, { cold, heat: 2, hotBytes: 0 }),
    ];
    const found = forecast(segments, policy());
    expect(found.frees).toEqual({ segments: 1, bytes: 64 * MIB });
    expect(found.hotBytes).toBe(2 * 64 * MIB);
    // Segments 1 and 3: heat 2.5 at a half-life of an hour.
    expect(found.coldReadsPerMonth).toBeCloseTo(2.5 * Math.LN2 * 720, 6);
    const warmer = forecast(segments, policy({ freeHeatMax: 5 }));
    expect(warmer.frees.segments).toBe(2);
    expect(warmer.coldReadsPerMonth).toBeGreaterThan(found.coldReadsPerMonth);
    const recalling = forecast(segments, policy({ recallHeatMin: 1.5 }));
    expect(recalling.recalls).toEqual({ segments: 1, bytes: 64 * MIB });
    // In windows of 16 MiB.
    expect(recalling.dollarsNow).toBeCloseTo(4 * 0.000_000_4, 12);
    expect(recalling.coldReadsPerMonth).toBeCloseTo(0.5 * Math.LN2 * 720, 6);
  });
});
