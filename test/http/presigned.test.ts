/**
 * Presigned requests carry headers of S3 in their query, where clients put them when they sign: they count as
 * headers, before anything is decided from them.
 */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checksumOf, initChecksums } from "../../src/s3/checksums.ts";
import { presign, rfc3986 } from "../s3/signer.ts";
import { elementOf, ROOT_CREDENTIALS, send } from "./client.ts";
import type { Answer } from "./client.ts";
import { startEdge } from "./start-edge.ts";
import type { StartedEdge } from "./start-edge.ts";

const BODY = "what is put";

describe("headers in a presigned query", () => {
  let started: StartedEdge;
  beforeAll(async () => {
    await initChecksums();
    started = await startEdge();
    await send(started.port, { method: "PUT", url: "/bucket" });
  });
  afterAll(() => started.close());

  type Presigned = {
    readonly method?: string;
    readonly key: string;
    readonly query?: Readonly<Record<string, string>>;
    readonly body?: string;
    readonly payloadHash?: string;
    readonly sessionToken?: string;
  };

  async function use(presigned: Presigned): Promise<Answer> {
    const { method = "PUT", key, query = {}, payloadHash, sessionToken } = presigned;
    const pairs = Object.entries(query).map(([name, value]) => `${rfc3986(name)}=${rfc3986(value)}`);
    const url = presign({
      method,
      url: `/bucket/${key}${pairs.length === 0 ? "" : `?${pairs.join("&")}`}`,
      host: `127.0.0.1:${started.port}`,
      nowMs: Date.now(),
      credentials: { ...ROOT_CREDENTIALS, ...(sessionToken === undefined ? {} : { sessionToken }) },
      expiresSeconds: 60,
      ...(payloadHash === undefined ? {} : { payloadHash, payloadInQuery: true }),
    });
    const body = method === "PUT" ? (presigned.body ?? BODY) : "";
    return await send(started.port, { method, url, body, credentials: null });
  }

  async function isThere(key: string): Promise<boolean> {
    return (await send(started.port, { method: "HEAD", url: `/bucket/${key}` })).status === 200;
  }

  test("metadata and a storage class are kept, in any case and any script", async () => {
    const query = {
      "x-amz-meta-colour": "blau",
      "X-Amz-Meta-Name": "é",
      "x-amz-storage-class": "STANDARD_IA",
    };
    expect((await use({ key: "kept", query })).status).toBe(200);
    const { headers } = await send(started.port, { method: "HEAD", url: "/bucket/kept" });
    expect(headers["x-amz-meta-colour"]).toBe("blau");
    expect(headers["x-amz-meta-name"]).toBe(`=?UTF-8?B?${Buffer.from("é").toString("base64")}?=`);
    expect(headers["x-amz-storage-class"]).toBe("STANDARD_IA");
  });

  test("a checksum is verified, stored and shown", async () => {
    const value = checksumOf("CRC32", Buffer.from(BODY)).toString("base64");
    const query = { "x-amz-checksum-crc32": value, "x-amz-sdk-checksum-algorithm": "CRC32" };
    expect((await use({ key: "summed", query })).headers["x-amz-checksum-crc32"]).toBe(value);
    const wrong = await use({ key: "wrong-sum", query, body: "something else" });
    expect([wrong.status, wrong.code]).toEqual([400, "BadDigest"]);
    expect(await isThere("wrong-sum")).toBe(false);
    const got = await use({ method: "GET", key: "summed", query: { "x-amz-checksum-mode": "ENABLED" } });
    expect([got.text, got.headers["x-amz-checksum-crc32"]]).toEqual([BODY, value]);
  });

  test("a payload hash is held to, every time the address is used", async () => {
    const payloadHash = createHash("sha256").update(BODY).digest("hex");
    for (const round of [1, 2]) {
      expect((await use({ key: "hashed", payloadHash })).status, `round ${round}`).toBe(200);
      const wrong = await use({ key: "hashed-wrong", payloadHash, body: "something else" });
      expect([wrong.status, wrong.code]).toEqual([400, "XAmzContentSHA256Mismatch"]);
    }
    expect(await isThere("hashed-wrong")).toBe(false);
  });

  test.each([
    ["x-amz-acl", "public-read", 400, "AccessControlListNotSupported"],
    ["x-amz-server-side-encryption", "AES256", 501, "NotImplemented"],
    ["x-amz-storage-class", "LUKEWARM", 400, "InvalidStorageClass"],
    ["x-amz-expected-bucket-owner", "somebody", 403, "AccessDenied"],
    ["x-amz-meta-long", "m".repeat(3000), 400, "MetadataTooLarge"],
  ])("%s that a header could not ask for is refused in the query, too", async (name, value, status, code) => {
    const key = `refused-${name}`;
    for (const round of [1, 2]) {
      const answer = await use({ key, query: { [name]: value } });
      expect([answer.status, answer.code], `round ${round}`).toEqual([status, code]);
    }
    expect(await isThere(key)).toBe(false);
  });

  test("what decides which operation it is does so from the query: a copy is no put of nothing", async () => {
    await send(started.port, { method: "PUT", url: "/bucket/target", body: "as it was" });
    const query = { "x-amz-copy-source": "/bucket/absent" };
    const answer = await use({ key: "target", query, body: "" });
    expect(answer.status).not.toBe(200);
    expect((await send(started.port, { url: "/bucket/target" })).text).toBe("as it was");
  });

  test("a session token that nobody gave out is refused", async () => {
    const answer = await use({ key: "session", sessionToken: "nobody's" });
    expect([answer.status, answer.code]).toEqual([400, "InvalidToken"]);
    expect(await isThere("session")).toBe(false);
  });

  test("a header that says otherwise than the query has to be signed", async () => {
    const url = presign({
      method: "PUT",
      url: "/bucket/said-twice?x-amz-meta-colour=blue",
      host: `127.0.0.1:${started.port}`,
      nowMs: Date.now(),
      credentials: ROOT_CREDENTIALS,
      expiresSeconds: 60,
    });
    const headers = { "x-amz-meta-colour": "red" };
    const answer = await send(started.port, { method: "PUT", url, headers, body: BODY, credentials: null });
    expect([answer.status, answer.code]).toEqual([403, "AccessDenied"]);
    expect(elementOf(answer.text, "HeadersNotSigned")).toBe("x-amz-meta-colour");
  });
});
