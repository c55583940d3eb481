/** The answer behind the table in README.md: 100,000 objects of 4 KiB, an hour old, each read once. */
import { NO_USAGE, S3_STANDARD_US_EAST_1, costReport } from "../../src/offload/cost.ts";
import type { Usage } from "../../src/offload/cost.ts";
import type { CostAnswer } from "../../src/service/tier-api.ts";
import { NO_FORECAST } from "../offload/forecasts.ts";

const MIB = 1024 * 1024;
const OBJECTS = 100_000;
const usage = (changes: Partial<Usage>): Usage => ({ ...NO_USAGE, ...changes });

const cold = {
  segment: usage({ puts: 6, gets: 6, heads: 6, bytesIn: 384 * MIB, bytesOut: 6400, storedBytes: 384 * MIB }),
  packed: NO_USAGE,
  snapshot: usage({ puts: 1, heads: 1, bytesIn: 5 * MIB, storedBytes: 5 * MIB }),
  tail: usage({ puts: 9, deletes: 6, bytesIn: 420 * MIB, storedBytes: 23 * MIB }),
  manifest: usage({ puts: 2, lists: 1, bytesIn: 3000, storedBytes: 3000 }),
  other: usage({ lists: 1 }),
};
const bytes = OBJECTS * 4096;
const clients = { puts: OBJECTS, gets: OBJECTS, bytesIn: bytes, bytesOut: bytes, storedBytes: bytes };

export const exampleAnswer: CostAnswer = {
  since: "2026-11-21T09:00:00.000Z",
  place: "s3://lake/cold at eu-west-1",
  prices: S3_STANDARD_US_EAST_1,
  report: costReport(cold, usage(clients), S3_STANDARD_US_EAST_1),
  forecast: {
    now: {
      ...NO_FORECAST,
      frees: { segments: 6, bytes: 384 * MIB },
      hotBytes: 23 * MIB,
      coldBytes: 384 * MIB,
      tailsPerMonthMax: 370_286,
      listsPerMonth: 21_600,
      dollarsPerMonth: 370_286 * 0.000_005_8 + 21_600 * 0.000_005 + (384 / 1024) * 0.023,
    },
    changed: {
      ...NO_FORECAST,
      hotBytes: 407 * MIB,
      coldBytes: 384 * MIB,
      listsPerMonth: 21_600,
      dollarsPerMonth: 21_600 * 0.000_005 + (384 / 1024) * 0.023,
    },
  },
};
