/** Needs strace, which the project's CI installs. */
import { expect, test } from "vitest";
import { hasStrace, traceSyncs } from "./trace-syncs.ts";

test.runIf(hasStrace())("no 200 is sent before its record is stable", { timeout: 120_000 }, async () => {
  const trace = await traceSyncs({ puts: 64 });
  expect(trace.early).toEqual([]);
  expect(trace.matched).toBe(64);
  expect(trace.segmentsOpened).toBeGreaterThan(0);
  expect(trace.segmentsOpenedWithoutSync).toEqual([]);
  expect(trace.indexWrites).toBeGreaterThan(0);
  expect(trace.indexSyncs).toBeGreaterThan(0);
});
