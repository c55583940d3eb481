/**
 * If-Match of deletions: what AWS compares is the current object, and what it does not compare it refuses
 * instead of deleting without a look.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { elementOf, elementsOf } from "./client.ts";
import { RealBucket } from "./real-bucket.ts";
import type { Reply } from "./real-bucket.ts";

let bucket: RealBucket;
beforeAll(async () => {
  bucket = await RealBucket.open();
  const enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
  expect((await bucket.call("PUT", "/bucket?versioning", {}, enabled)).status).toBe(200);
});
afterAll(() => bucket[Symbol.asyncDispose]());

const remove = (key: string, headers = {}): Promise<Reply> =>
  bucket.call("DELETE", `/bucket/${key}`, headers);
const removeMany = (objects: string): Promise<Reply> =>
  bucket.call("POST", "/bucket?delete", {}, `<Delete>${objects}</Delete>`);
const inside = (xml: string, name: string): readonly string[] =>
  [...xml.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, "g"))].map(([, inner = ""]) => inner);
const versions = async (): Promise<string> => (await bucket.call("GET", "/bucket?versions")).text;

test("DeleteObject_version_if_match is refused as AWS does it, whether it would hold or not", async () => {
  const { headers } = await bucket.put("k", "1");
  const [id, etag] = [String(headers["x-amz-version-id"]), String(headers["etag"])];
  const before = await versions();
  for (const condition of ['"0"', etag, "*"]) {
    const one = await remove(`k?versionId=${id}`, { "if-match": condition });
    expect([one.status, one.code, elementOf(one.text, "Header")]).toEqual([
      501,
      "NotImplemented",
      "If-Match",
    ]);
    const object = `<Object><Key>k</Key><VersionId>${id}</VersionId><ETag>${condition}</ETag></Object>`;
    const many = await removeMany(object);
    expect([many.status, many.code]).toEqual([200, "NotImplemented"]);
  }
  expect(await versions()).toBe(before);
});

test("DeleteObject_if_match without a current object is NoSuchKey, under a marker as well", async () => {
  const etag = String((await bucket.put("marked", "1")).headers["etag"]);
  await remove("marked");
  const before = await versions();
  for (const key of ["marked", "never"]) {
    for (const condition of ["*", etag]) {
      const answer = await remove(key, { "if-match": condition });
      expect([answer.status, answer.code]).toEqual([404, "NoSuchKey"]);
    }
  }
  expect(await versions()).toBe(before);
});

test("DeleteObjects_etag is held against the current object, each item on its own", async () => {
  for (const key of ["a", "b", "c"]) await bucket.put(key, key);
  const etag = String((await bucket.get("a")).headers["etag"]);
  await remove("c");
  const wanted = [
    ["a", etag],
    ["b", etag],
    ["c", "*"],
    ["d", etag],
  ];
  const objects = wanted.map(([key, tag]) => `<Object><Key>${key}</Key><ETag>${tag}</ETag></Object>`);
  const { text } = await removeMany(objects.join(""));
  expect(inside(text, "Deleted").map((each) => elementOf(each, "Key"))).toEqual(["a"]);
  expect(inside(text, "Error").map((each) => [elementOf(each, "Key"), elementOf(each, "Code")])).toEqual([
    ["b", "PreconditionFailed"],
    ["c", "NoSuchKey"],
    ["d", "NoSuchKey"],
  ]);
  expect([(await bucket.get("a")).status, (await bucket.get("b")).status]).toEqual([404, 200]);
});

test.each(["x-amz-if-match-size", "x-amz-if-match-last-modified-time", "if-none-match"])(
  "DeleteObject_with_%s is refused instead of deleted without a look",
  async (header) => {
    await bucket.put("kept", "1");
    const answer = await remove("kept", { [header]: "1" });
    expect([answer.status, answer.code]).toEqual([501, "NotImplemented"]);
    expect((await bucket.get("kept")).status).toBe(200);
  },
);

test("DeleteObjects_size_and_time are refused for their item, and the others are deleted", async () => {
  for (const key of ["sized", "dated", "plain"]) await bucket.put(key, "1");
  const { text } = await removeMany(
    "<Object><Key>sized</Key><Size>1</Size></Object><Object><Key>plain</Key></Object>" +
      "<Object><Key>dated</Key><LastModifiedTime>2026-01-01T00:00:00Z</LastModifiedTime></Object>",
  );
  expect(elementsOf(text, "Code")).toEqual(["NotImplemented", "NotImplemented"]);
  const statuses = await Promise.all(["sized", "dated", "plain"].map((key) => bucket.get(key)));
  expect(statuses.map(({ status }) => status)).toEqual([200, 200, 404]);
});
