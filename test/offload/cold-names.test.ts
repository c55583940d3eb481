/** Keys come back as their names, sort as their numbers do, and nothing else is taken for one. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvariantError } from "../../src/base/assert.ts";
import { coldKey, coldKindIn, coldPrefix, isNamePart, parseColdKey } from "../../src/offload/cold-names.ts";
import type { ColdName } from "../../src/offload/cold-names.ts";
import { isColdKey, isColdPrefix } from "../../src/ports/cold-store.ts";

const place = { cluster: "c0ffee", lineage: "feed" };
const MAX = Number.MAX_SAFE_INTEGER;

const number = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: MAX }));
const range = fc.tuple(number, number).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) }));
const incarnation = fc.constantFrom("n1.1", "n1.z", "node-2.10", "a_b-c.0");
const attempt = fc.record({ index: number, term: number, incarnation });
const names: fc.Arbitrary<ColdName> = fc.oneof(
  range.map((entries) => ({ kind: "segment" as const, ...entries })),
  fc.record({ kind: fc.constant("packed" as const), id: number, incarnation }),
  fc.tuple(attempt, number).map(([made, part]) => ({ kind: "snapshot" as const, part, ...made })),
  fc.tuple(range, number).map(([entries, segment]) => ({ kind: "tail" as const, segment, ...entries })),
  attempt.map((made) => ({ kind: "manifest" as const, ...made })),
);

const written: readonly (readonly [name: ColdName, rest: string])[] = [
  [{ kind: "segment", first: 1, last: 61_000 }, "segments/0000000000000001-0000000000061000.seg"],
  [{ kind: "packed", id: 7, incarnation: "n-1.4" }, "packed/0000000000000007-n-1.4.seg"],
  [
    { kind: "snapshot", index: 12, term: 3, incarnation: "n1.4", part: 1 },
    "snapshots/0000000000000012-0000000000000003-n1.4/0000000000000001",
  ],
  [
    { kind: "tail", segment: 9, first: MAX - 1, last: MAX },
    "tail/0000000000000009/9007199254740990-9007199254740991",
  ],
  [
    { kind: "manifest", term: 3, index: 12, incarnation: "n1.4" },
    "manifest/0000000000000003-0000000000000012-n1.4.json",
  ],
];

describe("a key of the cold tier", () => {
  test.each(written)("of $kind is spelled as documented", (name, rest) => {
    expect(coldKey(place, name)).toBe(`c0ffee/feed/${rest}`);
    expect(parseColdKey(`c0ffee/feed/${rest}`)).toEqual({ place, name });
  });

  test("comes back as the name it was made of, and every store takes it", () => {
    fc.assert(
      fc.property(names, (name) => {
        const key = coldKey(place, name);
        expect(parseColdKey(key)).toEqual({ place, name });
        expect(isColdKey(key)).toBe(true);
        expect(key.startsWith(coldPrefix(place, name.kind))).toBe(true);
        expect(key.startsWith(coldPrefix(place))).toBe(true);
        expect(isColdPrefix(coldPrefix(place, name.kind))).toBe(true);
      }),
    );
  });

  test("sorts as its numbers do", () => {
    const compare = (one: readonly number[], other: readonly number[]): number =>
      one.map((value, at) => value - (other[at] as number)).find((difference) => difference !== 0) ?? 0;
    fc.assert(
      fc.property(attempt, attempt, (one, other) => {
        const key = ({ term, index }: { readonly term: number; readonly index: number }): string =>
          coldKey(place, { kind: "manifest", term, index, incarnation: "n" });
        const byKey = key(one) < key(other) ? -1 : Number(key(one) > key(other));
        expect(byKey).toBe(Math.sign(compare([one.term, one.index], [other.term, other.index])));
      }),
    );
    fc.assert(
      fc.property(range, range, (one, other) => {
        const [a, b] = [one, other].map((entries) => coldKey(place, { kind: "segment", ...entries }));
        const byKey = (a as string) < (b as string) ? -1 : Number(a !== b);
        expect(byKey).toBe(Math.sign(compare([one.first, one.last], [other.first, other.last])));
      }),
    );
  });
});

const foreign: readonly string[] = [
  "",
  "c0ffee",
  "c0ffee/feed",
  "c0ffee/feed/",
  "c0ffee/feed/segments",
  "c0ffee/feed/segments/",
  "c0ffee/feed/segments/1-2.seg",
  "c0ffee/feed/segments/0000000000000001-0000000000000002.seg.bak",
  "c0ffee/feed/segments/0000000000000001-0000000000000002",
  "c0ffee/feed/segments/0000000000000002-0000000000000001.seg",
  "c0ffee/feed/segments/0000000000000000-0000000000000001.seg",
  "c0ffee/feed/segments/0000000000000001-9007199254740992.seg",
  "c0ffee/feed/segments/00000000000000001-0000000000000002.seg",
  "c0ffee/feed/segment/0000000000000001-0000000000000002.seg",
  "x/c0ffee/feed/segments/0000000000000001-0000000000000002.seg",
  "c0ffee//segments/0000000000000001-0000000000000002.seg",
  "c0ffee/feed/packed/0000000000000001.seg",
  "c0ffee/feed/packed/0000000000000001-.seg",
  "c0ffee/feed/packed/0000000000000001-.n1.seg",
  "c0ffee/feed/packed/0000000000000001-n1/x.seg",
  "c0ffee/feed/tail/0000000000000001",
  "c0ffee/feed/tail/0000000000000000/0000000000000001-0000000000000002",
  "c0ffee/feed/manifest/0000000000000001-0000000000000002-n1",
  "c0ffee/feed/manifest/0000000000000001-n1.json",
  "c0ffee/feed/snapshots/0000000000000001-0000000000000002-n1/0000000000000000",
  "c0ffee/feed/snapshots/0000000000000001-0000000000000002-n1",
  "c0ffee/feed/manifest/0000000000000001-000000000000000２-n1.json",
  "c0ffee/feed/segments/0000000000000001-0000000000000002.seg\n",
];

describe("what was not made here is not taken for a name", () => {
  test.each(foreign)("%j", (key) => {
    expect(parseColdKey(key)).toBeUndefined();
  });

  test("nor is a key in which one character was changed, unless it is that of another name", () => {
    fc.assert(
      fc.property(
        names,
        fc.nat(),
        fc.constantFrom("0", "/", "-", ".", "a", "9", " "),
        (name, at, character) => {
          const key = coldKey(place, name);
          const where = at % key.length;
          const changed = key.slice(0, where) + character + key.slice(where + 1);
          const read = parseColdKey(changed);
          if (read !== undefined) expect(coldKey(read.place, read.name)).toBe(changed);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe("no key is made", () => {
  const bad: readonly ColdName[] = [
    { kind: "segment", first: 2, last: 1 },
    { kind: "segment", first: 0, last: 1 },
    { kind: "segment", first: 1.5, last: 2 },
    { kind: "segment", first: 1, last: MAX + 1 },
    { kind: "packed", id: 0, incarnation: "n1" },
    { kind: "packed", id: 1, incarnation: "n/1" },
    { kind: "packed", id: 1, incarnation: "" },
    { kind: "snapshot", index: 1, term: 1, incarnation: "n", part: 0 },
    { kind: "tail", segment: Number.NaN, first: 1, last: 1 },
    { kind: "manifest", term: -1, index: 1, incarnation: "n" },
  ];
  test.each(bad)("of $kind with a wrong part", (name) => {
    expect(() => coldKey(place, name)).toThrow(InvariantError);
  });

  test("for a cluster or lineage that no key can hold", () => {
    const name = { kind: "segment", first: 1, last: 1 } as const;
    for (const wrong of ["", "a/b", ".a", "é", "x".repeat(101)]) {
      expect(isNamePart(wrong)).toBe(false);
      expect(() => coldKey({ cluster: wrong, lineage: "b" }, name)).toThrow(InvariantError);
      expect(() => coldKey({ cluster: "a", lineage: wrong }, name)).toThrow(InvariantError);
      expect(() => coldPrefix({ cluster: wrong })).toThrow(InvariantError);
      expect(() => coldPrefix({ cluster: "a", lineage: wrong })).toThrow(InvariantError);
    }
  });

  test("that another cluster's listing would hold", () => {
    expect(coldPrefix({ cluster: "a" })).toBe("a/");
    expect(coldPrefix({ cluster: "a", lineage: "b" })).toBe("a/b/");
  });
});

test("the kind of a key is that of its name, of a prefix that of its folder, and others have none", () => {
  fc.assert(
    fc.property(names, (name) => {
      expect(coldKindIn(coldKey(place, name))).toBe(name.kind);
      expect(coldKindIn(coldPrefix(place, name.kind))).toBe(name.kind);
    }),
  );
  for (const other of [
    "",
    "c0ffee/",
    "c0ffee/feed/",
    "c0ffee/feed/tail",
    "c0ffee/feed/heirs/x",
    "a/b/x/tail/1",
  ])
    expect(coldKindIn(other)).toBeUndefined();
});
