/**
 * LIST against a slow, obvious model: any keys, prefix, delimiter, marker and page size; and over all pages.
 */

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import {
  decodeContinuationToken,
  encodeContinuationToken,
  parseListBuckets,
  parseListMultipartUploads,
  parseListObjectsV1,
  parseListObjectsV2,
  parseListParts,
} from "../../src/s3/list-parameters.ts";
import { afterPrefix, compareUtf8, ListingFold } from "../../src/s3/listing.ts";
import type { ListingEntry, ListingParameters } from "../../src/s3/listing.ts";
import { parseQuery } from "../../src/s3/request-target.ts";

function compareBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left, "utf8"), Buffer.from(right, "utf8"));
}

/** Few characters, so that prefixes and delimiters meet; the last ones sort differently in UTF-16. */
const character = fc.constantFrom("a", "b", "/", "-", "\u007f", "é", "\ud7ff", "\uffff", "😀", "\u{10ffff}");
const name = fc.array(character, { maxLength: 6 }).map((characters) => characters.join(""));
const keys = fc
  .uniqueArray(name, { maxLength: 25 })
  .map((list) => list.filter((key) => key !== "").toSorted(compareBytes));

type Page = {
  readonly keys: readonly string[];
  readonly prefixes: readonly string[];
  readonly fold: ListingFold<ListingEntry>;
  readonly seeks: number;
};

function listPage(all: readonly string[], parameters: ListingParameters, batchMax = 3): Page {
  const fold = new ListingFold<ListingEntry>(parameters);
  let seeks = 0;
  for (let seek = fold.seek; seek !== undefined; seek = fold.seek) {
    seeks++;
    const { key, inclusive } = seek;
    const rest = all.filter((candidate) => {
      const order = compareBytes(candidate, key);
      return order > 0 || (inclusive && order === 0);
    });
    const batch = rest.slice(0, Math.min(batchMax, fold.wanted)).map((candidate) => ({ key: candidate }));
    fold.consume(batch, { isExhausted: batch.length === rest.length });
  }
  return { keys: fold.contents.map((entry) => entry.key), prefixes: fold.commonPrefixes, fold, seeks };
}

/** Everything that may be shown, in order: keys, and each common prefix once, that sort after the marker. */
function modelItems(all: readonly string[], parameters: ListingParameters): readonly string[] {
  const { prefix, delimiter, after } = parameters;
  const items = new Set<string>();
  for (const key of all) {
    if (!key.startsWith(prefix)) continue;
    const at = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
    items.add(at < 0 ? key : key.slice(0, at + delimiter.length));
  }
  return [...items].filter((item) => after === "" || compareBytes(item, after) > 0);
}

describe("order", () => {
  test("compareUtf8 is the order of the bytes", () => {
    const text = fc.string({ unit: "binary", maxLength: 8 });
    fc.assert(
      fc.property(fc.oneof(text, name), fc.oneof(text, name), (left, right) => {
        expect(Math.sign(compareUtf8(left, right))).toBe(compareBytes(left, right));
      }),
      { seed: 13, numRuns: 3000 },
    );
  });

  test("afterPrefix is the first text behind everything that has the prefix", () => {
    fc.assert(
      fc.property(name, name, fc.string({ unit: "binary", maxLength: 4 }), (prefix, other, suffix) => {
        const next = afterPrefix(prefix);
        if (next === undefined) {
          expect(prefix).toMatch(/^\u{10ffff}*$/u);
          return;
        }
        expect(compareBytes(prefix + suffix, next)).toBe(-1);
        if (compareBytes(other, prefix) > 0 && !other.startsWith(prefix)) {
          expect(compareBytes(other, next)).toBeGreaterThanOrEqual(0);
        }
      }),
      { seed: 14, numRuns: 3000 },
    );
    expect(afterPrefix("a/")).toBe("a0");
    expect(afterPrefix("a\u007f")).toBe("a\u0080");
    expect(afterPrefix("\ud7ff")).toBe("\ue000");
    expect(afterPrefix("a\u{10ffff}")).toBe("b");
    expect(afterPrefix("")).toBeUndefined();
  });
});

describe("pages", () => {
  const prefix = fc.constantFrom("", "a", "a/", "😀", "é", "ab");
  const delimiter = fc.constantFrom("", "/", "a", "-/", "😀");

  test("ListObjects_one_page_is_what_the_model_says", () => {
    fc.assert(
      fc.property(
        keys,
        prefix,
        delimiter,
        name,
        fc.integer({ min: 0, max: 6 }),
        (all, pre, delim, after, limit) => {
          const parameters = { prefix: pre, delimiter: delim, after, limit };
          const page = listPage(all, parameters);
          const items = modelItems(all, parameters);
          const shown = [...page.keys, ...page.prefixes].toSorted(compareBytes);
          expect(shown).toEqual(items.slice(0, limit));
          expect(page.fold.isTruncated).toBe(limit > 0 && items.length > limit);
          expect(page.fold.nextAfter).toBe(page.fold.isTruncated ? shown.at(-1) : undefined);
          expect(page.prefixes.every((group) => delim !== "" && group.endsWith(delim))).toBe(true);
        },
      ),
      { seed: 15, numRuns: 5000 },
    );
  });

  test("ListObjects_all_pages_show_everything_once", () => {
    fc.assert(
      fc.property(keys, prefix, delimiter, fc.integer({ min: 1, max: 4 }), (all, pre, delim, limit) => {
        const shown: string[] = [];
        let after = "";
        for (let pages = 0; pages < 40; pages++) {
          const page = listPage(all, { prefix: pre, delimiter: delim, after, limit });
          shown.push(...[...page.keys, ...page.prefixes].toSorted(compareBytes));
          const next = page.fold.nextAfter;
          if (next === undefined) break;
          after = decodeContinuationToken(encodeContinuationToken(next));
        }
        expect(shown).toEqual(modelItems(all, { prefix: pre, delimiter: delim, after: "", limit }));
      }),
      { seed: 16, numRuns: 2000 },
    );
  });

  test("ListObjects_a_common_prefix_costs_one_seek", () => {
    const all = ["a", "b", "c"].flatMap((folder) =>
      Array.from({ length: 1000 }, (_, index) => `${folder}/${String(index).padStart(4, "0")}`),
    );
    const page = listPage(all, { prefix: "", delimiter: "/", after: "", limit: 1000 }, 10);
    expect(page.prefixes).toEqual(["a/", "b/", "c/"]);
    expect(page.seeks).toBe(4);
  });

  test("ListObjects_marker_inside_a_common_prefix_hides_it", () => {
    const all = ["a/1", "a/2", "a0", "b/1"];
    const show = (after: string) => {
      const page = listPage(all, { prefix: "", delimiter: "/", after, limit: 10 });
      return [...page.keys, ...page.prefixes].toSorted(compareBytes);
    };
    expect(show("a")).toEqual(["a/", "a0", "b/"]);
    expect(show("a/")).toEqual(["a0", "b/"]);
    expect(show("a/1")).toEqual(["a0", "b/"]);
    expect(show("a0")).toEqual(["b/"]);
    expect(show("b/1")).toEqual([]);
  });

  test("ListMultipartUploads_pages_cut_between_uploads_of_one_key", () => {
    const rows = ["a", "a", "a", "b/x", "b/y", "c", "c"].map((key, index) => ({ key, id: `u${index}` }));
    const shown: string[] = [];
    let after = "";
    let afterId: string | undefined;
    for (let pages = 0; pages < 20; pages++) {
      const fold = new ListingFold<ListingEntry>({ prefix: "", delimiter: "/", after, limit: 2, afterId });
      for (let seek = fold.seek; seek !== undefined; seek = fold.seek) {
        const { key, inclusive, afterId: id } = seek;
        const rest = rows.filter(
          (row) => row.key > key || (inclusive && row.key === key && row.id > (id ?? "")),
        );
        fold.consume(rest.slice(0, 1), { isExhausted: rest.length <= 1 });
      }
      shown.push(...fold.contents.map((entry) => `${entry.key} ${entry.id}`), ...fold.commonPrefixes);
      if (fold.nextAfter === undefined) break;
      after = fold.nextAfter;
      afterId = fold.nextAfterId;
    }
    expect(shown).toEqual(["a u0", "a u1", "a u2", "b/", "c u5", "c u6"]);
  });
});

describe("parameters", () => {
  test("ListObjectsV2_parameters", () => {
    expect(parseListObjectsV2(parseQuery("list-type=2"))).toEqual({
      prefix: "",
      delimiter: "",
      startAfter: undefined,
      continuationToken: undefined,
      after: "",
      maxKeys: 1000,
      isUrlEncoded: false,
      isOwnerWanted: false,
    });
    const token = encodeContinuationToken("k😀");
    const query = "prefix=a+b&delimiter=%2F&start-after=s&max-keys=5000&encoding-type=url&fetch-owner=true";
    expect(parseListObjectsV2(parseQuery(`${query}&continuation-token=${token}`))).toEqual({
      prefix: "a b",
      delimiter: "/",
      startAfter: "s",
      continuationToken: token,
      after: "k😀",
      maxKeys: 1000,
      isUrlEncoded: true,
      isOwnerWanted: true,
    });
    expect(parseListObjectsV2(parseQuery("start-after=s")).after).toBe("s");
  });

  test("ListObjects_parameters", () => {
    expect(parseListObjectsV1(parseQuery("marker=m&max-keys=0"))).toMatchObject({ marker: "m", maxKeys: 0 });
    expect(parseListObjectsV1(parseQuery("max-keys=")).maxKeys).toBe(1000);
    for (const text of ["-1", "x", "1.5", "99999999999", "2147483648"]) {
      expect(() => parseListObjectsV1(parseQuery(`max-keys=${text}`)), text).toThrow(
        expect.objectContaining({
          code: "InvalidArgument",
          fields: { ArgumentName: "max-keys", ArgumentValue: text },
        }),
      );
    }
    expect(() => parseListObjectsV1(parseQuery("encoding-type=xml"))).toThrow(/Invalid Encoding Method/);
  });

  test("ListObjectsV2_tokens_that_are_not_ours_are_refused", () => {
    const valid = encodeContinuationToken("key");
    const foreign = Buffer.from([2, 65]).toString("base64url");
    const notText = Buffer.from([1, 0xff]).toString("base64url");
    for (const token of ["", "x", "key", `${valid}=`, `${valid} `, foreign, notText, "AQ"]) {
      expect(() => decodeContinuationToken(token), token).toThrow(
        expect.objectContaining({
          code: "InvalidArgument",
          message: "The continuation token provided is incorrect",
        }),
      );
    }
  });

  test("ListBuckets_ListParts_ListMultipartUploads_parameters", () => {
    expect(parseListBuckets(parseQuery(""))).toMatchObject({ maxBuckets: 10_000, isPaged: false, after: "" });
    const paged = parseListBuckets(
      parseQuery(`max-buckets=2&prefix=p&continuation-token=${encodeContinuationToken("b")}`),
    );
    expect(paged).toMatchObject({ maxBuckets: 2, isPaged: true, prefix: "p", after: "b" });
    for (const text of ["0", "10001", "x", "-1"]) {
      expect(() => parseListBuckets(parseQuery(`max-buckets=${text}`))).toThrow(/between 1 and 10000/);
    }
    expect(parseListParts(parseQuery("uploadId=u&part-number-marker=3&max-parts=2"))).toEqual({
      uploadId: "u",
      partNumberMarker: 3,
      maxParts: 2,
      isUrlEncoded: false,
    });
    expect(() => parseListParts(parseQuery("uploadId=u&part-number-marker=-3"))).toThrow(
      /part-number-marker/,
    );
    expect(parseListMultipartUploads(parseQuery("uploads&upload-id-marker=u"))).toMatchObject({
      uploadIdMarker: "",
    });
    expect(parseListMultipartUploads(parseQuery("key-marker=k&upload-id-marker=u"))).toMatchObject({
      keyMarker: "k",
      uploadIdMarker: "u",
    });
  });
});
