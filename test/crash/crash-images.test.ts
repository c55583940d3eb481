/** A tenth of the crash images of the full run (`npm run long -- crash-images`), with fixed seeds. */
import { describe, expect, test } from "vitest";
import { runCrashImages } from "./run-crash-images.ts";

/** Over two files that run side by side; see more-crash-images.test.ts. */
const IMAGES = 2500;

describe("whatever a crash leaves of the files", () => {
  test(
    "no acknowledged write is lost, nothing else appears, and the store goes on",
    { timeout: 300_000 },
    async () => {
      const counts = await runCrashImages({ seed: "first", images: IMAGES });
      expect(counts.failures).toEqual([]);
      expect(counts.distinct).toBe(IMAGES);
      // The images do reach the ways of recovery that they are meant for.
      expect(counts.rebuilt).toBeGreaterThan(IMAGES / 50);
      expect(counts.replayed).toBeGreaterThan(IMAGES / 4);
    },
  );
});
