/**
 * Path tricks: what is served is what was signed, byte for byte. No part of the edge may normalise a URL.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { elementsOf, elementOf, rawHead, ROOT_CREDENTIALS, send, sendRaw } from "./client.ts";
import { startEdge } from "./start-edge.ts";
import type { StartedEdge } from "./start-edge.ts";

const ODD = [
  ["/bucket/..", ".."],
  ["/bucket/.", "."],
  ["/bucket/%2e%2e/x", "../x"],
  ["/bucket/a/../b", "a/../b"],
  ["/bucket/a//b", "a//b"],
  ["/bucket//", "/"],
  ["/bucket/trailing/", "trailing/"],
  ["/bucket/a%2Fb", "a/b"],
  ["/bucket/a%20b", "a b"],
  ["/bucket/a+b", "a+b"],
  ["/bucket/a%2Bb", "a+b"],
  ["/bucket/%26%3D%3F%23", "&=?#"],
  ["/bucket/%F0%9F%98%80", "😀"],
  ["/bucket/%252e", "%2e"],
  ["/bucket/%5C..%5Cx", "\\..\\x"],
] as const;

describe("paths", () => {
  let started: StartedEdge;
  beforeAll(async () => {
    started = await startEdge({ domain: "s3.example.com" });
    await send(started.port, { method: "PUT", url: "/bucket" });
    await send(started.port, { method: "PUT", url: "/other" });
  });
  afterAll(() => started.close());

  test.each(ODD)("%s is the key %s and nothing else", async (url, key) => {
    const body = `of ${key}`;
    expect((await send(started.port, { method: "PUT", url, body })).status).toBe(200);
    expect((await send(started.port, { url })).text).toBe(body);
    const listed = await send(started.port, {
      url: `/bucket?prefix=${encodeURIComponent(key)}&encoding-type=url`,
    });
    const names = elementsOf(listed.text, "Key").map((name) =>
      decodeURIComponent(name.replaceAll("+", "%20")),
    );
    expect(names).toContain(key);
    expect((await send(started.port, { method: "DELETE", url })).status).toBe(204);
    expect((await send(started.port, { url })).code).toBe("NoSuchKey");
  });

  test.each(["PUT", "GET", "DELETE"])(
    "%s of a key with a NUL is refused, and nothing is stored",
    async (method) => {
      const body = method === "PUT" ? { body: "x" } : {};
      const answer = await send(started.port, { method, url: "/bucket/nul%00behind", ...body });
      expect([answer.status, answer.code]).toEqual([400, "InvalidArgument"]);
      const listed = await send(started.port, { url: "/bucket?prefix=nul" });
      expect(elementsOf(listed.text, "Key")).toEqual([]);
    },
  );

  test("a signature for one path is not good for another that normalises to the same", async () => {
    await send(started.port, { method: "PUT", url: "/bucket/secret", body: "x" });
    const head = rawHead(started.port, { url: "/bucket/a/../secret" });
    const moved = await sendRaw(started.port, head.replace("/bucket/a/../secret", "/bucket/secret"), {
      deadlineMs: 300,
    });
    expect(elementOf(moved, "Code")).toBe("SignatureDoesNotMatch");
  });

  test.each([
    ["/bucket/%", "InvalidURI"],
    ["/bucket/%zz", "InvalidURI"],
    ["/bucket/%ff", "InvalidURI"],
    ["//bucket", "InvalidURI"],
    [`/bucket/${"k".repeat(1025)}`, "KeyTooLongError"],
  ])("%s is %s", async (url, code) => {
    const head = rawHead(started.port, { url: "/bucket/placeholder" }).replace("/bucket/placeholder", url);
    const answer = await sendRaw(started.port, head.replace("\r\n", "\r\nconnection: close\r\n"));
    const expected = code === "KeyTooLongError" ? "SignatureDoesNotMatch" : code;
    expect(elementOf(answer, "Code")).toBe(expected);
    if (code === "KeyTooLongError") expect((await send(started.port, { url })).code).toBe(code);
  });

  test("a raw backslash in the path and an odd Host get S3 answers", async () => {
    const plain = "GET /bucket/a\\..\\b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    expect(elementOf(await sendRaw(started.port, plain), "Code")).toBe("AccessDenied");
    const host = "GET /bucket/a HTTP/1.1\r\nHost: 127.1:80\r\nConnection: close\r\n\r\n";
    expect(elementOf(await sendRaw(started.port, host), "Code")).toBe("AccessDenied");
    const none = "GET /bucket/a HTTP/1.0\r\n\r\n";
    expect(elementOf(await sendRaw(started.port, none), "Code")).toBe("AccessDenied");
  });

  test("an absolute-form target is served by its path", async () => {
    const head = rawHead(started.port, { url: "/bucket" });
    const absolute = head.replace("GET /bucket", `GET http://127.0.0.1:${started.port}/bucket`);
    const answer = await sendRaw(started.port, absolute.replace("\r\n", "\r\nconnection: close\r\n"));
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
  });

  test("virtual-host style names the bucket by its host, for that host only", async () => {
    const { port } = started;
    const request = async (host: string, url: string): Promise<string> => {
      const { signRequest } = await import("../s3/signer.ts");
      const nowMs = Date.now();
      const { headers } = signRequest({ method: "GET", url, host, nowMs, credentials: ROOT_CREDENTIALS });
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      return await sendRaw(port, `GET ${url} HTTP/1.1\r\n${lines.join("")}connection: close\r\n\r\n`);
    };
    await send(port, { method: "PUT", url: "/bucket/where", body: "in bucket" });
    await send(port, { method: "PUT", url: "/other/where", body: "in other" });
    expect(await request("bucket.s3.example.com", "/where")).toContain("in bucket");
    expect(await request("other.s3.example.com", "/where")).toContain("in other");
    expect(await request("OTHER.S3.example.com:80", "/where")).toContain("in other");
    expect(await request("s3.example.com", "/bucket/where")).toContain("in bucket");
    expect(elementOf(await request("bucket.s3.example.com", "/-/live"), "Code")).toBe("NoSuchKey");
  });
});
