/** A manifest comes back as it was, damage is noticed, and what makes no sense is neither made nor read. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvariantError } from "../../src/base/assert.ts";
import { finishAtOnce } from "../../src/base/steps.ts";
import { decodeManifest, encodeManifest } from "../../src/offload/manifest-format.ts";
import type { ManifestReading } from "../../src/offload/manifest-format.ts";
import type { Manifest, ManifestSegment } from "../../src/offload/manifest.ts";
import {
  at,
  bytesOf,
  chainOf,
  manifestOf,
  objectOf,
  segmentOf,
  segmentsUpTo,
  snapshotOf,
} from "./manifests.ts";

const read = (bytes: Buffer): ManifestReading => finishAtOnce(decodeManifest(bytes));

/** Other text, and a digest that fits it: what a bug or another release would write. */
function forged(manifest: Manifest, change: (text: string) => string): Buffer {
  const lines = bytesOf(manifest).toString("utf8").split("\n");
  const body = change(`${lines.slice(0, -2).join("\n")}\n`);
  const sha256 = createHash("sha256").update(body).digest("hex");
  return Buffer.from(`${body}],"sha256":"${sha256}"}\n`);
}

const packed = (id: number): Partial<ManifestSegment> => ({
  copy: { kind: "packed", ...objectOf(at("aa"), { kind: "packed", id, incarnation: "n1.1" }) },
});

const manifests: fc.Arbitrary<Manifest> = fc
  .record({
    index: fc.integer({ min: 1, max: 600 }),
    back: fc.nat(600),
    parts: fc.integer({ min: 1, max: 3 }),
    hasSnapshot: fc.boolean(),
    fates: fc.array(fc.constantFrom("verbatim", "packed", "gone", "pending"), {
      minLength: 60,
      maxLength: 60,
    }),
    hasParent: fc.boolean(),
    voters: fc.array(fc.string(), { maxLength: 3 }),
  })
  .map(({ index, back, parts, hasSnapshot, fates, hasParent, voters }) => {
    const snapshotIndex = Math.max(1, index - back);
    const fated = (segment: ManifestSegment): readonly ManifestSegment[] => {
      if (!hasSnapshot || segment.last > snapshotIndex || segment.last === index) return [segment];
      const fate = fates[segment.id % fates.length];
      if (fate === "gone") return [];
      if (fate === "packed") return [{ ...segment, ...packed(segment.id) }];
      return fate === "pending" ? [{ ...segment, copy: undefined }] : [segment];
    };
    return manifestOf(index, {
      snapshot: hasSnapshot ? snapshotOf(snapshotIndex, "aa", parts) : undefined,
      segments: segmentsUpTo(index).flatMap(fated),
      parent: hasParent ? { lineage: "ee", cutIndex: index } : undefined,
      membership: { voters, learners: [] },
    });
  });

describe("a manifest", () => {
  test("comes back as it was", () => {
    fc.assert(
      fc.property(manifests, (manifest) => {
        expect(read(bytesOf(manifest))).toEqual({ kind: "manifest", manifest });
      }),
    );
  });

  test("that is the end of what the bucket has says so, and comes back so", () => {
    const manifest = manifestOf(25, { isEnd: true });
    expect(read(bytesOf(manifest))).toEqual({ kind: "manifest", manifest });
    expect(bytesOf(manifestOf(25)).includes("isEnd")).toBe(false);
  });

  test("is one JSON document that other tools read too", () => {
    const manifest = manifestOf(25, { snapshot: snapshotOf(12) });
    expect(JSON.parse(bytesOf(manifest).toString("utf8"))).toMatchObject({
      thermocline: "manifest",
      version: 1,
      head: { index: 25, snapshot: { index: 12 } },
      segments: [{ id: 1 }, { id: 2 }, { id: 3, sealed: false, last: 25 }],
    });
  });

  test("of version 1 is spelled as it was, for ever", () => {
    const manifest = manifestOf(12, { snapshot: snapshotOf(11), parent: { lineage: "ee", cutIndex: 4 } });
    const lines = bytesOf(manifest).toString("utf8").split("\n");
    const hash = (text: string): string => createHash("sha256").update(text).digest("hex");
    expect(lines[0]?.slice(0, 63)).toBe('{"thermocline":"manifest","version":1,"head":{"cluster":"c0ffee');
    expect(lines[2]).toBe(
      '{"id":2,"first":11,"last":12,"sealed":false,' +
        '"chainBefore":"034e1363e4a855f3","chainAfter":"736ccc3b05932504"}',
    );
    const body = "123a34bb257a3f04c0b6981bf073f97d38b1859fa58fc9d4ef4c0fea62bc8b05";
    expect(hash(`${lines.slice(0, 3).join("\n")}\n`)).toBe(body);
    expect(lines[3]).toBe(`],"sha256":"${body}"}`);
  });

  test("with any flipped bit is damaged, and in its version number unknown", () => {
    const bytes = bytesOf(manifestOf(12));
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const copy = Buffer.from(bytes);
      copy[bit >>> 3] = (copy[bit >>> 3] as number) ^ (1 << (bit & 7));
      const reading = read(copy);
      const inVersion = bit >>> 3 === bytes.indexOf("1");
      expect(["damaged", ...(inVersion ? ["unknownVersion"] : [])], `bit ${bit}`).toContain(reading.kind);
    }
  });

  test("that is cut off or goes on is damaged", () => {
    const bytes = bytesOf(manifestOf(12));
    for (let length = 0; length < bytes.length; length++) {
      expect(read(bytes.subarray(0, length)).kind).toBe("damaged");
    }
    expect(read(Buffer.concat([bytes, Buffer.from("\n")])).kind).toBe("damaged");
  });

  test("of another version is refused by that version, whatever it holds", () => {
    const bytes = forged(manifestOf(12), (text) =>
      text.replace('"version":1,"head":{', '"version":17,"head":{"surprise":1,'),
    );
    expect(read(bytes)).toEqual({ kind: "unknownVersion", version: 17 });
  });

  test("lets no field through that nobody knows, in either direction", () => {
    const manifest = manifestOf(12, { snapshot: snapshotOf(12) });
    const more = forged(manifest, (text) =>
      text
        .replaceAll('{"', '{"secret":1,"__proto__":{"last":7},"')
        .replace(/^\{"secret".*?,"(?=thermo)/, '{"'),
    );
    expect(more.toString()).toContain('"head":{"secret"');
    expect(read(more)).toEqual({ kind: "manifest", manifest });
    const extra = {
      ...manifest,
      secret: 1,
      segments: manifest.segments.map((one) => ({ ...one, secret: 1 })),
    };
    expect(bytesOf(extra)).toEqual(bytesOf(manifest));
  });

  test("of twenty thousand segments is written and read in steps", () => {
    const count = 20_000;
    const segments = Array.from({ length: count }, (_, position) => segmentOf(position + 1));
    const manifest = manifestOf(count * 10, { segments });
    const writing = encodeManifest(manifest);
    let steps = 0;
    let written = writing.next();
    for (; written.done !== true; written = writing.next()) steps++;
    expect(steps).toBeGreaterThan(count / 256);
    const reading = decodeManifest(Buffer.concat(written.value));
    steps = 0;
    let done = reading.next();
    for (; done.done !== true; done = reading.next()) steps++;
    expect(steps).toBeGreaterThan(count / 256);
    expect(done.value.kind === "manifest" && done.value.manifest.segments.length).toBe(count);
  });
});

const lies: readonly (readonly [what: string, from: string | RegExp, to: string, reason: string])[] = [
  ["a missing field", '"index":25,', "", "head.index is no whole number"],
  ["a negative index", '"index":25,', '"index":-25,', "head.index is no whole number"],
  ["an index beyond all numbers", '"index":25,', '"index":1e17,', "head.index is no whole number"],
  ["a number as text", '"index":25,', '"index":"25",', "head.index is no whole number"],
  ["a list for an object", /"membership":\{[^}]*\}/, '"membership":[]', "head.membership is no object"],
  ["a text for a list", '"voters":["n1"]', '"voters":"n1"', "head.membership.voters is no list"],
  ["a number for a text", '"lineage":"aa"', '"lineage":7', "head.lineage is no text"],
  ["a flag that is none", '"sealed":true', '"sealed":1', "segment line 1.sealed is neither true nor false"],
  ["an unknown kind of copy", '"verbatim"', '"hot"', "segment line 1.copy.kind is none of verbatim, packed"],
  [
    "a short digest",
    /"sha256":"[0-9a-f]/,
    '"sha256":"',
    "snapshot.parts[0].sha256 is not 64 hexadecimal digits",
  ],
  ["no JSON", '"sealed":true', '"sealed":', "segment line 1 is not JSON"],
  ["another lineage's key", "c0ffee/aa/segments", "c0ffee/bb/segments", "is of another lineage"],
  ["another cluster's key", "c0ffee/aa/segments", "decade/aa/segments", "is no key of this cluster"],
  ["a key that is none", "c0ffee/aa/segments/0", "c0ffee/aa/segments//", "is no key of this cluster"],
  ["an index that its segments do not reach", '"index":25,', '"index":26,', "its segments end with 25"],
];

describe("a manifest whose digest fits is damaged all the same with", () => {
  test.each(lies)("%s", (_, from, to, reason) => {
    const reading = read(
      forged(manifestOf(25, { snapshot: snapshotOf(12) }), (text) => text.replace(from, to)),
    );
    expect(reading).toEqual({ kind: "damaged", reason: expect.stringContaining(reason) as string });
  });
});

const senseless: readonly (readonly [what: string, reason: string, changes: Partial<Manifest>])[] = [
  ["no name", "is no name", { incarnation: "n/1" }],
  ["term 0", "is not positive", { term: 0 }],
  ["no time", "it has no time", { dateMs: -1 }],
  ["itself for a parent", "its parent is no other lineage", { parent: { lineage: "aa", cutIndex: 1 } }],
  ["a parent that goes further", "covers 25, but began", { parent: { lineage: "bb", cutIndex: 26 } }],
  ["a snapshot from the future", "its snapshot is of 26, it covers 25", { snapshot: snapshotOf(26) }],
  ["a snapshot in no part", "its snapshot has no parts", { snapshot: { ...snapshotOf(20), parts: [] } }],
  [
    "a snapshot that lacks its first part",
    "is not part 1",
    { snapshot: { ...snapshotOf(20), parts: snapshotOf(20, "aa", 2).parts.slice(1) } },
  ],
  [
    "a snapshot of other parts",
    "is not part 1",
    { snapshot: { ...snapshotOf(20), parts: snapshotOf(19).parts } },
  ],
  ["no segments", "its segments end with 0, it covers 25", { segments: [] }],
  ["segments that end early", "its segments end with 20", { segments: segmentsUpTo(20) }],
  [
    "a hole in what has to be replayed",
    "entry 11 is in no segment",
    { segments: segmentsUpTo(25).filter(({ id }) => id !== 2) },
  ],
  [
    "a hole at the start and no snapshot",
    "entry 1 is in no segment",
    { segments: segmentsUpTo(25).filter(({ id }) => id !== 1) },
  ],
  [
    "a packed segment that has to be replayed",
    "segment 2 is packed",
    {
      snapshot: snapshotOf(15),
      segments: [segmentOf(1), segmentOf(2, packed(2)), ...segmentsUpTo(25).slice(2)],
    },
  ],
  ["a segment twice", "segment 1 stands behind segment 1", { segments: [segmentOf(1), ...segmentsUpTo(25)] }],
  [
    "a segment that overlaps its neighbour",
    "segment 2 stands behind segment 1",
    { segments: [segmentOf(1), segmentOf(2, { first: 10 }), ...segmentsUpTo(25).slice(2)] },
  ],
  [
    "a segment too few between neighbours",
    "segment 3 begins with 12, segment 2 ends with 10",
    {
      snapshot: snapshotOf(25),
      segments: [segmentOf(2, { first: 1, last: 10 }), segmentOf(3, { first: 12, last: 25 })],
    },
  ],
  [
    "neighbours of two histories",
    "segment 2 continues another history than segment 1",
    { segments: [segmentOf(1, { chainAfter: chainOf("fork", 10) }), ...segmentsUpTo(25).slice(1)] },
  ],
  [
    "an open segment before another one",
    "segment 1 is open, segment 2 follows it",
    { segments: [segmentOf(1, { sealed: false, copy: undefined }), ...segmentsUpTo(25).slice(1)] },
  ],
  [
    "a copy of an open segment",
    "segment 3 is open and has a copy",
    { segments: [...segmentsUpTo(20), segmentOf(3, { last: 25, sealed: false })] },
  ],
  [
    "the copy of another segment",
    "is no verbatim copy of segment 1",
    { segments: [segmentOf(1, { copy: segmentOf(2).copy }), ...segmentsUpTo(25).slice(1)] },
  ],
  [
    "a verbatim copy that is said to be packed",
    "is no packed copy of segment 1",
    {
      snapshot: snapshotOf(20),
      segments: [
        segmentOf(1, {
          copy: { kind: "packed", ...objectOf(at("aa"), { kind: "segment", first: 1, last: 10 }) },
        }),
        ...segmentsUpTo(25).slice(1),
      ],
    },
  ],
  [
    "an empty object",
    "of 0 bytes",
    { snapshot: { ...snapshotOf(20), parts: snapshotOf(20).parts.map((part) => ({ ...part, bytes: 0 })) } },
  ],
  [
    "another lineage's object and no parent",
    "is of another lineage",
    { segments: [segmentOf(1, {}, "bb"), ...segmentsUpTo(25).slice(1)] },
  ],
];

describe("no manifest is made with", () => {
  test.each(senseless)("%s", (_, reason, changes) => {
    const making = () => bytesOf(manifestOf(25, changes));
    expect(making).toThrow(InvariantError);
    expect(making).toThrow(reason);
  });

  test("a parent's objects unless there is a parent, and then it is", () => {
    const segments = [segmentOf(1, {}, "bb"), ...segmentsUpTo(25).slice(1)];
    const manifest = manifestOf(25, { parent: { lineage: "bb", cutIndex: 10 }, segments });
    expect(read(bytesOf(manifest))).toEqual({ kind: "manifest", manifest });
  });
});
