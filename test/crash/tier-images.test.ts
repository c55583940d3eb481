/**
 * Crash images of segments on their way to the cold tier and back: at each cut every object is read from here
 * or from there, no copy is relied on that was not put, and nothing unfinished stays.
 */
import { expect, test } from "vitest";
import { checkEveryCut, runCrashImages } from "./run-crash-images.ts";
import { recordEachStep, recordTier } from "./tier-phases.ts";

test.each([true, false])(
  "a cut at any operation of sealing, freeing, recalling and moving the floor (which waits: %s)",
  { timeout: 600_000 },
  async (follows) => {
    const recording = await recordEachStep(`steps ${follows}`, follows);
    const counts = await checkEveryCut(recording, { variants: 3 });
    expect(counts.failures).toEqual([]);
    // Some 440 operations.
    expect(counts.tried).toBeGreaterThan(1200);
    expect(counts.distinct).toBeGreaterThan(700);
  },
);

test(
  "a crash beside any load loses nothing that is here or in the cold tier",
  { timeout: 600_000 },
  async () => {
    const done = { freed: 0, recalled: 0, follows: 0 };
    const record: typeof recordTier = async (seed) => {
      const recording = await recordTier(seed);
      done.freed += recording.cold?.freed ?? 0;
      done.recalled += recording.cold?.recalled ?? 0;
      if (recording.cold?.follows === true) done.follows++;
      return recording;
    };
    const counts = await runCrashImages({ seed: "tier", images: 1000, record });
    expect(counts.failures).toEqual([]);
    // Both kinds of floors, and files on their way in both directions.
    expect(done.follows).toBeGreaterThan(0);
    expect(done.follows).toBeLessThan(counts.workloads);
    expect(done.freed).toBeGreaterThan(20);
    expect(done.recalled).toBeGreaterThan(5);
    expect(counts.rebuilt).toBeGreaterThan(20);
  },
);
