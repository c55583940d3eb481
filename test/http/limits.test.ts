/**
 * Limits and failures: credits, connections, errors of the service, draining.
 */
import { connect } from "node:net";
import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { InvariantError } from "../../src/base/assert.ts";
import { BusyError, DamageError, TooLargeError } from "../../src/base/errors.ts";
import { UnavailableError, UnknownOutcomeError } from "../../src/base/errors.ts";
import { elementOf, rawHead, send } from "./client.ts";
import { startEdge, systemClock } from "./start-edge.ts";
import type { LogLine, StartedEdge, StartOptions } from "./start-edge.ts";

const MIB = 1024 * 1024;

async function withEdge(options: StartOptions, run: (started: StartedEdge) => Promise<void>): Promise<void> {
  const started = await startEdge(options);
  try {
    await send(started.port, { method: "PUT", url: "/bucket" });
    await run(started);
  } finally {
    await started.close();
  }
}

/** A socket that has sent the given bytes and keeps open. */
function holdOpen(port: number, bytes: string): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" }, () => socket.write(bytes, () => resolve(socket)));
    socket.on("error", () => socket.destroy());
  });
}

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition() && waited < 200; waited++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** One damaged read: counted, and told in the log with the object it was found in. */
async function expectAlarm(adminPort: number, logLines: readonly LogLine[]): Promise<void> {
  const { text } = await send(adminPort, { url: "/-/metrics", credentials: null });
  expect(text).toMatch(/^thermocline_damaged_reads_total 1$/m);
  const alarms = logLines.filter(({ level }) => level === "error");
  expect(alarms).toHaveLength(1);
  expect(alarms[0]).toMatchObject({ message: "damaged data", fields: { path: "/bucket/large" } });
  expect(alarms[0]?.fields["error"]).toContain("block 7");
}

describe("limits", () => {
  test("past the bytes in flight a PUT gets SlowDown, and credits come back", () =>
    withEdge({ limits: { bytesInFlightMax: 3 * MIB } }, async ({ port, edge }) => {
      const headers = { "content-length": String(64 * MIB) };
      const slow = { method: "PUT", url: "/bucket/slow", payloadHash: "UNSIGNED-PAYLOAD", headers };
      const socket = await holdOpen(port, `${rawHead(port, slow)}begin`);
      await until(() => edge.inFlight() === 1);
      const refused = await send(port, { method: "PUT", url: "/bucket/large", body: Buffer.alloc(2 * MIB) });
      expect([refused.status, refused.code]).toEqual([503, "SlowDown"]);
      expect((await send(port, { method: "PUT", url: "/bucket/small", body: "fits" })).status).toBe(200);
      socket.destroy();
      await until(() => edge.inFlight() === 0);
      const stored = await send(port, { method: "PUT", url: "/bucket/large", body: Buffer.alloc(2 * MIB) });
      expect(stored.status).toBe(200);
    }));

  test("a reader that does not read holds one piece, not the object", () =>
    withEdge({ limits: { bytesInFlightMax: 4 * MIB } }, async ({ port, edge }) => {
      await send(port, { method: "PUT", url: "/bucket/large", body: Buffer.alloc(20 * MIB) });
      const sockets: Socket[] = [];
      for (let count = 0; count < 4; count++) {
        const socket = await holdOpen(port, rawHead(port, { url: "/bucket/large" }));
        socket.pause();
        sockets.push(socket);
      }
      await until(() => edge.inFlight() === 4);
      const refused = await send(port, { url: "/bucket/large" });
      expect([refused.status, refused.code]).toEqual([503, "SlowDown"]);
      for (const socket of sockets) socket.destroy();
      await until(() => edge.inFlight() === 0);
      expect((await send(port, { url: "/bucket/large" })).body.length).toBe(20 * MIB);
    }));

  test("readers that take nothing make room for others, one for each and only when they must", () => {
    const clock = { ...systemClock, monotonicMs: () => performance.now() + aheadMs };
    let aheadMs = 0;
    const limits = { bytesInFlightMax: 4 * MIB, idleTimeoutMs: 60_000 };
    return withEdge({ limits, clock }, async ({ port, edge, logLines }) => {
      await send(port, { method: "PUT", url: "/bucket/large", body: Buffer.alloc(20 * MIB) });
      for (let count = 0; count < 4; count++) {
        const socket = await holdOpen(port, rawHead(port, { url: "/bucket/large" }));
        socket.pause();
        await until(() => edge.inFlight() === count + 1);
        // Let what the kernel takes be sent, so that they wait in this order.
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      aheadMs = 29_000;
      expect((await send(port, { url: "/bucket/large" })).status).toBe(503);
      aheadMs = 31_000;
      expect((await send(port, { url: "/bucket" })).status).toBe(200);
      expect(edge.inFlight()).toBe(4);
      expect((await send(port, { url: "/bucket/large" })).body.length).toBe(20 * MIB);
      expect(edge.inFlight()).toBe(3);
      expect(logLines.filter(({ message }) => message.includes("took nothing"))).toHaveLength(1);
      const second = await send(port, { method: "PUT", url: "/bucket/small", body: Buffer.alloc(2 * MIB) });
      expect(second.status).toBe(200);
      await until(() => edge.inFlight() === 2);
      expect(edge.inFlight()).toBe(2);
    });
  });

  test("one connection too many is told to slow down", () =>
    withEdge({ limits: { connectionsMax: 2 } }, async ({ port }) => {
      const first = await holdOpen(port, "");
      const second = await holdOpen(port, "");
      const answer = await send(port, { url: "/bucket" });
      expect([answer.status, answer.code]).toEqual([503, "SlowDown"]);
      first.destroy();
      second.destroy();
    }));

  test.each([
    [new BusyError("the disk is full"), 503, "SlowDown", "the disk is full"],
    [new TooLargeError("write them in smaller groups"), 400, "EntityTooLarge", "smaller groups"],
    [new UnknownOutcomeError("no leader"), 503, "ServiceUnavailable", "unknown"],
    [new UnavailableError("stopping"), 503, "ServiceUnavailable", "stopping"],
    [new Error("secret detail"), 500, "InternalError", undefined],
  ])("a put that throws (%#)", (error, status, code, words) =>
    withEdge({}, async ({ port, service, logLines }) => {
      service.world.failure = { on: "put", error };
      for (const body of ["x", Buffer.alloc(2 * MIB)]) {
        const answer = await send(port, { method: "PUT", url: "/bucket/key", body });
        expect([answer.status, answer.code]).toEqual([status, code]);
        if (words !== undefined) expect(answer.text).toContain(words);
        expect(answer.text).not.toContain("secret detail");
      }
      expect(service.world.counts()).toMatchObject({ objects: 0, openWriters: 0 });
      if (code !== "InternalError") return;
      const line = logLines.find(({ level }) => level === "error");
      expect(line?.fields["requestId"]).toMatch(/^[0-9A-Z]{16}$/);
      expect(line?.fields["error"]).toContain("secret detail");
    }),
  );

  test("damage found before the first byte is an error answer, and an alarm", () =>
    withEdge({}, async ({ port, adminPort, service, logLines }) => {
      await send(port, { method: "PUT", url: "/bucket/large", body: Buffer.alloc(3 * MIB) });
      service.world.failure = { on: "read", error: new DamageError("block 7") };
      const answer = await send(port, { url: "/bucket/large" });
      expect([answer.status, answer.code]).toEqual([503, "ServiceUnavailable"]);
      expect(answer.text).toContain("checksum");
      await expectAlarm(adminPort, logLines);
    }));

  test("damage found in the middle cuts the connection", () =>
    withEdge({}, async ({ port, adminPort, service, edge, logLines }) => {
      await send(port, { method: "PUT", url: "/bucket/large", body: Buffer.alloc(3 * MIB) });
      let reads = 0;
      service.world.onRead = async () => {
        if (++reads === 3) throw new DamageError("block 7");
      };
      await expect(send(port, { url: "/bucket/large" })).rejects.toThrow(/aborted|hang up|ECONNRESET/);
      await until(() => edge.inFlight() === 0);
      await expectAlarm(adminPort, logLines);
    }));

  test("a reader that leaves ends the reading", () =>
    withEdge({}, async ({ port, service, edge }) => {
      await send(port, { method: "PUT", url: "/bucket/large", body: Buffer.alloc(20 * MIB) });
      let reads = 0;
      service.world.onRead = async () => {
        reads++;
      };
      const socket = await holdOpen(port, rawHead(port, { url: "/bucket/large" }));
      socket.once("data", () => socket.destroy());
      await until(() => socket.destroyed && edge.inFlight() === 0);
      expect(edge.inFlight()).toBe(0);
      expect(reads).toBeLessThan(20);
    }));

  test("a broken invariant goes to onFatal", () =>
    withEdge({}, async ({ port, service, fatal }) => {
      const error = new InvariantError("applied > committed");
      service.world.failure = { on: "find", error };
      expect((await send(port, { url: "/bucket/key" })).status).toBe(500);
      expect(fatal).toEqual([error]);
    }));

  test("draining: not ready, connections close, requests are served", () =>
    withEdge({}, async ({ port, edge }) => {
      await send(port, { method: "PUT", url: "/bucket/key", body: "x" });
      expect((await send(port, { url: "/-/ready", credentials: null })).status).toBe(200);
      edge.drain();
      expect((await send(port, { url: "/-/ready", credentials: null })).status).toBe(503);
      expect((await send(port, { url: "/-/live", credentials: null })).status).toBe(200);
      const answer = await send(port, { url: "/bucket/key", headers: { connection: "keep-alive" } });
      expect([answer.text, answer.headers["connection"]]).toEqual(["x", "close"]);
    }));

  test("an error names the resource and the request", () =>
    withEdge({}, async ({ port }) => {
      const answer = await send(port, { url: "/bucket/no%20key" });
      expect(elementOf(answer.text, "Resource")).toBe("/bucket/no key");
      expect(elementOf(answer.text, "RequestId")).toBe(answer.headers["x-amz-request-id"]);
      expect(answer.headers["content-type"]).toBe("application/xml");
    }));
});
