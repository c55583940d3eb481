/** What `cost` answers: figures of all starts times prices, and both policies side by side. */
import { expect, test } from "vitest";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { systemClock } from "../../src/adapters/system-clock.ts";
import { ColdMeter } from "../../src/offload/cold-meter.ts";
import { CostLedger } from "../../src/offload/cost-ledger.ts";
import { NO_USAGE } from "../../src/offload/cost.ts";
import type { PriceChange } from "../../src/offload/cost.ts";
import type { TierSegment, TierSettings } from "../../src/offload/tier-policy.ts";
import { CostDesk } from "../../src/service/cost-desk.ts";
import type { PolicyChange, TierActions, TierFacts } from "../../src/service/tier-api.ts";
import { ManualClock } from "../store/manual-clock.ts";
import { temporaryDirectory } from "../support/open-store.ts";

const MIB = 1024 * 1024;
const HOUR = 3_600_000;

function segment(id: number, ageMs: number): TierSegment {
  const bytes = 64 * MIB;
  const common = { bytes, liveBytes: bytes, hotBytes: bytes, heat: 0, isPinned: false, cold: undefined };
  return { id, lastIndex: id, endedAtMs: 100 * HOUR - ageMs, ...common };
}

/** Two segments, an hour and a day old; the policy uploads what is two hours old. */
function facts(): TierFacts {
  const tier: TierSettings = {
    recoveryPoint: false,
    afterMs: 2 * HOUR,
    livePercentMin: 50,
    freeHeatMax: 1,
    recallHeatMin: 8,
    hotBytesHigh: 1e12,
    hotBytesLow: 1e11,
    decisionsMax: 1,
  };
  return {
    segments: [segment(1, 24 * HOUR), segment(2, HOUR)],
    situation: { nowMs: 100 * HOUR, floorIndex: 0, coldSnapshotIndex: 0, hotBytes: 128 * MIB },
    halfLifeMs: HOUR,
    storedBytes: { segment: 1000, manifest: 5 },
    policyWith: ({ tierAfterMs, recoveryPointMs }: PolicyChange) => ({
      tier: { ...tier, afterMs: tierAfterMs ?? tier.afterMs },
      recoveryPointMs: recoveryPointMs === "off" ? undefined : recoveryPointMs,
      collectEveryMs: HOUR,
    }),
  };
}

async function withDesk(
  prices: PriceChange,
  run: (desk: CostDesk, meter: ColdMeter) => Promise<void>,
): Promise<void> {
  await using directory = await temporaryDirectory();
  const meter = new ColdMeter();
  const nothing = (): void => undefined;
  const logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
  const path = `${directory.path}/usage`;
  const clock = new ManualClock(Date.UTC(2026, 10, 21));
  const ledger = await CostLedger.open({ disk: new NodeDisk(), path, clock, logger, meter });
  const actions = { facts: () => Promise.resolve(facts()) } as TierActions;
  const desk = new CostDesk({ actions, ledger, meter, place: "s3://b", prices, clock: systemClock });
  await run(desk, meter);
  await ledger.close();
}

test("the figures are those of the meter, of the clients, and what is stored", () =>
  withDesk({}, async (desk, meter) => {
    const segmentPut = {
      operation: "put",
      key: "c/l/segments/x",
      status: 200,
      sentBytes: 9,
      receivedBytes: 0,
    } as const;
    meter.count(segmentPut);
    meter.count({ ...segmentPut, operation: "head", sentBytes: 0 });
    desk.watchClients(() => ({ ...NO_USAGE, puts: 5000, storedBytes: 123 }));
    const { since, place, report, prices, forecast } = await desk.cost({ policy: {}, prices: {} });
    expect([since, place, prices.name]).toEqual([
      "2026-11-21T00:00:00.000Z",
      "s3://b",
      expect.stringContaining("S3 Standard list prices"),
    ]);
    expect(report.byKind.segment).toMatchObject({ puts: 1, heads: 1, bytesIn: 9, storedBytes: 1000 });
    expect(report.total).toMatchObject({ puts: 1, heads: 1, storedBytes: 1005 });
    expect(report.oneByOne).toMatchObject({ puts: 5000, storedBytes: 123 });
    expect(report.timesCheaper).toBeCloseTo((5000 * 0.005) / (0.005 + 0.0004), 9);
    expect(forecast.changed).toBeUndefined();
    expect(forecast.now.uploads).toEqual({ segments: 1, bytes: 64 * MIB });
  }));

test("asked prices come before those of the settings, and those before the list", () =>
  withDesk({ thousandWrites: 1, gibMonth: 2 }, async (desk) => {
    const { prices } = await desk.cost({ policy: {}, prices: { gibMonth: 3 } });
    expect(prices).toMatchObject({
      per1000Writes: 1,
      per1000Reads: 0.0004,
      storage: [{ upToGib: Infinity, perGibMonth: 3 }],
    });
  }));

test("a changed policy stands beside the present one", () =>
  withDesk({}, async (desk) => {
    const policy = { tierAfterMs: HOUR / 2, recoveryPointMs: 10_000 } as const;
    const { forecast } = await desk.cost({ policy, prices: {} });
    expect(forecast.now.uploads.segments).toBe(1);
    expect(forecast.changed?.uploads.segments).toBe(2);
    expect(forecast.changed?.tailsPerMonthMax).toBe(Math.ceil(2_592_000 / 7));
    const off = await desk.cost({ policy: { recoveryPointMs: "off" }, prices: {} });
    expect(off.forecast.changed?.tailsPerMonthMax).toBe(0);
  }));
