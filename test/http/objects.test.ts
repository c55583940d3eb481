/**
 * Objects over HTTP: bytes, metadata, ranges, conditions, overrides, deletes.
 */
import { hash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { presign } from "../s3/signer.ts";
import { elementsOf, ROOT_CREDENTIALS, send } from "./client.ts";
import type { Answer, Call } from "./client.ts";
import { startEdge } from "./start-edge.ts";
import type { StartedEdge } from "./start-edge.ts";

const LARGE = Buffer.alloc(3 * 1024 * 1024 + 17, "0123456789abcdef");

describe("objects", () => {
  let started: StartedEdge;
  const call = (request: Call): Promise<Answer> => send(started.port, request);
  const put = (key: string, body: Buffer | string, headers: Record<string, string> = {}): Promise<Answer> =>
    call({ method: "PUT", url: `/bucket/${key}`, body, headers });

  beforeAll(async () => {
    started = await startEdge();
    await send(started.port, { method: "PUT", url: "/bucket" });
  });
  afterAll(() => started.close());

  test.each([
    ["empty", Buffer.alloc(0)],
    ["small", Buffer.from("hello")],
    ["64KiB", Buffer.alloc(65_536, "x")],
    ["64KiB-and-one", Buffer.alloc(65_537, "y")],
    ["large", LARGE],
  ])("PutObject_GetObject_%s comes back as it was", async (key, body) => {
    const stored = await put(key, body);
    expect(stored.status).toBe(200);
    expect(stored.headers["etag"]).toBe(`"${hash("md5", body, "hex")}"`);
    const got = await call({ url: `/bucket/${key}` });
    expect(got.status).toBe(200);
    expect(got.body.equals(body)).toBe(true);
    expect(got.headers["content-length"]).toBe(String(body.length));
    expect(got.headers["content-type"]).toBe("binary/octet-stream");
    expect(got.headers["x-thermocline-tier"]).toBe("hot");
    expect(got.headers["x-thermocline-consistency"]).toBe("linearizable");
    expect(got.headers["x-amz-request-id"]).toMatch(/^[0-9A-Z]{16}$/);
    const head = await call({ method: "HEAD", url: `/bucket/${key}` });
    expect([head.status, head.body.length, head.headers["content-length"]]).toEqual([
      200,
      0,
      String(body.length),
    ]);
  });

  test("GetObject answers a miss that comes as a promise", async () => {
    await put("miss", "late");
    started.service.world.slowFind = true;
    try {
      expect((await call({ url: "/bucket/miss" })).text).toBe("late");
      expect((await call({ url: "/bucket/absent" })).code).toBe("NoSuchKey");
    } finally {
      started.service.world.slowFind = false;
    }
  });

  test("every answer of a connection has its own request id", async () => {
    await put("ids", "x");
    const first = await call({ url: "/bucket/ids" });
    const second = await call({ url: "/bucket/ids" });
    expect(first.headers["x-amz-request-id"]).not.toBe(second.headers["x-amz-request-id"]);
  });

  test("answers that wait for their first piece keep their own request ids", async () => {
    await put("large-ids", LARGE);
    const waiting: (() => void)[] = [];
    started.service.world.onRead = () => new Promise<void>((resolve) => waiting.push(resolve));
    const answers = [call({ url: "/bucket/large-ids" }), call({ url: "/bucket/large-ids" })];
    while (waiting.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    started.service.world.onRead = undefined;
    for (const resolve of waiting) resolve();
    const ids = (await Promise.all(answers)).map(({ headers }) => headers["x-amz-request-id"]);
    expect(new Set(ids).size).toBe(2);
  });

  test("PutObject_GetObject_metadata and system headers come back", async () => {
    const headers = {
      "content-type": "text/plain; charset=utf-8",
      "cache-control": "max-age=5",
      "content-disposition": "attachment",
      "content-encoding": "gzip,aws-chunked",
      "content-language": "de",
      expires: "Wed, 21 Oct 2026 07:28:00 GMT",
      "x-amz-meta-colour": "blue",
      "x-amz-meta-empty": "",
    };
    await put("meta", "x", headers);
    const got = await call({ url: "/bucket/meta" });
    expect(got.headers).toMatchObject({ ...headers, "content-encoding": "gzip" });
  });

  test("PutObject_metadata_too_large", async () => {
    const answer = await put("toolarge", "x", { "x-amz-meta-a": "v".repeat(2048) });
    expect([answer.status, answer.code]).toEqual([400, "MetadataTooLarge"]);
  });

  test.each([
    ["x-amz-server-side-encryption", "AES256"],
    ["x-amz-object-lock-mode", "GOVERNANCE"],
  ])("PutObject_with_%s is NotImplemented and stores nothing", async (name, value) => {
    const answer = await put("promise", "x", { [name]: value });
    expect([answer.status, answer.code]).toEqual([501, "NotImplemented"]);
    expect((await call({ url: "/bucket/promise" })).code).toBe("NoSuchKey");
  });

  test.each([
    ["bytes=0-3", 206, "0123", "bytes 0-3/10"],
    ["bytes=4-", 206, "456789", "bytes 4-9/10"],
    ["bytes=-3", 206, "789", "bytes 7-9/10"],
    ["bytes=-100", 206, "0123456789", "bytes 0-9/10"],
    ["bytes=8-100", 206, "89", "bytes 8-9/10"],
    ["bytes=5-4", 200, "0123456789", undefined],
    ["lines=1-2", 200, "0123456789", undefined],
    ["bytes=0-1,3-4", 200, "0123456789", undefined],
  ])("GetObject_range_%s", async (range, status, body, contentRange) => {
    await put("range", "0123456789");
    const got = await call({ url: "/bucket/range", headers: { range } });
    expect([got.status, got.text, got.headers["content-range"]]).toEqual([status, body, contentRange]);
    const head = await call({ method: "HEAD", url: "/bucket/range", headers: { range } });
    expect([head.status, head.headers["content-length"]]).toEqual([status, String(body.length)]);
  });

  test.each(["bytes=10-", "bytes=-0", "bytes=99-100"])("GetObject_unsatisfiable_range_%s", async (range) => {
    await put("range", "0123456789");
    const got = await call({ url: "/bucket/range", headers: { range } });
    expect([got.status, got.code, got.headers["content-range"]]).toEqual([416, "InvalidRange", "bytes */10"]);
  });

  test("GetObject_range_of_a_large_object crosses pieces", async () => {
    await put("large-range", LARGE);
    const got = await call({ url: "/bucket/large-range", headers: { range: "bytes=1048570-2097160" } });
    expect(got.status).toBe(206);
    expect(got.body.equals(LARGE.subarray(1_048_570, 2_097_161))).toBe(true);
  });

  test("GetObject frees large pieces once they are sent, and what is cached stays", async () => {
    await put("freed", LARGE);
    await put("kept", "small");
    const { handedOut } = started.service.world;
    handedOut.length = 0;
    for (let round = 0; round < 2; round++) {
      expect((await call({ url: "/bucket/freed" })).body.equals(LARGE)).toBe(true);
      expect((await call({ url: "/bucket/kept" })).body.toString()).toBe("small");
    }
    await expect.poll(() => handedOut.filter(({ length }) => length >= 128 * 1024)).toEqual([]);
    expect(handedOut.length).toBeGreaterThanOrEqual(6);
  });

  test("GetObject_conditions", async () => {
    const { headers } = await put("cond", "x");
    const etag = headers["etag"] ?? "";
    const url = "/bucket/cond";
    expect((await call({ url, headers: { "if-match": etag } })).status).toBe(200);
    expect((await call({ url, headers: { "if-match": '"other"' } })).code).toBe("PreconditionFailed");
    const unchanged = await call({ url, headers: { "if-none-match": etag } });
    expect([unchanged.status, unchanged.body.length, unchanged.headers["etag"]]).toEqual([304, 0, etag]);
    expect((await call({ url, headers: { "if-none-match": '"other"' } })).status).toBe(200);
    const past = "Wed, 21 Oct 2015 07:28:00 GMT";
    expect((await call({ url, headers: { "if-unmodified-since": past } })).status).toBe(412);
    expect((await call({ url, headers: { "if-modified-since": past } })).status).toBe(200);
    expect((await call({ method: "HEAD", url, headers: { "if-none-match": etag } })).status).toBe(304);
  });

  test("PutObject_If-None-Match and If-Match", async () => {
    const first = await put("once", "1", { "if-none-match": "*" });
    expect(first.status).toBe(200);
    const second = await put("once", "2", { "if-none-match": "*" });
    expect([second.status, second.code]).toEqual([412, "PreconditionFailed"]);
    expect((await put("once", "3", { "if-match": '"wrong"' })).status).toBe(412);
    expect((await put("once", "4", { "if-match": first.headers["etag"] ?? "" })).status).toBe(200);
    expect((await put("never", "5", { "if-match": '"x"' })).code).toBe("NoSuchKey");
    expect((await call({ url: "/bucket/once" })).text).toBe("4");
    expect(started.service.world.counts().openWriters).toBe(0);
  });

  test("GetObject_response_overrides of a presigned link", async () => {
    await put("override", "x", { "content-type": "text/plain" });
    const host = `127.0.0.1:${started.port}`;
    const target = "/bucket/override?response-content-type=image%2Fpng&response-content-disposition=inline";
    const common = {
      method: "GET",
      host,
      nowMs: Date.now(),
      credentials: ROOT_CREDENTIALS,
      expiresSeconds: 60,
    };
    const got = await call({
      url: presign({ ...common, url: target }),
      credentials: null,
      headers: { host },
    });
    expect([got.status, got.headers["content-type"]]).toEqual([200, "image/png"]);
    expect(got.headers["content-disposition"]).toBe("inline");
  });

  test("a presigned PUT stores, an expired one is refused", async () => {
    const host = `127.0.0.1:${started.port}`;
    const sign = (nowMs: number): string =>
      presign({
        method: "PUT",
        url: "/bucket/pre",
        host,
        nowMs,
        credentials: ROOT_CREDENTIALS,
        expiresSeconds: 60,
      });
    const headers = { host };
    const fresh = { method: "PUT", url: sign(Date.now()), credentials: null, headers, body: "presigned" };
    expect((await call(fresh)).status).toBe(200);
    expect((await call({ url: "/bucket/pre" })).text).toBe("presigned");
    const expired = await call({ ...fresh, url: sign(Date.now() - 3_600_000) });
    expect([expired.status, expired.code]).toEqual([403, "AccessDenied"]);
  });

  test("DeleteObject is a success whether it was there or not", async () => {
    await put("gone", "x");
    expect((await call({ method: "DELETE", url: "/bucket/gone" })).status).toBe(204);
    expect((await call({ url: "/bucket/gone" })).code).toBe("NoSuchKey");
    expect((await call({ method: "DELETE", url: "/bucket/gone" })).status).toBe(204);
    await put("kept", "x");
    const headers = { "if-match": '"wrong"' };
    expect((await call({ method: "DELETE", url: "/bucket/kept", headers })).code).toBe("PreconditionFailed");
    expect((await call({ url: "/bucket/kept" })).status).toBe(200);
  });

  test("DeleteObjects answers for each key", async () => {
    for (const key of ["d1", "d2", "0012", "%20x%20"]) await put(key, "x");
    const keys = ["d1", "d2", "0012", " x ", "absent", "k".repeat(1025)];
    const items = keys.map((key) => `<Object><Key>${key}</Key></Object>`).join("");
    const body = `<Delete>${items}<Object><Key>d1</Key><VersionId>v</VersionId></Object></Delete>`;
    const answer = await call({ method: "POST", url: "/bucket?delete", body });
    expect(answer.status).toBe(200);
    expect(elementsOf(answer.text, "Code")).toEqual(["KeyTooLongError", "NoSuchVersion"]);
    expect(elementsOf(answer.text.split("<Error>")[0] ?? "", "Key")).toEqual([
      "d1",
      "d2",
      "0012",
      " x ",
      "absent",
    ]);
    for (const key of ["d1", "0012", "%20x%20"]) {
      expect((await call({ url: `/bucket/${key}` })).code).toBe("NoSuchKey");
    }
  });

  test("DeleteObjects_quiet shows nothing that succeeded; without a digest it is refused", async () => {
    const body = "<Delete><Quiet>true</Quiet><Object><Key>q</Key></Object></Delete>";
    const quiet = await call({ method: "POST", url: "/bucket?delete", body });
    expect(quiet.text).not.toContain("<Deleted>");
    const bare = await call({ method: "POST", url: "/bucket?delete", body, payloadHash: "UNSIGNED-PAYLOAD" });
    expect(bare.code).toBe("InvalidRequest");
    const empty = await call({ method: "POST", url: "/bucket?delete", body: "<Delete></Delete>" });
    expect(empty.code).toBe("MalformedXML");
  });

  test("HEAD of an absent key has no body", async () => {
    const answer = await call({ method: "HEAD", url: "/bucket/absent" });
    expect([answer.status, answer.body.length]).toEqual([404, 0]);
  });
});
