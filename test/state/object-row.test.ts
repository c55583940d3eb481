/** Promises of an object's row: everything comes back, and the part that listings read is text. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError } from "../../src/base/bytes.ts";
import { checksumCode, checksumOfCode, listingCode, readListingCode } from "../../src/state/attributes.ts";
import {
  ROW_ATTRIBUTES_BYTES_MAX,
  decodeDetail,
  decodeFootprint,
  decodeObject,
  encodeDetail,
  encodeObject,
  parseObjectHead,
} from "../../src/state/object-row.ts";
import type { NewObject } from "../../src/state/object-row.ts";
import { CHECKSUM_ALGORITHMS, NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { Attributes } from "../../src/state/attributes.ts";
import * as arbitrary from "./arbitraries.ts";

const etag = fc.oneof(
  fc.stringMatching(/^[0-9a-f]{32}$/),
  fc.stringMatching(/^[0-9a-f]{32}-[1-9][0-9]{0,3}$/),
);

const newObject: fc.Arbitrary<NewObject> = fc
  .record({
    modifiedMs: arbitrary.count,
    size: arbitrary.count,
    etag,
    birthIndex: arbitrary.count,
    birthSub: fc.nat(100_000),
    body: arbitrary.bodyReference,
    attributes: arbitrary.attributes,
    hasVersionId: fc.boolean(),
    tagCount: fc.nat(10),
  })
  .map((object) => ({ ...object, hasDetail: encodeDetail(object.attributes) !== undefined }));

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
}

describe("an object row", () => {
  test("comes back whole, its attributes from the row or from the detail", () => {
    fc.assert(
      fc.property(newObject, (object) => {
        const detail = encodeDetail(object.attributes);
        const decoded = decodeObject(encodeObject(object));
        const attributes = decoded.attributes ?? decodeDetail(detail as Uint8Array);
        expect(plain({ ...decoded, attributes })).toEqual(plain(object));
        expect(decoded.attributes === undefined).toBe(detail !== undefined);
      }),
      { numRuns: 300 },
    );
  });

  test("tells apply what it needs without the rest", () => {
    fc.assert(
      fc.property(newObject, (object) => {
        const { body, ...rest } = decodeFootprint(encodeObject(object));
        const { hasDetail, hasVersionId, tagCount, birthIndex, birthSub, size } = object;
        expect(rest).toEqual({ hasDetail, hasVersionId, tagCount, birthIndex, birthSub, size });
        if (body.kind !== "inline") expect(body).toEqual(object.body);
        else expect(object.body.kind).toBe("inline");
      }),
    );
  });

  test("tells a listing size, time, etag and checksum from its text alone, whatever bytes follow", () => {
    fc.assert(
      fc.property(newObject, (object) => {
        const text = encodeObject(object).toString("utf8");
        const head = parseObjectHead(text);
        expect(head).toMatchObject({
          size: object.size,
          modifiedMs: object.modifiedMs,
          etag: object.etag,
        });
        const { checksum } = object.attributes;
        expect(readListingCode(head.listingCode).checksum).toEqual(
          checksum && { algorithm: checksum.algorithm, type: checksum.type },
        );
      }),
    );
  });

  test("that was encoded is not changed by encoding others", () => {
    const objects = fc.sample(newObject, { numRuns: 2000, seed: 3 });
    const rows = objects.map((object) => encodeObject(object));
    const copies = objects.map((object) => Buffer.from(encodeObject(object)));
    expect(rows.every((row, at) => row.equals(copies[at] as Buffer))).toBe(true);
  });

  test("moves its attributes to a detail only when they are large", () => {
    const withMetadata = (text: string): Attributes => ({ ...NO_ATTRIBUTES, metadata: [["m", text]] });
    // Two counts, the name and two lengths, the checksum code: 7 bytes beside the value.
    const fits = ROW_ATTRIBUTES_BYTES_MAX - 7;
    expect(encodeDetail(withMetadata("x".repeat(fits)))).toBeUndefined();
    expect(encodeDetail(withMetadata("x".repeat(fits + 1)))).toBeDefined();
    expect(encodeDetail(withMetadata("ü".repeat(Math.ceil(fits / 2))))).toBeDefined();
  });

  test("with flags that this release does not know is refused", () => {
    const [sample] = fc.sample(newObject, { numRuns: 1, seed: 4 });
    const row = encodeObject(sample as NewObject);
    const flagsAt = 2 + (row[1] as number);
    for (const flags of [0x40, 0x80, 11 << 2]) {
      const newer = Buffer.from(row);
      newer[flagsAt] = flags;
      expect(() => decodeObject(newer)).toThrow(FormatError);
      expect(() => decodeFootprint(newer)).toThrow(FormatError);
    }
  });

  test("of another layout is refused", () => {
    const row = encodeObject(fc.sample(newObject, { numRuns: 1, seed: 4 })[0] as NewObject);
    const newer = Buffer.from(row);
    newer[0] = 0x32;
    expect(() => decodeObject(newer)).toThrow(FormatError);
    expect(() => decodeFootprint(newer)).toThrow(FormatError);
    expect(() => parseObjectHead(newer.toString("utf8"))).toThrow(FormatError);
    expect(() => decodeDetail(Buffer.from([2, 0, 0, 0]))).toThrow(FormatError);
  });
});

describe("checksum codes", () => {
  test("each algorithm and type has one of its own, below 32, and 0 is none", () => {
    const types = ["FULL_OBJECT", "COMPOSITE"] as const;
    const all = CHECKSUM_ALGORITHMS.flatMap((algorithm) => types.map((type) => ({ algorithm, type })));
    const codes = all.map(({ algorithm, type }) => checksumCode(algorithm, type));
    expect(new Set(codes).size).toBe(all.length);
    expect(codes.every((code) => code > 0 && code < 32)).toBe(true);
    expect(codes.map(checksumOfCode)).toEqual(all);
    expect(checksumOfCode(checksumCode(undefined, undefined))).toBeUndefined();
    expect(() => checksumOfCode(15)).toThrow(FormatError);
  });
});

describe("listing codes", () => {
  test("tell checksum and storage class; without a class they are the checksum's code, as ever", () => {
    const checksum = { algorithm: "SHA256", type: "COMPOSITE", value: "x" } as const;
    expect(listingCode({ ...NO_ATTRIBUTES, checksum })).toBe(checksumCode("SHA256", "COMPOSITE"));
    expect(readListingCode(listingCode(NO_ATTRIBUTES))).toEqual({
      checksum: undefined,
      storageClass: "STANDARD",
    });
    const classes = ["REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"];
    for (const storageClass of classes) {
      const headers: Attributes["headers"] = [
        ["content-type", "text/plain"],
        ["x-amz-storage-class", storageClass],
      ];
      const code = listingCode({ headers, metadata: [], checksum });
      expect(readListingCode(code)).toEqual({
        checksum: { algorithm: "SHA256", type: "COMPOSITE" },
        storageClass,
      });
    }
    expect(() => readListingCode(6 * 32)).toThrow(FormatError);
  });
});
