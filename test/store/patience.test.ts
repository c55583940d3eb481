/** Who waits too long is told, at the time, and nobody else. */
import { expect, test } from "vitest";
import { Patience } from "../../src/store/patience.ts";
import { SimClock } from "../sim/sim-clock.ts";

test("each is told when its own time is up, unless it was done before", async () => {
  const clock = new SimClock();
  const patience = new Patience(clock, 1000);
  const told: string[] = [];
  const begin = (name: string) => patience.begin(() => told.push(`${name} at ${clock.monotonicMs()}`));
  begin("first");
  const second = begin("second");
  await clock.advance(400);
  begin("third");
  await clock.advance(100);
  second();
  await clock.advance(499);
  expect(told).toEqual([]);
  await clock.advance(400);
  expect(told).toEqual(["first at 1000"]);
  await clock.advance(1);
  expect(told).toEqual(["first at 1000", "third at 1400"]);
  // Nobody waited any more: who comes now is watched all the same.
  await clock.advance(5000);
  begin("fourth");
  await clock.advance(1000);
  expect(told.at(-1)).toBe("fourth at 7400");
});

test("a thousand that are done in time are one timer", async () => {
  const clock = new SimClock();
  let sleeps = 0;
  let lost = 0;
  const sleep: typeof clock.sleep = async (...call) => {
    sleeps++;
    await clock.sleep(...call);
  };
  const counted = { sleep, monotonicMs: () => clock.monotonicMs() };
  const patience = new Patience(counted, 1000);
  for (let at = 0; at < 1000; at++) {
    const done = patience.begin(() => lost++);
    await clock.advance(1);
    done();
  }
  await clock.advance(2000);
  expect({ lost, sleeps }).toEqual({ lost: 0, sleeps: 2 });
});
