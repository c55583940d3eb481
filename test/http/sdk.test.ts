/**
 * The AWS SDK for JavaScript, unmodified and with its default settings (checksums included), against the
 * edge: buffers, streams of known and unknown length, multipart uploads of lib-storage, listings, deletes,
 * presigned-like conditional requests.
 */
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import {
  CreateBucketCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsCommand,
  paginateListObjectsV2,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT, ROOT_SECRET } from "./fake-service.ts";
import { startEdge } from "./start-edge.ts";
import type { StartedEdge } from "./start-edge.ts";

const MIB = 1024 * 1024;
const Bucket = "sdk";

async function* breakingSource(): AsyncGenerator<Buffer> {
  yield randomBytes(6 * MIB);
  throw new Error("the source broke");
}

describe("the AWS SDK", () => {
  let started: StartedEdge;
  let client: S3Client;
  beforeAll(async () => {
    started = await startEdge();
    client = new S3Client({
      endpoint: started.endpoint,
      region: "eu-central-1",
      forcePathStyle: true,
      maxAttempts: 1,
      credentials: { accessKeyId: ROOT.accessKey, secretAccessKey: ROOT_SECRET },
    });
    await client.send(new CreateBucketCommand({ Bucket }));
  });
  afterAll(async () => {
    client.destroy();
    await started.close();
  });

  async function bytesOf(Key: string): Promise<Buffer> {
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  }

  test("buckets", async () => {
    const head = await client.send(new HeadBucketCommand({ Bucket }));
    // The client asks for its own region when it creates a bucket.
    expect(head.BucketRegion).toBe("eu-central-1");
    const location = await client.send(new GetBucketLocationCommand({ Bucket }));
    expect(location.LocationConstraint).toBe("eu-central-1");
    const { Buckets } = await client.send(new ListBucketsCommand({ MaxBuckets: 1 }));
    expect(Buckets?.map(({ Name }) => Name)).toEqual([Bucket]);
  });

  test.each([0, 1, 1024, 70_000, 3 * MIB])("a buffer of %i bytes", async (size) => {
    const body = randomBytes(size);
    const put = await client.send(new PutObjectCommand({ Bucket, Key: `buffer-${size}`, Body: body }));
    expect(put.ChecksumCRC32).toBeDefined();
    expect((await bytesOf(`buffer-${size}`)).equals(body)).toBe(true);
    const head = await client.send(
      new HeadObjectCommand({ Bucket, Key: `buffer-${size}`, ChecksumMode: "ENABLED" }),
    );
    expect([head.ContentLength, head.ChecksumCRC32]).toEqual([size, put.ChecksumCRC32]);
  });

  test.each(["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] as const)(
    "a stream with %s",
    async (algorithm) => {
      const body = randomBytes(2 * MIB + 5);
      const pieces = [body.subarray(0, 7), body.subarray(7, MIB), body.subarray(MIB)];
      const Key = `stream-${algorithm}`;
      const command = new PutObjectCommand({
        Bucket,
        Key,
        Body: Readable.from(pieces),
        ContentLength: body.length,
        ChecksumAlgorithm: algorithm,
      });
      const put = await client.send(command);
      expect(put[`Checksum${algorithm}`]).toBeDefined();
      expect((await bytesOf(Key)).equals(body)).toBe(true);
    },
  );

  test("a stream of unknown length through lib-storage", async () => {
    const body = randomBytes(12 * MIB + 1);
    const pieces = Array.from({ length: 13 }, (_, index) => body.subarray(index * MIB, (index + 1) * MIB));
    const upload = new Upload({ client, params: { Bucket, Key: "multi", Body: Readable.from(pieces) } });
    const done = await upload.done();
    expect(done.ETag).toMatch(/-3"$/);
    expect((await bytesOf("multi")).equals(body)).toBe(true);
    const part = await client.send(new GetObjectCommand({ Bucket, Key: "multi", PartNumber: 3 }));
    expect(part.PartsCount).toBe(3);
    expect((await part.Body?.transformToByteArray())?.length).toBe(2 * MIB + 1);
  });

  test("an upload that is given up leaves nothing", async () => {
    const params = { Bucket, Key: "broken", Body: Readable.from(breakingSource()) };
    await expect(new Upload({ client, params }).done()).rejects.toThrow("the source broke");
    const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket }));
    expect(Uploads).toBeUndefined();
  });

  test("metadata, conditions, errors", async () => {
    const Metadata = { colour: "blue", "two-words": "a b" };
    await client.send(
      new PutObjectCommand({ Bucket, Key: "meta", Body: "x", ContentType: "text/x", Metadata }),
    );
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: "meta" }));
    expect([head.ContentType, head.Metadata]).toEqual(["text/x", Metadata]);
    const again = new PutObjectCommand({ Bucket, Key: "meta", Body: "y", IfNoneMatch: "*" });
    await expect(client.send(again)).rejects.toMatchObject({ name: "PreconditionFailed" });
    const conditional = new GetObjectCommand({ Bucket, Key: "meta", IfNoneMatch: head.ETag });
    await expect(client.send(conditional)).rejects.toMatchObject({ $metadata: { httpStatusCode: 304 } });
    await expect(client.send(new GetObjectCommand({ Bucket, Key: "absent" }))).rejects.toMatchObject({
      name: "NoSuchKey",
    });
    await expect(client.send(new HeadObjectCommand({ Bucket, Key: "absent" }))).rejects.toMatchObject({
      name: "NotFound",
    });
  });

  test("odd keys are listed, read and deleted as they are", async () => {
    const keys = ["..", "a b", "a+b", "a&b", "emoji 😀", "%2e%2e", "trailing/", "a//b", "<x>", "é"];
    const Prefix = "odd/";
    for (const key of keys) await client.send(new PutObjectCommand({ Bucket, Key: Prefix + key, Body: key }));
    for (const key of keys) expect((await bytesOf(Prefix + key)).toString()).toBe(key);
    const listed: string[] = [];
    for await (const page of paginateListObjectsV2({ client, pageSize: 3 }, { Bucket, Prefix })) {
      listed.push(...(page.Contents ?? []).map(({ Key = "" }) => Key));
    }
    expect(listed.toSorted()).toEqual(keys.map((key) => Prefix + key).toSorted());
    const Objects = listed.map((Key) => ({ Key }));
    const deleted = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    expect(deleted.Deleted?.length).toBe(keys.length);
    const { Contents } = await client.send(new ListObjectsCommand({ Bucket, Prefix }));
    expect(Contents).toBeUndefined();
  });
});
