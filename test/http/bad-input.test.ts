/**
 * Bad input: each gets a clear S3 error, nothing is stored, nothing is left open.
 */
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { elementOf, rawHead, ROOT_CREDENTIALS, send, sendRaw } from "./client.ts";
import type { Call } from "./client.ts";
import { startEdge } from "./start-edge.ts";
import type { StartedEdge } from "./start-edge.ts";

const MIB = 1024 * 1024;

describe("bad input", () => {
  let started: StartedEdge;
  beforeAll(async () => {
    started = await startEdge({ limits: { bytesInFlightMax: 8 * MIB } });
    await send(started.port, { method: "PUT", url: "/bucket" });
  });
  afterAll(() => started.close());

  function head(call: Call, extra: Record<string, string>): string {
    return rawHead(started.port, { ...call, payloadHash: "UNSIGNED-PAYLOAD", headers: extra });
  }

  function expectNothingStored(): void {
    expect(started.service.world.counts()).toEqual({ objects: 0, uploads: 0, openWriters: 0 });
    expect(started.edge.inFlight()).toBe(0);
  }

  test.each([100, 200_000, 3 * MIB])("a body of %i bytes that ends early", async (length) => {
    const request = head({ method: "PUT", url: "/bucket/short" }, { "content-length": String(length) });
    const answer = await sendRaw(started.port, request + "x".repeat(length / 2), { finish: true });
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(elementOf(answer, "Code")).toBe("IncompleteBody");
    expectNothingStored();
  });

  test.each([100, 3 * MIB])("a client that vanishes in the middle of a body of %i bytes", async (length) => {
    const request = head({ method: "PUT", url: "/bucket/vanish" }, { "content-length": String(length) });
    await new Promise<void>((resolve) => {
      const socket = connect({ port: started.port, host: "127.0.0.1" }, () => {
        socket.write(request + "x".repeat(length / 2), () => setTimeout(() => socket.resetAndDestroy(), 50));
      });
      socket.on("close", () => setTimeout(resolve, 100));
    });
    expectNothingStored();
  });

  test.each([100, 3 * MIB])("a client that falls silent within a body of %i bytes", async (length) => {
    const impatient = await startEdge({ limits: { idleTimeoutMs: 300 } });
    await send(impatient.port, { method: "PUT", url: "/bucket" });
    const headers = { "content-length": String(length) };
    const call = { method: "PUT", url: "/bucket/silent", payloadHash: "UNSIGNED-PAYLOAD", headers };
    const answer = await sendRaw(impatient.port, `${rawHead(impatient.port, call)}${"x".repeat(50)}`);
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(elementOf(answer, "Code")).toBe("RequestTimeout");
    expect(impatient.service.world.counts()).toEqual({ objects: 0, uploads: 0, openWriters: 0 });
    await impatient.close();
  });

  test("headers that never end (slowloris)", async () => {
    const impatient = await startEdge({ limits: { headersTimeoutMs: 200 } });
    const answer = await sendRaw(impatient.port, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    expect(answer).toMatch(/^HTTP\/1.1 408 /);
    expect(elementOf(answer, "Code")).toBe("RequestTimeout");
    await impatient.close();
  });

  test("headers that are too large", async () => {
    const answer = await sendRaw(
      started.port,
      `GET / HTTP/1.1\r\nHost: x\r\nX-Large: ${"y".repeat(20_000)}\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 431 /);
    expect(elementOf(answer, "Code")).toBe("RequestHeaderSectionTooLarge");
  });

  test("headers that are too many are refused, not dropped", async () => {
    const roomy = await startEdge({ limits: { headerBytesMax: 1024 * 1024 } });
    await send(roomy.port, { method: "PUT", url: "/bucket" });
    const call = { method: "PUT", url: "/bucket/key", body: "hello", headers: { "content-length": "5" } };
    await send(roomy.port, call);
    const unlessThere = `${"a:\r\n".repeat(2500)}if-none-match: *\r\nconnection: close\r\n\r\n`;
    const request = rawHead(roomy.port, { ...call, body: "other" }).replace("\r\n\r\n", `\r\n${unlessThere}`);
    const answer = await sendRaw(roomy.port, `${request}other`);
    expect(answer).toMatch(/^HTTP\/1.1 431 /);
    expect(elementOf(answer, "Code")).toBe("RequestHeaderSectionTooLarge");
    expect((await send(roomy.port, { url: "/bucket/key" })).text).toBe("hello");
    await roomy.close();
  });

  test.each(["nonsense\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /\u0000 HTTP/1.1\r\nHost: x\r\n\r\n"])(
    "what is no HTTP (%#)",
    async (bytes) => {
      const answer = await sendRaw(started.port, bytes);
      expect(answer).toMatch(/^HTTP\/1.1 400 /);
      expect(elementOf(answer, "Code")).toBe("BadRequest");
    },
  );

  test("two lengths that contradict each other", async () => {
    const request = head({ method: "PUT", url: "/bucket/two" }, { "content-length": "5" });
    const smuggled = request.replace("\r\n\r\n", "\r\ncontent-length: 6\r\n\r\n");
    expect(await sendRaw(started.port, `${smuggled}hello!`)).toMatch(/^HTTP\/1.1 400 /);
    const both = request.replace("\r\n\r\n", "\r\ntransfer-encoding: chunked\r\n\r\n");
    expect(await sendRaw(started.port, `${both}0\r\n\r\n`)).toMatch(/^HTTP\/1.1 400 /);
    expectNothingStored();
  });

  test("nonsense behind a good request does not take its answer", async () => {
    const { world } = started.service;
    const gate = Promise.withResolvers<void>();
    world.writeGate = gate.promise;
    const good = head({ method: "PUT", url: "/bucket/good" }, { "content-length": "100000" });
    const pipelined = `${good}${"x".repeat(100_000)}`.repeat(2);
    const answers = sendRaw(started.port, `${pipelined}GET nonsense\r\n\r\nand more`);
    while (world.writers.size < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 30));
    gate.resolve();
    world.writeGate = undefined;
    const statuses = (await answers).match(/HTTP\/1.1 \d+/g);
    expect(statuses).toEqual(["HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 400"]);
    expect((await send(started.port, { method: "DELETE", url: "/bucket/good" })).status).toBe(204);
    expectNothingStored();
  });

  test("a chunked body whose framing breaks", async () => {
    const call = { method: "PUT", url: "/bucket/frame", payloadHash: "STREAMING-UNSIGNED-PAYLOAD-TRAILER" };
    const headers = { "transfer-encoding": "chunked", "x-amz-trailer": "x-amz-checksum-crc32" };
    const request = rawHead(started.port, { ...call, headers });
    const answer = await sendRaw(started.port, `${request}5\r\nhello\r\nZZ\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expectNothingStored();
  });

  test("an object above the maximum is refused before its body", async () => {
    const request = head({ method: "PUT", url: "/bucket/huge" }, { "content-length": String(6 * 1024 ** 3) });
    const answer = await sendRaw(started.port, request, { deadlineMs: 5000 });
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(elementOf(answer, "Code")).toBe("EntityTooLarge");
    expect(answer).toContain("Connection: close");
  });

  test("a refused body that is still being sent does not cost the client its answer", async () => {
    const credentials = { ...ROOT_CREDENTIALS, secretKey: "wrong-secret" };
    const call = { method: "PUT", url: "/bucket/refused", credentials, body: Buffer.alloc(4 * MIB) };
    const answer = await send(started.port, call);
    expect([answer.status, answer.code]).toEqual([403, "SignatureDoesNotMatch"]);
    expect(elementOf(answer.text, "StringToSign")).toContain("AWS4-HMAC-SHA256");
    expectNothingStored();
  });

  test("a short refused body leaves the connection usable", async () => {
    const refused = head({ method: "PUT", url: "/absent-bucket/x" }, { "content-length": "1000" });
    const next = head({ url: "/bucket?list-type=2" }, { connection: "close" });
    const answer = await sendRaw(started.port, refused + "x".repeat(1000) + next);
    expect(answer.match(/HTTP\/1.1 \d+/g)).toEqual(["HTTP/1.1 404", "HTTP/1.1 200"]);
  });

  test("an XML document that is too long, or has a DOCTYPE", async () => {
    const long = `<Delete>${" ".repeat(9 * MIB)}</Delete>`;
    const tooLong = await send(started.port, { method: "POST", url: "/bucket?delete", body: long });
    expect(tooLong.code).toBe("MaxMessageLengthExceeded");
    const body = '<!DOCTYPE x [<!ENTITY a "b">]><Delete><Object><Key>&a;</Key></Object></Delete>';
    expect((await send(started.port, { method: "POST", url: "/bucket?delete", body })).code).toBe(
      "MalformedXML",
    );
  });

  test("anonymous, unknown, skewed", async () => {
    expect((await send(started.port, { url: "/bucket", credentials: null })).code).toBe("AccessDenied");
    const unknown = { accessKey: "nobody", secretKey: "whatever-it-is" };
    expect((await send(started.port, { url: "/bucket", credentials: unknown })).code).toBe(
      "InvalidAccessKeyId",
    );
    const skewed = await send(started.port, { url: "/bucket", nowMs: Date.now() - 3_600_000 });
    expect(skewed.code).toBe("RequestTimeTooSkewed");
  });

  test("1,000 bodies that break off leave nothing behind", async () => {
    const request = head({ method: "PUT", url: "/bucket/many" }, { "content-length": "100000" });
    const before = process.memoryUsage().rss;
    for (let round = 0; round < 20; round++) {
      const attempts = Array.from({ length: 50 }, () =>
        sendRaw(started.port, request + "x".repeat(50_000), { finish: true }),
      );
      for (const answer of await Promise.all(attempts)) expect(answer).toMatch(/^HTTP\/1.1 (400|503) /);
    }
    expectNothingStored();
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * MIB);
  });
});
