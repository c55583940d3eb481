/**
 * A PUT of an archive that is unpacked, on a real store: what MinIO's clients send, and everything that is no
 * archive.
 */
import { hash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { Client } from "minio";
import { describe, expect, test } from "vitest";
import { paxHead, tarEntry, tarOf } from "../support/tar-writer.ts";
import { RealBucket } from "./real-bucket.ts";
import type { Reply } from "./real-bucket.ts";

const EXTRACT = { "x-amz-meta-snowball-auto-extract": "true" };
const MINIO = "x-amz-meta-minio-snowball-";

function upload(bucket: RealBucket, archive: Buffer, headers: Record<string, string> = {}): Promise<Reply> {
  return bucket.put("archive.tar", archive, { ...EXTRACT, ...headers });
}

async function keysOf(bucket: RealBucket): Promise<readonly string[]> {
  const { text } = await bucket.call("GET", "/bucket?list-type=2");
  return [...text.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key ?? "");
}

const md5 = (bytes: Buffer | string): string => `"${hash("md5", bytes, "hex")}"`;
const index = ({ headers }: Reply): number => Number(headers["x-thermocline-applied-index"]);

function behind(...parts: readonly (Buffer | string)[]): Buffer {
  return Buffer.concat(parts.map((part) => Buffer.from(part)));
}

describe("an archive", () => {
  test("becomes the objects that are in it, all in one entry of the log", async () => {
    await using bucket = await RealBucket.open();
    const before = index(await bucket.put("other", "x"));
    const archive = tarOf(
      tarEntry("./", "", { type: "5" }),
      tarEntry("dir/", "", { type: "5" }),
      tarEntry("dir/a", "hello"),
      tarEntry("/b//c/./d", "absolute"),
      tarEntry("x/../y", "inside"),
      tarEntry("soft", "", { type: "2" }),
      tarEntry("pipe", "", { type: "6" }),
      tarEntry("empty"),
    );
    const answer = await upload(bucket, archive);
    expect([answer.status, answer.headers["etag"], answer.text]).toEqual([200, md5(archive), ""]);
    expect(index(answer)).toBe(before + 1);
    expect(await keysOf(bucket)).toEqual(["b/c/d", "dir/", "dir/a", "empty", "other", "y"]);
    const { text, headers } = await bucket.get("dir/a");
    expect([text, headers["etag"], headers["content-type"]]).toEqual([
      "hello",
      md5("hello"),
      "binary/octet-stream",
    ]);
    expect(headers).not.toHaveProperty("x-amz-meta-snowball-auto-extract");
  });

  test("compressed with gzip or zstd is the same, and what else is compressed is refused", async () => {
    await using bucket = await RealBucket.open();
    const large = randomBytes(3_000_000);
    const archive = tarOf(tarEntry("large", large), tarEntry("small", "s"));
    for (const bytes of [archive, gzipSync(archive), zstdCompressSync(archive)]) {
      expect((await upload(bucket, bytes)).status).toBe(200);
      expect((await bucket.get("large")).body.equals(large)).toBe(true);
      expect((await bucket.get("large")).headers["etag"]).toBe(md5(large));
      expect((await bucket.call("DELETE", "/bucket/large")).status).toBe(204);
    }
    expect(await keysOf(bucket)).toEqual(["small"]);
    for (const magic of ["04224d18", "ff060000", "425a6839", "fd377a58"]) {
      const other = Buffer.concat([Buffer.from(magic, "hex"), randomBytes(2000)]);
      const answer = await upload(bucket, other);
      expect([answer.status, answer.code]).toEqual([501, "NotImplemented"]);
    }
  });

  test("in several streams of zstd or gzip, cut anywhere, is unpacked to its end", async () => {
    await using bucket = await RealBucket.open();
    const archive = tarOf(...Array.from({ length: 150 }, (_, at) => tarEntry(`f${at}`, randomBytes(700))));
    const pieces = Array.from({ length: 78 }, (_, at) => archive.subarray(at * 3000, (at + 1) * 3000));
    expect(Buffer.concat(pieces)).toHaveLength(archive.length);
    const skipped = Buffer.from("502a4d1803000000abcdef", "hex");
    for (const bytes of [
      Buffer.concat(pieces.map((piece) => zstdCompressSync(piece))),
      Buffer.concat(pieces.flatMap((piece) => [zstdCompressSync(piece), skipped])),
      Buffer.concat(pieces.map((piece) => gzipSync(piece))),
      Buffer.concat([gzipSync(archive), Buffer.alloc(100_000)]),
    ]) {
      expect((await upload(bucket, bytes)).status).toBe(200);
      expect(await keysOf(bucket)).toHaveLength(150);
      for (const key of await keysOf(bucket)) await bucket.call("DELETE", `/bucket/${key}`);
    }
  });

  test("from minio-js and the AWS SDK, in their chunks, is unpacked", async () => {
    await using bucket = await RealBucket.open();
    const { endpoint, credentials } = bucket.server;
    const { hostname, port } = new URL(endpoint);
    const archive = gzipSync(tarOf(tarEntry("a", randomBytes(150_000)), tarEntry("b", "b")));
    const { accessKeyId: accessKey, secretAccessKey: secretKey } = credentials;
    const minio = new Client({ endPoint: hostname, port: Number(port), useSSL: false, accessKey, secretKey });
    const metadata = { ...EXTRACT, [`${MINIO}prefix`]: "minio" };
    const put = await minio.putObject("bucket", "a.tgz", archive, archive.length, metadata);
    expect(`"${put.etag}"`).toBe(md5(archive));
    const sdk = new S3Client({ endpoint, region: "eu-central-1", forcePathStyle: true, credentials });
    const Metadata = { "snowball-auto-extract": "true", "minio-snowball-prefix": "sdk" };
    const Body = Readable.from([archive.subarray(0, 70_000), archive.subarray(70_000)]);
    const input = { Bucket: "bucket", Key: "a.tgz", Body, ContentLength: archive.length, Metadata };
    expect((await sdk.send(new PutObjectCommand(input))).ChecksumCRC32).toMatch(/^[\w+/]{6}==$/);
    sdk.destroy();
    expect(await keysOf(bucket)).toEqual(["minio/a", "minio/b", "sdk/a", "sdk/b"]);
  });

  test("of a thousand small and some large files is all there or not at all", async () => {
    await using bucket = await RealBucket.open();
    const large = Buffer.alloc(200_000, "large");
    const small = Array.from({ length: 990 }, (_, at) => tarEntry(`small/${at}`, `body of ${at}`));
    const entries = [tarEntry("large/1", large), ...small, tarEntry("large/2", large)];
    const broken = await upload(bucket, Buffer.concat([...entries, Buffer.alloc(512, "damage")]));
    expect([broken.status, broken.code]).toEqual([400, "BadRequest"]);
    expect(broken.text).toContain("The archive is damaged: a head has another checksum");
    const archive = tarOf(...entries);
    const mismatch = await upload(bucket, archive, { "content-md5": hash("md5", "other", "base64") });
    expect(mismatch.code).toBe("BadDigest");
    expect(await keysOf(bucket)).toEqual([]);
    expect((await upload(bucket, archive)).status).toBe(200);
    expect(await keysOf(bucket)).toHaveLength(992);
    expect((await bucket.get("small/501")).text).toBe("body of 501");
    expect((await bucket.get("large/2")).body.equals(large)).toBe(true);
  });

  test("with more than fits into one step leaves what came before, and says how much", async () => {
    await using bucket = await RealBucket.open();
    const entries = Array.from({ length: 1500 }, (_, at) => tarEntry(String(at).padStart(4, "0"), "x"));
    const answer = await upload(bucket, Buffer.concat([...entries, tarEntry("../out", "x")]));
    expect([answer.status, answer.code]).toEqual([400, "InvalidArgument"]);
    expect(answer.text).toContain("(1000 objects of the archive were stored before)");
    const keys = await keysOf(bucket);
    expect([keys.length, keys.at(-1)]).toEqual([1000, "0999"]);
    const bytes = Array.from({ length: 200 }, (_, at) => tarEntry(`b/${at}`, Buffer.alloc(60_000, `${at}.`)));
    expect((await upload(bucket, tarOf(...bytes))).status).toBe(200);
    expect((await bucket.get("b/177")).body.equals(Buffer.alloc(60_000, "177."))).toBe(true);
  });

  test("takes prefix, ignore-dirs and ignore-errors as MinIO does", async () => {
    await using bucket = await RealBucket.open();
    const archive = tarOf(
      tarEntry("dir", "", { type: "5" }),
      tarEntry("../../out", "x"),
      tarEntry("good", "x"),
      paxHead({ path: "k".repeat(1030) }),
      tarEntry("", "x"),
    );
    const prefix = { [`${MINIO}prefix`]: "/to//here" };
    expect([(await upload(bucket, archive, prefix)).code, await keysOf(bucket)]).toEqual([
      "InvalidArgument",
      [],
    ]);
    const lenient = { ...prefix, [`${MINIO}ignore-errors`]: "True" };
    expect((await upload(bucket, archive, lenient)).status).toBe(200);
    expect(await keysOf(bucket)).toEqual(["to/here/dir/", "to/here/good"]);
    const more = { [`${MINIO}ignore-errors`]: "true", [`${MINIO}ignore-dirs`]: "true" };
    expect((await upload(bucket, archive, more)).status).toBe(200);
    expect(await keysOf(bucket)).toEqual(["good", "to/here/dir/", "to/here/good"]);
  });

  test("gives each object the metadata of its pax records, and the storage class given", async () => {
    await using bucket = await RealBucket.open();
    const records = {
      "minio.metadata.Content-Type": "text/plain",
      "minio.metadata.X-Amz-Meta-City": "Köln",
      "minio.metadata.x-amz-tagging": "a=b",
      "minio.versionId": "ignored",
    };
    const archive = tarOf(paxHead(records), tarEntry("a", "a"), tarEntry("b", "b"));
    expect((await upload(bucket, archive, { "x-amz-storage-class": "STANDARD_IA" })).status).toBe(200);
    expect((await bucket.get("a")).headers).toMatchObject({
      "content-type": "text/plain",
      "x-amz-meta-city": `=?UTF-8?B?${Buffer.from("Köln").toString("base64")}?=`,
      "x-amz-tagging-count": "1",
      "x-amz-storage-class": "STANDARD_IA",
    });
    expect((await bucket.get("b")).headers["content-type"]).toBe("binary/octet-stream");
    for (const [name, value, code] of [
      ["x-amz-server-side-encryption", "AES256", "NotImplemented"],
      ["content-type", "a\rb", "InvalidRequest"],
      ["a b", "c", "InvalidArgument"],
    ] as const) {
      const refused = tarOf(paxHead({ [`minio.metadata.${name}`]: value }), tarEntry("never"));
      expect((await upload(bucket, refused)).code).toBe(code);
    }
    expect(await keysOf(bucket)).toEqual(["a", "b"]);
  });

  test.each([
    ["cut off", (whole: Buffer) => whole.subarray(0, 700), "BadRequest"],
    ["cut off and compressed", (whole: Buffer) => gzipSync(whole).subarray(0, -9), "BadRequest"],
    ["cut off under zstd", (whole: Buffer) => zstdCompressSync(whole).subarray(0, -3), "BadRequest"],
    [
      "zstd with rubbish behind it",
      (whole: Buffer) => behind(zstdCompressSync(whole), "rubbish"),
      "BadRequest",
    ],
    ["zstd with a byte behind it", (whole: Buffer) => behind(zstdCompressSync(whole), "("), "BadRequest"],
    ["zstd with zeros behind it", (whole: Buffer) => behind(zstdCompressSync(whole), "\0\0"), "BadRequest"],
    ["gzip with rubbish behind it", (whole: Buffer) => behind(gzipSync(whole), "rubbish"), "BadRequest"],
    [
      "gzip with more behind its padding",
      (whole: Buffer) => behind(gzipSync(whole.subarray(0, -512)), "\0", gzipSync(whole.subarray(-512))),
      "BadRequest",
    ],
    [
      "gzip with rubbish far behind its padding",
      (whole: Buffer) => behind(gzipSync(whole), Buffer.alloc(200_000), "x"),
      "BadRequest",
    ],
    ["no tar", () => randomBytes(5000), "BadRequest"],
    [
      "with more metadata than an object may have",
      () => tarOf(paxHead({ a: "v".repeat(40_000) }, "g"), paxHead({ b: "v".repeat(40_000) }), tarEntry("a")),
      "MetadataTooLarge",
    ],
    ["three bytes", () => Buffer.from("abc"), "BadRequest"],
    [
      "with a key that is too long",
      () => tarOf(paxHead({ path: "k".repeat(1025) }), tarEntry("")),
      "KeyTooLongError",
    ],
    ["with a NUL in a key", () => tarOf(paxHead({ path: "a\0b" }), tarEntry("")), "InvalidArgument"],
    ["with a file without a name", () => tarOf(tarEntry(".", "x")), "InvalidArgument"],
    ["with a path out of it", () => tarOf(tarEntry("a/../../b", "x")), "InvalidArgument"],
  ])("%s leaves nothing", async (_what, damage, code) => {
    await using bucket = await RealBucket.open();
    const answer = await upload(bucket, damage(tarOf(tarEntry("a", randomBytes(2000)))));
    expect(answer.code).toBe(code);
    expect(answer.status).toBe(400);
    expect(await keysOf(bucket)).toEqual([]);
  });

  test("conditions and tags of the request would hold for no one object: refused", async () => {
    await using bucket = await RealBucket.open();
    for (const header of ["if-none-match", "if-match", "x-amz-tagging"]) {
      const answer = await upload(bucket, tarOf(tarEntry("a")), { [header]: "*" });
      expect([answer.status, answer.code]).toEqual([501, "NotImplemented"]);
    }
    expect((await bucket.call("PUT", "/absent/a.tar", EXTRACT, tarOf(tarEntry("a")))).code).toBe(
      "NoSuchBucket",
    );
    expect(await keysOf(bucket)).toEqual([]);
  });

  test("that blows up to a thousand times its size is taken in bounded memory", async () => {
    await using bucket = await RealBucket.open();
    const zeros = gzipSync(tarOf(tarEntry("zeros", Buffer.alloc(256 * 1024 * 1024))));
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().arrayBuffers);
    }, 5);
    expect((await upload(bucket, zeros)).status).toBe(200);
    clearInterval(watch);
    expect((await bucket.call("HEAD", "/bucket/zeros")).headers["content-length"]).toBe(
      `${256 * 1024 * 1024}`,
    );
    expect(most - before).toBeLessThan(64 * 1024 * 1024);
  });

  test("without the header it is an object as any other", async () => {
    await using bucket = await RealBucket.open();
    const archive = tarOf(tarEntry("a"));
    await bucket.put("archive.tar", archive, { "x-amz-meta-snowball-auto-extract": "false" });
    expect(await keysOf(bucket)).toEqual(["archive.tar"]);
    expect((await bucket.get("archive.tar")).body.equals(archive)).toBe(true);
  });
});
