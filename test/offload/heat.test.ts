/** Heat is what an obvious model says it is, at any time; it costs no more memory than allowed. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvariantError } from "../../src/base/assert.ts";
import { SegmentHeat } from "../../src/offload/heat.ts";

const HOUR = 3_600_000;
const heat = (segmentsMax = 100): SegmentHeat => new SegmentHeat({ halfLifeMs: HOUR, segmentsMax });

describe("heat", () => {
  test("of a read is one, and half of it a half-life later", () => {
    const warm = heat();
    warm.touch(7, 1000);
    expect(warm.heatOf(7, 1000)).toBe(1);
    expect(warm.heatOf(7, 1000 + HOUR)).toBeCloseTo(0.5, 12);
    expect(warm.heatOf(7, 1000 + 3 * HOUR)).toBeCloseTo(0.125, 12);
    expect(warm.heatOf(8, 1000)).toBe(0);
  });

  test("is the sum of all reads, each halved once a half-life, however many and far apart", () => {
    const reads = fc.array(
      fc.record({
        segmentId: fc.integer({ min: 1, max: 5 }),
        // Some of them years apart, so that counts are brought down in between.
        afterMs: fc.oneof(fc.nat(HOUR), fc.nat(400 * HOUR)),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(reads, fc.nat(10 * HOUR), (list, laterMs) => {
        const warm = heat();
        const model: { readonly segmentId: number; readonly atMs: number }[] = [];
        let nowMs = 0;
        for (const { segmentId, afterMs } of list) {
          nowMs += afterMs;
          warm.touch(segmentId, nowMs);
          model.push({ segmentId, atMs: nowMs });
        }
        nowMs += laterMs;
        for (let segmentId = 1; segmentId <= 5; segmentId++) {
          const own = model.filter((read) => read.segmentId === segmentId);
          const expected = own.reduce((sum, { atMs }) => sum + 2 ** ((atMs - nowMs) / HOUR), 0);
          const found = warm.heatOf(segmentId, nowMs);
          expect(Math.abs(found - expected)).toBeLessThanOrEqual(1e-9 * Math.max(1, expected));
        }
      }),
    );
  });

  test("stays finite over any time, and what is forgotten takes no memory", () => {
    const warm = heat();
    warm.touch(1, 0);
    for (let step = 1; step <= 50; step++) warm.touch(2, step * 200 * HOUR);
    expect(warm.heatOf(2, 50 * 200 * HOUR)).toBeCloseTo(1, 9);
    expect(warm.heatOf(1, 50 * 200 * HOUR)).toBe(0);
    warm.touch(3, 1e9 * HOUR);
    expect(warm.size).toBe(1);
    expect(warm.heatOf(3, 1e9 * HOUR)).toBe(1);
  });

  test("does not fall when a clock goes back", () => {
    const warm = heat();
    warm.touch(1, 10 * HOUR);
    warm.touch(1, 2 * HOUR);
    expect(warm.heatOf(1, 10 * HOUR)).toBe(2);
    expect(warm.heatOf(1, 0)).toBe(2);
  });

  test("of too many segments is kept for the warmest", () => {
    const warm = heat(10);
    for (let segmentId = 1; segmentId <= 10; segmentId++) {
      for (let read = 0; read < segmentId; read++) warm.touch(segmentId, 0);
    }
    warm.touch(11, 0);
    expect(warm.size).toBe(5);
    expect([10, 9, 8, 7, 6].map((segmentId) => warm.heatOf(segmentId, 0))).toEqual([10, 9, 8, 7, 6]);
    for (let segmentId = 100; segmentId < 10_000; segmentId++) {
      warm.touch(segmentId, 1);
      expect(warm.size).toBeLessThanOrEqual(10);
    }
    expect(warm.heatOf(10, 1)).toBeGreaterThan(9.9);
  });

  test("of a segment that is gone is gone", () => {
    const warm = heat();
    warm.touch(1, 0);
    warm.forget(1);
    expect(warm.heatOf(1, 0)).toBe(0);
    expect(warm.size).toBe(0);
  });

  test("without a half-life or a bound is a mistake", () => {
    expect(() => new SegmentHeat({ halfLifeMs: 0, segmentsMax: 10 })).toThrow(InvariantError);
    expect(() => new SegmentHeat({ halfLifeMs: 1, segmentsMax: 1 })).toThrow(InvariantError);
  });
});
