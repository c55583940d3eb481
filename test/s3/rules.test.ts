/** Names, ranges, preconditions and dates: examples of each rule, and models where there is arithmetic. */

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import {
  formatAmzDate,
  formatHttpDate,
  formatIsoDate,
  formatIsoSeconds,
  parseAmzDate,
  parseHttpDate,
  parseIsoDate,
} from "../../src/s3/dates.ts";
import {
  checkBucketName,
  checkKey,
  checkMetadataSize,
  isValidBucketName,
  parsePartNumber,
} from "../../src/s3/names.ts";
import { checkReadPreconditions, parseWritePrecondition } from "../../src/s3/preconditions.ts";
import { parseRange } from "../../src/s3/range.ts";

describe("names", () => {
  test("CreateBucket_names", () => {
    const good = ["abc", "a-b", "a.b.c", "123", "1.2.3.4.5", "a".repeat(63), "my-bucket-an", "a1.-b"];
    for (const name of good) expect([name, isValidBucketName(name)]).toEqual([name, true]);
    const bad = [
      "",
      "ab",
      "a".repeat(64),
      "Abc",
      "a_b",
      "-abc",
      "abc-",
      ".abc",
      "abc.",
      "a..b",
      "192.168.5.4",
      "a b",
      "é12",
      "xn--abc",
      "sthree-abc",
      "amzn-s3-demo-x",
      "abc-s3alias",
      "abc--ol-s3",
      "abc.mrap",
      "abc--x-s3",
      "abc--table-s3",
      "a/b",
      "abc\n",
    ];
    for (const name of bad) expect([name, isValidBucketName(name)]).toEqual([name, false]);
    expect(() => checkBucketName("A")).toThrow(
      expect.objectContaining({ code: "InvalidBucketName", fields: { BucketName: "A" } }),
    );
  });

  test("PutObject_key_length_is_counted_in_bytes", () => {
    for (const key of ["a".repeat(1024), "é".repeat(512), "😀".repeat(256), "..", "/", "\u0001", "\u007f"]) {
      expect(() => checkKey(key)).not.toThrow();
    }
    for (const key of ["a".repeat(1025), `${"é".repeat(512)}a`, "😀".repeat(257)]) {
      expect(() => checkKey(key)).toThrow(expect.objectContaining({ code: "KeyTooLongError" }));
    }
    expect(() => checkKey("")).toThrow();
    expect(() => checkKey("a\0b")).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
    expect(() => checkKey("\ud800")).toThrow(expect.objectContaining({ code: "InvalidURI" }));
  });

  test("PutObject_metadata_of_2_KiB", () => {
    expect(() => checkMetadataSize({ name: "x".repeat(2044) })).not.toThrow();
    expect(() => checkMetadataSize({ name: "x".repeat(2045) })).toThrow(
      expect.objectContaining({
        code: "MetadataTooLarge",
        fields: { Size: "2049", MaxSizeAllowed: "2048" },
      }),
    );
    expect(() => checkMetadataSize({ a: "é".repeat(1024) })).toThrow();
  });

  test("UploadPart_part_numbers", () => {
    expect([parsePartNumber("1"), parsePartNumber("10000"), parsePartNumber("007")]).toEqual([1, 10_000, 7]);
    for (const text of ["0", "10001", "-1", "1.5", "", "x", "1e3", " 1", "9".repeat(30)]) {
      expect(() => parsePartNumber(text)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
    }
  });
});

describe("ranges", () => {
  test("GetObject_range_forms", () => {
    const cases: readonly (readonly [string | undefined, number, string])[] = [
      [undefined, 10, "whole"],
      ["bytes=0-0", 10, "0-1"],
      ["bytes=0-9", 10, "0-10"],
      ["bytes=5-", 10, "5-10"],
      ["bytes=-3", 10, "7-10"],
      ["bytes=-30", 10, "0-10"],
      ["bytes=5-100", 10, "5-10"],
      [`bytes=0-${"9".repeat(30)}`, 10, "0-10"],
      ["Bytes=1-2", 10, "1-3"],
      ["bytes=10-", 10, "unsatisfiable"],
      ["bytes=10-20", 10, "unsatisfiable"],
      [`bytes=${"9".repeat(30)}-`, 10, "unsatisfiable"],
      ["bytes=-0", 10, "unsatisfiable"],
      ["bytes=5-2", 10, "whole"],
      ["bytes=-", 10, "whole"],
      ["bytes=", 10, "whole"],
      ["bytes=0-1,3-4", 10, "whole"],
      ["bytes=a-b", 10, "whole"],
      ["items=0-1", 10, "whole"],
      ["bytes=0--1", 10, "whole"],
      ["0-1", 10, "whole"],
      ["", 10, "whole"],
    ];
    for (const [header, size, expected] of cases) {
      const range = parseRange(header, size);
      expect([header, range.kind === "slice" ? `${range.start}-${range.end}` : range.kind]).toEqual([
        header,
        expected,
      ]);
    }
  });

  test("GetObject_zero_length_with_range", () => {
    expect(parseRange("bytes=0-", 0).kind).toBe("unsatisfiable");
    expect(parseRange("bytes=0-0", 0).kind).toBe("unsatisfiable");
    expect(parseRange("bytes=-5", 0).kind).toBe("whole");
    expect(parseRange("bytes=-0", 0).kind).toBe("unsatisfiable");
  });

  test("GetObject_unsatisfiable_range_names_the_size", () => {
    const range = parseRange("bytes=10-", 10);
    if (range.kind !== "unsatisfiable") throw new Error(range.kind);
    expect(range.error).toMatchObject({
      code: "InvalidRange",
      status: 416,
      fields: { RangeRequested: "bytes=10-", ActualObjectSize: "10" },
      headers: { "Content-Range": "bytes */10" },
    });
  });

  test("a slice lies within the object and is never empty", () => {
    const bound = fc.option(fc.nat({ max: 30 }), { nil: undefined });
    fc.assert(
      fc.property(bound, bound, fc.nat({ max: 20 }), (first, last, size) => {
        const range = parseRange(`bytes=${first ?? ""}-${last ?? ""}`, size);
        const bytes = Array.from({ length: size }, (_, index) => index);
        const end = last === undefined ? size : last + 1;
        const suffix = last === undefined ? bytes : bytes.slice(Math.max(0, size - last));
        const model = first === undefined ? suffix : bytes.slice(first, end);
        if (range.kind === "slice") {
          expect(bytes.slice(range.start, range.end)).toEqual(model);
          expect(range.end).toBeGreaterThan(range.start);
        } else if (range.kind === "unsatisfiable") expect(model).toEqual([]);
      }),
      { seed: 6, numRuns: 2000 },
    );
  });
});

describe("preconditions", () => {
  const lastModifiedMs = Date.UTC(2026, 10, 20, 10, 0, 0) + 250;
  const object = { etag: "abc", lastModifiedMs };
  const nowMs = Date.UTC(2026, 10, 21);
  const same = "Fri, 20 Nov 2026 10:00:00 GMT";
  const before = "Fri, 20 Nov 2026 09:59:59 GMT";
  const after = "Fri, 20 Nov 2026 10:00:01 GMT";
  const future = "Sun, 22 Nov 2026 10:00:00 GMT";

  function check(headers: Record<string, string>): string {
    const result = checkReadPreconditions({ headers, object, nowMs });
    return result.kind === "failed" ? (result.error.fields["Condition"] ?? "") : result.kind;
  }

  test("GetObject_single_conditions", () => {
    const cases: readonly (readonly [Record<string, string>, string])[] = [
      [{}, "proceed"],
      [{ "if-match": '"abc"' }, "proceed"],
      [{ "if-match": "abc" }, "proceed"],
      [{ "if-match": "*" }, "proceed"],
      [{ "if-match": '"x", "abc"' }, "proceed"],
      [{ "if-match": '"x"' }, "If-Match"],
      [{ "if-match": 'W/"abc"' }, "If-Match"],
      [{ "if-none-match": '"abc"' }, "notModified"],
      [{ "if-none-match": 'W/"abc"' }, "notModified"],
      [{ "if-none-match": "*" }, "notModified"],
      [{ "if-none-match": '"x","y"' }, "proceed"],
      [{ "if-modified-since": same }, "notModified"],
      [{ "if-modified-since": after }, "notModified"],
      [{ "if-modified-since": before }, "proceed"],
      [{ "if-modified-since": future }, "proceed"],
      [{ "if-modified-since": "yesterday" }, "proceed"],
      [{ "if-unmodified-since": same }, "proceed"],
      [{ "if-unmodified-since": before }, "If-Unmodified-Since"],
      [{ "if-unmodified-since": "2026-11-20T09:59:59Z" }, "If-Unmodified-Since"],
      [{ "if-unmodified-since": future }, "proceed"],
    ];
    for (const [headers, expected] of cases) expect([headers, check(headers)]).toEqual([headers, expected]);
  });

  test("GetObject_combined_conditions", () => {
    expect(check({ "if-match": '"abc"', "if-unmodified-since": before })).toBe("proceed");
    expect(check({ "if-none-match": '"abc"', "if-modified-since": before })).toBe("notModified");
    expect(check({ "if-none-match": '"x"', "if-modified-since": after })).toBe("proceed");
    expect(check({ "if-match": '"x"', "if-none-match": '"abc"' })).toBe("If-Match");
    expect(check({ "if-match": '"abc"', "if-none-match": '"abc"' })).toBe("notModified");
  });

  test("PutObject_conditions_are_read", () => {
    expect(parseWritePrecondition({})).toEqual({ kind: "none" });
    expect(parseWritePrecondition({ "if-none-match": "*" })).toEqual({ kind: "ifAbsent" });
    expect(parseWritePrecondition({ "if-match": '"abc"' })).toEqual({ kind: "ifMatch", etag: "abc" });
    expect(() => parseWritePrecondition({ "if-none-match": '"abc"' })).toThrow(
      expect.objectContaining({ code: "NotImplemented" }),
    );
    expect(() => parseWritePrecondition({ "if-match": "a", "if-none-match": "*" })).toThrow(
      /implies functionality/,
    );
  });
});

describe("dates", () => {
  const instants = fc.integer({ min: 0, max: Date.UTC(9999, 11, 31, 23, 59, 59, 999) });

  test("formats and parses as Date does", () => {
    fc.assert(
      fc.property(instants, (ms) => {
        const date = new Date(ms);
        const second = ms - (ms % 1000);
        expect(formatHttpDate(ms)).toBe(date.toUTCString());
        expect(formatIsoDate(ms)).toBe(date.toISOString());
        expect(formatIsoSeconds(ms)).toBe(new Date(second).toISOString());
        expect(parseHttpDate(formatHttpDate(ms))).toBe(second);
        expect(parseIsoDate(formatIsoDate(ms))).toBe(ms);
        expect(parseAmzDate(formatAmzDate(ms))).toBe(second);
      }),
      { seed: 7, numRuns: 3000 },
    );
  });

  test("the obsolete forms of HTTP dates and zones of ISO dates", () => {
    const expected = Date.UTC(1994, 10, 6, 8, 49, 37);
    for (const text of [
      "Sun, 06 Nov 1994 08:49:37 GMT",
      "Sunday, 06-Nov-94 08:49:37 GMT",
      "Sun Nov  6 08:49:37 1994",
    ]) {
      expect(parseHttpDate(text)).toBe(expected);
    }
    expect(parseIsoDate("1994-11-06T09:49:37+01:00")).toBe(expected);
    expect(parseIsoDate("1994-11-06T08:49:37.5Z")).toBe(expected + 500);
  });

  test("what is no date is no date", () => {
    for (const text of [
      "",
      "now",
      "Sun, 31 Feb 2026 00:00:00 GMT",
      "Sun, 06 Foo 1994 08:49:37 GMT",
      "1994",
    ]) {
      expect(parseHttpDate(text)).toBeUndefined();
    }
    for (const text of [
      "20261301T000000Z",
      "20260229T000000Z",
      "20260101T240000Z",
      "2026-01-01",
      "20260101T0000000",
    ]) {
      expect(parseAmzDate(text)).toBeUndefined();
    }
    expect(parseAmzDate("20240229T000000Z")).toBe(Date.UTC(2024, 1, 29));
    expect(parseIsoDate("2026-13-01T00:00:00Z")).toBeUndefined();
  });
});
