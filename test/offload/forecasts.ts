/** Answers of `cost` as tests need them: real prices, real sums, and a forecast of nothing. */
import { S3_STANDARD_US_EAST_1, costReport } from "../../src/offload/cost.ts";
import type { CostReport, Prices, Usage, UsageByKind } from "../../src/offload/cost.ts";
import type { Forecast } from "../../src/offload/policy-forecast.ts";

const NOTHING = { segments: 0, bytes: 0 };

export const NO_FORECAST: Forecast = {
  uploads: NOTHING,
  packs: NOTHING,
  frees: NOTHING,
  recalls: NOTHING,
  hotBytes: 0,
  coldBytes: 0,
  tailsPerMonthMax: 0,
  listsPerMonth: 0,
  coldReadsPerMonth: 0,
  dollarsNow: 0,
  dollarsPerMonth: 0,
};

export function reportOf(
  usage: UsageByKind,
  clients: Usage,
): { readonly prices: Prices; readonly report: CostReport } {
  const prices = S3_STANDARD_US_EAST_1;
  return { prices, report: costReport(usage, clients, prices) };
}
