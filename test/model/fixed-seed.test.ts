/**
 * A few runs that are the same in every commit: what planted bugs are shown to, since whether they are
 * noticed must not depend on the commit.
 */
import { expect, test } from "vitest";
import { runModel } from "./run-model.ts";

test("50 runs of 100 operations are answered as the model of S3 has it", { timeout: 180_000 }, async () => {
  const { failures, operations, tally } = await runModel({ seed: "always the same", runs: 50, length: 100 });
  expect(failures).toEqual([]);
  expect(operations).toBe(5000);
  expect(tally.missing(50)).toEqual([]);
});
