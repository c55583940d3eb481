/** Crash images of space that comes back: snapshots, the floor, segments deleted and rewritten. */
import { expect, test } from "vitest";
import { recordSpace } from "./phases.ts";
import { runCrashImages } from "./run-crash-images.ts";

test(
  "a crash at any step of giving space back loses nothing, and leaves nothing behind",
  { timeout: 300_000 },
  async () => {
    const counts = await runCrashImages({ seed: "space", images: 400, record: recordSpace });
    expect(counts.failures).toEqual([]);
    expect(counts.rebuilt).toBeGreaterThan(20);
  },
);
