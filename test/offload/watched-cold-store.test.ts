/** Whoever asks how the tier is hears of a place that answers nothing before its last attempt has failed. */
import { expect, test } from "vitest";
import { TierHealth } from "../../src/offload/tier-health.ts";
import { WatchedColdStore } from "../../src/offload/watched-cold-store.ts";
import { FailingColdStore } from "../sim/failing-cold-store.ts";
import { SimClock } from "../sim/sim-clock.ts";
import { SimColdStore } from "../sim/sim-cold-store.ts";
import { SimDisk } from "../sim/sim-disk.ts";
import { SimRandom } from "../sim/sim-random.ts";
import { silentLogger } from "../support/open-store.ts";

const KEY = "c/l/segments/1.seg";
const RANGE = { start: 0, end: 10 };

async function openWorld() {
  const clock = new SimClock();
  const kept = new SimColdStore({ disk: new SimDisk(), clock });
  const place = new FailingColdStore(kept, { clock, random: new SimRandom("watched"), slowMs: 60_000 });
  const health = new TierHealth(silentLogger, "nothing was heard");
  const store = new WatchedColdStore(place, health, clock);
  await clock.run(store.put(KEY, Buffer.alloc(100), { kind: "segment" }));
  await clock.run(store.check());
  return { clock, place, health, store };
}

test("a ranged GET without an answer is told after ten seconds, until the answer comes", async () => {
  const { clock, place, health, store } = await openWorld();
  place.tell("get", "slow");
  const reading = store.get(KEY, { range: RANGE });
  await clock.run(clock.sleep(9900));
  expect(health.state).toBe("ok");
  await clock.run(clock.sleep(200));
  expect(health.state).toBe("degraded");
  expect(health.reason).toBe(`cold tier ${store.place}, ${KEY}: no answer for 10 seconds`);
  await clock.run(reading);
  expect(health.state).toBe("ok");
});

test("what is answered in time is no trouble, nor is a whole object that takes its time", async () => {
  const { clock, place, health, store } = await openWorld();
  await clock.run(store.get(KEY, { range: RANGE }));
  place.tell("get", "slow");
  const reading = store.get(KEY);
  await clock.run(clock.sleep(30_000));
  expect(health.state).toBe("ok");
  await clock.run(reading);
  await clock.run(clock.sleep(30_000));
  expect(health.state).toBe("ok");
});
