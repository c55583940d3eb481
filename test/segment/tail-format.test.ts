/** Promises of a tail: it comes back record by record, each changed byte is noticed, forks are told apart. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvariantError } from "../../src/base/assert.ts";
import { crc32c } from "../../src/base/crc.ts";
import { DamageError } from "../../src/base/errors.ts";
import { finishAtOnce } from "../../src/base/steps.ts";
import { CHAIN_START } from "../../src/segment/record.ts";
import {
  TAIL_HEAD_BYTES,
  chainBefore,
  decodeTail,
  encodeTail,
  firstDisagreement,
  recordOf,
} from "../../src/segment/tail-format.ts";
import type { Tail, TailOwner } from "../../src/segment/tail-format.ts";
import { makeChain, makeRecord, patternBytes } from "./records.ts";
import type { MadeRecord } from "./records.ts";

const owner: TailOwner = { lineage: "feed01", segmentId: 3, segmentFirstIndex: 100, commitIndex: 1000 };
const payloads = (count: number, seed = 1): readonly Buffer[] =>
  Array.from({ length: count }, (_, at) => patternBytes(at * 7, seed + at));
const start = { index: 100, chain: { low: 5, high: 6 } };

function encoded(records: readonly MadeRecord[], changes: Partial<TailOwner> = {}): Buffer {
  const pieces = records.map(({ bytes }) => bytes);
  return Buffer.concat(finishAtOnce(encodeTail({ ...owner, ...changes }, pieces)).body);
}

function decoded(bytes: Buffer): Tail {
  const reading = decodeTail(bytes);
  expect(reading).toMatchObject({ kind: "tail" });
  return (reading as { readonly tail: Tail }).tail;
}

/** With a head that says something else and a checksum that fits it again: what a bug would write. */
function forged(bytes: Buffer, change: (head: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  change(copy);
  copy.writeUInt32LE(crc32c(copy.subarray(0, TAIL_HEAD_BYTES - 4)), TAIL_HEAD_BYTES - 4);
  return copy;
}

describe("a tail", () => {
  test("comes back, however its records were handed over", () => {
    const sizes = fc.array(fc.oneof(fc.nat(300), fc.nat(200_000)), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 2 ** 40 }), fc.nat(12), (lengths, index, cut) => {
        const chain = { low: index % 1000, high: 0xffffffff };
        const bodies = lengths.map((length, at) => patternBytes(length, at + 1));
        const records = makeChain(bodies, { index, chain });
        const all = records.map(({ bytes }) => bytes);
        const pieces = [Buffer.concat(all.slice(0, cut)), Buffer.concat(all.slice(cut))];
        const last = index + records.length - 1;
        const { facts, body } = finishAtOnce(
          encodeTail({ ...owner, segmentFirstIndex: index, commitIndex: last }, pieces),
        );
        const tail = decoded(Buffer.concat(body));
        expect(tail).toMatchObject(facts);
        expect(facts).toEqual({
          lineage: "feed01",
          segmentId: 3,
          segmentFirstIndex: index,
          first: index,
          last,
          chainBefore: chain,
          chainAfter: records.at(-1)?.chain,
        });
        for (const [at, record] of records.entries()) {
          expect(recordOf(tail, index + at).equals(record.bytes)).toBe(true);
          expect(chainBefore(tail, index + at + 1)).toEqual(record.chain);
        }
        expect(chainBefore(tail, index)).toEqual(chain);
      }),
      { numRuns: 60 },
    );
  });

  test("of version 1 has the bytes that it had, for ever", () => {
    const records = makeChain([Buffer.from("one"), Buffer.from("two")], start);
    const bytes = encoded(records);
    expect(bytes.toString("hex", 0, 80)).toBe(
      "544845524d54414c01000000e1304ba1030000000000000064000000000000006400000000000000" +
        "65000000000000000500000006000000c74b67489161e30756000000000000000666656564303100",
    );
    expect(bytes.subarray(80, 188).every((byte) => byte === 0)).toBe(true);
    expect(bytes.toString("hex", 188, 192)).toBe("b80d61d5");
    expect(bytes.subarray(192)).toEqual(Buffer.concat(records.map((record) => record.bytes)));
  });

  test("with changed records says so before it looks at any of them", () => {
    const bytes = encoded(makeChain(payloads(3), start));
    bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
    expect(decodeTail(bytes)).toEqual({ kind: "damaged", reason: "its records do not match their checksum" });
  });

  test("with any flipped bit is damaged, or of a version that nobody wrote", () => {
    const bytes = encoded(makeChain(payloads(3), start));
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const copy = Buffer.from(bytes);
      copy[bit >>> 3] = (copy[bit >>> 3] as number) ^ (1 << (bit & 7));
      expect(decodeTail(copy).kind, `bit ${bit}`).toBe("damaged");
    }
  });

  test("that is short or long is damaged", () => {
    const bytes = encoded(makeChain(payloads(3), start));
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeTail(bytes.subarray(0, length)).kind).toBe("damaged");
    }
    expect(decodeTail(Buffer.concat([bytes, Buffer.alloc(1)])).kind).toBe("damaged");
  });

  test("of a newer release is told apart from a damaged one", () => {
    const bytes = forged(encoded(makeChain(payloads(1), start)), (head) => head.writeUInt32LE(2, 8));
    expect(decodeTail(bytes)).toEqual({ kind: "unknownVersion", version: 2 });
  });

  const lies: readonly (readonly [what: string, change: (head: Buffer) => void, reason: string])[] = [
    ["a later start", (head) => head.writeUIntLE(101, 32, 6), "entry 100 stands where 101 is due"],
    ["another end", (head) => head.writeUIntLE(103, 40, 6), "it ends with entry 102 and says 103"],
    ["another past", (head) => head.writeUInt32LE(9, 48), "entry 100 continues another history"],
    ["another chain behind it", (head) => head.writeUInt32LE(9, 56), "its end is not the end of its records"],
    ["a younger segment", (head) => head.writeUIntLE(101, 24, 6), "entry 100 is older than its segment"],
  ];
  test.each(lies)("whose head promises %s than its records hold is damaged", (_, change, reason) => {
    const bytes = forged(encoded(makeChain(payloads(3), start)), change);
    expect(decodeTail(bytes)).toEqual({ kind: "damaged", reason });
  });

  test("whose records do not continue each other is damaged, though every checksum fits", () => {
    const records = makeChain(payloads(2), start);
    const other = makeRecord(patternBytes(7, 2), { index: 101, chain: { low: 1, high: 1 } });
    const whole = encoded(records);
    const body = Buffer.concat([(records[0] as MadeRecord).bytes, other.bytes]);
    const bytes = forged(Buffer.concat([whole.subarray(0, TAIL_HEAD_BYTES), body]), (head) =>
      head.writeUInt32LE(crc32c(body), 12),
    );
    expect(decodeTail(bytes)).toEqual({ kind: "damaged", reason: "entry 101 continues another history" });
  });

  test("whose payload was changed together with the outer checksum is damaged", () => {
    const bytes = forged(encoded(makeChain(payloads(3), start)), (copy) => {
      copy[copy.length - 1] = (copy.at(-1) as number) ^ 1;
      copy.writeUInt32LE(crc32c(copy.subarray(TAIL_HEAD_BYTES)), 12);
    });
    expect(decodeTail(bytes)).toEqual({
      kind: "damaged",
      reason: "the payload of entry 102 does not match its checksum",
    });
  });
});

describe("no tail is made", () => {
  const records = makeChain(payloads(3), start).map(({ bytes }) => bytes);
  const [first, second, third] = records as [Buffer, Buffer, Buffer];
  const fork = makeRecord(patternBytes(3), { index: 101, chain: CHAIN_START }).bytes;
  const refused: readonly (readonly [
    what: string,
    pieces: readonly Buffer[],
    changes: Partial<TailOwner>,
  ])[] = [
    ["of entries that are not committed", records, { commitIndex: 101 }],
    ["of nothing", [], {}],
    ["with a hole", [first, third], {}],
    ["out of order", [second, first], {}],
    ["of two histories", [first, fork], {}],
    ["of entries before its segment", records, { segmentFirstIndex: 101 }],
    ["of a lineage without a name", records, { lineage: "" }],
    ["of a lineage with too long a name", records, { lineage: "x".repeat(65) }],
  ];
  test.each(refused)("%s", (_, pieces, changes) => {
    expect(() => finishAtOnce(encodeTail({ ...owner, ...changes }, pieces))).toThrow(InvariantError);
  });

  const damaged: readonly (readonly [what: string, piece: Buffer])[] = [
    ["half a record", second.subarray(0, 44)],
    ["half a header", second.subarray(0, 39)],
    ["a record with a changed payload", Buffer.concat([second.subarray(0, -1), Buffer.from([0xff])])],
    ["something else", patternBytes(100)],
  ];
  test.each(damaged)("of %s: what is damaged here stays here", (_, piece) => {
    expect(() => finishAtOnce(encodeTail(owner, [first, piece]))).toThrow(DamageError);
  });

  test("a large one is made in steps, however small its records are", () => {
    const small = makeChain(
      payloads(1).concat(Array.from({ length: 3000 }, () => patternBytes(40, 1))),
      start,
    );
    const large = makeChain([patternBytes(6 * 1024 * 1024, 1)], start);
    for (const [made, steps] of [
      [small, 7],
      [large, 4],
    ] as const) {
      const piece = Buffer.concat(made.map(({ bytes }) => bytes));
      const making = encodeTail({ ...owner, commitIndex: 10_000 }, [piece]);
      let taken = 0;
      while (making.next().done !== true) taken++;
      expect(taken).toBeGreaterThanOrEqual(steps);
    }
  });

  test("but one up to the last committed entry is", () => {
    expect(finishAtOnce(encodeTail({ ...owner, commitIndex: 102 }, records)).facts.last).toBe(102);
  });
});

describe("tails that overlap", () => {
  const records = makeChain(payloads(8), start);

  test("agree wherever they were cut out of one history", () => {
    const cut = fc.tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 0, max: 7 }));
    fc.assert(
      fc.property(cut, cut, (one, other) => {
        const [a, b] = [one, other].map(([from, to]) =>
          decoded(encoded(records.slice(Math.min(from, to), Math.max(from, to) + 1))),
        ) as [Tail, Tail];
        expect(firstDisagreement(a, b)).toBeUndefined();
      }),
    );
  });

  test("of two histories disagree from the first entry on that differs", () => {
    const at = 4;
    const fork = makeChain(
      payloads(4, 99).map((payload) => Buffer.concat([payload, Buffer.from("x")])),
      { index: 100 + at, chain: (records[at - 1] as MadeRecord).chain },
    );
    const forked = decoded(encoded([...records.slice(0, at), ...fork]));
    const straight = decoded(encoded(records));
    expect(firstDisagreement(straight, forked)).toBe(104);
    expect(firstDisagreement(forked, straight)).toBe(104);
    expect(firstDisagreement(decoded(encoded(records.slice(0, at))), forked)).toBeUndefined();
    expect(firstDisagreement(decoded(encoded(records.slice(6))), forked)).toBe(106);
  });

  test("of equal length and equal payload disagree if their past does", () => {
    const other = makeChain(payloads(8), { index: 100, chain: CHAIN_START });
    expect(firstDisagreement(decoded(encoded(records)), decoded(encoded(other)))).toBe(100);
  });
});
