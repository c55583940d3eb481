/** Sorted rows against an obvious model: a plain object that is sorted whenever somebody looks. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { SortedRows } from "../../src/adapters/sorted-rows.ts";
import type { SortedSnapshot } from "../../src/adapters/sorted-rows.ts";

type Listed = readonly (readonly [key: string, value: number])[];

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
const valueOf = (value: number): Uint8Array => Uint8Array.of(value);

function listed(rows: SortedSnapshot, from = ""): Listed {
  const found: (readonly [string, number])[] = [];
  let place = rows.placeOf(from);
  for (let row = rows.at(place); row !== undefined; row = rows.at(place)) {
    found.push([row[0], row[1][0] as number]);
    place = rows.next(place);
  }
  return found;
}

function listedBackwards(rows: SortedSnapshot): Listed {
  const found: (readonly [string, number])[] = [];
  let place = rows.previous(rows.placeOf("\u{10ffff}".repeat(10)));
  for (let row = rows.at(place); row !== undefined; row = rows.at(place)) {
    found.push([row[0], row[1][0] as number]);
    place = rows.previous(place);
  }
  return found.toReversed();
}

class Model {
  readonly rows = new Map<string, number>();

  get sorted(): Listed {
    return [...this.rows].toSorted(([a], [b]) => byBytes(a, b));
  }
}

test("whatever is put and deleted in whatever order, each snapshot stays what it was", () => {
  const unit = fc.constantFrom("a", "b", "/", "é", "\uffff", "😀");
  const step = fc.record({
    kind: fc.constantFrom("put", "put", "put", "delete", "snapshot"),
    key: fc.string({ unit, minLength: 1, maxLength: 5 }),
    value: fc.nat(255),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 50, maxLength: 1500, size: "max" }), (steps) => {
      const rows = new SortedRows();
      const model = new Model();
      const snapshots: { readonly taken: SortedSnapshot; readonly expected: Listed }[] = [];
      for (const { kind, key, value } of steps) {
        if (kind === "snapshot") snapshots.push({ taken: rows.snapshot(), expected: model.sorted });
        else if (kind === "delete") {
          expect(rows.delete(key)?.[0]).toBe(model.rows.get(key));
          model.rows.delete(key);
        } else {
          expect(rows.put(key, valueOf(value))?.[0]).toBe(model.rows.get(key));
          model.rows.set(key, value);
        }
        expect(rows.get(key)?.[0]).toBe(model.rows.get(key));
      }
      expect(listed(rows.snapshot())).toEqual(model.sorted);
      expect(listedBackwards(rows.snapshot())).toEqual(model.sorted);
      for (const { taken, expected } of snapshots) expect(listed(taken)).toEqual(expected);
    }),
    { numRuns: 20 },
  );
});

test.each(["ascending", "descending", "mixed"])("thousands of %s keys, and none left", (order) => {
  const keys = Array.from({ length: 20_000 }, (_, at) => String(at).padStart(6, "0"));
  const sorted = [...keys];
  if (order === "descending") keys.reverse();
  if (order === "mixed") keys.sort((a, b) => byBytes(a.split("").toReversed().join(""), b));
  const rows = new SortedRows();
  for (const key of keys) rows.put(key, valueOf(1));
  expect(listed(rows.snapshot()).map(([key]) => key)).toEqual(sorted);
  expect(listed(rows.snapshot(), "019990")).toHaveLength(10);
  expect(listed(rows.snapshot(), "0199905")).toHaveLength(9);
  for (const key of keys) rows.delete(key);
  expect(listed(rows.snapshot())).toEqual([]);
  expect(rows.get("000001")).toBeUndefined();
});

test("a snapshot costs what is changed after it, not what is there", () => {
  const rows = new SortedRows();
  for (let at = 0; at < 200_000; at++) rows.put(String(at).padStart(6, "0"), valueOf(1));
  const startMs = performance.now();
  // Copying 200,000 keys and values takes a millisecond and more each time.
  for (let round = 0; round < 5000; round++) {
    rows.snapshot();
    rows.put(String(round * 37).padStart(6, "0"), valueOf(2));
  }
  const sharedMs = performance.now() - startMs;
  const all = listed(rows.snapshot());
  const copyStartMs = performance.now();
  let copied = 0;
  for (let round = 0; round < 10; round++) copied += new Map(all).size;
  expect(copied).toBe(2_000_000);
  const copyMs = (performance.now() - copyStartMs) * 500;
  expect(sharedMs).toBeLessThan(copyMs / 10);
});
