/** Invariants and branded numbers: a wrong value stops where it is made, as an error of its own class. */
import { describe, expect, test } from "vitest";
import { InvariantError, assert, unreachable } from "../../src/base/assert.ts";
import { logIndex, segmentId, term } from "../../src/base/units.ts";

test("a broken invariant is an InvariantError with its message and a stable code", () => {
  expect(() => assert(false, "two leaders")).toThrow(new InvariantError("two leaders"));
  expect(new InvariantError("x")).toMatchObject({ code: "INVARIANT_BROKEN", name: "InvariantError" });
  expect(() => assert(true, "fine")).not.toThrow();
});

test("a case that cannot be names the value it met", () => {
  expect(() => unreachable({ kind: "new" } as never)).toThrow('unreachable: {"kind":"new"}');
});

describe.each([
  ["log index", logIndex, 0],
  ["term", term, 0],
  ["segment id", segmentId, 1],
] as const)("a %s", (_, make, least) => {
  test("keeps its number", () => {
    for (const value of [least, 7, Number.MAX_SAFE_INTEGER]) expect(make(value)).toBe(value);
  });

  test.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, least - 1])("is never %d", (value) => {
    expect(() => make(value)).toThrow(InvariantError);
  });
});
