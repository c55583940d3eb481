/**
 * GETs that readers share: one for the same bytes and for neighbours, each reader with memory of its own; and
 * the bounds of how many wait and how much is asked for at once.
 */
import { describe, expect, test } from "vitest";
import { BusyError } from "../../src/base/errors.ts";
import { ColdDamagedError, ColdMissingError, ColdUnavailableError } from "../../src/ports/cold-store.ts";
import type { ColdGet, ColdStore } from "../../src/ports/cold-store.ts";
import { ColdWindows } from "../../src/store/cold-windows.ts";
import { patternBytes } from "../segment/records.ts";
import { SimClock } from "../sim/sim-clock.ts";
import { SimColdStore } from "../sim/sim-cold-store.ts";
import { SimDisk } from "../sim/sim-disk.ts";

const KIB = 1024;
const KEY = "c/l/segments/1.seg";
const WHOLE = patternBytes(4096 * KIB);

/** Notes each GET, which takes 20 ms or as long as is said. */
async function openWorld({ getsMax = 4, getMs = 20 }: { readonly getsMax?: number; getMs?: number } = {}) {
  const clock = new SimClock();
  const store = new SimColdStore({ disk: new SimDisk(), clock });
  await store.put(KEY, WHOLE, { kind: "segment" });
  const gets: string[] = [];
  const flight = { now: 0, most: 0 };
  const slow: Pick<ColdStore, "get" | "place"> = {
    place: store.place,
    get: async (key: string, get: ColdGet = {}) => {
      gets.push(`${get.range?.start}-${get.range?.end}`);
      flight.now++;
      flight.most = Math.max(flight.most, flight.now);
      await clock.sleep(getMs);
      flight.now--;
      return await store.get(key, get);
    },
  };
  const windows = new ColdWindows(slow as ColdStore, { clock, getsMax });
  const read = (start: number, end: number) => windows.read(KEY, { start, end });
  return { clock, store, windows, gets, flight, read };
}

describe("one GET", () => {
  test("serves those who want the same, whether it waits or is on its way", async () => {
    const { clock, gets, read, windows } = await openWorld();
    const reads = Array.from({ length: 100 }, async (_, at) => {
      await clock.sleep(at % 15);
      return await read(1000, 3000);
    });
    const all = await clock.run(Promise.all(reads));
    expect(all.filter((bytes) => !bytes.equals(WHOLE.subarray(1000, 3000)))).toEqual([]);
    expect(gets).toEqual(["1000-3000"]);
    expect(windows.figures).toEqual({ gets: 1, bytes: 2000, coalesced: 99 });
  });

  test("gives each of them memory of its own", async () => {
    const { clock, read } = await openWorld();
    const all = await clock.run(Promise.all([1, 2, 3].map(() => read(0, 200 * KIB))));
    const [first, ...others] = all;
    // As the edge does with what it has sent.
    if (first?.buffer instanceof ArrayBuffer) first.buffer.transfer(0);
    expect(first).toHaveLength(0);
    for (const bytes of others) expect(bytes.equals(WHOLE.subarray(0, 200 * KIB))).toBe(true);
    expect(new Set(all.map(({ buffer }) => buffer)).size).toBe(3);
  });

  test("serves neighbours that come within two milliseconds, up to a mebibyte", async () => {
    const { clock, gets, read } = await openWorld();
    const places = [600, 500, 640, 0, 1500, 1100, 1563].map((at) => at * KIB);
    const reads = places.map((start) => read(start, start + KIB));
    const all = await clock.run(Promise.all(reads));
    for (const [at, bytes] of all.entries()) {
      const start = places[at] ?? 0;
      expect(bytes.equals(WHOLE.subarray(start, start + KIB)), String(start)).toBe(true);
      expect(bytes.buffer.byteLength).toBeLessThanOrEqual(2 * KIB);
    }
    const [one, two, three, ...more] = gets.map((range) =>
      range.split("-").map((byte) => Number(byte) / KIB),
    );
    expect([one, two, three]).toEqual([
      [600, 641],
      [500, 501],
      [0, 1],
    ]);
    expect(more).toEqual([
      [1500, 1564],
      [1100, 1101],
    ]);
  });

  test("is never larger than a mebibyte for the sake of others", async () => {
    const { clock, gets, read } = await openWorld();
    const reads = Array.from({ length: 40 }, (_, at) => read(at * 60 * KIB, at * 60 * KIB + 30 * KIB));
    await clock.run(Promise.all(reads));
    for (const range of gets) {
      const [start = 0, end = 0] = range.split("-").map(Number);
      expect(end - start).toBeLessThanOrEqual(1024 * KIB);
    }
    expect(gets).toHaveLength(3);
  });

  test("grows while it waits for its turn, and not once it is on its way", async () => {
    const { clock, gets, read } = await openWorld({ getsMax: 1 });
    const first = read(0, 100);
    await clock.advance(5);
    const second = read(5000, 5100);
    await clock.advance(10);
    const third = read(5200, 5300);
    await clock.run(Promise.all([first, second, third]));
    expect(gets).toEqual(["0-100", "5000-5300"]);
  });

  test("for the only reader that there is waits for nobody", async () => {
    const { clock, read } = await openWorld();
    const startMs = clock.monotonicMs();
    await clock.run(read(0, 100));
    expect(clock.monotonicMs() - startMs).toBe(20);
    const both = [read(0, 100), read(500_000, 500_100)];
    await clock.run(Promise.all(both));
    expect(clock.monotonicMs() - startMs).toBe(42);
  });

  test("of a large record goes at once and alone", async () => {
    const { clock, gets, read } = await openWorld();
    const large = read(0, 1050 * KIB);
    const small = read(1051 * KIB, 1052 * KIB);
    expect(await clock.run(large)).toHaveLength(1050 * KIB);
    await clock.run(small);
    expect(gets).toEqual([`0-${1050 * KIB}`, `${1051 * KIB}-${1052 * KIB}`]);
  });
});

describe("bounds", () => {
  test("no more GETs at a time than said", async () => {
    const { clock, read, flight } = await openWorld({ getsMax: 3 });
    const reads = Array.from({ length: 20 }, (_, at) => read(at * 200 * KIB, at * 200 * KIB + 1));
    await clock.run(Promise.all(reads));
    expect(flight.most).toBe(3);
  });

  test("no more than 1024 readers wait; the next one is told at once, and there is room again", async () => {
    const { clock, read } = await openWorld({ getsMax: 1 });
    const reads = Array.from({ length: 1024 }, (_, at) => read(at * 100, at * 100 + 50));
    await expect(read(0, 10)).rejects.toThrow(BusyError);
    await clock.run(Promise.all(reads));
    expect(await clock.run(read(0, 10))).toHaveLength(10);
  });
});

describe("failures", () => {
  test("an object that is missing is told to all who wait for it", async () => {
    const { clock, store, read, gets } = await openWorld();
    store.objects.clear();
    const outcomes = await clock.run(Promise.allSettled([read(0, 10), read(20, 30), read(0, 10)]));
    for (const outcome of outcomes) {
      expect(outcome.status === "rejected" && outcome.reason).toBeInstanceOf(ColdMissingError);
    }
    expect(gets).toHaveLength(1);
  });

  test("an object that ends too early fails only those who want what is not there", async () => {
    const { clock, store, read, gets } = await openWorld();
    await store.put(KEY, WHOLE.subarray(0, 25), { kind: "segment" });
    const [one, two, three] = await clock.run(Promise.allSettled([read(0, 10), read(20, 30), read(5, 15)]));
    expect(one).toMatchObject({ status: "fulfilled" });
    expect(two.status === "rejected" && two.reason).toBeInstanceOf(ColdDamagedError);
    expect(three).toMatchObject({ status: "fulfilled" });
    expect(gets).toEqual(["0-30", "0-10", "20-30", "5-15"]);
  });

  test("where nothing is answered each reader hears after twenty seconds to come again", async () => {
    const { clock, read, gets, flight } = await openWorld({ getsMax: 1, getMs: 60_000 });
    const first = Promise.allSettled([read(0, 10), read(1000 * KIB, 1001 * KIB)]);
    await clock.run(clock.sleep(5000));
    const later = read(0, 10).catch((error: unknown) => error);
    const failures = (await clock.run(first)).map((each) => each.status === "rejected" && each.reason);
    for (const failure of [...failures, await clock.run(later)]) {
      expect(failure).toBeInstanceOf(ColdUnavailableError);
      expect(failure).toMatchObject({ retryAfterMs: 5000 });
      expect((failure as Error).message).toContain(`${KEY}: no answer within 20 seconds`);
    }
    expect(clock.monotonicMs()).toBe(25_000);
    // What was begun goes on, and no faster for those who come again.
    expect([gets, flight]).toEqual([["0-10"], { now: 1, most: 1 }]);
    await clock.run(clock.sleep(100_000));
    expect(gets).toEqual(["0-10", `${1000 * KIB}-${1001 * KIB}`]);
  });

  test("the next reader after a failure asks anew", async () => {
    const { clock, store, read } = await openWorld();
    const objects = new Map(store.objects);
    store.objects.clear();
    await expect(clock.run(read(0, 10))).rejects.toThrow(ColdMissingError);
    for (const [key, object] of objects) store.objects.set(key, object);
    expect(await clock.run(read(0, 10))).toHaveLength(10);
  });
});
