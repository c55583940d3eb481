/**
 * How bodies travel and what they must hash to: aws-chunked in all its forms, checksums in headers and
 * trailers, Content-MD5, x-amz-content-sha256, Expect. What does not match is refused, and nothing of it is
 * stored.
 */
import { hash } from "node:crypto";
import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checksumOf, initChecksums } from "../../src/s3/checksums.ts";
import { CHECKSUM_ALGORITHMS } from "../../src/state/attributes.ts";
import { signedChunks, signRequest, unsignedChunks } from "../s3/signer.ts";
import { ROOT_CREDENTIALS, send } from "./client.ts";
import type { Answer, Call } from "./client.ts";
import { startEdge } from "./start-edge.ts";
import type { StartedEdge } from "./start-edge.ts";

const SMALL = Buffer.from("a small body");
const LARGE = Buffer.alloc(2_500_000, "larger than a piece ");
const SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
const UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

function crc32c(body: Buffer): Record<string, string> {
  return { "x-amz-checksum-crc32c": checksumOf("CRC32C", body).toString("base64") };
}

describe("bodies", () => {
  let started: StartedEdge;
  const call = (request_: Call): Promise<Answer> => send(started.port, request_);
  beforeAll(async () => {
    await initChecksums();
    started = await startEdge();
    await send(started.port, { method: "PUT", url: "/bucket" });
  });
  afterAll(() => started.close());

  async function expectStored(key: string, body: Buffer): Promise<void> {
    const got = await call({ url: `/bucket/${key}` });
    expect(got.status).toBe(200);
    expect(got.body.equals(body)).toBe(true);
    expect(got.headers["content-encoding"]).toBeUndefined();
  }

  async function expectRefused(answer: Answer, key: string, code: string): Promise<void> {
    expect(answer.code).toBe(code);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect((await call({ url: `/bucket/${key}` })).code).toBe("NoSuchKey");
    expect(started.service.world.counts().openWriters).toBe(0);
  }

  function chunked(
    body: Buffer,
    mode: string,
    options: {
      readonly trailers?: Record<string, string>;
      readonly length?: boolean;
      readonly chunk?: number;
    } = {},
  ): Call {
    const { trailers, length = true, chunk = 64 * 1024 } = options;
    const parts = { data: body, chunkBytes: chunk, ...(trailers === undefined ? {} : { trailers }) };
    return {
      method: "PUT",
      url: "/bucket/chunked",
      payloadHash: mode,
      headers: {
        "content-encoding": "aws-chunked",
        ...(length
          ? { "x-amz-decoded-content-length": String(body.length) }
          : { "transfer-encoding": "chunked" }),
        ...(trailers === undefined ? {} : { "x-amz-trailer": Object.keys(trailers).join(",") }),
      },
      wire: (signed) =>
        mode === UNSIGNED_TRAILER ? unsignedChunks(parts) : signedChunks(parts, signed, ROOT_CREDENTIALS),
    };
  }

  test.each([
    ["signed small", SMALL, SIGNED, {}],
    ["signed empty", Buffer.alloc(0), SIGNED, {}],
    ["signed large", LARGE, SIGNED, {}],
    ["signed large in tiny chunks", LARGE, SIGNED, { chunk: 8192 }],
    ["signed with trailer", LARGE, SIGNED_TRAILER, { trailers: crc32c(LARGE) }],
    ["signed small with trailer", SMALL, SIGNED_TRAILER, { trailers: crc32c(SMALL) }],
    ["unsigned with trailer", LARGE, UNSIGNED_TRAILER, { trailers: crc32c(LARGE) }],
    ["unsigned small with trailer", SMALL, UNSIGNED_TRAILER, { trailers: crc32c(SMALL) }],
    ["unsigned without a length", LARGE, UNSIGNED_TRAILER, { trailers: crc32c(LARGE), length: false }],
    ["unsigned small without a length", SMALL, UNSIGNED_TRAILER, { trailers: crc32c(SMALL), length: false }],
  ])("PutObject_aws-chunked_%s is stored decoded", async (_, body, mode, options) => {
    const answer = await call(chunked(body, mode, options));
    expect(answer.text).toBe("");
    expect(answer.headers["etag"]).toBe(`"${hash("md5", body, "hex")}"`);
    await expectStored("chunked", body);
    await call({ method: "DELETE", url: "/bucket/chunked" });
  });

  test.each([
    ["a wrong trailer", SMALL, UNSIGNED_TRAILER, { trailers: crc32c(LARGE) }, "BadDigest"],
    ["a wrong trailer of a large body", LARGE, UNSIGNED_TRAILER, { trailers: crc32c(SMALL) }, "BadDigest"],
    [
      "a malformed trailer",
      SMALL,
      UNSIGNED_TRAILER,
      { trailers: { "x-amz-checksum-crc32c": "?" } },
      "InvalidRequest",
    ],
  ])("PutObject_aws-chunked_%s is refused", async (_, body, mode, options, code) => {
    await expectRefused(await call(chunked(body, mode, options)), "chunked", code);
  });

  test.each([SMALL, LARGE])(
    "PutObject_aws-chunked_with a changed byte is SignatureDoesNotMatch (%#)",
    async (body) => {
      const good = chunked(body, SIGNED);
      const wire: Call["wire"] = (signed) => {
        const bytes = good.wire?.(signed) ?? Buffer.alloc(0);
        // Behind the first chunk's size and signature.
        bytes[92] = (bytes[92] ?? 0) ^ 1;
        return bytes;
      };
      const answer = await call({ ...good, wire });
      await expectRefused(answer, "chunked", "SignatureDoesNotMatch");
    },
  );

  test("PutObject_aws-chunked_malformed, cut short, too long", async () => {
    const good = chunked(SMALL, UNSIGNED_TRAILER, { trailers: crc32c(SMALL) });
    const bad = (change: (bytes: Buffer) => Buffer): Call => ({
      ...good,
      wire: (signed) => change(good.wire?.(signed) ?? Buffer.alloc(0)),
    });
    await expectRefused(await call(bad(() => Buffer.from("zz\r\nnonsense"))), "chunked", "IncompleteBody");
    await expectRefused(await call(bad((bytes) => bytes.subarray(0, 10))), "chunked", "IncompleteBody");
    const tooLong = await call(bad((bytes) => Buffer.concat([Buffer.from("1\r\nx\r\n"), bytes])));
    await expectRefused(tooLong, "chunked", "IncompleteBody");
  });

  test.each(CHECKSUM_ALGORITHMS)(
    "PutObject_checksum_%s is verified, stored and returned",
    async (algorithm) => {
      const name = `x-amz-checksum-${algorithm.toLowerCase()}`;
      for (const body of [SMALL, LARGE]) {
        const value = checksumOf(algorithm, body).toString("base64");
        const url = `/bucket/${algorithm}`;
        const put = await call({ method: "PUT", url, body, headers: { [name]: value } });
        expect([put.status, put.headers[name], put.headers["x-amz-checksum-type"]]).toEqual([
          200,
          value,
          "FULL_OBJECT",
        ]);
        const shown = await call({ url, headers: { "x-amz-checksum-mode": "ENABLED" } });
        expect([shown.headers[name], shown.headers["x-amz-checksum-type"]]).toEqual([value, "FULL_OBJECT"]);
        expect((await call({ url })).headers[name]).toBeUndefined();
        const wrong = checksumOf(algorithm, Buffer.from("other")).toString("base64");
        const answer = await call({ method: "PUT", url: "/bucket/wrong", body, headers: { [name]: wrong } });
        await expectRefused(answer, "wrong", "BadDigest");
      }
    },
  );

  test("PutObject_Content-MD5", async () => {
    const md5 = hash("md5", SMALL, "base64");
    const put = (value: string): Promise<Answer> =>
      call({ method: "PUT", url: "/bucket/md5", body: SMALL, headers: { "content-md5": value } });
    await expectRefused(await put(hash("md5", LARGE, "base64")), "md5", "BadDigest");
    await expectRefused(await put("nonsense"), "md5", "InvalidDigest");
    expect((await put(md5)).status).toBe(200);
  });

  test.each([SMALL, LARGE])("PutObject_with a body that is not the signed one (%#)", async (body) => {
    const payloadHash = hash("sha256", "another body", "hex");
    const answer = await call({ method: "PUT", url: "/bucket/sha", body, payloadHash });
    await expectRefused(answer, "sha", "XAmzContentSHA256Mismatch");
  });

  test("PutObject_UNSIGNED-PAYLOAD is taken as it is", async () => {
    const answer = await call({
      method: "PUT",
      url: "/bucket/unsigned",
      body: SMALL,
      payloadHash: "UNSIGNED-PAYLOAD",
    });
    expect(answer.status).toBe(200);
    await expectStored("unsigned", SMALL);
  });

  test("PutObject_without a length is MissingContentLength", async () => {
    const headers = { "transfer-encoding": "chunked" };
    const answer = await call({ method: "PUT", url: "/bucket/nolength", body: SMALL, headers });
    expect(answer.status).toBe(411);
    await expectRefused(answer, "nolength", "MissingContentLength");
  });

  type Continued = { readonly status: number; readonly continued: boolean };

  function putExpecting(key: string, body: Buffer, credentials = ROOT_CREDENTIALS): Promise<Continued> {
    const { port } = started;
    const host = `127.0.0.1:${port}`;
    const { headers } = signRequest({
      method: "PUT",
      url: `/bucket/${key}`,
      host,
      nowMs: Date.now(),
      body,
      credentials,
    });
    return new Promise((resolve, reject) => {
      let continued = false;
      const outgoing = request({
        host: "127.0.0.1",
        port,
        method: "PUT",
        path: `/bucket/${key}`,
        agent: false,
        headers: { ...headers, "content-length": String(body.length), expect: "100-continue" },
      });
      outgoing.on("continue", () => {
        continued = true;
        outgoing.end(body);
      });
      outgoing.on("response", (incoming) => {
        incoming.resume();
        incoming.on("end", () => resolve({ status: incoming.statusCode ?? 0, continued }));
        outgoing.destroy();
      });
      outgoing.on("error", reject);
      outgoing.flushHeaders();
    });
  }

  test.each([Buffer.alloc(0), SMALL, LARGE])(
    "Expect: 100-continue is answered before the body is read (%#)",
    async (body) => {
      expect(await putExpecting("expect", body)).toEqual({ status: 200, continued: true });
      await expectStored("expect", body);
    },
  );

  test("Expect: 100-continue is not answered to a stranger", async () => {
    const stranger = { ...ROOT_CREDENTIALS, secretKey: "not the secret" };
    expect(await putExpecting("stranger", SMALL, stranger)).toEqual({ status: 403, continued: false });
  });
});
