/**
 * Promises of the ring of marks: a batch that went missing anywhere is noticed at open, a lost suffix is
 * none.
 */
import { describe, expect, test } from "vitest";
import type { IndexStore } from "../../src/ports/index-store.ts";
import { RING_SIZE, encodeMark, markKey, readRing } from "../../src/store/flush-ring.ts";
import type { FlushMark } from "../../src/store/flush-ring.ts";
import { sealRow } from "../../src/store/row-seal.ts";
import { SimDisk } from "../sim/sim-disk.ts";
import { SimIndexStore } from "../sim/sim-index-store.ts";

async function storeWith(all: readonly FlushMark[]): Promise<IndexStore> {
  const store = await SimIndexStore.open(new SimDisk(), "/index");
  const batch = store.batch();
  for (const mark of all) batch.put(markKey(mark.number), sealRow(markKey(mark.number), encodeMark(mark)));
  await batch.write();
  return store;
}

/** Flush n takes the state from 10 (n - 1) to 10 n. */
function marks(from: number, to: number): readonly FlushMark[] {
  return Array.from({ length: to - from + 1 }, (_, at) => {
    const number = from + at;
    return { number, before: (number - 1) * 10, after: number * 10 };
  });
}

async function stateOf(all: readonly FlushMark[]): Promise<Awaited<ReturnType<typeof readRing>>> {
  return await readRing(await storeWith(all));
}

describe("the ring", () => {
  test("of a new store is empty", async () => {
    expect(await stateOf([])).toEqual({ kind: "empty" });
  });

  test("without a mark is broken if there is any row", async () => {
    const store = await storeWith([]);
    const batch = store.batch();
    batch.put("bucket/b", sealRow("bucket/b", Buffer.from("row")));
    await batch.write();
    expect(await readRing(store)).toMatchObject({ kind: "broken" });
  });

  test.each([1, 2, 3, 5000])("of %d flushes is whole and tells the newest", async (count) => {
    const newest = { number: count, before: (count - 1) * 10, after: count * 10 };
    expect(await stateOf(marks(1, count))).toEqual({ kind: "whole", newest });
  });

  test("that lost its newest flushes is whole: a crash loses a suffix", async () => {
    expect(await stateOf(marks(1, 40))).toMatchObject({ kind: "whole", newest: { number: 40, after: 400 } });
  });

  test.each([1, 2, 5, 9])("of ten flushes without number %d is broken", async (lost) => {
    const left = marks(1, 10).filter(({ number }) => number !== lost);
    expect(await stateOf(left)).toMatchObject({ kind: "broken" });
  });

  test("whose flushes do not continue each other is broken", async () => {
    const all = marks(1, 10).map((mark) => (mark.number === 6 ? { ...mark, before: 49 } : mark));
    expect(await stateOf(all)).toMatchObject({ kind: "broken", reason: expect.stringContaining("flush 5") });
  });

  test("whose first flush did not begin at nothing is broken", async () => {
    expect(await stateOf([{ number: 1, before: 5, after: 10 }])).toMatchObject({ kind: "broken" });
  });

  test("with a mark in another one's place is broken", async () => {
    const store = await storeWith(marks(1, 3));
    const batch = store.batch();
    const mark = encodeMark({ number: 9, before: 20, after: 30 });
    batch.put(markKey(3), sealRow(markKey(3), mark));
    await batch.write();
    expect(await readRing(store)).toMatchObject({
      kind: "broken",
      reason: expect.stringContaining("mark 9"),
    });
  });

  test("that has gone round keeps the newest marks, and a gap in them is found", async () => {
    const last = RING_SIZE + 500;
    const store = await storeWith(marks(501, last));
    const change = async (key: string, mark: FlushMark | undefined): Promise<unknown> => {
      const batch = store.batch();
      if (mark === undefined) batch.delete(key);
      else batch.put(key, sealRow(key, encodeMark(mark)));
      await batch.write();
      return await readRing(store);
    };
    expect(await readRing(store)).toMatchObject({ kind: "whole", newest: { number: last } });
    // A lost flush shows the mark that stood in its place a round earlier: no harm at the ring's end ...
    const older = marks(500, 500)[0] as FlushMark;
    const lostNewest = await change(markKey(last), older);
    expect(lostNewest).toMatchObject({ kind: "whole", newest: { number: last - 1 } });
    // ... and a gap anywhere else, as is a mark that is not there at all.
    const stale = await change(markKey(RING_SIZE + 100), marks(100, 100)[0]);
    expect(stale).toMatchObject({ kind: "broken" });
    await change(markKey(RING_SIZE + 100), marks(RING_SIZE + 100, RING_SIZE + 100)[0]);
    expect(await change(markKey(90_000), undefined)).toMatchObject({ kind: "broken" });
  });
});

test("keys of marks have one width and go round", () => {
  expect(markKey(1)).toHaveLength(markKey(RING_SIZE - 1).length);
  expect(markKey(RING_SIZE + 7)).toBe(markKey(7));
});
