/**
 * Bad input, sent to the real program a thousand times each: every attempt gets its S3 error, nothing is
 * stored, and the memory of the process grows by less than 50 MiB.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { brokenOff, wrongChecksums, wrongLengths } from "./bad-bodies.ts";
import { badChunks } from "./bad-chunks.ts";
import { badDocuments } from "./bad-documents.ts";
import { longHeads, paths, strangers } from "./bad-heads.ts";
import { ATTEMPTS, BadRun, WARM_UP, line } from "./bad-run.ts";

const GROWTH_MIB_MAX = 50;
const AT_ONCE = 32;

const kinds = [
  ...brokenOff,
  ...wrongLengths,
  ...wrongChecksums,
  ...badChunks,
  ...strangers,
  ...longHeads,
  ...paths,
  ...badDocuments,
];

describe("a thousand attempts", () => {
  let run: BadRun;
  const lines: string[] = [];
  beforeAll(async () => {
    run = await BadRun.start();
    for (const kind of kinds) await run.attempt(kind, 0, { count: WARM_UP, atOnce: AT_ONCE });
    await run.settled();
  }, 120_000);
  afterAll(async () => {
    process.stdout.write(`${lines.join("\n")}\n`);
    await run.close();
  });

  test.each(kinds)(
    "$what: $answers",
    async (kind) => {
      const seen = await run.full(kind, AT_ONCE);
      lines.push(line(kind, seen));
      await run.nothingStored();
      expect(seen.growthMiB).toBeLessThan(GROWTH_MIB_MAX);
    },
    60_000,
  );

  test("another round of all of them takes no more memory", async () => {
    const beforeMiB = run.residentMiB;
    for (const kind of kinds) {
      await run.attempt(kind, WARM_UP + ATTEMPTS, { count: WARM_UP, atOnce: AT_ONCE });
    }
    await run.settled();
    expect(run.residentMiB - beforeMiB).toBeLessThan(GROWTH_MIB_MAX);
  }, 60_000);

  test("and at the end nothing is left of them", () => run.endsClean());
});
