/**
 * Crash images of moments that last too short for the general workload to be cut there often: see phases.ts.
 */
import { expect, test } from "vitest";
import { recordFirstStart, recordReaping, recordRebuild } from "./phases.ts";
import { runCrashImages } from "./run-crash-images.ts";

test(
  "a first start that is cut off anywhere is no damage to the next one",
  { timeout: 120_000 },
  async () => {
    const counts = await runCrashImages({ seed: "start", images: 300, record: recordFirstStart });
    expect(counts.failures).toEqual([]);
  },
);

test("a crash at any step of making the index anew loses nothing", { timeout: 300_000 }, async () => {
  const counts = await runCrashImages({ seed: "rebuild", images: 300, record: recordRebuild });
  expect(counts.failures).toEqual([]);
  // Before and after the new index stands in the place of the old one.
  expect(counts.rebuilt).toBeGreaterThan(30);
  expect(counts.distinct - counts.rebuilt).toBeGreaterThan(100);
  expect(counts.replayed).toBeGreaterThan(200);
});

test(
  "a crash between any steps of the reaper: the next one ends its work",
  { timeout: 300_000 },
  async () => {
    const counts = await runCrashImages({ seed: "reap", images: 250, record: recordReaping });
    expect(counts.failures).toEqual([]);
  },
);
