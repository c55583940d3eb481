/** Promises of the queue: order, one entry's worth at a time, bounds in number and bytes. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BusyError } from "../../src/base/errors.ts";
import { ProposalQueue } from "../../src/replica/proposal-queue.ts";
import type { Proposal } from "../../src/replica/proposal-queue.ts";
import { chunkOf } from "../state/chunk-of.ts";

type Kind = "single" | "group" | "chunk" | "naming" | "seal";

function proposal(kind: Kind, bytes: number, rejected: unknown[] = []): Proposal {
  const chunk = chunkOf("x", 0, Buffer.from("x"));
  return {
    commands: [],
    chunk: kind === "chunk" ? chunk : undefined,
    bytes,
    group: kind === "group",
    followsBodies: kind === "naming",
    seals: kind === "seal",
    resolve: () => undefined,
    reject: (error) => rejected.push(error),
  };
}

const endless = { countMax: 1e9, bytesMax: 1e9 };

describe("an entry", () => {
  test("takes what stands in front of a lane, in order, and never more than its bounds", () => {
    const kind: fc.Arbitrary<Kind> = fc.oneof(
      { weight: 6, arbitrary: fc.constant("single") },
      { weight: 1, arbitrary: fc.constantFrom("group", "chunk", "naming", "seal") },
    );
    const items = fc.array(fc.record({ kind, bytes: fc.nat(300) }), { maxLength: 60 });
    fc.assert(
      fc.property(items, fc.integer({ min: 1, max: 8 }), fc.nat(1000), (wanted, countMax, bytesMax) => {
        const queue = new ProposalQueue(endless);
        const all = wanted.map(({ kind: of, bytes }) => proposal(of, bytes));
        for (const each of all) queue.push(each);
        const taken: Proposal[] = [];
        while (queue.length > 0) {
          const entry = queue.takeEntry(countMax, bytesMax);
          expect(entry.length).toBeGreaterThan(0);
          const alone = entry.some(({ group, chunk, seals }) => group || seals || chunk !== undefined);
          const bytes = entry.reduce((sum, each) => sum + each.bytes, 0);
          if (entry.length > 1) {
            expect(alone).toBe(false);
            expect(entry.length).toBeLessThanOrEqual(countMax);
            expect(bytes).toBeLessThanOrEqual(bytesMax);
          }
          taken.push(...entry);
        }
        const ofLane = (from: readonly Proposal[], bodies: boolean): readonly Proposal[] =>
          from.filter(({ chunk, followsBodies }) => (chunk !== undefined || followsBodies) === bodies);
        expect(ofLane(taken, true)).toEqual(ofLane(all, true));
        expect(ofLane(taken, false)).toEqual(ofLane(all, false));
      }),
    );
  });

  test("comes from each lane in turn while something waits in both", () => {
    const queue = new ProposalQueue(endless);
    const kinds: readonly Kind[] = ["chunk", "chunk", "naming", "single", "single", "group", "single"];
    const all = kinds.map((kind) => proposal(kind, 1));
    for (const each of all) queue.push(each);
    const taken: (readonly number[])[] = [];
    while (queue.length > 0) taken.push(queue.takeEntry(10, 1000).map((each) => all.indexOf(each)));
    expect(taken).toEqual([[3, 4], [0], [5], [1], [6], [2]]);
  });

  test("leaves chunks where they are that are too large now, and takes what names a body", () => {
    const queue = new ProposalQueue(endless);
    for (const kind of ["chunk", "single", "naming", "chunk"] as const) queue.push(proposal(kind, 9));
    const small = { chunkBytesMax: 8 };
    const kindsOf = (entry: readonly Proposal[]): readonly string[] =>
      entry.map(({ chunk, followsBodies }) =>
        chunk !== undefined ? "chunk" : followsBodies ? "naming" : "single",
      );
    expect(kindsOf(queue.takeEntry(10, 1000, small))).toEqual(["single"]);
    expect(queue.takeEntry(10, 1000, small)).toEqual([]);
    expect(queue.length).toBe(3);
    expect(kindsOf(queue.takeEntry(10, 1000, { chunkBytesMax: 9 }))).toEqual(["chunk"]);
    expect(kindsOf(queue.takeEntry(10, 1000, small))).toEqual(["naming"]);
    queue.push(proposal("single", 1));
    expect(kindsOf(queue.takeEntry(10, 1000, small))).toEqual(["single"]);
    expect(kindsOf(queue.takeEntry(10, 1000))).toEqual(["chunk"]);
  });

  test("of an empty queue is empty", () => {
    expect(new ProposalQueue(endless).takeEntry(300, 1000)).toEqual([]);
  });
});

describe("bounds", () => {
  test("in number and in bytes are kept, and what was taken makes room", () => {
    const queue = new ProposalQueue({ countMax: 3, bytesMax: 100 });
    for (let at = 0; at < 3; at++) queue.push(proposal("single", 10));
    expect(() => queue.push(proposal("single", 1))).toThrow(BusyError);
    queue.takeEntry(1, 1000);
    queue.push(proposal("single", 80));
    queue.takeEntry(1, 1000);
    expect(() => queue.push(proposal("single", 11))).toThrow(BusyError);
    queue.push(proposal("single", 10));
  });

  test("let the first one in, however large: otherwise it could never be", () => {
    const queue = new ProposalQueue({ countMax: 3, bytesMax: 100 });
    queue.push(proposal("single", 5000));
    expect(() => queue.push(proposal("single", 1))).toThrow(BusyError);
    expect(queue.takeEntry(10, 10)).toHaveLength(1);
  });

  test("are the same after thousands of proposals went through", () => {
    const queue = new ProposalQueue({ countMax: 10, bytesMax: 1000 });
    for (let round = 0; round < 5000; round++) {
      queue.push(proposal("single", 100));
      if (queue.length >= 7) queue.takeEntry(7, 10_000);
    }
    while (queue.length > 0) queue.takeEntry(7, 10_000);
    for (let at = 0; at < 10; at++) queue.push(proposal("single", 100));
    expect(() => queue.push(proposal("single", 0))).toThrow(BusyError);
  });
});

test("rejecting all empties the queue and tells everybody, those already taken excepted", () => {
  const queue = new ProposalQueue(endless);
  const rejected: unknown[] = [];
  for (let at = 0; at < 5; at++) queue.push(proposal("single", 1, rejected));
  queue.takeEntry(2, 1000);
  const error = new Error("full");
  queue.rejectAll(error);
  expect(rejected).toEqual([error, error, error]);
  expect(queue.length).toBe(0);
});
