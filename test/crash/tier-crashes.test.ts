/**
 * A crash at each call of a port in the life of a cold tier: upload, tails, freeing and recall, snapshots and
 * manifests, everything at once, garbage, packing, a restore with its first start. Each run checks those
 * after which the bucket, the log or a directory has changed, or more was said to be safe, and of the others
 * a sample by the commit; `npm run long -- tier-crashes` does all of them.
 */
import { afterAll, expect, test } from "vitest";
import { seedOfCommit } from "../support/seed-of-commit.ts";
import { runTierCrashes, tierCallsTable, tierCrashTable } from "./tier-crashes.ts";
import type { TierCrashCounts } from "./tier-crashes.ts";
import { tierScenarios } from "./tier-scenarios.ts";

const SHARE = 0.06;
const all: TierCrashCounts[] = [];
const sample = { seed: process.env["TIER_CRASH_SEED"] ?? seedOfCommit(), share: SHARE };

afterAll(() => {
  console.info(`TIER_CRASH_SEED=${sample.seed}\n${tierCrashTable(all)}\n${tierCallsTable(all)}`);
});

test.each(tierScenarios)(
  "$name: whatever dies where, everything is there, in the bucket too, and nothing stays in it for ever",
  { timeout: 600_000 },
  async (scenario) => {
    const counts = await runTierCrashes(scenario, { seed: "first", sample });
    all.push(counts);
    expect(counts.failures).toEqual([]);
    for (const kind of scenario.expected) expect([...counts.kinds.keys()]).toContain(kind);
    // But for what was under way at the end.
    expect(counts.crashes).toBeGreaterThan(4 * counts.calls - 10);
    expect(counts.checked).toBeGreaterThan(5);
  },
);
