/**
 * An edge that takes no writes: each is refused with 503 before its body is asked for, reads go on, and
 * nobody is told that what they get is the latest.
 */
import { expect, test } from "vitest";
import { operationTable } from "../../src/http/operation-table.ts";
import { WRITING_OPERATIONS } from "../../src/s3/operations.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import { send } from "./client.ts";
import type { Call } from "./client.ts";
import { startEdge } from "./start-edge.ts";
import type { StartedEdge } from "./start-edge.ts";

const readOnly = "read-only: started with --salvage";

/** With bucket "b" and the object "k" in it. */
async function startReadOnly(): Promise<StartedEdge & AsyncDisposable> {
  const started = await startEdge({ readOnly });
  const { buckets, objects } = started.service;
  await buckets.create({ name: "bucket", owner: "root", location: "" });
  await objects.put({
    bucket: "bucket",
    key: "k",
    etag: "0".repeat(32),
    attributes: NO_ATTRIBUTES,
    body: { kind: "bytes", bytes: Buffer.from("what is left") },
    condition: { kind: "none" },
  });
  return { ...started, [Symbol.asyncDispose]: () => started.close() };
}

const WRITES: readonly (readonly [name: string, call: Call])[] = [
  ["CreateBucket", { method: "PUT", url: "/other" }],
  ["DeleteBucket", { method: "DELETE", url: "/bucket" }],
  ["PutBucketVersioning", { method: "PUT", url: "/bucket?versioning", body: "<x/>" }],
  ["DeleteObjects", { method: "POST", url: "/bucket?delete", body: "<Delete/>" }],
  ["PutObject", { method: "PUT", url: "/bucket/k", body: "new" }],
  ["PutObject, large", { method: "PUT", url: "/bucket/k", body: Buffer.alloc(3_000_000) }],
  ["PutObject, to a bucket that is not there", { method: "PUT", url: "/absent/k", body: "new" }],
  ["DeleteObject", { method: "DELETE", url: "/bucket/k" }],
  ["CreateMultipartUpload", { method: "POST", url: "/bucket/k?uploads" }],
  ["UploadPart", { method: "PUT", url: "/bucket/k?partNumber=1&uploadId=u", body: "part" }],
  ["CompleteMultipartUpload", { method: "POST", url: "/bucket/k?uploadId=u", body: "<x/>" }],
  ["AbortMultipartUpload", { method: "DELETE", url: "/bucket/k?uploadId=u" }],
  ["CopyObject", { method: "PUT", url: "/bucket/c", headers: { "x-amz-copy-source": "/bucket/k" } }],
  [
    "UploadPartCopy",
    {
      method: "PUT",
      url: "/bucket/k?partNumber=1&uploadId=u",
      headers: { "x-amz-copy-source": "/bucket/k" },
    },
  ],
  ["RenameObject", { method: "PUT", url: "/bucket/c?renameObject", headers: { "x-amz-rename-source": "k" } }],
  [
    "AppendObject",
    { method: "PUT", url: "/bucket/k", headers: { "x-amz-write-offset-bytes": "12" }, body: "more" },
  ],
  [
    "PostObject",
    {
      method: "POST",
      url: "/bucket",
      headers: { "content-type": "multipart/form-data; boundary=b" },
      body: "--b--",
    },
  ],
  ["PutObjectTagging", { method: "PUT", url: "/bucket/k?tagging", body: "<Tagging/>" }],
  ["DeleteObjectTagging", { method: "DELETE", url: "/bucket/k?tagging" }],
  ["PutBucketTagging", { method: "PUT", url: "/bucket?tagging", body: "<Tagging/>" }],
  ["DeleteBucketTagging", { method: "DELETE", url: "/bucket?tagging" }],
  ["PutBucketAcl", { method: "PUT", url: "/bucket?acl", headers: { "x-amz-acl": "private" } }],
  ["PutObjectAcl", { method: "PUT", url: "/bucket/k?acl", headers: { "x-amz-acl": "private" } }],
  ["PutBucketOwnershipControls", { method: "PUT", url: "/bucket?ownershipControls", body: "<x/>" }],
  ["PutBucketCors", { method: "PUT", url: "/bucket?cors", body: "<x/>" }],
  ["DeleteBucketCors", { method: "DELETE", url: "/bucket?cors" }],
  [
    "WriteBatch",
    { method: "POST", url: "/bucket?batch", body: '{"operations":[{"op":"delete","key":"k"}]}' },
  ],
];

test.each(WRITES)("%s is refused with 503 and the reason, and changes nothing", async (_, call) => {
  await using started = await startReadOnly();
  const answer = await send(started.port, call);
  expect({ status: answer.status, code: answer.code }).toEqual({ status: 503, code: "ServiceUnavailable" });
  expect(answer.text).toContain(`This node takes no writes: ${readOnly}`);
  expect((await send(started.port, { url: "/bucket/k" })).text).toBe("what is left");
});

test("whoever cannot sign is told that, not what state the node is in", async () => {
  await using started = await startReadOnly();
  const answer = await send(started.port, { method: "PUT", url: "/bucket/k", body: "x", credentials: null });
  expect(answer.status).toBe(403);
});

test("every operation that is not refused only reads", () => {
  const names = WRITES.map(([name]) => name.split(",")[0] as string);
  expect(new Set(names)).toEqual(WRITING_OPERATIONS);
  const reading = Object.keys(operationTable).filter((name) => !new Set(names).has(name));
  expect(reading.every((name) => /^(Get|Head|List)/.test(name))).toBe(true);
});

test("reads go on, and none claims to be linearizable", async () => {
  await using started = await startReadOnly();
  const urls = ["/", "/bucket", "/bucket?list-type=2", "/bucket?uploads", "/bucket?location", "/bucket/k"];
  for (const url of urls) {
    const { status, headers } = await send(started.port, { url });
    expect([url, status, headers["x-thermocline-consistency"]]).toEqual([url, 200, "salvage"]);
  }
  const range = await send(started.port, { url: "/bucket/k", headers: { range: "bytes=0-3" } });
  expect([range.status, range.text]).toEqual([206, "what"]);
  const head = await send(started.port, { method: "HEAD", url: "/bucket/k" });
  expect([head.status, head.headers["content-length"]]).toEqual([200, "12"]);
});
