/** Headers in both directions: what is kept, what is refused, and what a client sees again. */

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import {
  decodeHeaderText,
  headersFromRaw,
  parseObjectMetadata,
  parseStorageClass,
  refuseCustomerKey,
  refuseUnbuiltHeaders,
  storedContentEncoding,
  withQueryHeaders,
} from "../../src/s3/headers.ts";
import { parseQuery } from "../../src/s3/request-target.ts";
import {
  encodeHeaderText,
  notModifiedHeaders,
  objectHeaders,
  parseResponseOverrides,
} from "../../src/s3/response-headers.ts";
import type { ObjectDescription } from "../../src/s3/response-headers.ts";

function wire(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

describe("request headers", () => {
  test("raw headers become lower-case names with repetitions joined", () => {
    const raw = [
      "Host",
      "h",
      "X-Amz-Meta-A",
      "1",
      "x-amz-meta-a",
      "2",
      "constructor",
      "c",
      "constructor",
      "d",
    ];
    expect(headersFromRaw(raw)).toEqual({ host: "h", "x-amz-meta-a": "1,2", constructor: "c,d" });
  });

  test("PutObject_system_and_user_metadata", () => {
    const metadata = parseObjectMetadata({
      host: "h",
      "content-type": "text/plain; charset=utf-8",
      "content-encoding": "gzip,aws-chunked",
      "cache-control": "no-store",
      "content-disposition": wire('attachment; filename="é.txt"'),
      "content-language": "de",
      expires: "Wed, 21 Oct 2026 07:28:00 GMT",
      "x-amz-website-redirect-location": "/other",
      "x-amz-storage-class": "STANDARD_IA",
      "x-amz-meta-owner": wire("Zoë"),
      "x-amz-meta-__proto__": "p",
      "x-amz-meta-empty": "",
      "x-amz-meta-latin": "\u00e9",
    });
    expect(metadata.system).toEqual({
      contentType: "text/plain; charset=utf-8",
      contentEncoding: "gzip",
      cacheControl: "no-store",
      contentDisposition: 'attachment; filename="é.txt"',
      contentLanguage: "de",
      expires: "Wed, 21 Oct 2026 07:28:00 GMT",
      websiteRedirectLocation: "/other",
      storageClass: "STANDARD_IA",
    });
    expect(Object.entries(metadata.user)).toEqual([
      ["owner", "Zoë"],
      ["__proto__", "p"],
      ["empty", ""],
      ["latin", "\u00e9"],
    ]);
  });

  test("PutObject_defaults", () => {
    const { system, user } = parseObjectMetadata({ host: "h", "content-encoding": "aws-chunked" });
    expect(system).toEqual({ contentType: "binary/octet-stream", storageClass: "STANDARD" });
    expect(Object.keys(user)).toEqual([]);
    expect(storedContentEncoding("AWS-Chunked, br , gzip")).toBe("br,gzip");
    expect(storedContentEncoding(undefined)).toBeUndefined();
  });

  test("PutObject_headers_that_promise_what_is_not_there", () => {
    const refused: readonly Record<string, string>[] = [
      { "x-amz-server-side-encryption": "AES256" },
      { "x-amz-server-side-encryption-customer-algorithm": "AES256" },
      { "x-amz-object-lock-mode": "COMPLIANCE" },
      { "x-amz-object-lock-legal-hold": "ON" },
      { "x-amz-bucket-object-lock-enabled": "true" },
      { "x-amz-object-ownership": "ObjectWriter" },
      { "x-amz-storage-class": "GLACIER" },
    ];
    for (const headers of refused) {
      const [name] = Object.keys(headers);
      expect(() => parseObjectMetadata(headers)).toThrow(
        expect.objectContaining({
          code: "NotImplemented",
          status: 501,
          fields: expect.objectContaining({ Header: name }) as unknown,
        }),
      );
    }
    const accepted = {
      "x-amz-acl": "private",
      "x-amz-tagging": "a=b",
      "x-amz-bucket-object-lock-enabled": "false",
      "x-amz-object-ownership": "BucketOwnerEnforced",
      "x-amz-request-payer": "requester",
    };
    expect(() => refuseUnbuiltHeaders(accepted)).not.toThrow();
    expect(() => refuseUnbuiltHeaders({ "x-amz-acl": "bucket-owner-full-control" })).not.toThrow();
    for (const headers of [{ "x-amz-grant-read": "id=x" }, { "x-amz-acl": "public-read" }]) {
      expect(() => parseObjectMetadata(headers as Record<string, string>)).toThrow(
        expect.objectContaining({ code: "AccessControlListNotSupported", status: 400 }),
      );
    }
    expect(() => refuseUnbuiltHeaders({ "x-amz-acl": "nonsense" })).toThrow(
      expect.objectContaining({ code: "InvalidArgument" }),
    );
    expect(() =>
      refuseCustomerKey({ "x-amz-server-side-encryption-customer-algorithm": "AES256" }),
    ).toThrow();
    expect(() => parseStorageClass("COLD")).toThrow(expect.objectContaining({ code: "InvalidStorageClass" }));
    expect(() => parseObjectMetadata({ "x-amz-website-redirect-location": "x" })).toThrow(
      expect.objectContaining({ code: "InvalidRedirectLocation" }),
    );
    expect(() => parseObjectMetadata({ "x-amz-meta-a": "x".repeat(2048) })).toThrow(
      expect.objectContaining({ code: "MetadataTooLarge" }),
    );
  });

  test("PutObject_presigned_headers_in_the_query", () => {
    const query = parseQuery(
      "X-Amz-Algorithm=A&X-Amz-Date=D&x-amz-meta-a=%C3%A9&X-Amz-Meta-B=2&x-amz-security-token=t&other=1",
    );
    const headers = { host: "h", "x-amz-meta-b": "1" };
    expect(withQueryHeaders(headers, query)).toEqual({ ...headers, "x-amz-meta-a": wire("é") });
    expect(withQueryHeaders(headers, parseQuery("a=b"))).toBe(headers);
  });

  test("text that is UTF-8 on the wire is decoded, anything else kept", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(decodeHeaderText(wire(text))).toBe(text);
      }),
      { seed: 8 },
    );
    expect(decodeHeaderText("\u00ff\u00fe")).toBe("\u00ff\u00fe");
  });
});

function record(list: readonly string[]): Record<string, string> {
  const pairs = list.flatMap((name, index) =>
    index % 2 === 0 ? [[name, list[index + 1] ?? ""] as const] : [],
  );
  return Object.fromEntries(pairs);
}

describe("response headers", () => {
  const object: ObjectDescription = {
    etag: "abc-2",
    size: 100,
    lastModifiedMs: Date.UTC(2026, 10, 21, 8, 0, 0, 999),
    system: { contentType: "text/plain", storageClass: "STANDARD", cacheControl: "no-cache" },
    user: { a: "1", name: "Zoë" },
    checksum: { algorithm: "CRC32", value: "AAAAAA==-2", type: "COMPOSITE" },
  };

  test("GetObject_headers_of_the_whole_object", () => {
    expect(record(objectHeaders({ object, showChecksum: true }))).toEqual({
      ETag: '"abc-2"',
      "Last-Modified": "Sat, 21 Nov 2026 08:00:00 GMT",
      "Accept-Ranges": "bytes",
      "Content-Type": "text/plain",
      "Content-Length": "100",
      "Cache-Control": "no-cache",
      "x-amz-meta-a": "1",
      "x-amz-meta-name": "=?UTF-8?B?Wm/Dqw==?=",
      "x-amz-checksum-crc32": "AAAAAA==-2",
      "x-amz-checksum-type": "COMPOSITE",
    });
    expect(record(objectHeaders({ object }))).not.toHaveProperty("x-amz-checksum-crc32");
  });

  test("GetObject_headers_of_a_slice_with_overrides", () => {
    const overrides = parseResponseOverrides(
      parseQuery("response-content-type=image%2Fpng&response-cache-control=x&response-unknown=1"),
      { isSigned: true },
    );
    const part = {
      ...object,
      partsCount: 2,
      system: { ...object.system, storageClass: "GLACIER_IR" as const },
    };
    const headers = record(
      objectHeaders({ object: part, slice: { start: 10, end: 20 }, overrides, showChecksum: true }),
    );
    expect(headers).toMatchObject({
      "Content-Type": "image/png",
      "Cache-Control": "x",
      "Content-Length": "10",
      "Content-Range": "bytes 10-19/100",
      "x-amz-mp-parts-count": "2",
      "x-amz-storage-class": "GLACIER_IR",
    });
    expect(headers).not.toHaveProperty("x-amz-checksum-crc32");
  });

  test("GetObject_overrides_only_for_signed_requests_and_never_break_a_line", () => {
    const query = parseQuery("response-expires=x");
    expect(() => parseResponseOverrides(query, { isSigned: false })).toThrow(
      expect.objectContaining({ code: "InvalidRequest" }),
    );
    const broken = parseQuery("response-content-type=a%0D%0ASet-Cookie:b");
    expect(() => parseResponseOverrides(broken, { isSigned: true })).toThrow(
      expect.objectContaining({ code: "InvalidArgument" }),
    );
    expect(parseResponseOverrides(parseQuery("x=1"), { isSigned: false })).toBeUndefined();
  });

  test("GetObject_not_modified_headers", () => {
    expect(record(notModifiedHeaders(object))).toEqual({
      ETag: '"abc-2"',
      "Last-Modified": "Sat, 21 Nov 2026 08:00:00 GMT",
      "Cache-Control": "no-cache",
    });
  });

  test("encoded words hold whole characters, at most 75 characters each", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 100 }), (text) => {
        const encoded = encodeHeaderText(text);
        expect(encoded).toMatch(/^[\t -~]*$/);
        if (encoded === text) return;
        const words = encoded.split(" ").map((word) => {
          expect(word.length).toBeLessThanOrEqual(75);
          return Buffer.from(/^=\?UTF-8\?B\?(.*)\?=$/.exec(word)?.[1] ?? "", "base64").toString("utf8");
        });
        expect(words.join("")).toBe(text);
      }),
      { seed: 9 },
    );
  });
});
