/** Promises of the other rows: they come back, equal rows have equal bytes, another layout is refused. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError } from "../../src/base/bytes.ts";
import { packExtent, rows, unpackExtents } from "../../src/state/rows.ts";
import * as arbitrary from "./arbitraries.ts";

const { count, text } = arbitrary;
const numbers = fc.array(count, { maxLength: 40 });
const uploadChecksum = fc.option(
  fc.record({
    algorithm: fc.constantFrom("CRC32" as const, "SHA256" as const),
    type: fc.constantFrom("COMPOSITE" as const, "FULL_OBJECT" as const),
  }),
  { nil: undefined },
);
const completed = fc.record(
  {
    etag: text,
    size: count,
    checksum: fc.option(text, { nil: undefined }),
    refs: count,
    runs: arbitrary.runs,
    versionId: text,
  },
  { requiredKeys: ["etag", "size", "checksum", "refs", "runs"] },
);

/** Rows of fields that are always there and of later ones that may be absent. */
function withSome<Always extends object, Later extends object>(
  always: { readonly [Field in keyof Always]: fc.Arbitrary<Always[Field]> },
  later: { readonly [Field in keyof Later]: fc.Arbitrary<Later[Field]> },
): fc.Arbitrary<object> {
  const some = fc.record({ ...later }, { requiredKeys: [] });
  return fc.tuple(fc.record({ ...always }), some).map(([first, second]) => ({ ...first, ...second }));
}

/** One arbitrary per kind of row; a new kind without one does not compile. */
const arbitraries = {
  bucket: fc.record(
    {
      id: count,
      owner: text,
      createdMs: count,
      location: text,
      versioning: fc.constantFrom("Enabled" as const, "Suspended" as const),
    },
    { requiredKeys: ["id", "owner", "createdMs", "location"] },
  ),
  bucketCounters: fc.record(
    { objects: count, bytes: count, versions: count, versionBytes: count },
    { requiredKeys: ["objects", "bytes"] },
  ),
  setting: fc.record({ document: text }),
  account: fc.record({ displayName: text, accessKey: text, sealedSecret: arbitrary.bytes }),
  dataKey: fc.record({ salt: arbitrary.bytes, sealedKey: arbitrary.bytes }),
  stage: fc.record({ incarnation: text, lastTimeMs: count }),
  body: fc.record({ refs: count, size: count, extentCount: count, extents: numbers }),
  bodyExtents: fc.record({ extents: numbers }),
  upload: withSome(
    {
      bucketId: count,
      key: text,
      owner: text,
      initiatedMs: count,
      attributes: arbitrary.attributes,
      checksum: uploadChecksum,
      revision: count,
      partCount: count,
      lastTimeMs: count,
      completed: fc.option(completed, { nil: undefined }),
    },
    { tags: arbitrary.tags, nesting: fc.nat(8) },
  ),
  openUpload: withSome({ initiatedMs: count, owner: text, checksum: uploadChecksum }, { storageClass: text }),
  part: withSome(
    {
      size: count,
      etag: text,
      modifiedMs: count,
      checksum: fc.option(fc.record({ algorithm: fc.constantFrom("SHA1" as const), value: text }), {
        nil: undefined,
      }),
      body: arbitrary.bodyReference,
      birthIndex: count,
    },
    { start: count },
  ),
  append: fc.record({ refs: count, nesting: fc.nat(8) }),
  reap: fc.record({ sinceMs: count }),
  segment: withSome(
    {
      firstIndex: count,
      bytes: count,
      entries: count,
      liveBytes: count,
      cut: fc.boolean(),
      chainLow: fc.nat(0xffffffff),
      chainHigh: fc.nat(0xffffffff),
    },
    {
      droppedBefore: count,
      chainBefore: fc.record({ low: fc.nat(0xffffffff), high: fc.nat(0xffffffff) }),
      ended: fc.record({ timeMs: count, dateMs: count }),
      cold: arbitrary.coldCopy,
    },
  ),
  counter: fc.record({ value: count }),
  condemned: fc.record({ sinceMs: count, wasNamed: fc.boolean() }),
  lineage: withSome({ lineage: text, parent: text, cutIndex: count }, { adopted: fc.array(text) }),
  dates: fc.record({ offsetMs: fc.maxSafeInteger(), floorMs: count }),
} satisfies { readonly [Name in keyof typeof rows]: fc.Arbitrary<object> };

type Codec = { readonly encode: (row: object) => Buffer; readonly decode: (bytes: Uint8Array) => object };

/** Bytes as arrays, so that views and arrays of equal bytes are equal. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
}

describe.each(Object.keys(rows) as (keyof typeof rows)[])("a %s row", (name) => {
  const codec = rows[name] as unknown as Codec;

  test("comes back, and equal rows have equal bytes", () => {
    fc.assert(
      fc.property(arbitraries[name] as fc.Arbitrary<object>, (row) => {
        const bytes = codec.encode(row);
        const back = codec.decode(bytes);
        expect(plain(back)).toEqual({ ...(plain(row) as object), v: 1 });
        expect(codec.encode(row).equals(bytes)).toBe(true);
      }),
    );
  });

  test("is read without having seen another one first, and in any order", () => {
    const samples = fc.sample<object>(arbitraries[name], { numRuns: 20, seed: 5 });
    const encoded = samples.map((row) => codec.encode(row));
    for (const [at, bytes] of [...encoded.entries()].toReversed()) {
      expect(plain(codec.decode(bytes))).toMatchObject(plain(samples[at]) as object);
    }
  });

  test("of another layout is refused", () => {
    const sample = fc.sample<object>(arbitraries[name], { numRuns: 1, seed: 6 })[0] as object;
    expect(() => codec.decode(codec.encode({ ...sample, v: 2 }))).toThrow(FormatError);
  });
});

test("extents come back from their packed form", () => {
  const extent = fc.record({ index: count, recordOffset: count, bodyStart: count, length: count });
  fc.assert(
    fc.property(fc.array(extent, { maxLength: 10 }), (extents) => {
      expect(unpackExtents(extents.flatMap(packExtent))).toEqual(extents);
    }),
  );
});
