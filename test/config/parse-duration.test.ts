/** Durations: examples, and the property that every duration survives being written and read. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatDuration, parseDuration } from "../../src/config/parse-duration.ts";

test.each([
  ["0", 0],
  ["150ms", 150],
  ["10s", 10_000],
  ["1.5s", 1500],
  ["5m", 300_000],
  ["1h", 3_600_000],
  ["7d", 604_800_000],
  ["2 H", 7_200_000],
])("%s is a duration", (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds);
});

test.each(["", "10", "s", "-1s", "10sec", "1h30m", "0.5ms", "9999999999999d", "1e3s"])(
  "%j is no duration",
  (text) => {
    expect(parseDuration(text)).toBeUndefined();
  },
);

test("what formatDuration writes, parseDuration reads back exactly", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.maxSafeNat(),
        fc.nat(10_000).map((n) => n * 60_000),
      ),
      (milliseconds) => {
        expect(parseDuration(formatDuration(milliseconds))).toBe(milliseconds);
      },
    ),
  );
});

test("any text gives a whole safe number or nothing", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[\d.]{1,20} ?[msdh]{0,2}$/)), (text) => {
      const milliseconds = parseDuration(text);
      expect(milliseconds === undefined || (Number.isSafeInteger(milliseconds) && milliseconds >= 0)).toBe(
        true,
      );
    }),
  );
});
