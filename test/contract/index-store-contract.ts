/**
 * What every index store promises, as a suite over a factory: order by UTF-8 bytes, atomic batches,
 * iterators over the moment they were opened.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { IndexIterator, IndexStore } from "../../src/ports/index-store.ts";

export type IndexWorld = AsyncDisposable & {
  readonly store: IndexStore;
  /** Closes the store and opens it again. */
  readonly reopen: () => Promise<IndexStore>;
};
type Factory = () => Promise<IndexWorld>;
type Rows = Readonly<Record<string, string | null>>;

async function write(store: IndexStore, rows: Rows): Promise<void> {
  const batch = store.batch();
  for (const [key, value] of Object.entries(rows)) {
    if (value === null) batch.delete(key);
    else batch.put(key, Buffer.from(value));
  }
  await batch.write();
}

const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : Buffer.from(value).toString();

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Everything that is left, a page at a time; closes. */
async function drain<Value>(
  iterator: IndexIterator<Value>,
  page = 100,
): Promise<readonly (readonly [string, Value])[]> {
  const rows: (readonly [string, Value])[] = [];
  for (;;) {
    const next = await iterator.next(page);
    if (next.length === 0) break;
    expect(next.length).toBeLessThanOrEqual(page);
    rows.push(...next);
  }
  await iterator.close();
  return rows;
}

async function keysIn(
  store: IndexStore,
  from: string,
  to: string,
  reverse = false,
): Promise<readonly string[]> {
  return (await drain(store.iterate({ from, to, reverse }))).map(([key]) => key);
}

function rowsAndBatches(open: Factory): void {
  test("rows are found by their keys, one or many at a time, absent ones in their places", async () => {
    await using world = await open();
    const { store } = world;
    await write(store, { a: "1", b: "", "ü/😀": "3" });
    expect(["a", "b", "ü/😀", "c"].map((key) => text(store.getSync(key)))).toEqual(["1", "", "3", undefined]);
    const many = await store.getMany(["c", "ü/😀", "a", "d", "a"]);
    expect(many.map(text)).toEqual([undefined, "3", "1", undefined, "1"]);
    expect(await store.getMany([])).toEqual([]);
  });

  test("any bytes are a value", async () => {
    await using world = await open();
    const every = Buffer.from(Array.from({ length: 256 }, (_, at) => at));
    const batch = world.store.batch();
    batch.put("bytes", every);
    batch.put("large", Buffer.alloc(300_000, 0xc3));
    await batch.write();
    expect(Buffer.from(world.store.getSync("bytes") ?? []).equals(every)).toBe(true);
    expect(world.store.getSync("large")).toHaveLength(300_000);
  });

  test("within a batch the last word on a key counts", async () => {
    await using world = await open();
    const { store } = world;
    const batch = store.batch();
    batch.put("a", Buffer.from("1"));
    batch.put("a", Buffer.from("2"));
    batch.put("b", Buffer.from("1"));
    batch.delete("b");
    batch.delete("c");
    batch.put("c", Buffer.from("3"));
    await batch.write();
    expect((await store.getMany(["a", "b", "c"])).map(text)).toEqual(["2", undefined, "3"]);
  });

  test("nothing of a batch is seen before it is written, and nothing of a discarded one ever", async () => {
    await using world = await open();
    const { store } = world;
    const batch = store.batch();
    batch.put("a", Buffer.from("1"));
    expect(store.getSync("a")).toBeUndefined();
    await batch.discard();
    expect(store.getSync("a")).toBeUndefined();
    await write(store, { b: "1" });
    expect(await keysIn(store, "", "z")).toEqual(["b"]);
  });

  test("a batch takes the bytes when they are put: the caller may reuse its buffer", async () => {
    await using world = await open();
    const scratch = Buffer.from("one");
    const batch = world.store.batch();
    batch.put("a", scratch);
    scratch.write("two");
    batch.put("b", scratch);
    await batch.write();
    expect((await world.store.getMany(["a", "b"])).map(text)).toEqual(["one", "two"]);
  });

  test("what was written is there after closing and opening again", async () => {
    await using world = await open();
    await write(world.store, { a: "1", b: "2" });
    await write(world.store, { a: null });
    const again = await world.reopen();
    expect(await keysIn(again, "", "z")).toEqual(["b"]);
  });
}

function iterators(open: Factory): void {
  test("keys come in the order of their UTF-8 bytes, both ways, within half-open ranges", async () => {
    await using world = await open();
    const { store } = world;
    const units = ["a", "b", "/", "\x01", "é", "\ud7ff", "\ue000", "\uffff", "😀"];
    const key = fc.string({ unit: fc.constantFrom(...units), minLength: 1, maxLength: 4 });
    const keys = [...new Set(fc.sample(key, { numRuns: 300, seed: 1 }))];
    await write(store, Object.fromEntries(keys.map((each) => [each, each])));
    const sorted = keys.toSorted(byBytes);
    expect(await keysIn(store, "\x01", "\u{10ffff}")).toEqual(sorted);
    for (const [from, to] of fc.sample(fc.tuple(key, key), { numRuns: 40, seed: 2 })) {
      const within = sorted.filter((each) => byBytes(each, from) >= 0 && byBytes(each, to) < 0);
      expect(await keysIn(store, from, to)).toEqual(within);
      expect(await keysIn(store, from, to, true)).toEqual(within.toReversed());
    }
  });

  test("pages are as long as asked for, and the end is an empty one, every time", async () => {
    await using world = await open();
    await write(world.store, Object.fromEntries(Array.from({ length: 25 }, (_, at) => [`k${at + 10}`, "v"])));
    const iterator = world.store.iterate({ from: "k", to: "l" });
    const lengths: number[] = [];
    for (let page = 0; page < 5; page++) lengths.push((await iterator.next(10)).length);
    await iterator.close();
    expect(lengths).toEqual([10, 10, 5, 0, 0]);
  });

  test("an iterator sees the moment it was opened, whatever is written later", async () => {
    await using world = await open();
    const { store } = world;
    await write(store, { a: "1", b: "1", c: "1" });
    const iterator = store.iterate({ from: "a", to: "z" });
    await write(store, { a: "2", b: null, d: "2" });
    const rows = (await drain(iterator, 2)).map(([key, value]) => [key, text(value)]);
    expect(rows).toEqual([
      ["a", "1"],
      ["b", "1"],
      ["c", "1"],
    ]);
    expect(await keysIn(store, "a", "z")).toEqual(["a", "c", "d"]);
  });

  test("text iterators give the same rows, with bytes that are no UTF-8 replaced", async () => {
    await using world = await open();
    const batch = world.store.batch();
    batch.put("a", Buffer.from("head ü"));
    batch.put("b", Buffer.from([0x31, 0xff, 0xfe, 0x00, 0x32]));
    await batch.write();
    const rows = await drain(world.store.iterateText({ from: "a", to: "z" }));
    expect(rows).toEqual([
      ["a", "head ü"],
      ["b", "1\ufffd\ufffd\u00002"],
    ]);
  });

  test("several are open at once and do not disturb each other", async () => {
    await using world = await open();
    await write(world.store, Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`k${at + 10}`, "v"])));
    const all = Array.from({ length: 8 }, () => world.store.iterate({ from: "k", to: "l" }));
    const lengths = await Promise.all(
      all.map(async (iterator, at) => (await drain(iterator, at + 1)).length),
    );
    expect(lengths).toEqual(all.map(() => 50));
  });
}

function snapshots(open: Factory): void {
  test("a snapshot stays as it was for every kind of read, beside what is written later", async () => {
    await using world = await open();
    const { store } = world;
    await write(store, { a: "1", b: "1", c: "1" });
    const snapshot = store.snapshot();
    await write(store, { a: "2", b: null, d: "2" });
    expect((await snapshot.getMany(["d", "b", "a"])).map(text)).toEqual([undefined, "1", "1"]);
    const rows = await drain(snapshot.iterate({ from: "a", to: "z" }), 2);
    expect(rows.map(([key, value]) => [key, text(value)])).toEqual([
      ["a", "1"],
      ["b", "1"],
      ["c", "1"],
    ]);
    await snapshot.close();
    expect(text(store.getSync("a"))).toBe("2");
  });
}

function seeks(open: Factory): void {
  test("a seek goes to the nearest key in its direction and stays in the range", async () => {
    await using world = await open();
    await write(world.store, { a: "1", c: "3", e: "5", g: "7" });
    const seek = async (key: string, reverse: boolean): Promise<string | undefined> => {
      const iterator = world.store.iterate({ from: "b", to: "g", reverse });
      iterator.seek(key);
      const [first] = await iterator.next(1);
      await iterator.close();
      return first?.[0];
    };
    expect(await Promise.all(["c", "d", "e", "f"].map((key) => seek(key, false)))).toEqual([
      "c",
      "e",
      "e",
      undefined,
    ]);
    expect(await Promise.all(["b", "c", "d", "f"].map((key) => seek(key, true)))).toEqual([
      undefined,
      "c",
      "c",
      "e",
    ]);
  });

  test("a seek may go forward and back between pages", async () => {
    await using world = await open();
    await write(world.store, { a: "1", b: "2", c: "3", d: "4" });
    const iterator = world.store.iterate({ from: "a", to: "z" });
    const first = async (): Promise<string | undefined> => (await iterator.next(1))[0]?.[0];
    const seen = [await first()];
    iterator.seek("c");
    seen.push(await first(), await first());
    iterator.seek("b");
    seen.push(await first());
    await iterator.close();
    expect(seen).toEqual(["a", "c", "d", "b"]);
  });
}

export function indexStoreContract(name: string, open: Factory): void {
  describe(`${name}, as an index store`, () => {
    rowsAndBatches(open);
    iterators(open);
    snapshots(open);
    seeks(open);
  });
}
