/** What follows from the settings of the tier. */
import { expect, test } from "vitest";
import { collectEveryMs } from "../../src/offload/tier-settings.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test.each([
  ["an hour by default", 7 * 24 * HOUR, 24 * HOUR, HOUR],
  ["never more than that", 700 * 24 * HOUR, 240 * HOUR, HOUR],
  ["a part of the grace where that is short", 7 * 24 * HOUR, 4 * HOUR, 10 * MINUTE],
  ["a part of the window where that is shorter", 4 * HOUR, 24 * HOUR, 10 * MINUTE],
  ["never less than five minutes", 0, 24 * HOUR, 5 * MINUTE],
])("the bucket is listed %s", (_what, restoreWindowMs, graceMs, everyMs) => {
  expect(collectEveryMs({ restoreWindowMs, graceMs })).toBe(everyMs);
});
