/**
 * Bad input that takes its time, a thousand clients at once: the timeouts end them all, and nothing is left
 * of them. And documents without an end, where the least that may be taken is little.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { longDocuments } from "./bad-documents.ts";
import { ATTEMPTS, BadRun, WARM_UP, line } from "./bad-run.ts";
import { SLOW_FLAGS, slowKinds } from "./bad-slow.ts";

const GROWTH_MIB_MAX = 50;

describe("a thousand clients", () => {
  let run: BadRun;
  const lines: string[] = [];
  beforeAll(async () => {
    run = await BadRun.start(SLOW_FLAGS);
    const all = [...slowKinds, ...longDocuments];
    await Promise.all(all.map((kind) => run.attempt(kind, 0, { count: WARM_UP, atOnce: WARM_UP })));
    await run.settled();
  }, 120_000);
  afterAll(async () => {
    process.stdout.write(`${lines.join("\n")}\n`);
    await run.close();
  });

  test.each([
    ...slowKinds.map((kind) => ({ ...kind, atOnce: ATTEMPTS })),
    ...longDocuments.map((kind) => ({ ...kind, atOnce: 32 })),
  ])(
    "$what: $answers",
    async ({ atOnce, ...kind }) => {
      const seen = await run.full(kind, atOnce);
      lines.push(line(kind, seen));
      await run.nothingStored();
      expect(seen.growthMiB).toBeLessThan(GROWTH_MIB_MAX);
    },
    60_000,
  );

  test("at the end nothing is left of them", () => run.endsClean());
});
