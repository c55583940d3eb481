/** Some of the cut LevelDB directories of the full run (`npm run long -- level-directories`). */
import { expect, test } from "vitest";
import { runCutLevelDirectories } from "./level-directories.ts";

test(
  "whatever is missing of the index, the node comes up with everything",
  { timeout: 240_000 },
  async () => {
    const counts = await runCutLevelDirectories({ seed: "first", count: 60 });
    expect(counts.failures).toEqual([]);
    expect(counts.tried).toBe(60);
    expect(counts.rebuilt).toBeGreaterThan(10);
    expect(counts.intact).toBeGreaterThan(5);
  },
);
