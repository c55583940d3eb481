/** The store that fails on purpose: each fault does what it says, and a seed repeats a run. */
import { expect, test } from "vitest";
import { ColdUnavailableError } from "../../src/ports/cold-store.ts";
import type { ColdStore } from "../../src/ports/cold-store.ts";
import { FailingColdStore } from "./failing-cold-store.ts";
import { SimClock } from "./sim-clock.ts";
import { SimColdStore } from "./sim-cold-store.ts";
import { SimDisk } from "./sim-disk.ts";
import { SimRandom } from "./sim-random.ts";

type Options = Omit<ConstructorParameters<typeof FailingColdStore>[1], "clock" | "random">;

function openWorld(options: Options = {}, seed = "seed") {
  const clock = new SimClock();
  const below = new SimColdStore({ disk: new SimDisk(), clock });
  const store = new FailingColdStore(below, { clock, random: new SimRandom(seed), ...options });
  return { clock, below, store };
}

const segment = { kind: "segment" } as const;
const put = (store: ColdStore, key: string, text = "text"): Promise<unknown> =>
  store.put(key, Buffer.from(text), segment);

async function keysOf(store: ColdStore): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list("")) keys.push(key);
  return keys;
}

const isUnavailable = async (work: Promise<unknown>): Promise<boolean> =>
  await work.then(
    () => false,
    (error: unknown) => error instanceof ColdUnavailableError,
  );

test("a failure before leaves no object, one after leaves it, and a yes may mean nothing", async () => {
  const { store, below } = openWorld();
  store.tell("put", "failBefore", "failAfter", "keepNothing");
  expect(await isUnavailable(put(store, "a"))).toBe(true);
  expect(await isUnavailable(put(store, "b"))).toBe(true);
  expect(await isUnavailable(put(store, "c"))).toBe(false);
  expect([...below.objects.keys()]).toEqual(["b"]);
  store.tell("delete", "failBefore", "failAfter");
  expect(await isUnavailable(store.delete(["b"]))).toBe(true);
  expect([...below.objects.keys()]).toEqual(["b"]);
  expect(await isUnavailable(store.delete(["b"]))).toBe(true);
  expect([...below.objects.keys()]).toEqual([]);
});

test("bytes come back with one bit that is another, or one byte fewer", async () => {
  const { store } = openWorld();
  await put(store, "a", "0123456789");
  store.tell("get", "wrongBytes", "shortBytes", "none");
  const wrong = await store.get("a");
  const right = Buffer.from("0123456789");
  const bits = [...wrong].map((byte, at) => (byte ^ (right[at] ?? 0)).toString(2).replaceAll("0", ""));
  expect([wrong.length, bits.join("")]).toEqual([10, "1"]);
  expect(Buffer.from(await store.get("a")).toString()).toBe("012345678");
  expect(Buffer.from(await store.get("a")).toString()).toBe("0123456789");
});

test("lists show what was there a while ago", async () => {
  const { store, clock } = openWorld({ listLagMs: 1000 });
  await put(store, "a");
  expect(await keysOf(store)).toEqual([]);
  await clock.advance(1001);
  expect(await keysOf(store)).toEqual(["a"]);
  await store.delete(["a"]);
  await put(store, "b");
  await store.delete(["b"]);
  expect(await keysOf(store)).toEqual(["a"]);
  expect(await store.head("a")).toBeUndefined();
  await clock.advance(1001);
  expect(await keysOf(store)).toEqual([]);
});

test("slow is slow, and who gives up in the middle is told why", async () => {
  const { store, clock, below } = openWorld({ slowMs: 5000 });
  store.tell("put", "slow", "slow");
  await clock.run(put(store, "a"));
  expect(clock.monotonicMs()).toBe(5000);
  const ended = new AbortController();
  const late = store.put("b", Buffer.from("x"), { ...segment, signal: ended.signal });
  ended.abort(new Error("too slow"));
  await expect(late).rejects.toThrow("too slow");
  expect([...below.objects.keys()]).toEqual(["a"]);
});

test("down is down for every call, until it is up", async () => {
  const { store } = openWorld();
  await put(store, "a");
  store.isDown = true;
  const works = [put(store, "b"), store.get("a"), store.head("a"), keysOf(store), store.delete(["a"])];
  expect(await Promise.all([...works, store.check()].map(isUnavailable))).toEqual(Array(6).fill(true));
  store.isDown = false;
  expect(await keysOf(store)).toEqual(["a"]);
});

test("a seed repeats a run, another one makes another, and every fault has its turn", async () => {
  const chances = { failBefore: 0.2, failAfter: 0.2, keepNothing: 0.2, wrongBytes: 0.2, shortBytes: 0.2 };
  const run = async (seed: string): Promise<readonly string[]> => {
    const { store } = openWorld({ chances }, seed);
    for (let at = 0; at < 60; at++) {
      await put(store, `k${at}`).catch(() => undefined);
      await store.get(`k${at}`).catch(() => undefined);
    }
    return store.calls;
  };
  const calls = await run("one");
  expect(await run("one")).toEqual(calls);
  expect(await run("two")).not.toEqual(calls);
  for (const fault of Object.keys(chances)) expect(calls.some((call) => call.endsWith(fault))).toBe(true);
});
