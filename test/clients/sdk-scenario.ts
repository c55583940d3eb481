/**
 * The AWS SDK for JavaScript, version 3, as programs use it: buffers and streams, streams of unknown length
 * through lib-storage, checksums of every kind, paginators, conditions, an upload that is broken off.
 */
import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
  paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { credentials } from "../scenario/server-process.ts";
import type { Tally } from "../scenario/tally.ts";
import { ClientWorld } from "./client-world.ts";
import { CHECKSUM_ALGORITHMS, checksumOf } from "./expected-checksums.ts";
import { ODD_KEYS, byUtf8 } from "./odd-names.ts";
import { MIB, TEST_BODIES, makeBytes } from "./test-bodies.ts";

const KIB = 1024;
const PART_BYTES = 8 * MIB;

type Sdk = { readonly client: S3Client; readonly world: ClientWorld };

export async function sdkScenario(tally: Tally): Promise<void> {
  const world = await ClientWorld.open(tally);
  let sdk = connect(world);
  try {
    await tally.step("CreateBucket, ListBuckets", async () => {
      for (const Bucket of ["plain", "odd-keys"]) await sdk.client.send(new CreateBucketCommand({ Bucket }));
      const { Buckets = [] } = await sdk.client.send(new ListBucketsCommand());
      assert.deepEqual(
        Buckets.map(({ Name }) => Name),
        ["odd-keys", "plain"],
      );
    });
    await bodies(sdk);
    await streams(sdk);
    await brokenOff(sdk);
    await checksums(sdk);
    await describedAndConditional(sdk);
    await secondTransfers(sdk);
    await oddKeys(sdk);
    await tally.step("kill -9 and a new start", () => world.crashAndRestart());
    sdk.client.destroy();
    sdk = connect(world);
    await bodiesAreThere(sdk);
    await removeAll(sdk);
  } finally {
    sdk.client.destroy();
    await world.close();
  }
}

/** Nothing but what everybody has to set for an endpoint of their own. */
function connect(world: ClientWorld): Sdk {
  const client = new S3Client({
    endpoint: world.endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: credentials.accessKey, secretAccessKey: credentials.secretKey },
  });
  return { client, world };
}

async function bytesAt({ client }: Sdk, Bucket: string, Key: string, Range?: string): Promise<Buffer> {
  const input = { Bucket, Key, ...(Range !== undefined && { Range }) };
  const { Body } = await client.send(new GetObjectCommand(input));
  assert.ok(Body !== undefined);
  return Buffer.from(await Body.transformToByteArray());
}

async function bodies(sdk: Sdk): Promise<void> {
  for (const { name, bytes } of TEST_BODIES) {
    await sdk.world.tally.step(`PutObject of a buffer and GetObject: ${name}`, async () => {
      await sdk.client.send(new PutObjectCommand({ Bucket: "plain", Key: name, Body: bytes }));
      assert.ok(bytes.equals(await bytesAt(sdk, "plain", name)), "other bytes came back");
    });
  }
  await sdk.world.tally.step("PutObject of a stream whose length is known", async () => {
    const bytes = makeBytes(3 * MIB, "known");
    const Body = Readable.from(pieces(bytes, 70_001));
    const input = { Bucket: "plain", Key: "known", Body, ContentLength: bytes.length };
    await sdk.client.send(new PutObjectCommand(input));
    assert.ok(bytes.equals(await bytesAt(sdk, "plain", "known")));
  });
  await sdk.world.tally.step("GetObject of a range", async () => {
    const part = await bytesAt(sdk, "plain", "known", "bytes=65535-2000000");
    assert.ok(
      makeBytes(3 * MIB, "known")
        .subarray(65_535, 2_000_001)
        .equals(part),
    );
  });
}

async function bodiesAreThere(sdk: Sdk): Promise<void> {
  await sdk.world.tally.step("after kill -9 and a restart every body is there", async () => {
    for (const { name, bytes } of TEST_BODIES) {
      assert.ok(bytes.equals(await bytesAt(sdk, "plain", name)), `${name} came back with other bytes`);
      if (bytes.length > 0) assert.ok(bytes.equals(await bytesAt(sdk, "plain", `streamed-${name}`)));
    }
  });
}

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Nobody knows how long these are before they end. */
async function streams(sdk: Sdk): Promise<void> {
  for (const { name, bytes } of TEST_BODIES) {
    await sdk.world.tally.step(`Upload of a stream of unknown length: ${name}`, async () => {
      const Key = `streamed-${name}`;
      const params = { Bucket: "plain", Key, Body: Readable.from(pieces(bytes, 300_007)) };
      const upload = new Upload({ client: sdk.client, params, partSize: PART_BYTES, queueSize: 3 });
      const { ETag } = await upload.done();
      const parts = Math.ceil(bytes.length / PART_BYTES);
      assert.match(ETag ?? "", parts > 1 ? new RegExp(`-${parts}"$`) : /^"[0-9a-f]{32}"$/);
      assert.ok(bytes.equals(await bytesAt(sdk, "plain", Key)), "other bytes came back");
    });
  }
}

async function brokenOff(sdk: Sdk): Promise<void> {
  await sdk.world.tally.step("an Upload whose source fails leaves no object and no upload", async () => {
    const failing = async function* (): AsyncGenerator<Buffer> {
      yield* pieces(makeBytes(2 * PART_BYTES, "broken off"), MIB);
      throw new Error("the source failed");
    };
    const before = await sdk.world.requestCount(["UploadPart"]);
    const params = { Bucket: "plain", Key: "broken off", Body: Readable.from(failing()) };
    const upload = new Upload({ client: sdk.client, params, partSize: PART_BYTES, queueSize: 1 });
    await assert.rejects(upload.done(), /the source failed/);
    assert.ok((await sdk.world.requestCount(["UploadPart"])) > before, "no part was under way");
    const { Uploads = [] } = await sdk.client.send(new ListMultipartUploadsCommand({ Bucket: "plain" }));
    assert.deepEqual(Uploads, []);
    await assert.rejects(bytesAt(sdk, "plain", "broken off"), { name: "NoSuchKey" });
  });
  await sdk.world.tally.step("a PutObject that is aborted in the middle leaves no object", async () => {
    const stop = new AbortController();
    const stalling = async function* (): AsyncGenerator<Buffer> {
      yield makeBytes(3 * MIB, "stalled");
      stop.abort();
      await new Promise((resolve) => setTimeout(resolve, 100));
    };
    const Body = Readable.from(stalling());
    const input = { Bucket: "plain", Key: "stalled", Body, ContentLength: 10 * MIB };
    const put = sdk.client.send(new PutObjectCommand(input), { abortSignal: stop.signal });
    await assert.rejects(put, { name: "AbortError" });
    await assert.rejects(bytesAt(sdk, "plain", "stalled"), { name: "NoSuchKey" });
  });
}

async function checksums(sdk: Sdk): Promise<void> {
  const { client } = sdk;
  const Body = makeBytes(200_000, "summed");
  for (const ChecksumAlgorithm of CHECKSUM_ALGORITHMS) {
    await sdk.world.tally.step(`ChecksumAlgorithm ${ChecksumAlgorithm}, buffer and parts`, async () => {
      const target = { Bucket: "plain", Key: `sum-${ChecksumAlgorithm}` };
      await client.send(new PutObjectCommand({ ...target, Body, ChecksumAlgorithm }));
      const head = await client.send(new HeadObjectCommand({ ...target, ChecksumMode: "ENABLED" }));
      assert.equal(head[`Checksum${ChecksumAlgorithm}`], await checksumOf(ChecksumAlgorithm, Body));
      assert.ok(Body.equals(await bytesAt(sdk, "plain", target.Key)));
      const large = makeBytes(11 * MIB, ChecksumAlgorithm);
      const params = { ...target, Body: Readable.from(pieces(large, 100_000)), ChecksumAlgorithm };
      await new Upload({ client, params, partSize: PART_BYTES }).done();
      const whole = await client.send(new HeadObjectCommand({ ...target, ChecksumMode: "ENABLED" }));
      const shown = whole[`Checksum${ChecksumAlgorithm}`] ?? "";
      const expected = await checksumOf(ChecksumAlgorithm, large);
      if (whole.ChecksumType === "COMPOSITE") assert.match(shown, /-2$/);
      else assert.equal(shown, expected);
      assert.ok(large.equals(await bytesAt(sdk, "plain", target.Key)));
    });
  }
  await sdk.world.tally.step("a wrong checksum is refused and nothing is stored", async () => {
    const ChecksumSHA256 = await checksumOf("SHA256", Buffer.from("something else"));
    const input = { Bucket: "plain", Key: "sum-wrong", Body, ChecksumSHA256 };
    await assert.rejects(client.send(new PutObjectCommand(input)), /./);
    await assert.rejects(bytesAt(sdk, "plain", "sum-wrong"), { name: "NoSuchKey" });
  });
}

const status = (code: number) => (error: unknown) =>
  error instanceof S3ServiceException && error.$metadata.httpStatusCode === code;

async function describedAndConditional(sdk: Sdk): Promise<void> {
  const { client, world } = sdk;
  const target = { Bucket: "plain", Key: "described" };
  await world.tally.step("headers and metadata come back as they were given", async () => {
    const told = {
      ContentType: "text/x-thermocline",
      ContentEncoding: "identity",
      CacheControl: "no-cache",
      Metadata: { colour: "blue green", depth: "12" },
    };
    await client.send(new PutObjectCommand({ ...target, ...told, Body: "described" }));
    const head = await client.send(new HeadObjectCommand(target));
    const { ContentType, ContentEncoding, CacheControl, Metadata } = head;
    assert.deepEqual({ ContentType, ContentEncoding, CacheControl, Metadata }, told);
  });
  await world.tally.step("conditions: IfNoneMatch and IfMatch, on reads and writes", async () => {
    const { ETag } = await client.send(new HeadObjectCommand(target));
    assert.ok(ETag !== undefined);
    await assert.rejects(client.send(new GetObjectCommand({ ...target, IfNoneMatch: ETag })), status(304));
    await assert.rejects(
      client.send(new PutObjectCommand({ ...target, Body: "other", IfNoneMatch: "*" })),
      status(412),
    );
    await client.send(new PutObjectCommand({ ...target, Body: "newer", IfMatch: ETag }));
    await assert.rejects(
      client.send(new PutObjectCommand({ ...target, Body: "late", IfMatch: ETag })),
      status(412),
    );
    assert.equal((await bytesAt(sdk, "plain", "described")).toString(), "newer");
  });
}

/** The SDK has no sync: programs that have one send what the store does not have, and ask by its ETag. */
async function secondTransfers(sdk: Sdk): Promise<void> {
  const { client, world } = sdk;
  await world.tally.step("a second transfer moves nothing, in either direction", async () => {
    const etags: string[] = [];
    const sendAll = async (): Promise<void> => {
      for (const { name, bytes } of TEST_BODIES) {
        const target = { Bucket: "plain", Key: `sent once/${name}` };
        const put = new PutObjectCommand({ ...target, Body: bytes, IfNoneMatch: "*" });
        etags.push((await client.send(put)).ETag ?? "");
      }
    };
    assert.ok((await world.sentBy(sendAll)).bytes > 20 * MIB);
    const again = await world.sentBy(async () => {
      for (const [at, { name, bytes }] of TEST_BODIES.entries()) {
        const target = { Bucket: "plain", Key: `sent once/${name}` };
        const { ContentLength, ETag } = await client.send(new HeadObjectCommand(target));
        assert.deepEqual([ContentLength, ETag], [bytes.length, etags[at]]);
        assert.equal(ETag, `"${createHash("md5").update(bytes).digest("hex")}"`);
        await assert.rejects(
          client.send(new GetObjectCommand({ ...target, IfNoneMatch: ETag })),
          status(304),
        );
        const put = new PutObjectCommand({ ...target, Body: bytes.subarray(0, KIB), IfNoneMatch: "*" });
        await assert.rejects(client.send(put), status(412));
        assert.ok(bytes.equals(await bytesAt(sdk, "plain", target.Key)), "other bytes came back");
      }
    });
    assert.ok(again.bytes < 64 * KIB, `${again.bytes} bytes of log`);
  });
}

async function keysOf({ client }: Sdk, Bucket: string): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const { Contents = [] } of paginateListObjectsV2({ client, pageSize: 7 }, { Bucket })) {
    keys.push(...Contents.map(({ Key = "" }) => Key));
  }
  return keys;
}

async function oddKeys(sdk: Sdk): Promise<void> {
  const { client, world } = sdk;
  const Bucket = "odd-keys";
  await world.tally.step(
    `${ODD_KEYS.length} odd keys are put, come back, and are listed in order`,
    async () => {
      for (const Key of ODD_KEYS) {
        await client.send(new PutObjectCommand({ Bucket, Key, Body: `body of ${Key}` }));
        assert.equal((await bytesAt(sdk, Bucket, Key)).toString(), `body of ${Key}`, JSON.stringify(Key));
      }
      assert.deepEqual(await keysOf(sdk, Bucket), ODD_KEYS.toSorted(byUtf8));
    },
  );
  await world.tally.step("odd keys are deleted one by one, or many at once", async () => {
    const [first = "", ...rest] = ODD_KEYS;
    await client.send(new DeleteObjectCommand({ Bucket, Key: first }));
    const { Errors = [] } = await client.send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects: rest.map((Key) => ({ Key })) } }),
    );
    assert.deepEqual(Errors, []);
    assert.deepEqual(await keysOf(sdk, Bucket), []);
  });
}

async function removeAll(sdk: Sdk): Promise<void> {
  await sdk.world.tally.step("every object is deleted, then the buckets", async () => {
    for (const Key of await keysOf(sdk, "plain")) {
      await sdk.client.send(new DeleteObjectCommand({ Bucket: "plain", Key }));
    }
    for (const Bucket of ["plain", "odd-keys"]) await sdk.client.send(new DeleteBucketCommand({ Bucket }));
    assert.deepEqual((await sdk.client.send(new ListBucketsCommand())).Buckets ?? [], []);
  });
}
