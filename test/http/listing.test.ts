/**
 * ListObjects V1 and V2 over HTTP: pages, delimiters, markers, encodings, byte order; against a plain model.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeKey } from "../s3/signer.ts";
import { elementOf, elementsOf, send } from "./client.ts";
import type { Answer } from "./client.ts";
import { startEdge } from "./start-edge.ts";
import type { StartedEdge } from "./start-edge.ts";

const KEYS = [
  "a",
  "a/1",
  "a/2",
  "a0",
  "b/x/1",
  "b/x/2",
  "b/y",
  "c d",
  "é",
  "\uFB01", // a ligature: above the surrogates in UTF-16, below U+10000 in UTF-8
  "\u{1F600}",
  ...Array.from({ length: 60 }, (_, index) => `many/${String(index).padStart(2, "0")}`),
];

function unescape(text: string): string {
  return text
    .replaceAll("&amp;", "&")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"');
}

function keysOf(answer: Answer): readonly string[] {
  return elementsOf(answer.text, "Key").map(unescape);
}

function prefixesOf(answer: Answer): readonly string[] {
  const matches = answer.text.matchAll(/<CommonPrefixes><Prefix>([^<]*)</g);
  return [...matches].map((match) => unescape(match[1] ?? ""));
}

describe("listings", () => {
  let started: StartedEdge;
  beforeAll(async () => {
    started = await startEdge();
    await send(started.port, { method: "PUT", url: "/bucket" });
    for (const key of KEYS)
      await send(started.port, { method: "PUT", url: `/bucket/${encodeKey(key)}`, body: key });
  });
  afterAll(() => started.close());

  const list = (query: string): Promise<Answer> => send(started.port, { url: `/bucket?${query}` });

  test("V2 lists all keys in UTF-8 byte order", async () => {
    const expected = KEYS.toSorted((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
    const answer = await list("list-type=2");
    expect(keysOf(answer)).toEqual(expected);
    expect(elementOf(answer.text, "KeyCount")).toBe(String(KEYS.length));
  });

  test.each([1, 2, 3, 7, 1000])("V2 pages of %i show everything once", async (size) => {
    for (const [prefix, delimiter] of [
      ["", ""],
      ["", "/"],
      ["b/", "/"],
      ["many/", "0"],
    ] as const) {
      const whole = await list(`list-type=2&prefix=${encodeURIComponent(prefix)}&delimiter=${delimiter}`);
      const keys: string[] = [];
      const prefixes: string[] = [];
      for (let token: string | undefined = ""; token !== undefined;) {
        const page: Answer = await list(
          `list-type=2&max-keys=${size}&prefix=${encodeURIComponent(prefix)}&delimiter=${delimiter}` +
            (token === "" ? "" : `&continuation-token=${token}`),
        );
        keys.push(...keysOf(page));
        prefixes.push(...prefixesOf(page));
        token = elementOf(page.text, "NextContinuationToken");
      }
      expect(keys).toEqual(keysOf(whole));
      expect(prefixes).toEqual(prefixesOf(whole));
    }
  });

  test("a delimiter rolls up", async () => {
    const answer = await list("list-type=2&delimiter=/");
    expect(prefixesOf(answer)).toEqual(["a/", "b/", "many/"]);
    expect(keysOf(answer)).toEqual(["a", "a0", "c d", "é", "\uFB01", "\u{1F600}"]);
    const deeper = await list("list-type=2&delimiter=/&prefix=b/");
    expect([prefixesOf(deeper), keysOf(deeper)]).toEqual([["b/x/"], ["b/y"]]);
  });

  test("V1 marker, NextMarker only with a delimiter, owner always", async () => {
    const first = await list("max-keys=3");
    expect(keysOf(first)).toEqual(["a", "a/1", "a/2"]);
    expect(elementOf(first.text, "NextMarker")).toBeUndefined();
    expect(elementOf(first.text, "DisplayName")).toBe("root");
    expect(keysOf(await list("max-keys=2&marker=a/2"))).toEqual(["a0", "b/x/1"]);
    const grouped = await list("delimiter=/&max-keys=2");
    expect(elementOf(grouped.text, "NextMarker")).toBe("a/");
    expect(keysOf(await list("delimiter=/&marker=a/&max-keys=1"))).toEqual(["a0"]);
  });

  test("V2 start-after, fetch-owner, max-keys=0", async () => {
    expect(keysOf(await list("list-type=2&start-after=b/x/1&max-keys=2"))).toEqual(["b/x/2", "b/y"]);
    expect((await list("list-type=2&max-keys=1")).text).not.toContain("<Owner>");
    expect((await list("list-type=2&max-keys=1&fetch-owner=true")).text).toContain("<Owner>");
    const none = await list("list-type=2&max-keys=0");
    expect([keysOf(none).length, elementOf(none.text, "IsTruncated")]).toEqual([0, "false"]);
  });

  test("a storage class is shown wherever the object or its upload is listed, as HEAD shows it", async () => {
    const { port } = started;
    await send(port, { method: "PUT", url: "/classes" });
    const headers = { "x-amz-storage-class": "STANDARD_IA" };
    await send(port, { method: "PUT", url: "/classes/cool", headers, body: "x" });
    await send(port, { method: "PUT", url: "/classes/plain", body: "x" });
    const begun = await send(port, { method: "POST", url: "/classes/up?uploads", headers });
    const uploadId = elementOf(begun.text, "UploadId") ?? "";
    const shown = async (url: string): Promise<readonly string[]> =>
      elementsOf((await send(port, { url })).text, "StorageClass");
    expect(await shown("/classes")).toEqual(["STANDARD_IA", "STANDARD"]);
    expect(await shown("/classes?list-type=2")).toEqual(["STANDARD_IA", "STANDARD"]);
    expect(await shown("/classes?uploads")).toEqual(["STANDARD_IA"]);
    expect(await shown(`/classes/up?uploadId=${uploadId}`)).toEqual(["STANDARD_IA"]);
    const head = async (key: string): Promise<unknown> =>
      (await send(port, { method: "HEAD", url: `/classes/${key}` })).headers["x-amz-storage-class"];
    expect([await head("cool"), await head("plain")]).toEqual(["STANDARD_IA", undefined]);
    const archive = { "x-amz-storage-class": "DEEP_ARCHIVE" };
    const refused = await send(port, { method: "PUT", url: "/classes/cold", headers: archive, body: "x" });
    expect(refused.code).toBe("NotImplemented");
    const unknown = { "x-amz-storage-class": "LUKEWARM" };
    const invalid = await send(port, { method: "PUT", url: "/classes/cold", headers: unknown, body: "x" });
    expect(invalid.code).toBe("InvalidStorageClass");
  });

  test("encoding-type=url encodes names", async () => {
    const answer = await list("list-type=2&encoding-type=url&prefix=c");
    expect(keysOf(answer)).toEqual(["c+d"]);
    expect(elementOf(answer.text, "EncodingType")).toBe("url");
  });

  test.each([
    ["list-type=2&max-keys=-1", "InvalidArgument"],
    ["list-type=2&max-keys=x", "InvalidArgument"],
    ["list-type=2&continuation-token=nonsense", "InvalidArgument"],
    ["list-type=2&encoding-type=hex", "InvalidArgument"],
  ])("ListObjects_%s is %s", async (query, code) => {
    expect((await list(query)).code).toBe(code);
  });

  test("unknown query parameters are ignored", async () => {
    expect(keysOf(await list("list-type=2&x-id=ListObjectsV2&nonsense&max-keys=1"))).toEqual(["a"]);
  });
});
