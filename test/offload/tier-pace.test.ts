/** What the tier does stays below its rates, and tails do not wait behind what is large. */
import { expect, test } from "vitest";
import { TierPace } from "../../src/offload/tier-pace.ts";
import type { TierCost } from "../../src/offload/tier-pace.ts";
import { SimClock } from "../sim/sim-clock.ts";

const MIB = 1024 * 1024;

function openPace({ bytesPerSecondMax = MIB, requestsPerMinuteMax = 60_000 } = {}) {
  const clock = new SimClock();
  const pace = new TierPace(clock, { bytesPerSecondMax, requestsPerMinuteMax });
  const { signal } = new AbortController();
  /** When it may be begun. */
  const begun = async (cost: Partial<TierCost>): Promise<number> => {
    await pace.spend({ bytes: 0, requests: 0, ...cost }, signal);
    return Math.round(clock.monotonicMs());
  };
  const run = async (...costs: readonly Partial<TierCost>[]): Promise<readonly number[]> =>
    await clock.run(Promise.all(costs.map(begun)));
  return { clock, run };
}

test("bytes are paid for before the next ones: the first goes at once, however large it is", async () => {
  const { run } = openPace();
  expect(await run({ bytes: 5 * MIB }, { bytes: MIB }, { bytes: MIB })).toEqual([0, 5000, 6000]);
});

test("requests come in bursts of ten seconds' worth, and then one by one", async () => {
  const { run } = openPace({ requestsPerMinuteMax: 60 });
  const one = { requests: 1 };
  expect(await run({ requests: 10 }, one, one)).toEqual([0, 1000, 2000]);
});

test("what is urgent waits for its like alone; everything else waits for it", async () => {
  const { clock, run } = openPace({ requestsPerMinuteMax: 60 });
  const tail = { bytes: MIB, requests: 3, urgent: true };
  const [snapshot, other, first, second, last] = await run(
    { bytes: 100 * MIB, requests: 10 },
    { bytes: MIB },
    tail,
    tail,
    { bytes: MIB },
  );
  expect({ snapshot, other, first, second, last }).toEqual({
    snapshot: 0,
    other: 100_000,
    first: 0,
    second: 1000,
    last: 103_000,
  });
  await clock.advance(200_000);
  // Without end they would be as much as everything may be.
  expect(await run(...Array.from({ length: 11 }, () => tail))).toSatisfy(
    (begun: readonly number[]) => (begun.at(-1) as number) - (begun[0] as number) >= 10_000,
  );
});

test("who is given up while it waits hears why", async () => {
  const clock = new SimClock();
  const pace = new TierPace(clock, { bytesPerSecondMax: MIB, requestsPerMinuteMax: 60 });
  const stop = new AbortController();
  await clock.run(pace.spend({ bytes: 100 * MIB, requests: 1 }, stop.signal));
  const waiting = pace.spend({ bytes: 1, requests: 1 }, stop.signal);
  stop.abort(new Error("stopping"));
  await expect(clock.run(waiting)).rejects.toThrow("stopping");
});
