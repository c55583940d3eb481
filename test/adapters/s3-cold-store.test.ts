/**
 * The S3 cold store before an endpoint that misbehaves: sockets, retries, time limits, circuit, and what it
 * makes of every answer. What it promises where all goes well is in test/contract.
 */
import { createHash } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { S3ColdStore } from "../../src/adapters/s3-cold-store.ts";
import type { S3ColdOptions } from "../../src/adapters/s3-cold-store.ts";
import { systemClock } from "../../src/adapters/system-clock.ts";
import { systemRandom } from "../../src/adapters/system-random.ts";
import { ColdUnavailableError, isColdError } from "../../src/ports/cold-store.ts";
import type { ColdKind } from "../../src/ports/cold-store.ts";
import { patternBytes } from "../segment/records.ts";
import { accept, answerWith, hangUp, refuse, startStub } from "../support/bucket-stub.ts";
import type { Stub, StubAnswer } from "../support/bucket-stub.ts";
import { temporaryDirectory } from "../support/open-store.ts";

const MIB = 1024 * 1024;
const segment = { kind: "segment" } as const;
const sha256Of = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

class CountingDisk extends NodeDisk {
  readBytes = 0;

  override async open(...opened: Parameters<NodeDisk["open"]>): ReturnType<NodeDisk["open"]> {
    const file = await super.open(...opened);
    const read = file.read.bind(file);
    file.read = async (target, position) => {
      const got = await read(target, position);
      this.readBytes += got;
      return got;
    };
    return file;
  }
}

type World = AsyncDisposable & { readonly stub: Stub; readonly store: S3ColdStore };

async function openWorld(
  answers: readonly StubAnswer[],
  changes: Partial<S3ColdOptions> = {},
): Promise<World> {
  const stub = await startStub(...answers);
  const store = new S3ColdStore({
    bucket: "cold",
    prefix: "p",
    endpoint: stub.endpoint,
    credentials: { accessKeyId: "key", secretAccessKey: "secret" },
    poolSize: 3,
    disk: new NodeDisk(),
    clock: systemClock,
    random: systemRandom,
    ...changes,
    guard: { pauseMsMin: 1, pauseMsMax: 5, ...changes.guard },
  });
  const end = async (): Promise<void> => {
    await store.close();
    await stub[Symbol.asyncDispose]();
  };
  return { stub, store, [Symbol.asyncDispose]: end };
}

async function failureOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isColdError(error)) throw new Error("not an error of the port", { cause: error });
  expect(error.message).not.toContain("\n");
  return `${error.code} ${error.message}`;
}

test("there are never more sockets than the pool has, and they are used again", async () => {
  const seen = new Set<string>();
  const watch: StubAnswer = async (request, response) => {
    seen.add(String(request.headers.expect));
    await accept(request, response);
  };
  await using world = await openWorld([watch]);
  const bodies = [Buffer.alloc(3 * MIB), [Buffer.alloc(2 * MIB), Buffer.alloc(MIB)], Buffer.alloc(10)];
  const puts = Array.from({ length: 30 }, (_, at) =>
    world.store.put(`k${at}`, bodies[at % 3] ?? [], segment),
  );
  await Promise.all([...puts, world.store.delete(Array.from({ length: 50 }, (_, at) => `d${at}`))]);
  expect(world.stub.seen.length).toBe(80);
  expect(world.stub.sockets()).toMatchObject({ most: 3, ever: 3 });
  expect([...seen]).toEqual(["undefined"]);
  await world.store.close();
  await expect.poll(() => world.stub.sockets().now).toBe(0);
});

test("an answer that comes before the body was sent costs no socket", async () => {
  const early: StubAnswer = (request, response) => {
    request.socket.pause();
    response.writeHead(403, { "content-type": "application/xml", "content-length": 44 });
    response.end("<Error><Code>AccessDenied</Code></Error>    ");
  };
  const world = await openWorld([...Array.from({ length: 12 }, () => early), accept]);
  await using _ = world;
  const body = [Buffer.alloc(8 * MIB), Buffer.alloc(8 * MIB)];
  const puts = Array.from({ length: 12 }, () => failureOf(world.store.put("key", body, segment)));
  for (const failure of await Promise.all(puts)) expect(failure).toMatch(/^COLD_REFUSED .*s3:ListBucket/);
  await world.store.put("key", Buffer.from("x"), segment);
});

test("what may pass is tried again, with the whole file each time", async () => {
  await using directory = await temporaryDirectory();
  const bytes = Buffer.alloc(3 * MIB + 5, "segment ");
  await writeFile(`${directory.path}/1.seg`, bytes);
  const bodies: Buffer[] = [];
  const dropHalfway: StubAnswer = async (request) => {
    let count = 0;
    for await (const piece of request.pieces) {
      count += piece.length;
      if (count >= MIB) break;
    }
    request.socket.destroy();
  };
  const keep: StubAnswer = async (request, response) => {
    bodies.push(await request.body());
    expect(request.headers["x-amz-content-sha256"]).toBe(sha256Of(bytes));
    expect(request.headers["content-length"]).toBe(String(bytes.length));
    response.writeHead(200, { etag: '"e"' }).end();
  };
  await using world = await openWorld([refuse(503, "SlowDown"), dropHalfway, hangUp, keep]);
  const stored = await world.store.putFile("segments/1.seg", `${directory.path}/1.seg`, segment);
  expect(stored).toEqual({ bytes: bytes.length, sha256: sha256Of(bytes) });
  expect(world.stub.seen).toEqual(Array.from({ length: 4 }, () => "PUT /cold/p/segments/1.seg"));
  expect(bodies.map((body) => body.equals(bytes))).toEqual([true]);
});

test("a file whose digest is known is read once, into few buffers, however slowly it is taken", async () => {
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/1.seg`;
  const bytes = patternBytes(12 * MIB + 5);
  await writeFile(path, bytes);
  const taken: StubAnswer = async (request, response) => {
    const hash = createHash("sha256");
    let count = 0;
    for await (const piece of request.pieces) {
      hash.update(piece);
      count += piece.length;
      if (count % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    if (hash.digest("hex") === request.headers["x-amz-content-sha256"]) response.writeHead(200).end();
    else response.writeHead(400).end("<Error><Code>XAmzContentSHA256Mismatch</Code></Error>");
  };
  const disk = new CountingDisk();
  await using world = await openWorld([taken], { disk });
  const put = { ...segment, sha256: sha256Of(bytes) };
  expect(await world.store.putFile("key", path, put)).toEqual({ bytes: bytes.length, sha256: put.sha256 });
  expect(disk.readBytes).toBe(bytes.length);
  await writeFile(path, patternBytes(12 * MIB + 5, 2));
  expect(await failureOf(world.store.putFile("key", path, put))).toMatch(/^COLD_DAMAGED/);
});

test("a file that goes away between two attempts is the disk's error", async () => {
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/1.seg`;
  await writeFile(path, Buffer.alloc(1000));
  const removeAndHangUp: StubAnswer = async (request, response) => {
    await request.body();
    await rm(path);
    await hangUp(request, response);
  };
  await using world = await openWorld([removeAndHangUp, accept]);
  await expect(world.store.putFile("1.seg", path, segment)).rejects.toMatchObject({ code: "ENOENT" });
});

test.each([
  [403, "AccessDenied", "allow s3:ListBucket"],
  [403, "InvalidAccessKeyId", "cold.accessKey"],
  [403, "SignatureDoesNotMatch", "cold.secretKey"],
  [404, "NoSuchBucket", "create the bucket"],
  [301, "PermanentRedirect", "cold.region"],
  [400, "AuthorizationHeaderMalformed", "cold.region"],
  [403, "InvalidObjectState", "archived"],
  [400, "ExpiredToken", "renew"],
  [405, "MethodNotAllowed", "look whether the endpoint is an S3 API"],
  [501, "NotImplemented", "look whether the endpoint is an S3 API"],
])("%d %s is refused after one request, and says what to mend", async (status, code, mend) => {
  await using world = await openWorld([refuse(status, code)]);
  const failure = await failureOf(world.store.get("key"));
  expect(failure).toMatch(/^COLD_REFUSED cold tier s3:\/\/cold\/p at http:\/\/127\.0\.0\.1:\d+, key: /);
  expect(failure).toContain(code);
  expect(failure).toContain(mend);
  expect(world.stub.seen.length).toBe(1);
});

test.each([
  [500, "InternalError"],
  [503, "ServiceUnavailable"],
  [503, "SlowDown"],
  [429, "TooManyRequests"],
  [400, "RequestTimeout"],
  [409, "OperationAborted"],
])("%d %s is tried four times, then unavailable", async (status, code) => {
  await using world = await openWorld([refuse(status, code, { "retry-after": "7" })]);
  const error = await world.store.get("key").catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ColdUnavailableError);
  expect((error as ColdUnavailableError).retryAfterMs).toBe(7000);
  expect(world.stub.seen.length).toBe(4);
});

test("bytes that changed on the way are tried again, and are damage if that does not help", async () => {
  await using world = await openWorld([refuse(400, "XAmzContentSHA256Mismatch")]);
  expect(await failureOf(world.store.put("key", Buffer.from("x"), segment))).toMatch(/^COLD_DAMAGED/);
  expect(world.stub.seen.length).toBe(4);
});

test("a missing object takes one request; a missing bucket is no missing object", async () => {
  await using world = await openWorld([refuse(404, "NoSuchKey"), refuse(404, "NoSuchBucket")]);
  expect(await failureOf(world.store.get("key"))).toMatch(/^COLD_MISSING/);
  expect(world.stub.seen).toEqual(["GET /cold/p/key"]);
  expect(await failureOf(world.store.head("key"))).toMatch(/^COLD_REFUSED .*no bucket cold; create it/);
  expect(await failureOf(world.store.check())).toMatch(/^COLD_REFUSED .*NoSuchBucket/);
});

test("without an answer a request is ended and tried again, and so is a body that stands still", async () => {
  const silent: StubAnswer = () => undefined;
  const stalled: StubAnswer = (_, response) => {
    response.writeHead(200, { "content-length": 10 }).write("01234");
  };
  const timeouts = { connectMs: 500, idleMs: 150, requestMs: 5000 };
  const whole = answerWith(200, { "content-length": 10 }, "0123456789");
  await using world = await openWorld([silent, stalled, whole], { timeouts });
  expect(Buffer.from(await world.store.get("key")).toString()).toBe("0123456789");
  expect(world.stub.seen.length).toBe(3);
});

test("an answer that trickles for ever is ended too, by the limit of the request", async () => {
  const trickle: StubAnswer = async (request, response) => {
    response.writeHead(206, { "content-length": 1000, "content-range": "bytes 0-999/1000" });
    while (!request.socket.destroyed) {
      response.write("x");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const timeouts = { connectMs: 500, idleMs: 10_000, requestMs: 200 };
  await using world = await openWorld([trickle], { timeouts, guard: { attemptsMax: 2 } });
  const get = world.store.get("key", { range: { start: 0, end: 1000 } });
  expect(await failureOf(get)).toMatch(/^COLD_UNAVAILABLE/);
  expect(world.stub.seen.length).toBe(2);
});

test("a body that breaks off is read again; one that is announced shorter is damage", async () => {
  const breakOff: StubAnswer = (request, response) => {
    response.writeHead(206, { "content-length": 10, "content-range": "bytes 0-9/10" });
    response.write("0123", () => request.socket.destroy());
  };
  const short = answerWith(206, { "content-length": 4, "content-range": "bytes 0-3/4" }, "0123");
  const whole = answerWith(206, { "content-length": 10, "content-range": "bytes 0-9/10" }, "0123456789");
  await using world = await openWorld([breakOff, whole, short]);
  const range = { start: 0, end: 10 };
  expect(Buffer.from(await world.store.get("key", { range })).toString()).toBe("0123456789");
  expect(await failureOf(world.store.get("key", { range }))).toMatch(/^COLD_DAMAGED .*bytes 0-3\/4/);
  expect(world.stub.seen.length).toBe(3);
});

test("an endpoint that ignores ranges, or answers another one, is noticed", async () => {
  const all = answerWith(200, { "content-length": 50 * MIB }, Buffer.alloc(50 * MIB));
  const other = answerWith(206, { "content-length": 5, "content-range": "bytes 1-5/10" }, "12345");
  const endless = answerWith(200, { "content-length": 300 * MIB });
  await using world = await openWorld([all, other, endless]);
  const get = (): Promise<string> => failureOf(world.store.get("key", { range: { start: 0, end: 5 } }));
  expect(await get()).toMatch(/^COLD_DAMAGED .*got all/);
  expect(await get()).toMatch(/^COLD_DAMAGED .*bytes 1-5/);
  expect(await failureOf(world.store.get("key"))).toMatch(/^COLD_DAMAGED .*too many/);
});

test("a place that is down is not asked again and again; one caller finds out that it is back", async () => {
  const guard = { attemptsMax: 2, failuresMax: 4, openMsMin: 300, openMsMax: 300 };
  const found = answerWith(200, { "content-length": 1 }, "x");
  await using world = await openWorld([hangUp, hangUp, hangUp, hangUp, found], { guard });
  for (let time = 0; time < 2; time++) await failureOf(world.store.get("key"));
  const start = performance.now();
  const error = await world.store.get("key").catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ColdUnavailableError);
  expect((error as ColdUnavailableError).retryAfterMs).toBeLessThanOrEqual(300);
  expect((error as ColdUnavailableError).retryAfterMs).toBeGreaterThan(0);
  expect(performance.now() - start).toBeLessThan(250);
  expect(world.stub.seen.length).toBe(4);
  await expect
    .poll(() =>
      world.store.get("key").then(
        () => "back",
        () => "down",
      ),
    )
    .toBe("back");
});

test("a page that comes again and again ends in an error, not in a list without end", async () => {
  const page =
    "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>" +
    "<Contents><Key>p/a</Key><Size>1</Size></Contents></ListBucketResult>";
  await using world = await openWorld([answerWith(200, { "content-type": "application/xml" }, page)]);
  const all = async (): Promise<void> => {
    for await (const { key } of world.store.list("")) expect(key).toBe("a");
  };
  expect(await failureOf(all())).toMatch(/^COLD_DAMAGED .*out of order/);
});

test("storage class, encryption, digest and checksum go with the object, by kind", async () => {
  const headers: Record<string, unknown>[] = [];
  const note: StubAnswer = async (request, response) => {
    const { headers: all } = request;
    const names = [
      "storage-class",
      "server-side-encryption",
      "meta-sha256",
      "checksum-sha256",
      "content-sha256",
    ];
    headers.push(Object.fromEntries(names.map((name) => [name, all[`x-amz-${name}`]])));
    await accept(request, response);
  };
  await using world = await openWorld([note], {
    storageClasses: { packed: "GLACIER_IR" },
    encryption: { kind: "AES256" },
    keepsChecksums: true,
  });
  const kinds: readonly ColdKind[] = ["packed", "manifest"];
  for (const kind of kinds) await world.store.put(kind, Buffer.from("bytes"), { kind });
  const digest = sha256Of(Buffer.from("bytes"));
  const expected = {
    "storage-class": "GLACIER_IR",
    "server-side-encryption": "AES256",
    "meta-sha256": digest,
    "checksum-sha256": Buffer.from(digest, "hex").toString("base64"),
    "content-sha256": digest,
  };
  expect(headers).toEqual([expected, { ...expected, "storage-class": undefined }]);
});

const created = answerWith(
  200,
  { "content-type": "application/xml" },
  "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
);

async function* source(bytes: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes; at += MIB) yield Buffer.alloc(Math.min(MIB, bytes - at), at);
  await Promise.resolve();
}

/** What a multipart upload of 33 MiB meets: the request that opens it, two parts, then `ends`. */
async function uploadWorld(...ends: readonly StubAnswer[]): Promise<World> {
  let atEnd = 0;
  const answer: StubAnswer = async (request, response) => {
    if (request.method === "POST" && request.url.includes("uploads")) return await created(request, response);
    if (request.method === "PUT") {
      const body = await request.body();
      if (request.headers["x-amz-content-sha256"] === sha256Of(body)) {
        return void response.writeHead(200, { etag: '"part"' }).end();
      }
      return await refuse(400, "XAmzContentSHA256Mismatch")(request, response);
    }
    return await ends[atEnd++]?.(request, response);
  };
  return await openWorld([answer]);
}

test("an upload whose last answer was lost is there after all, if it is there", async () => {
  const here = answerWith(200, { "content-length": 33 * MIB, etag: '"whole"' });
  await using world = await uploadWorld(hangUp, refuse(404, "NoSuchUpload"), here);
  const stored = await world.store.putStream("snapshot", source(33 * MIB), { kind: "snapshot" });
  expect(stored.bytes).toBe(33 * MIB);
  expect(world.stub.seen.at(-1)).toBe("HEAD /cold/p/snapshot");
});

test("an upload that somebody else removed is no success, and its parts are given up", async () => {
  const other = answerWith(200, { "content-length": 5, etag: '"other"' });
  await using world = await uploadWorld(refuse(404, "NoSuchUpload"), other, answerWith(204, {}));
  const put = world.store.putStream("snapshot", source(33 * MIB), { kind: "snapshot" });
  expect(await failureOf(put)).toMatch(/^COLD_REFUSED .*NoSuchUpload/);
  expect(world.stub.seen.at(-1)).toMatch(/^DELETE \/cold\/p\/snapshot\?uploadId=u/);
});

test("without credentials and without a place to take them from it says so", async () => {
  const before = { ...process.env };
  const none = {
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_CONFIG_FILE: "/absent",
    AWS_SHARED_CREDENTIALS_FILE: "/x",
  };
  Object.assign(process.env, none);
  for (const name of Object.keys(process.env))
    if (/^AWS_(ACCESS|SECRET|SESSION|PROFILE)/.test(name)) delete process.env[name];
  try {
    await using world = await openWorld([accept], { credentials: undefined });
    expect(await failureOf(world.store.check())).toMatch(
      /^COLD_REFUSED .*set cold.accessKey and cold.secretKey/,
    );
    expect(world.stub.seen).toEqual([]);
  } finally {
    process.env = before;
  }
});
