/** A few of the rounds of the full run (`npm run long -- kill-nine`). */
import { expect, test } from "vitest";
import { runKillNine } from "./kill-nine.ts";

test("kill -9 under load loses nothing that was answered", { timeout: 120_000 }, async () => {
  const counts = await runKillNine({ seed: "first", rounds: 3 });
  expect(counts.wrong).toEqual([]);
  expect(counts.rounds).toBe(3);
  expect(counts.acknowledged).toBeGreaterThan(30);
  expect(counts.cutOff).toBeGreaterThan(0);
});
