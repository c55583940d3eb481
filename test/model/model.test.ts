/**
 * Requests of all kinds, in runs of a hundred, answered as S3 answers them. The seed is the commit, so every
 * commit tries others; a failing run is shrunk, and replays with MODEL_SEED. `npm run long -- model` does
 * ten times as many.
 */
import { expect, test } from "vitest";
import { seedOfCommit } from "../support/seed-of-commit.ts";
import { runModel } from "./run-model.ts";

test("500 runs of 100 operations are answered as the model of S3 has it", { timeout: 600_000 }, async () => {
  const seed = process.env["MODEL_SEED"] ?? seedOfCommit();
  process.stdout.write(`model: MODEL_SEED=${seed}\n`);
  const { failures, operations, withRestarts, tally } = await runModel({ seed, runs: 500, length: 100 });
  expect(failures).toEqual([]);
  expect(tally.missing(500)).toEqual([]);
  expect(tally.done("restart")).toBeGreaterThanOrEqual(8);
  expect([operations, withRestarts]).toEqual([50_000, 25]);
});
