/**
 * ListMultipartUploads on a real store, where the fold of the edge and the rows of the service have to mean
 * the same by a position: what stands exactly at a prefix or a marker is the first to get lost.
 */
import { expect, test } from "vitest";
import { elementsOf } from "./client.ts";
import { RealBucket } from "./real-bucket.ts";

const KEYS = ["a", "a", "a/1", "a/2", "a0", "b"];

async function keysListed(bucket: RealBucket, query: string): Promise<readonly string[]> {
  const { status, text } = await bucket.call("GET", `/bucket?uploads&${query}`);
  expect(status).toBe(200);
  return elementsOf(text, "Key");
}

test("ListMultipartUploads finds uploads of the very key that is the prefix", async () => {
  await using bucket = await RealBucket.open();
  for (const key of KEYS) await bucket.createUpload(key);
  expect(await keysListed(bucket, "prefix=b")).toEqual(["b"]);
  expect(await keysListed(bucket, "prefix=a")).toEqual(["a", "a", "a/1", "a/2", "a0"]);
  expect(await keysListed(bucket, "prefix=a&key-marker=")).toEqual(["a", "a", "a/1", "a/2", "a0"]);
});

test("ListMultipartUploads goes on with the key that follows a group, exactly", async () => {
  await using bucket = await RealBucket.open();
  for (const key of KEYS) await bucket.createUpload(key);
  expect(await keysListed(bucket, "delimiter=/&max-uploads=3")).toEqual(["a", "a"]);
  expect(await keysListed(bucket, "delimiter=/")).toEqual(["a", "a", "a0", "b"]);
  // A marker within the group: the next thing to read is the first key behind it.
  expect(await keysListed(bucket, "delimiter=/&key-marker=a/")).toEqual(["a0", "b"]);
});

test("ListMultipartUploads with a marker that has no id goes on behind all of its key", async () => {
  await using bucket = await RealBucket.open();
  for (const key of KEYS) await bucket.createUpload(key);
  expect(await keysListed(bucket, "key-marker=a")).toEqual(["a/1", "a/2", "a0", "b"]);
  expect(await keysListed(bucket, "prefix=a&key-marker=a")).toEqual(["a/1", "a/2", "a0"]);
});
