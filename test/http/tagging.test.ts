/** Tags of objects and buckets, and GetObjectAttributes, over HTTP, on a real store. */
import { hash, randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { checksumOf } from "../../src/s3/checksums.ts";
import { elementOf, elementsOf } from "./client.ts";
import { RealBucket } from "./real-bucket.ts";

const tagging = (tags: readonly (readonly [string, string])[]): string =>
  `<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet>${tags
    .map(([key, value]) => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`)
    .join("")}</TagSet></Tagging>`;
const many = (count: number) => Array.from({ length: count }, (_, at) => [`k${at}`, `v${at}`] as const);

describe("tags of an object", () => {
  test("PutObjectTagging_Get_Delete, and what HEAD shows of them", async () => {
    await using bucket = await RealBucket.open();
    await bucket.put("k", "body");
    const before = (await bucket.get("k")).headers;
    expect(before["x-amz-tagging-count"]).toBeUndefined();
    expect((await bucket.get("k?tagging")).text).toContain("<TagSet/>");
    expect(
      (
        await bucket.put(
          "k?tagging",
          tagging([
            ["a b", "ü+-=._:/@"],
            ["empty", ""],
          ]),
        )
      ).status,
    ).toBe(200);
    const { headers } = await bucket.get("k");
    expect(headers["x-amz-tagging-count"]).toBe("2");
    expect([headers["etag"], headers["last-modified"]]).toEqual([before["etag"], before["last-modified"]]);
    const { text } = await bucket.get("k?tagging");
    expect(elementsOf(text, "Key")).toEqual(["a b", "empty"]);
    expect(text).toContain("<Value>ü+-=._:/@</Value>");
    expect((await bucket.call("DELETE", "/bucket/k?tagging")).status).toBe(204);
    expect((await bucket.call("HEAD", "/bucket/k")).headers["x-amz-tagging-count"]).toBeUndefined();
    expect((await bucket.get("k?tagging")).text).toContain("<TagSet/>");
    expect((await bucket.get("k")).text).toBe("body");
  });

  test("PutObject_tagging_header and CreateMultipartUpload_tagging_header go with the object", async () => {
    await using bucket = await RealBucket.open();
    await bucket.put("k", "body", { "x-amz-tagging": "a%20b=%C3%BC&c" });
    expect(elementsOf((await bucket.get("k?tagging")).text, "Key")).toEqual(["a b", "c"]);
    await bucket.put("k", "body");
    expect((await bucket.get("k?tagging")).text).toContain("<TagSet/>");
    const uploadId = await bucket.createUpload("m", { "x-amz-tagging": "t=1" });
    const part = await bucket.put(`m?partNumber=1&uploadId=${uploadId}`, "part");
    await bucket.complete("m", uploadId, [String(part.headers["etag"])]);
    expect((await bucket.get("m")).headers["x-amz-tagging-count"]).toBe("1");
    expect(elementOf((await bucket.get("m?tagging")).text, "Key")).toBe("t");
  });

  test.each([
    ["eleven", many(11), "BadRequest"],
    [
      "a repeated key",
      [
        ["a", "1"],
        ["a", "2"],
      ] as const,
      "InvalidTag",
    ],
    ["an empty key", [["", "1"]] as const, "InvalidTag"],
    ["a key of 129", [["k".repeat(129), "1"]] as const, "InvalidTag"],
    ["a value of 257", [["k", "v".repeat(257)]] as const, "InvalidTag"],
    ["a character that is not allowed", [["k", "a;b"]] as const, "InvalidTag"],
    ["a system key", [["aws:x", "1"]] as const, "InvalidTag"],
  ])("PutObjectTagging_with %s is refused and changes nothing", async (_, tags, code) => {
    await using bucket = await RealBucket.open();
    await bucket.put("k", "body", { "x-amz-tagging": "kept=1" });
    const refused = await bucket.put("k?tagging", tagging(tags));
    expect([refused.status, refused.code]).toEqual([400, code]);
    expect(elementsOf((await bucket.get("k?tagging")).text, "Key")).toEqual(["kept"]);
    const query = tags
      .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`)
      .join("&");
    expect((await bucket.put("other", "body", { "x-amz-tagging": query })).code).toBe(code);
    expect((await bucket.get("other")).status).toBe(404);
  });

  test("PutObjectTagging_largest is kept", async () => {
    await using bucket = await RealBucket.open();
    await bucket.put("k", "body");
    const tags = many(10).map(([key]) => [key.padEnd(128, "x"), "ü".repeat(256)] as const);
    expect((await bucket.put("k?tagging", tagging(tags))).status).toBe(200);
    expect(elementsOf((await bucket.get("k?tagging")).text, "Key")).toEqual(tags.map(([key]) => key));
    expect((await bucket.get("k")).headers["x-amz-tagging-count"]).toBe("10");
  });

  test.each([
    "",
    "<Tagging/>",
    "<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",
    "<TagSet/>",
    "<x",
  ])("PutObjectTagging_of %j is MalformedXML", async (document) => {
    await using bucket = await RealBucket.open();
    await bucket.put("k", "body");
    expect((await bucket.put("k?tagging", document)).code).toBe("MalformedXML");
  });

  test("tags of what is not there are NoSuchKey", async () => {
    await using bucket = await RealBucket.open();
    expect((await bucket.get("absent?tagging")).code).toBe("NoSuchKey");
    expect((await bucket.put("absent?tagging", tagging([]))).code).toBe("NoSuchKey");
    expect((await bucket.call("DELETE", "/bucket/absent?tagging")).code).toBe("NoSuchKey");
  });
});

test("PutBucketTagging_Get_Delete, up to 50, and gone with the bucket", async () => {
  await using bucket = await RealBucket.open();
  expect((await bucket.call("GET", "/bucket?tagging")).code).toBe("NoSuchTagSet");
  expect((await bucket.call("PUT", "/bucket?tagging", {}, tagging(many(50)))).status).toBe(200);
  expect(elementsOf((await bucket.call("GET", "/bucket?tagging")).text, "Key")).toHaveLength(50);
  expect((await bucket.call("PUT", "/bucket?tagging", {}, tagging(many(51)))).code).toBe("InvalidTag");
  expect((await bucket.call("DELETE", "/bucket?tagging")).status).toBe(204);
  expect((await bucket.call("GET", "/bucket?tagging")).code).toBe("NoSuchTagSet");
  await bucket.call("PUT", "/bucket?tagging", {}, tagging(many(1)));
  await bucket.call("DELETE", "/bucket");
  await bucket.call("PUT", "/bucket");
  expect((await bucket.call("GET", "/bucket?tagging")).code).toBe("NoSuchTagSet");
});

describe("GetObjectAttributes", () => {
  const ask = (bucket: RealBucket, key: string, names: string, headers: Record<string, string> = {}) =>
    bucket.get(`${key}?attributes`, { "x-amz-object-attributes": names, ...headers });

  test("GetObjectAttributes_of_an_object tells what was asked for and no more", async () => {
    await using bucket = await RealBucket.open();
    const value = checksumOf("CRC32", Buffer.from("body")).toString("base64");
    await bucket.put("k", "body", { "x-amz-checksum-crc32": value, "x-amz-storage-class": "STANDARD_IA" });
    const all = await ask(bucket, "k", "ETag,Checksum,ObjectParts,StorageClass,ObjectSize");
    expect(all.status).toBe(200);
    expect(all.headers["last-modified"]).toBeDefined();
    expect(all.text).toContain(
      `<ETag>${hash("md5", "body", "hex")}</ETag><Checksum><ChecksumCRC32>${value}</ChecksumCRC32>` +
        "<ChecksumType>FULL_OBJECT</ChecksumType></Checksum><StorageClass>STANDARD_IA</StorageClass>" +
        "<ObjectSize>4</ObjectSize>",
    );
    const one = await ask(bucket, "k", "ObjectSize");
    expect(one.text).toContain("><ObjectSize>4</ObjectSize></GetObjectAttributesResponse>");
    expect((await ask(bucket, "k", "")).code).toBe("InvalidArgument");
    expect((await ask(bucket, "k", "ETag,Colour")).code).toBe("InvalidArgument");
    expect((await ask(bucket, "absent", "ETag")).code).toBe("NoSuchKey");
  });

  test("GetObjectAttributes_ObjectParts come page by page, with their checksums", async () => {
    await using bucket = await RealBucket.open();
    const uploadId = await bucket.createUpload("m", { "x-amz-checksum-algorithm": "CRC32" });
    const parts = [randomBytes(5 * 1024 * 1024), randomBytes(5 * 1024 * 1024), Buffer.from("end")];
    const etags: string[] = [];
    for (const [at, bytes] of parts.entries()) {
      const put = await bucket.put(`m?partNumber=${at + 1}&uploadId=${uploadId}`, bytes);
      etags.push(String(put.headers["etag"]));
    }
    await bucket.complete("m", uploadId, etags);
    const first = await ask(bucket, "m", "ObjectParts", { "x-amz-max-parts": "2" });
    expect(elementOf(first.text, "PartsCount")).toBe("3");
    expect(elementsOf(first.text, "Size")).toEqual(["5242880", "5242880"]);
    expect([elementOf(first.text, "IsTruncated"), elementOf(first.text, "NextPartNumberMarker")]).toEqual([
      "true",
      "2",
    ]);
    const rest = await ask(bucket, "m", "ObjectParts", { "x-amz-part-number-marker": "2" });
    expect(elementsOf(rest.text, "PartNumber")).toEqual(["3"]);
    expect(elementOf(rest.text, "ChecksumCRC32")).toBe(
      checksumOf("CRC32", parts[2] as Buffer).toString("base64"),
    );
    expect(elementOf(rest.text, "IsTruncated")).toBe("false");
    expect((await ask(bucket, "m", "ObjectParts", { "x-amz-max-parts": "x" })).code).toBe("InvalidArgument");
  });
});
