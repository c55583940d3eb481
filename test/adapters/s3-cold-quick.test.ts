/**
 * Ranged GETs past the SDK: signed so that a server that checks signatures agrees, with the same sockets,
 * errors and counts as the SDK's own, and left to the SDK wherever an endpoint does not want them.
 */
import { describe, expect, test } from "vitest";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { S3ColdStore } from "../../src/adapters/s3-cold-store.ts";
import type { S3ColdOptions } from "../../src/adapters/s3-cold-store.ts";
import { systemClock } from "../../src/adapters/system-clock.ts";
import { systemRandom } from "../../src/adapters/system-random.ts";
import {
  ColdDamagedError,
  ColdMissingError,
  ColdRefusedError,
  ColdUnavailableError,
} from "../../src/ports/cold-store.ts";
import type { ColdRequest } from "../../src/ports/cold-store.ts";
import { answerWith, hangUp, refuse, startStub } from "../support/bucket-stub.ts";
import type { StubAnswer, StubRequest } from "../support/bucket-stub.ts";
import { signRequest } from "../s3/signer.ts";

const BYTES = Buffer.from("0123456789abcdefghij");
const PAIR = { accessKeyId: "key", secretAccessKey: "secret" };
const KEY = "c/l/segments/1.seg";

/** Bytes as the range says. */
const give: StubAnswer = (request, response) => {
  const [, start = "0", end = "0"] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
  const part = BYTES.subarray(Number(start), Number(end) + 1);
  const range = `bytes ${start}-${end}/${BYTES.length}`;
  response.writeHead(206, { "content-length": part.length, "content-range": range }).end(part);
};

/** Whether the SDK made it. */
const isOfSdk = ({ headers }: StubRequest): boolean => headers["amz-sdk-invocation-id"] !== undefined;

async function openWorld(answers: readonly StubAnswer[], changes: Partial<S3ColdOptions> = {}) {
  const requests: StubRequest[] = [];
  const told: ColdRequest[] = [];
  const noted = answers.map((answer): StubAnswer => {
    return (request, response) => {
      requests.push(request);
      return answer(request, response);
    };
  });
  const stub = await startStub(...noted);
  const store = new S3ColdStore({
    bucket: "cold",
    prefix: "p",
    endpoint: stub.endpoint,
    credentials: PAIR,
    poolSize: 3,
    disk: new NodeDisk(),
    clock: systemClock,
    random: systemRandom,
    onRequest: (request) => void told.push(request),
    ...changes,
    guard: { pauseMsMin: 1, pauseMsMax: 5 },
  });
  const get = async (start: number, end: number, key = KEY): Promise<string> =>
    Buffer.from(await store.get(key, { range: { start, end } })).toString();
  const failure = async (): Promise<unknown> => {
    const error = await get(0, 5).catch((thrown: unknown) => thrown);
    if (!(error instanceof Error)) throw new Error("it came");
    return error;
  };
  const byWhom = (): readonly string[] => requests.map((request) => (isOfSdk(request) ? "sdk" : "quick"));
  const end = async (): Promise<void> => {
    await store.close();
    await stub[Symbol.asyncDispose]();
  };
  return { stub, get, failure, requests, told, byWhom, [Symbol.asyncDispose]: end };
}

describe("from the second one on", () => {
  test("the SDK is passed by, with the same bytes, sockets and counts", async () => {
    await using world = await openWorld([give]);
    expect(await world.get(2, 7)).toBe("23456");
    const ranges = Array.from({ length: 10 }, (_, at) => world.get(at, at + 3));
    expect(await Promise.all(ranges)).toEqual(ranges.map((_, at) => BYTES.toString("utf8", at, at + 3)));
    expect(await world.get(0, 1, "c/l/tail/2/3-4")).toBe("0");
    expect(world.byWhom()).toEqual(["sdk", ...Array.from({ length: 11 }, () => "quick")]);
    expect(world.stub.seen.at(-1)).toBe("GET /cold/p/c/l/tail/2/3-4");
    expect(world.stub.sockets().ever).toBeLessThanOrEqual(3);
    expect(world.told).toHaveLength(12);
    expect(world.told[0]).toEqual({
      operation: "get",
      key: KEY,
      status: 206,
      sentBytes: 0,
      receivedBytes: 5,
    });
    expect(world.told[3]).toEqual({ ...world.told[0], receivedBytes: 3 });
  });

  test("each is signed as S3 wants it, a session's token too", async () => {
    const credentials = { ...PAIR, sessionToken: "token" };
    await using world = await openWorld([give], { credentials, region: "eu-west-7" });
    await world.get(0, 5);
    await world.get(5, 9);
    const { url, headers } = world.requests[1] as StubRequest;
    const [, scope = ""] = /Credential=key\/([^,]+),/.exec(headers.authorization ?? "") ?? [];
    expect(scope).toMatch(/^\d{8}\/eu-west-7\/s3\/aws4_request$/);
    expect(headers["x-amz-security-token"]).toBe("token");
    const time = String(headers["x-amz-date"]);
    const iso = time.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z");
    const signed = signRequest({
      method: "GET",
      url,
      host: headers.host ?? "",
      nowMs: Date.parse(iso),
      headers: { range: "bytes=5-8", "x-amz-security-token": "token" },
      body: Buffer.alloc(0),
      credentials: { accessKey: "key", secretKey: "secret", region: "eu-west-7" },
    });
    expect(headers.authorization).toBe(signed.headers["authorization"]);
  });

  test("what it cannot spell is left to the SDK", async () => {
    await using world = await openWorld([give], { prefix: "größe & mehr" });
    await world.get(0, 5);
    await world.get(0, 5);
    expect(world.byWhom()).toEqual(["sdk", "sdk"]);
  });
});

describe("what goes wrong is told as the SDK would", () => {
  test("a missing object, after one request", async () => {
    await using world = await openWorld([give, refuse(404, "NoSuchKey")]);
    await world.get(0, 5);
    expect(await world.failure()).toBeInstanceOf(ColdMissingError);
    expect(world.byWhom()).toEqual(["sdk", "quick"]);
  });

  test("an object that ends too early, and one that is archived", async () => {
    await using world = await openWorld([
      give,
      refuse(416, "InvalidRange"),
      refuse(403, "InvalidObjectState"),
    ]);
    await world.get(0, 5);
    expect(await world.failure()).toBeInstanceOf(ColdDamagedError);
    expect(await world.failure()).toBeInstanceOf(ColdRefusedError);
  });

  test("a bucket that is gone", async () => {
    await using world = await openWorld([give, refuse(404, "NoSuchBucket")]);
    await world.get(0, 5);
    expect(await world.failure()).toBeInstanceOf(ColdRefusedError);
  });

  test("a server in trouble is asked again, by the SDK", async () => {
    await using world = await openWorld([give, refuse(503, "SlowDown"), hangUp, give]);
    await world.get(0, 5);
    expect(await world.get(3, 6)).toBe("345");
    expect(await world.get(3, 6)).toBe("345");
    expect(world.byWhom()).toEqual(["sdk", "quick", "sdk", "sdk", "quick"]);
    expect(world.told.map(({ status }) => status)).toEqual([206, 503, 0, 206, 206]);
  });

  test("and after all attempts unavailable, with the time that the server says", async () => {
    await using world = await openWorld([give, answerWith(503, { "retry-after": "7" }, "")]);
    await world.get(0, 5);
    const error = await world.failure();
    expect(error).toBeInstanceOf(ColdUnavailableError);
    expect((error as ColdUnavailableError).retryAfterMs).toBe(7000);
  });
});

describe("an endpoint that refuses it", () => {
  const pickyOnce = (refusals: { left: number }): StubAnswer => {
    return (request, response) => {
      const isRefused = !isOfSdk(request) && refusals.left-- > 0;
      return (isRefused ? refuse(403, "SignatureDoesNotMatch") : give)(request, response);
    };
  };

  test("once, gets the SDK's request for it, and is tried again", async () => {
    await using world = await openWorld([pickyOnce({ left: 1 })]);
    for (let at = 0; at < 4; at++) expect(await world.get(at, at + 1)).toBe(String(at));
    expect(world.byWhom()).toEqual(["sdk", "quick", "sdk", "quick", "quick"]);
  });

  test("twice, gets the SDK's from then on", async () => {
    await using world = await openWorld([pickyOnce({ left: 99 })]);
    for (let at = 0; at < 6; at++) expect(await world.get(at, at + 1)).toBe(String(at));
    expect(world.byWhom()).toEqual(["sdk", "quick", "sdk", "quick", "sdk", "sdk", "sdk", "sdk"]);
  });
});
