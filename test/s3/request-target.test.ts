/** The raw request target: tricks with dots, escapes, slashes and hosts must all name the object they say. */

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { canonicalPath, canonicalQuery, encodeRfc3986 } from "../../src/s3/canonical-request.ts";
import { parseQuery, parseRequestTarget } from "../../src/s3/request-target.ts";
import { encodeKey, rfc3986 } from "./signer.ts";

function parse(url: string, host = "127.0.0.1:9000", domain?: string) {
  return parseRequestTarget({ url, host, domain });
}

const anyText = fc.string({ unit: "binary", maxLength: 40 }).filter((text) => text.isWellFormed());

describe("paths", () => {
  test("GetObject_keys_are_decoded_once_and_never_normalised", () => {
    const cases: readonly (readonly [string, string, string])[] = [
      ["/", "", ""],
      ["/bucket", "bucket", ""],
      ["/bucket/", "bucket", ""],
      ["/bucket/key", "bucket", "key"],
      ["/bucket//key", "bucket", "/key"],
      ["/bucket/a//b/", "bucket", "a//b/"],
      ["/bucket/../other/secret", "bucket", "../other/secret"],
      ["/bucket/./a/../b", "bucket", "./a/../b"],
      ["/bucket/%2e%2e/x", "bucket", "../x"],
      ["/bucket/%252e%252e/x", "bucket", "%2e%2e/x"],
      ["/bucket/a%2Fb", "bucket", "a/b"],
      ["/bucket%2Fa", "bucket", "a"],
      ["/%62ucket/a", "bucket", "a"],
      ["/bucket/a+b", "bucket", "a+b"],
      ["/bucket/a%2Bb", "bucket", "a+b"],
      ["/bucket/a%20b", "bucket", "a b"],
      ["/bucket/%00", "bucket", "\0"],
      ["/bucket/%EF%BB%BFbom", "bucket", "\uFEFFbom"],
      ["/bucket/%F0%9F%98%80", "bucket", "😀"],
      ["/bucket/a%3Fb%23c", "bucket", "a?b#c"],
      ["/bucket/a#b", "bucket", "a#b"],
      ["/bucket/a;b,c=d&e", "bucket", "a;b,c=d&e"],
      ["http://127.0.0.1:9000/bucket/../key", "bucket", "../key"],
      ["HTTPS://host", "", ""],
      ["http://host?x=1", "", ""],
    ];
    for (const [url, bucket, key] of cases) {
      const target = parse(url);
      expect([url, target.bucket, target.key]).toEqual([url, bucket, key]);
      expect(target.isVirtualHost).toBe(false);
    }
  });

  test("GetObject_raw_bytes_on_the_wire_are_UTF_8", () => {
    expect(parse(`/bucket/${Buffer.from("é😀").toString("latin1")}`).key).toBe("é😀");
    expect(parse(`/bucket/${Buffer.from("é ").toString("latin1")}%20`).key).toBe("é  ");
  });

  test("GetObject_broken_escapes_and_text_that_is_not_UTF_8_are_InvalidURI", () => {
    const bad = ["%", "%1", "%zz", "%ff", "%C3", "%C0%80", "%ED%A0%80", "%F4%90%80%80", "\u00ff", "\u0394"];
    for (const text of bad) {
      const invalid = expect.objectContaining({ code: "InvalidURI" });
      expect(() => parse(`/bucket/${text}`)).toThrow(invalid);
      expect(() => parse(`/bucket/key?a=${text}`)).toThrow(invalid);
      expect(() => parse(`/bucket/key?${text}=a`)).toThrow(invalid);
    }
    for (const url of ["", "*", "bucket/key", "//key", "/%2Fkey", "ftp://host/x"]) {
      expect(() => parse(url)).toThrow(expect.objectContaining({ code: "InvalidURI" }));
    }
  });

  test("path names the object whatever the style and the encoding", () => {
    expect(parse("/bucket/a%2Fb").path).toBe("bucket/a/b");
    expect(parse("/a%2Fb", "bucket.s3.local", "s3.local").path).toBe("bucket/a/b");
    expect(parse("/bucket").path).toBe("bucket");
  });

  test("any key survives encoding and decoding", () => {
    fc.assert(
      fc.property(anyText, (key) => {
        expect(parse(`/bucket/${encodeKey(key)}`).key).toBe(key);
        expect(parse(`/${encodeKey(key)}`, "bucket.s3.local", "s3.local").key).toBe(key);
        expect(parse(`/bucket/${Buffer.from(encodeURI(key), "utf8").toString("latin1")}`).key).toBe(
          key.replaceAll(/[?].*/gs, ""),
        );
      }),
      { seed: 4, numRuns: 500 },
    );
  });
});

describe("virtual hosts", () => {
  test("GetObject_virtual_host_style", () => {
    const hosts: readonly (readonly [string, string | undefined])[] = [
      ["bucket.s3.local", "bucket"],
      ["bucket.s3.local:9000", "bucket"],
      ["BUCKET.S3.Local:9000", "bucket"],
      ["a.b.s3.local", "a.b"],
      ["s3.local", undefined],
      [".s3.local", undefined],
      ["s3.local:9000", undefined],
      ["bucket.s3.example", undefined],
      ["127.0.0.1:9000", undefined],
      ["[::1]:9000", undefined],
    ];
    for (const [host, bucket] of hosts) {
      const target = parse("/x/y", host, "s3.local");
      expect([host, target.isVirtualHost ? target.bucket : undefined]).toEqual([host, bucket]);
      expect(target.key).toBe(bucket === undefined ? "y" : "x/y");
    }
    expect(parse("/", "bucket.s3.local", "s3.local")).toMatchObject({ bucket: "bucket", key: "" });
    expect(parse("//a", "bucket.s3.local", "s3.local")).toMatchObject({ bucket: "bucket", key: "/a" });
    expect(parseRequestTarget({ url: "/a/b", host: undefined, domain: "s3.local" }).bucket).toBe("a");
    expect(parse("/a/b", "bucket.s3.local").bucket).toBe("a");
  });
});

describe("queries", () => {
  test("ListObjects_query_forms", () => {
    const query = parseQuery("a=1&b&c=&&d=x%20y+z&a=2&e=%2B&=empty&f=g=h");
    expect(query.names).toEqual(["a", "b", "c", "d", "a", "e", "", "f"]);
    expect(query.values).toEqual(["1", "", "", "x y z", "2", "+", "empty", "g=h"]);
    expect(query.get("a")).toBe("1");
    expect(query.has("b")).toBe(true);
    expect(query.get("B")).toBeUndefined();
    expect(parseQuery("").size).toBe(0);
    expect(parse("/b/k?").query.size).toBe(0);
    expect(parse("/b/k?a?b=c").query.get("a?b")).toBe("c");
  });

  test("canonical path and query are the same for every encoding of the same request", () => {
    expect(canonicalPath(parse("/b/a+b%2fc!'()*~"))).toBe("/b/a%2Bb/c%21%27%28%29%2A~");
    expect(canonicalPath(parse("/b/%7e%2d%41"))).toBe("/b/~-A");
    expect(canonicalPath(parse("/"))).toBe("/");
    expect(canonicalPath(parse("/", "bucket.s3.local", "s3.local"))).toBe("/");
    const queries = ["b=2&a=1", "a=1&b=2", "%61=1&b=2", "&a=1&&b=2&"];
    for (const query of queries) expect(canonicalQuery(parse(`/?${query}`))).toBe("a=1&b=2");
    expect(canonicalQuery(parse("/?a-b=1&a=2&a.=3&a%2F=4&a=1"))).toBe("a=1&a=2&a%2F=4&a-b=1&a.=3");
    expect(canonicalQuery(parse("/?x=a+b&x=c%20d&acl"))).toBe("acl=&x=a%20b&x=c%20d");
    expect(canonicalQuery(parse("/?X-Amz-Signature=ab&X-Amz-Date=1"))).toBe("X-Amz-Date=1");
    expect(canonicalQuery(parse("/?a=b=c"))).toBe("a=b%3Dc");
  });

  test("canonical forms equal those of a slow model", () => {
    fc.assert(
      fc.property(anyText, fc.array(fc.tuple(anyText, anyText), { maxLength: 5 }), (key, pairs) => {
        const named = pairs.filter(([name]) => name !== "" && name !== "X-Amz-Signature");
        const loose = named.map(
          ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
        );
        const target = parse(`/bucket/${encodeKey(key)}?${loose.join("&")}`);
        expect(canonicalPath(target)).toBe(`/bucket/${encodeKey(key)}`);
        const model = named
          .map(([name, value]) => [rfc3986(name), rfc3986(value)] as const)
          .toSorted(([aName, aValue], [bName, bValue]) =>
            aName === bName ? Number(aValue > bValue) - Number(aValue < bValue) : aName < bName ? -1 : 1,
          );
        expect(canonicalQuery(target)).toBe(model.map((pair) => pair.join("=")).join("&"));
        expect(encodeRfc3986(key)).toBe(rfc3986(key));
      }),
      { seed: 5, numRuns: 500 },
    );
  });
});
