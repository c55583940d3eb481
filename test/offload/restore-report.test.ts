/** What a restore says of times. */
import { expect, test } from "vitest";
import type { RestoreOutline } from "../../src/offload/restore-outline.ts";
import type { RestorePlan } from "../../src/offload/restore-plan.ts";
import { planFacts } from "../../src/offload/restore-report.ts";

test.each([
  [0, "unknown"],
  [Date.UTC(2026, 10, 21, 10), "2026-11-21T10:00:00.000Z"],
])("a manifest of %d is of the time %s", (dateMs, time) => {
  const plan: Partial<RestorePlan> = {
    manifest: { lineage: "aa", dateMs, index: 7 } as RestorePlan["manifest"],
    manifestKey: "c/aa/manifest/1-7-n1",
    recoveryPoint: { index: 9 } as RestorePlan["recoveryPoint"],
    lost: [],
    accepted: [],
    warnings: [],
    passedOver: [],
  };
  const facts = planFacts(plan as RestorePlan, {} as RestoreOutline);
  expect(facts.manifest).toEqual({ key: "c/aa/manifest/1-7-n1", time, entry: 7 });
});
