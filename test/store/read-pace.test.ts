/**
 * Promises of the pace: some slow reads are accidents, many of them are a disk, and then no read blocks for
 * a while.
 */
import { expect, test } from "vitest";
import { ReadPace } from "../../src/store/read-pace.ts";
import { ManualClock } from "./manual-clock.ts";

function world(): {
  readonly clock: ManualClock;
  readonly pace: ReadPace;
  readonly read: (ms: number) => void;
} {
  const clock = new ManualClock();
  const pace = new ReadPace(clock);
  const read = (ms: number): void => {
    const start = pace.begin();
    clock.advanceNow(ms);
    pace.end(start);
  };
  return { clock, pace, read };
}

test("quick reads stay synchronous, however many", () => {
  const { pace, read } = world();
  for (let count = 0; count < 5000; count++) read(0.9);
  expect(pace.slow).toBe(false);
});

test("slow reads with long pauses between them are accidents", () => {
  const { clock, pace, read } = world();
  for (let count = 0; count < 50; count++) {
    read(3);
    clock.advanceNow(400);
  }
  expect(pace.slow).toBe(false);
});

test("slow reads among very many quick ones are accidents: a garbage collection, not a disk", () => {
  const { pace, read } = world();
  for (let count = 0; count < 900; count++) read(count % 40 === 0 ? 2 : 0.01);
  expect(pace.slow).toBe(false);
});

test("a disk is noticed within a second, and no read blocks for ten", () => {
  const { clock, pace, read } = world();
  for (let count = 0; count < 10; count++) read(5);
  expect(pace.slow).toBe(true);
  clock.advanceNow(9_900);
  expect(pace.slow).toBe(true);
  clock.advanceNow(200);
  expect(pace.slow).toBe(false);
});
