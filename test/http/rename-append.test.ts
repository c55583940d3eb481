/** RenameObject and appends over HTTP, on a real store. */
import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { checksumOf } from "../../src/s3/checksums.ts";
import { RealBucket } from "./real-bucket.ts";

const LARGE = randomBytes(100_000);
const past = "Mon, 01 Jan 2001 00:00:00 GMT";

const rename = (bucket: RealBucket, source: string, key: string, headers: Record<string, string> = {}) =>
  bucket.put(`${key}?renameObject`, "", { "x-amz-rename-source": source, ...headers });

describe("RenameObject", () => {
  test.each([
    ["old%20key", "old%20key"],
    ["/old%20key", "old%20key"],
    ["/bucket/old%20key", "old%20key"],
    ["bucket/key", "bucket/key"],
  ])("RenameObject_source %s", async (source, key) => {
    await using bucket = await RealBucket.open();
    const put = await bucket.put(key, LARGE, { "x-amz-meta-a": "1" });
    const modified = (await bucket.get(key)).headers["last-modified"];
    const token = { "x-amz-client-token": "c0ffee" };
    expect((await rename(bucket, source, "new", token)).status).toBe(200);
    expect((await bucket.get(key)).code).toBe("NoSuchKey");
    const { headers, body } = await bucket.get("new");
    expect(body.equals(LARGE)).toBe(true);
    expect([headers["x-amz-meta-a"], headers["etag"], headers["last-modified"]]).toEqual([
      "1",
      put.headers["etag"],
      modified,
    ]);
  });

  test("RenameObject_conditions of source and destination", async () => {
    await using bucket = await RealBucket.open();
    const { headers } = await bucket.put("old", "1");
    await bucket.put("there", "2");
    const refusals: readonly (readonly [string, Record<string, string>])[] = [
      ["PreconditionFailed", { "x-amz-rename-source-if-match": '"no"' }],
      ["PreconditionFailed", { "x-amz-rename-source-if-none-match": String(headers["etag"]) }],
      ["PreconditionFailed", { "x-amz-rename-source-if-unmodified-since": past }],
      ["PreconditionFailed", { "if-none-match": "*" }],
      ["PreconditionFailed", { "if-match": '"no"' }],
      ["InvalidArgument", { "x-amz-client-token": "x".repeat(65) }],
    ];
    for (const [code, conditions] of refusals) {
      expect([conditions, (await rename(bucket, "old", "there", conditions)).code]).toEqual([
        conditions,
        code,
      ]);
    }
    expect((await rename(bucket, "absent", "new")).code).toBe("NoSuchKey");
    expect((await rename(bucket, "old", "old")).code).toBe("InvalidRequest");
    expect((await bucket.put("new?renameObject")).code).toBe("InvalidRequest");
    expect([(await bucket.get("old")).text, (await bucket.get("there")).text]).toEqual(["1", "2"]);
    const matching = { "x-amz-rename-source-if-match": String(headers["etag"]) };
    expect((await rename(bucket, "old", "there", matching)).status).toBe(200);
    expect((await bucket.get("there")).text).toBe("1");
  });
});

const append = (bucket: RealBucket, offset: number | string, body: Buffer | string, headers = {}) =>
  bucket.put("log", body, { "x-amz-write-offset-bytes": String(offset), ...headers });

describe("PutObject with a write offset", () => {
  test("PutObject_write_offset at the end grows the object, and creates one at 0", async () => {
    await using bucket = await RealBucket.open();
    let whole = Buffer.alloc(0);
    for (const bytes of [Buffer.from("a"), Buffer.from("b"), LARGE, Buffer.from("c"), LARGE]) {
      const answer = await append(
        bucket,
        whole.length,
        bytes,
        whole.length === 0 ? { "x-amz-meta-a": "1" } : {},
      );
      whole = Buffer.concat([whole, bytes]);
      expect([answer.status, answer.headers["x-amz-object-size"]]).toEqual([200, String(whole.length)]);
      const got = await bucket.get("log");
      expect(got.body.equals(whole)).toBe(true);
      expect([got.headers["etag"], got.headers["x-amz-meta-a"]]).toEqual([answer.headers["etag"], "1"]);
    }
    const { body } = await bucket.get("log", { range: "bytes=99999-100005" });
    expect(body.equals(whole.subarray(99_999, 100_006))).toBe(true);
  });

  test("PutObject_write_offset elsewhere is InvalidWriteOffset and changes nothing", async () => {
    await using bucket = await RealBucket.open();
    expect((await append(bucket, 1, "x")).code).toBe("InvalidWriteOffset");
    await append(bucket, 0, "abc");
    for (const offset of [0, 2, 4]) {
      const refused = await append(bucket, offset, "x");
      expect([refused.status, refused.code]).toEqual([400, "InvalidWriteOffset"]);
    }
    for (const offset of ["-1", "x", "1.5"]) {
      expect((await append(bucket, offset, "x")).code).toBe("InvalidArgument");
    }
    expect((await bucket.get("log")).text).toBe("abc");
  });

  test("PutObject_write_offset_20_racing one wins", async () => {
    await using bucket = await RealBucket.open();
    await append(bucket, 0, LARGE);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, number) => append(bucket, LARGE.length, `appender ${number}`)),
    );
    const winners = answers.flatMap(({ status }, at) => (status === 200 ? [at] : []));
    expect(winners).toHaveLength(1);
    expect(answers.filter(({ code }) => code === "InvalidWriteOffset")).toHaveLength(19);
    const { body } = await bucket.get("log");
    expect(body.subarray(LARGE.length).toString()).toBe(`appender ${winners[0]}`);
  });

  test("PutObject_write_offset continues the CRC of the object, and refuses another algorithm", async () => {
    await using bucket = await RealBucket.open();
    const sum = (bytes: Buffer) => ({
      "x-amz-checksum-crc32c": checksumOf("CRC32C", bytes).toString("base64"),
    });
    await append(bucket, 0, LARGE, sum(LARGE));
    const more = Buffer.from("more");
    const answer = await append(bucket, LARGE.length, more, sum(more));
    const whole = checksumOf("CRC32C", Buffer.concat([LARGE, more])).toString("base64");
    expect(answer.headers["x-amz-checksum-crc32c"]).toBe(whole);
    // Computed where the client brings none.
    await append(bucket, LARGE.length + 4, more);
    const shown = await bucket.get("log", { "x-amz-checksum-mode": "ENABLED" });
    expect(shown.headers["x-amz-checksum-crc32c"]).toBe(
      checksumOf("CRC32C", Buffer.concat([LARGE, more, more])).toString("base64"),
    );
    const other = { "x-amz-checksum-sha1": checksumOf("SHA1", more).toString("base64") };
    expect((await append(bucket, LARGE.length + 8, more, other)).code).toBe("InvalidRequest");
  });
});

test("a small piece of an object that grew is sent from memory of its own", async () => {
  await using bucket = await RealBucket.open();
  // A row as large as this one makes the memory large in which the rows after it are encoded.
  const tags = Array.from(
    { length: 50 },
    (_, at) => `<Tag><Key>${String(at).padEnd(120, "k")}</Key><Value>${"v".repeat(250)}</Value></Tag>`,
  );
  const tagging = `<Tagging><TagSet>${tags.join("")}</TagSet></Tagging>`;
  expect((await bucket.call("PUT", "/bucket?tagging", {}, tagging)).status).toBe(200);
  await bucket.put("key", LARGE);
  await bucket.put("key", "hello", { "x-amz-write-offset-bytes": String(LARGE.length) });
  for (let count = 0; count < 3; count++) {
    const { status, body } = await bucket.get("key");
    expect([status, body.subarray(LARGE.length).toString()]).toEqual([200, "hello"]);
  }
  expect((await bucket.call("GET", "/bucket?list-type=2")).text).toContain("<KeyCount>1</KeyCount>");
});
