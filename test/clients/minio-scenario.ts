/**
 * minio-js as programs use it: buffers, streams and files, listings of both kinds, copies and compositions,
 * versions, tags, and what it signs in advance. It asks the store for its region by itself.
 */
import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { Client, CopyConditions, CopyDestinationOptions, CopySourceOptions } from "minio";
import { credentials } from "../scenario/server-process.ts";
import type { Tally } from "../scenario/tally.ts";
import { ClientWorld } from "./client-world.ts";
import { ODD_KEYS, byUtf8 } from "./odd-names.ts";
import { MIB, TEST_BODIES, makeBytes, writeBodies } from "./test-bodies.ts";

type Minio = { readonly client: Client; readonly world: ClientWorld };

function connect(world: ClientWorld): Minio {
  const { hostname, port } = new URL(world.endpoint);
  const client = new Client({
    endPoint: hostname,
    port: Number(port),
    useSSL: false,
    accessKey: credentials.accessKey,
    secretKey: credentials.secretKey,
    partSize: 8 * MIB,
  });
  return { client, world };
}

export async function minioScenario(tally: Tally): Promise<void> {
  const world = await ClientWorld.open(tally);
  const minio = connect(world);
  try {
    await tally.step("makeBucket, bucketExists, listBuckets", async () => {
      for (const bucket of ["plain", "odd-keys", "versioned"]) await minio.client.makeBucket(bucket);
      assert.equal(await minio.client.bucketExists("plain"), true);
      assert.equal(await minio.client.bucketExists("not-there"), false);
      const names = (await minio.client.listBuckets()).map(({ name }) => name);
      assert.deepEqual(names, ["odd-keys", "plain", "versioned"]);
    });
    await bodies(minio);
    await secondTransfers(minio);
    await oddKeys(minio);
    await copies(minio);
    await composed(minio);
    await tags(minio);
    await versions(minio);
    await signedInAdvance(minio);
    await tally.step("kill -9 and a new start", () => world.crashAndRestart());
    const again = connect(world);
    await bodiesAreThere(again);
    await removeAll(again);
  } finally {
    await world.close();
  }
}

async function bytesAt({ client }: Minio, bucket: string, key: string): Promise<Buffer> {
  return await buffer(await client.getObject(bucket, key));
}

const code = (wanted: string) => (error: unknown) =>
  error instanceof Error && "code" in error && error.code === wanted;

async function bodies(minio: Minio): Promise<void> {
  const { client, world } = minio;
  for (const { name, bytes, path } of await writeBodies(world)) {
    await world.tally.step(`put and get of a buffer, a stream and a file: ${name}`, async () => {
      await client.putObject("plain", name, bytes, bytes.length, { colour: "blue green" });
      // An empty stream of unknown length would be completed without a part, which S3 refuses.
      const length = bytes.length === 0 ? 0 : undefined;
      await client.putObject("plain", `streamed-${name}`, Readable.from(pieces(bytes)), length);
      await client.fPutObject("plain", `file-${name}`, path, { "Content-Type": "text/x-thermocline" });
      for (const key of [name, `streamed-${name}`, `file-${name}`]) {
        assert.ok(bytes.equals(await bytesAt(minio, "plain", key)), `${key}: other bytes came back`);
      }
      await client.fGetObject("plain", name, `${path}.back`);
      assert.ok(bytes.equals(await readFile(`${path}.back`)));
      const described = await client.statObject("plain", name);
      assert.equal(described.size, bytes.length);
      assert.equal(described.metaData["colour"], "blue green");
      const file = await client.statObject("plain", `file-${name}`);
      assert.equal(file.metaData["content-type"], "text/x-thermocline");
    });
  }
  await world.tally.step("a stream and a file of 20 MiB went up in parts of 8 MiB", async () => {
    for (const key of ["streamed-20MiB", "file-20MiB"]) {
      assert.match((await client.statObject("plain", key)).etag, /-3$/);
    }
  });
  await world.tally.step("getPartialObject gives that range", async () => {
    const part = await buffer(await client.getPartialObject("plain", "20MiB", MIB - 3, 70_000));
    const whole = makeBytes(20 * MIB);
    assert.ok(whole.subarray(MIB - 3, MIB - 3 + 70_000).equals(part));
  });
  await world.tally.step("what is not there is told so", async () => {
    await assert.rejects(client.statObject("plain", "not there"), code("NotFound"));
    await assert.rejects(client.getObject("plain", "not there"), code("NoSuchKey"));
    await assert.rejects(client.removeBucket("plain"), code("BucketNotEmpty"));
  });
}

/** minio-js has no sync: whoever has one compares what statObject says with the file. */
async function secondTransfers({ client, world }: Minio): Promise<void> {
  await world.tally.step("a second transfer moves nothing", async () => {
    const transfer = async (): Promise<void> => {
      for (const { name, bytes } of TEST_BODIES) {
        const key = `sent once/${name}`;
        const md5 = createHash("md5").update(bytes).digest("hex");
        const there = await client.statObject("plain", key).catch((error: unknown) => {
          if (code("NotFound")(error)) return undefined;
          throw error;
        });
        if (there?.size === bytes.length && there.metaData["md5"] === md5) continue;
        await client.putObject("plain", key, bytes, bytes.length, { md5 });
      }
    };
    const first = await world.sentBy(transfer);
    assert.ok(first.writes >= TEST_BODIES.length && first.bytes > 20 * MIB, JSON.stringify(first));
    const second = await world.sentBy(transfer);
    assert.equal(second.writes, 0);
    assert.ok(second.bytes < MIB / 16, `${second.bytes} bytes of log`);
  });
}

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 300_007) yield bytes.subarray(at, at + 300_007);
}

async function bodiesAreThere(minio: Minio): Promise<void> {
  await minio.world.tally.step("after kill -9 and a restart every body is there", async () => {
    for (const { name, bytes } of TEST_BODIES) {
      for (const key of [name, `streamed-${name}`, `file-${name}`]) {
        assert.ok(bytes.equals(await bytesAt(minio, "plain", key)), `${key}: other bytes came back`);
      }
    }
  });
}

type Listed = { readonly name?: string; readonly prefix?: string };

async function listed(stream: AsyncIterable<unknown>): Promise<readonly Listed[]> {
  const items: Listed[] = [];
  for await (const item of stream) {
    assert.ok(typeof item === "object" && item !== null);
    items.push(item);
  }
  return items;
}

async function keysOf({ client }: Minio, bucket: string): Promise<readonly string[]> {
  return (await listed(client.listObjectsV2(bucket, "", true))).map(({ name = "" }) => name);
}

async function oddKeys(minio: Minio): Promise<void> {
  const { client, world } = minio;
  await world.tally.step(`${ODD_KEYS.length} odd keys are put, come back, and are listed`, async () => {
    for (const key of ODD_KEYS) {
      await client.putObject("odd-keys", key, `body of ${key}`);
      const back = await bytesAt(minio, "odd-keys", key);
      assert.equal(back.toString(), `body of ${key}`, JSON.stringify(key));
    }
    const sorted = ODD_KEYS.toSorted(byUtf8);
    assert.deepEqual(await keysOf(minio, "odd-keys"), sorted);
    const older = await listed(client.listObjects("odd-keys", "", true));
    assert.deepEqual(
      older.map(({ name }) => name),
      sorted,
    );
  });
  await world.tally.step("a listing that is not recursive has prefixes", async () => {
    for (const list of [client.listObjectsV2("odd-keys", "a"), client.listObjects("odd-keys", "a")]) {
      const prefixes = (await listed(list)).flatMap(({ prefix }) => (prefix === undefined ? [] : [prefix]));
      assert.deepEqual(prefixes, ["a/"]);
    }
  });
  await world.tally.step("removeObjects removes odd keys many at once", async () => {
    assert.deepEqual(await client.removeObjects("odd-keys", [...ODD_KEYS]), []);
    assert.deepEqual(await keysOf(minio, "odd-keys"), []);
  });
}

async function copies(minio: Minio): Promise<void> {
  const { client, world } = minio;
  await world.tally.step("copyObject, with a condition, and with other metadata", async () => {
    const [key, to] = ["copy of/ \u{1f986}+&%2e%2e", "copied again"];
    await client.copyObject("plain", key, "/plain/1KiB");
    assert.ok(makeBytes(1024).equals(await bytesAt(minio, "plain", key)));
    const { etag } = await client.statObject("plain", key);
    const met = new CopyConditions();
    met.setMatchETag(etag);
    await client.copyObject("plain", to, `/plain/${key}`, met);
    const unmet = new CopyConditions();
    unmet.setMatchETagExcept(etag);
    await assert.rejects(client.copyObject("plain", to, "/plain/1KiB", unmet), code("PreconditionFailed"));
    // Of this call it leaves a plus in the source as it is, which means a space.
    const plain = "copy of/ \u{1f986}&%2e%2e";
    await client.copyObject("plain", plain, `/plain/${key}`);
    const source = new CopySourceOptions({ Bucket: "plain", Object: plain });
    const target = { Bucket: "plain", Object: to, MetadataDirective: "REPLACE" } as const;
    await client.copyObject(source, new CopyDestinationOptions({ ...target, UserMetadata: { depth: "12" } }));
    const { metaData } = await client.statObject("plain", to);
    assert.equal(metaData["depth"], "12");
    assert.equal(metaData["colour"], undefined);
  });
}

async function composed(minio: Minio): Promise<void> {
  const { client, world } = minio;
  await world.tally.step("composeObject joins objects, whole and a part of one", async () => {
    const whole = makeBytes(20 * MIB);
    const sources = [
      new CopySourceOptions({ Bucket: "plain", Object: "20MiB" }),
      // Ranges that do not begin at 0 it asks for from 0 on.
      new CopySourceOptions({ Bucket: "plain", Object: "20MiB", MatchRange: true, Start: 0, End: 6 * MIB }),
      new CopySourceOptions({ Bucket: "plain", Object: "1KiB" }),
    ];
    await client.composeObject(new CopyDestinationOptions({ Bucket: "plain", Object: "composed" }), sources);
    const wanted = Buffer.concat([whole, whole.subarray(0, 6 * MIB + 1), makeBytes(1024)]);
    assert.ok(wanted.equals(await bytesAt(minio, "plain", "composed")), "other bytes came back");
  });
  await world.tally.step("an upload that was broken off is found and removed", async () => {
    const upload = await client.initiateNewMultipartUpload("plain", "broken off", {});
    assert.notEqual(upload, "");
    const left = await listed(client.listIncompleteUploads("plain", "broken", true));
    assert.equal(left.length, 1);
    await client.removeIncompleteUpload("plain", "broken off");
    assert.deepEqual(await listed(client.listIncompleteUploads("plain", "", true)), []);
  });
}

async function tags({ client, world }: Minio): Promise<void> {
  await world.tally.step("tags of objects and buckets", async () => {
    const wanted = { "kind of": "\u00e9 +", empty: "x" };
    await client.setObjectTagging("plain", "1KiB", wanted);
    const pairs = (await client.getObjectTagging("plain", "1KiB")).map(({ Key, Value }) => [Key, Value]);
    assert.deepEqual(Object.fromEntries(pairs), wanted);
    await client.removeObjectTagging("plain", "1KiB", { versionId: "null" });
    assert.deepEqual(await client.getObjectTagging("plain", "1KiB"), []);
    await client.setBucketTagging("plain", { team: "blue" });
    assert.deepEqual(await client.getBucketTagging("plain"), [{ Key: "team", Value: "blue" }]);
    await client.removeBucketTagging("plain");
    await assert.rejects(client.getBucketTagging("plain"), code("NoSuchTagSet"));
  });
}

async function versions(minio: Minio): Promise<void> {
  const { client, world } = minio;
  await world.tally.step("versions: read by id, listed, marked as deleted, brought back", async () => {
    await client.setBucketVersioning("versioned", { Status: "Enabled" });
    assert.deepEqual(await client.getBucketVersioning("versioned"), { Status: "Enabled" });
    const { versionId } = await client.putObject("versioned", "key", "first");
    assert.ok(versionId !== null && versionId !== undefined);
    await client.putObject("versioned", "key", "second");
    const first = await buffer(await client.getObject("versioned", "key", { versionId }));
    assert.equal(first.toString(), "first");
    assert.equal((await client.statObject("versioned", "key", { versionId })).size, 5);
    await client.removeObject("versioned", "key");
    await assert.rejects(client.getObject("versioned", "key"), code("NoSuchKey"));
    const all = await listed(client.listObjects("versioned", "", true, { IncludeVersion: true }));
    assert.equal(all.length, 3);
    await client.removeObject("versioned", "key", { versionId });
    await assert.rejects(client.getObject("versioned", "key", { versionId }), code("NoSuchVersion"));
    await client.setBucketVersioning("versioned", { Status: "Suspended" });
    await client.putObject("versioned", "key", "third");
    assert.equal((await bytesAt(minio, "versioned", "key")).toString(), "third");
  });
}

async function signedInAdvance(minio: Minio): Promise<void> {
  const { client, world } = minio;
  const key = "pre signed/%2e%2e/\u{1f986}+&=?#";
  await world.tally.step("presigned addresses for PUT, GET and DELETE", async () => {
    const body = makeBytes(70_001, "presigned");
    const put = await fetch(await client.presignedPutObject("plain", key, 300), { method: "PUT", body });
    assert.equal(put.status, 200);
    const told = { "response-content-type": "text/x-other" };
    const got = await fetch(await client.presignedGetObject("plain", key, 300, told));
    assert.equal(got.headers.get("content-type"), "text/x-other");
    assert.ok(body.equals(Buffer.from(await got.arrayBuffer())));
    const remove = await client.presignedUrl("DELETE", "plain", key, 300);
    assert.equal((await fetch(remove, { method: "DELETE" })).status, 204);
    await assert.rejects(client.statObject("plain", key), code("NotFound"));
  });
  await world.tally.step("presignedPostPolicy: its form is taken, a larger file is not", async () => {
    const policy = client.newPostPolicy();
    policy.setBucket("plain");
    policy.setKey(key);
    policy.setExpires(new Date(Date.now() + 300_000));
    policy.setContentType("text/x-thermocline");
    policy.setContentLengthRange(1, 1000);
    policy.setUserMetaData({ colour: "blue" });
    const { postURL, formData } = await client.presignedPostPolicy(policy);
    const post = async (file: string): Promise<number> => {
      const form = new FormData();
      for (const [name, value] of Object.entries(formData)) form.append(name, String(value));
      form.append("file", new Blob([file]), "a file.txt");
      return (await fetch(postURL, { method: "POST", body: form })).status;
    };
    assert.equal(await post("posted"), 204);
    assert.equal(await post("x".repeat(1001)), 400);
    assert.equal((await bytesAt(minio, "plain", key)).toString(), "posted");
    const { metaData } = await client.statObject("plain", key);
    assert.equal(metaData["colour"], "blue");
    assert.equal(metaData["content-type"], "text/x-thermocline");
  });
}

type Version = { readonly name?: string; readonly versionId?: string };

async function removeAll(minio: Minio): Promise<void> {
  const { client, world } = minio;
  await world.tally.step("everything is removed, every version too, then the buckets", async () => {
    assert.deepEqual(await client.removeObjects("plain", [...(await keysOf(minio, "plain"))]), []);
    const all: readonly Version[] = await listed(
      client.listObjects("versioned", "", true, { IncludeVersion: true }),
    );
    await assert.rejects(client.removeBucket("versioned"), code("BucketNotEmpty"));
    const chosen = all.map(({ name = "", versionId = "" }) => ({ name, versionId }));
    assert.deepEqual(await client.removeObjects("versioned", chosen), []);
    for (const bucket of ["plain", "odd-keys", "versioned"]) await client.removeBucket(bucket);
    assert.deepEqual(await client.listBuckets(), []);
  });
}
