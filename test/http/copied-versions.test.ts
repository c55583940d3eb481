/** Copies, renames, appends and tags where versions are kept, over HTTP, on a real store. */
import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { elementOf, elementsOf } from "./client.ts";
import { RealBucket } from "./real-bucket.ts";

const LARGE = randomBytes(100_000);
const TAGGING = "<Tagging><TagSet><Tag><Key>old</Key><Value>1</Value></Tag></TagSet></Tagging>";

async function versioned(): Promise<RealBucket> {
  const bucket = await RealBucket.open();
  const document = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
  await bucket.call("PUT", "/bucket?versioning", {}, document);
  return bucket;
}

const idOf = (reply: { readonly headers: Readonly<Record<string, unknown>> }): string =>
  String(reply.headers["x-amz-version-id"]);

test.each([
  ["small", Buffer.from("first")],
  ["large", LARGE],
])("CopyObject_of_a_version whose body is %s copies that one, and says which", async (_, bytes) => {
  await using bucket = await versioned();
  const first = idOf(await bucket.put("k", bytes, { "x-amz-tagging": "t=1" }));
  const second = idOf(await bucket.put("k", "second"));
  const copied = await bucket.copy(`bucket/k?versionId=${first}`, "to");
  expect([copied.status, copied.headers["x-amz-copy-source-version-id"]]).toEqual([200, first]);
  expect(idOf(copied)).toMatch(/^[0-9a-z]{10}\.\d+$/);
  const got = await bucket.get("to");
  expect(got.body.equals(bytes)).toBe(true);
  expect(got.headers["x-amz-tagging-count"]).toBe("1");
  const current = await bucket.copy("bucket/k", "to");
  expect(current.headers["x-amz-copy-source-version-id"]).toBe(second);
  // An old version is brought back by a copy onto its own key.
  const back = await bucket.copy(`bucket/k?versionId=${first}`, "k");
  expect(back.status).toBe(200);
  await bucket.call("DELETE", `/bucket/k?versionId=${first}`);
  expect((await bucket.get("k")).body.equals(bytes)).toBe(true);
  expect((await bucket.copy(`bucket/k?versionId=${first}`, "to")).code).toBe("NoSuchVersion");
  expect((await bucket.copy("bucket/k?versionId=nonsense", "to")).code).toBe("InvalidArgument");
});

test("CopyObject_of_a_delete_marker is refused, UploadPartCopy takes a version", async () => {
  await using bucket = await versioned();
  const first = idOf(await bucket.put("k", LARGE));
  const marker = idOf(await bucket.call("DELETE", "/bucket/k"));
  expect((await bucket.copy("bucket/k", "to")).code).toBe("NoSuchKey");
  expect((await bucket.copy(`bucket/k?versionId=${marker}`, "to")).code).toBe("InvalidRequest");
  const uploadId = await bucket.createUpload("to");
  const url = `to?partNumber=1&uploadId=${uploadId}`;
  const part = await bucket.copy(`bucket/k?versionId=${first}`, url);
  expect([part.status, part.headers["x-amz-copy-source-version-id"]]).toEqual([200, first]);
  expect((await bucket.copy(`bucket/k?versionId=${marker}`, url)).code).toBe("InvalidRequest");
  const etag = (elementOf(part.text, "ETag") ?? "").replaceAll("&quot;", "");
  await bucket.complete("to", uploadId, [etag]);
  expect((await bucket.get("to")).body.equals(LARGE)).toBe(true);
});

test("tags belong to a version, and change without it", async () => {
  await using bucket = await versioned();
  for (const bytes of [Buffer.from("first"), LARGE]) {
    const first = idOf(await bucket.put("k", bytes));
    const second = idOf(await bucket.put("k", "second"));
    const tagged = await bucket.put(`k?tagging&versionId=${first}`, TAGGING);
    expect([tagged.status, idOf(tagged)]).toEqual([200, first]);
    const shown = await bucket.get(`k?tagging&versionId=${first}`);
    expect([elementsOf(shown.text, "Key"), idOf(shown)]).toEqual([["old"], first]);
    const current = await bucket.get("k?tagging");
    expect([elementsOf(current.text, "Key"), idOf(current)]).toEqual([[], second]);
    const old = await bucket.get(`k?versionId=${first}`);
    expect([old.headers["x-amz-tagging-count"], old.body.equals(bytes)]).toEqual(["1", true]);
    // It comes to light again with its tags.
    await bucket.call("DELETE", `/bucket/k?versionId=${second}`);
    expect((await bucket.get("k")).headers["x-amz-tagging-count"]).toBe("1");
    expect((await bucket.call("DELETE", `/bucket/k?tagging&versionId=${first}`)).status).toBe(204);
    expect((await bucket.get("k")).headers["x-amz-tagging-count"]).toBeUndefined();
    const absent = "0000000zzz.0";
    expect((await bucket.put(`k?tagging&versionId=${absent}`, TAGGING)).code).toBe("NoSuchVersion");
    expect((await bucket.get("k?tagging&versionId=x")).code).toBe("InvalidArgument");
  }
});

test("RenameObject_with_versions leaves a delete marker and the old versions behind it", async () => {
  await using bucket = await versioned();
  const first = idOf(await bucket.put("old", LARGE));
  const renamed = await bucket.put("new?renameObject", "", { "x-amz-rename-source": "old" });
  expect(renamed.status).toBe(200);
  expect((await bucket.get("old")).headers["x-amz-delete-marker"]).toBe("true");
  expect((await bucket.get(`old?versionId=${first}`)).body.equals(LARGE)).toBe(true);
  const got = await bucket.get("new");
  expect([got.body.equals(LARGE), idOf(got)]).toEqual([true, idOf(renamed)]);
});

test("PutObject_write_offset_with_versions keeps every state that was", async () => {
  await using bucket = await versioned();
  const ids: string[] = [];
  let whole = Buffer.alloc(0);
  for (let round = 0; round < 12; round++) {
    const bytes = round === 0 ? LARGE : Buffer.from(`round ${round}`);
    const headers = { "x-amz-write-offset-bytes": String(whole.length) };
    ids.push(idOf(await bucket.put("log", bytes, headers)));
    whole = Buffer.concat([whole, bytes]);
  }
  expect((await bucket.get("log")).body.equals(whole)).toBe(true);
  let end = LARGE.length;
  for (const [round, id] of ids.entries()) {
    if (round > 0) end += `round ${round}`.length;
    expect((await bucket.get(`log?versionId=${id}`)).body.equals(whole.subarray(0, end))).toBe(true);
  }
  for (const id of ids.slice(0, -1)) await bucket.call("DELETE", `/bucket/log?versionId=${id}`);
  expect((await bucket.get("log")).body.equals(whole)).toBe(true);
});
