/** CopyObject and UploadPartCopy over HTTP, on a real store. */
import { hash, randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { checksumOf } from "../../src/s3/checksums.ts";
import { elementOf } from "./client.ts";
import { RealBucket } from "./real-bucket.ts";

const MIB = 1024 * 1024;
const LARGE = randomBytes(200_000);
const past = "Mon, 01 Jan 2001 00:00:00 GMT";

describe("CopyObject", () => {
  test("CopyObject_bytes_and_metadata come from the source", async () => {
    await using bucket = await RealBucket.open();
    const headers = {
      "content-type": "text/plain",
      "x-amz-meta-a": "1",
      "x-amz-storage-class": "STANDARD_IA",
      "x-amz-tagging": "t=1&u=2",
    };
    for (const [key, bytes] of [
      ["small", Buffer.from("small")],
      ["large", LARGE],
    ] as const) {
      await bucket.put(key, bytes, headers);
      const copied = await bucket.copy(`/bucket/${key}`, `${key}-copy`);
      expect(copied.status).toBe(200);
      expect(copied.text).toContain("<CopyObjectResult");
      expect(elementOf(copied.text, "ETag")).toBe(`&quot;${hash("md5", bytes, "hex")}&quot;`);
      expect(elementOf(copied.text, "LastModified")).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/);
      const got = await bucket.get(`${key}-copy`);
      expect(got.body.equals(bytes)).toBe(true);
      expect(got.headers).toMatchObject({
        "content-type": "text/plain",
        "x-amz-meta-a": "1",
        "x-amz-tagging-count": "2",
      });
      // The class is the request's, not the source's.
      expect(got.headers["x-amz-storage-class"]).toBeUndefined();
    }
  });

  test("CopyObject_REPLACE has the request's metadata and tags, and nothing of the source's", async () => {
    await using bucket = await RealBucket.open();
    await bucket.put("from", LARGE, { "x-amz-meta-a": "1", "x-amz-tagging": "t=1" });
    await bucket.copy("bucket/from", "to", {
      "x-amz-metadata-directive": "REPLACE",
      "x-amz-tagging-directive": "REPLACE",
      "x-amz-meta-b": "2",
      "x-amz-tagging": "u=2&v=3",
      "x-amz-storage-class": "GLACIER_IR",
    });
    const { headers, body } = await bucket.get("to");
    expect(body.equals(LARGE)).toBe(true);
    expect(headers).toMatchObject({
      "x-amz-meta-b": "2",
      "x-amz-tagging-count": "2",
      "x-amz-storage-class": "GLACIER_IR",
    });
    expect(headers["x-amz-meta-a"]).toBeUndefined();
    expect((await bucket.get("to?tagging")).text).toContain("<Key>u</Key><Value>2</Value>");
  });

  test("CopyObject_onto_itself needs a change", async () => {
    await using bucket = await RealBucket.open();
    await bucket.put("self", "body", { "x-amz-meta-a": "1" });
    const idle = await bucket.copy("bucket/self", "self");
    expect([idle.status, idle.code]).toEqual([400, "InvalidRequest"]);
    expect(idle.text).toContain("trying to copy an object to itself without changing the object");
    const replaced = { "x-amz-metadata-directive": "REPLACE", "x-amz-meta-b": "2" };
    expect((await bucket.copy("bucket/self", "self", replaced)).status).toBe(200);
    const { headers, text } = await bucket.get("self");
    expect([headers["x-amz-meta-a"], headers["x-amz-meta-b"], text]).toEqual([undefined, "2", "body"]);
    expect((await bucket.copy("bucket/self", "self", { "x-amz-storage-class": "STANDARD_IA" })).status).toBe(
      200,
    );
    expect((await bucket.get("self")).headers).toMatchObject({
      "x-amz-meta-b": "2",
      "x-amz-storage-class": "STANDARD_IA",
    });
  });

  test.each([
    ["bucket/a%20b%2Bc", "a%20b%2Bc"],
    ["/bucket/a+b%2Bc", "a%20b%2Bc"],
    ["%2Fbucket%2Fa%20b%2Bc", "a%20b%2Bc"],
    ["bucket/q%3FversionId=x", "q%3FversionId=x"],
    ["bucket/plain?versionId=null", "plain"],
    ["bucket/%F0%9F%98%80/..", "%F0%9F%98%80/.."],
  ])("CopyObject_source %s is found", async (source, key) => {
    await using bucket = await RealBucket.open();
    await bucket.put(key, source);
    expect((await bucket.copy(source, "to")).status).toBe(200);
    expect((await bucket.get("to")).text).toBe(source);
  });

  test.each([
    ["bucket", 400, "InvalidArgument"],
    ["/bucket/", 400, "InvalidArgument"],
    ["bucket/%zz", 400, "InvalidArgument"],
    ["bucket/from?versionId=", 400, "InvalidArgument"],
    ["bucket/absent", 404, "NoSuchKey"],
    ["absent-bucket/from", 404, "NoSuchBucket"],
    ["NOT_A_BUCKET/from", 400, "InvalidBucketName"],
  ])("CopyObject_source %s is refused", async (source, status, code) => {
    await using bucket = await RealBucket.open();
    await bucket.put("from", "x");
    const refused = await bucket.copy(source, "to");
    expect([refused.status, refused.code]).toEqual([status, code]);
    expect((await bucket.get("to")).status).toBe(404);
  });

  test("CopyObject_source_conditions follow the ETag where there is one, and fail with 412", async () => {
    await using bucket = await RealBucket.open();
    const etag = String((await bucket.put("from", "body")).headers["etag"]);
    const wanted: readonly (readonly [number, Record<string, string>])[] = [
      [200, { "if-match": etag }],
      [412, { "if-match": '"other"' }],
      [412, { "if-none-match": etag }],
      [200, { "if-none-match": '"other"' }],
      [200, { "if-modified-since": past }],
      [412, { "if-unmodified-since": past }],
      [200, { "if-match": etag, "if-unmodified-since": past }],
      [412, { "if-none-match": etag, "if-modified-since": past }],
      [412, { "if-match": '"other"', "if-modified-since": past }],
    ];
    for (const [status, conditions] of wanted) {
      const named = Object.entries(conditions).map(([name, value]) => [`x-amz-copy-source-${name}`, value]);
      const copied = await bucket.copy(
        "bucket/from",
        "to",
        Object.fromEntries(named) as Record<string, string>,
      );
      expect([conditions, copied.status]).toEqual([conditions, status]);
    }
  });

  test("CopyObject_target_conditions are decided against the target", async () => {
    await using bucket = await RealBucket.open();
    await bucket.put("from", LARGE);
    expect((await bucket.copy("bucket/from", "to", { "if-none-match": "*" })).status).toBe(200);
    expect((await bucket.copy("bucket/from", "to", { "if-none-match": "*" })).code).toBe(
      "PreconditionFailed",
    );
    expect((await bucket.copy("bucket/from", "to", { "if-match": '"other"' })).code).toBe(
      "PreconditionFailed",
    );
    expect((await bucket.copy("bucket/from", "new", { "if-match": '"other"' })).code).toBe("NoSuchKey");
    const etag = hash("md5", LARGE, "hex");
    expect((await bucket.copy("bucket/from", "to", { "if-match": `"${etag}"` })).status).toBe(200);
  });

  test("CopyObject_checksum_algorithm is computed from the bytes, if it is one", async () => {
    await using bucket = await RealBucket.open();
    await bucket.put("from", LARGE);
    const headers = { "x-amz-checksum-algorithm": "SHA256" };
    const copied = await bucket.copy("bucket/from", "to", headers);
    const value = checksumOf("SHA256", LARGE).toString("base64");
    expect(elementOf(copied.text, "ChecksumSHA256")).toBe(value);
    expect(elementOf(copied.text, "ChecksumType")).toBe("FULL_OBJECT");
    const shown = await bucket.get("to", { "x-amz-checksum-mode": "ENABLED" });
    expect(shown.headers["x-amz-checksum-sha256"]).toBe(value);
    const wrong = await bucket.copy("bucket/from", "no", { "x-amz-checksum-algorithm": "MD4" });
    expect(wrong.code).toBe("InvalidRequest");
    for (const name of ["x-amz-metadata-directive", "x-amz-tagging-directive"]) {
      expect((await bucket.copy("bucket/from", "no", { [name]: "KEEP" })).code).toBe("InvalidArgument");
    }
  });
});

describe("UploadPartCopy", () => {
  test("UploadPartCopy_range_and_whole make an object, by reference and by value", async () => {
    await using bucket = await RealBucket.open();
    const source = randomBytes(6 * MIB);
    await bucket.put("source", source);
    const uploadId = await bucket.createUpload("to");
    const part = (number: number, range?: string) =>
      bucket.copy("/bucket/source", `to?partNumber=${number}&uploadId=${uploadId}`, {
        ...(range === undefined ? {} : { "x-amz-copy-source-range": range }),
      });
    const answers = [await part(1), await part(2, `bytes=1-${5 * MIB + 7}`), await part(3, "bytes=10-19")];
    for (const answer of answers) {
      expect(answer.status).toBe(200);
      expect(answer.text).toContain("<CopyPartResult");
    }
    const etags = answers.map(({ text }) => (elementOf(text, "ETag") ?? "").replaceAll("&quot;", ""));
    expect(etags[0]).toBe(hash("md5", source, "hex"));
    expect(etags[2]).toBe(hash("md5", source.subarray(10, 20), "hex"));
    const listed = await bucket.get(`to?uploadId=${uploadId}`);
    expect(listed.text).toContain(`<ETag>&quot;${etags[1]}&quot;</ETag><Size>${5 * MIB + 7}</Size>`);
    expect((await bucket.complete("to", uploadId, etags)).status).toBe(200);
    await bucket.call("DELETE", "/bucket/source");
    const wanted = Buffer.concat([source, source.subarray(1, 5 * MIB + 8), source.subarray(10, 20)]);
    const got = await bucket.get("to");
    expect(got.body.equals(wanted)).toBe(true);
    const ranged = await bucket.get("to", { range: `bytes=${6 * MIB - 5}-${6 * MIB + 5}` });
    expect(ranged.body.equals(wanted.subarray(6 * MIB - 5, 6 * MIB + 6))).toBe(true);
  });

  test.each([
    ["bytes=0-200000", "InvalidArgument"],
    ["bytes=5-4", "InvalidArgument"],
    ["bytes=5-", "InvalidArgument"],
    ["bytes=-5", "InvalidArgument"],
    ["0-5", "InvalidArgument"],
    ["bytes=0-5,7-9", "InvalidArgument"],
  ])("UploadPartCopy_range %s is refused", async (range, code) => {
    await using bucket = await RealBucket.open();
    await bucket.put("source", LARGE);
    const uploadId = await bucket.createUpload("to");
    const headers = { "x-amz-copy-source-range": range };
    const refused = await bucket.copy("bucket/source", `to?partNumber=1&uploadId=${uploadId}`, headers);
    expect([refused.status, refused.code]).toEqual([400, code]);
  });

  test("UploadPartCopy_of_nothing, into nothing and against a condition is refused", async () => {
    await using bucket = await RealBucket.open();
    await bucket.put("source", LARGE);
    const uploadId = await bucket.createUpload("to");
    const url = `to?partNumber=1&uploadId=${uploadId}`;
    expect((await bucket.copy("bucket/absent", url)).code).toBe("NoSuchKey");
    expect((await bucket.copy("absent/source", url)).code).toBe("NoSuchBucket");
    expect((await bucket.copy("bucket/source", "to?partNumber=1&uploadId=no")).code).toBe("NoSuchUpload");
    const unmatched = { "x-amz-copy-source-if-match": '"no"' };
    expect((await bucket.copy("bucket/source", url, unmatched)).code).toBe("PreconditionFailed");
    expect((await bucket.copy("bucket/source", `to?partNumber=0&uploadId=${uploadId}`)).code).toBe(
      "InvalidArgument",
    );
  });
});
