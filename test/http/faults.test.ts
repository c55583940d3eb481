/** Faults on purpose: which request meets one, what it sees of it, and what the store has done by then. */
import { connect } from "node:net";
import { buffer, text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { Faults } from "../../src/http/faults.ts";
import type { AddedFault, Fault } from "../../src/http/faults.ts";
import { operationTable } from "../../src/http/operation-table.ts";
import { elementOf, rawHead, send } from "./client.ts";
import type { Call } from "./client.ts";
import { startEdge } from "./start-edge.ts";
import type { StartedEdge } from "./start-edge.ts";

type World = StartedEdge & { readonly faults: Faults };

const newFaults = (): Faults => new Faults({ operations: Object.keys(operationTable) });

async function withFaults(run: (world: World) => Promise<void>): Promise<void> {
  const faults = newFaults();
  const started = await startEdge({ faults });
  try {
    await send(started.port, { method: "PUT", url: "/bucket" });
    await send(started.port, { method: "PUT", url: "/bucket/old", body: "0123456789" });
    await run({ ...started, faults });
  } finally {
    await started.close();
  }
}

const put: Call = { method: "PUT", url: "/bucket/new", body: "body" };
const get: Call = { url: "/bucket/old" };

/** Status of the answer, or "cut" without one. */
async function outcome({ port }: World, call: Call): Promise<number | "cut"> {
  try {
    return (await send(port, call)).status;
  } catch {
    return "cut";
  }
}

/** Everything that comes on a connection until it ends, a character for each byte. */
async function received(
  { port }: World,
  call: Call,
): Promise<{ readonly head: string; readonly body: string }> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.write(rawHead(port, call));
  const all = (await buffer(socket)).toString("latin1");
  const at = all.indexOf("\r\n\r\n");
  return at === -1 ? { head: all, body: "" } : { head: all.slice(0, at), body: all.slice(at + 4) };
}

describe("who meets a fault", () => {
  test("so many requests as it says, and then no more", () =>
    withFaults(async (world) => {
      const fault = world.faults.add({ operation: "PutObject", status: 503, times: 2 });
      const seen = [];
      for (let at = 0; at < 4; at++) seen.push(await outcome(world, put));
      expect(seen).toEqual([503, 503, 200, 200]);
      expect([fault.hits, world.faults.isEmpty]).toEqual([2, true]);
    }));

  test("every request until it is removed or all are cleared", () =>
    withFaults(async (world) => {
      const fault = world.faults.add({ operation: "GetObject", status: 500 });
      expect([await outcome(world, get), await outcome(world, get)]).toEqual([500, 500]);
      fault.remove();
      fault.remove();
      expect(await outcome(world, get)).toBe(200);
      world.faults.add({ operation: "GetObject", status: 500 });
      world.faults.clear();
      expect(await outcome(world, get)).toBe(200);
      {
        using scoped = world.faults.add({ operation: "*", status: 500 });
        expect(await outcome(world, get)).toBe(500);
        expect(scoped.hits).toBe(1);
      }
      expect(await outcome(world, get)).toBe(200);
    }));

  test("only what it names: operation, bucket, key", () =>
    withFaults(async (world) => {
      world.faults.add({ operation: "GetObject", bucket: "bucket", key: "new", status: 503 });
      world.faults.add({ operation: "PutObject", bucket: "other", status: 503 });
      expect([await outcome(world, get), await outcome(world, put)]).toEqual([200, 200]);
      expect(await outcome(world, { url: "/bucket/new" })).toBe(503);
      expect(await outcome(world, { method: "HEAD", url: "/bucket/new" })).toBe(200);
    }));

  test("every operation for *, what is not built included, and nobody without a signature", () =>
    withFaults(async (world) => {
      const fault = world.faults.add({ operation: "*", status: 503 });
      const calls: Call[] = [get, put, { url: "/" }, { url: "/bucket?torrent" }, { url: "/bucket?policy" }];
      for (const call of calls) expect(await outcome(world, call)).toBe(503);
      expect(fault.hits).toBe(5);
      expect(await outcome(world, { ...get, credentials: null })).toBe(403);
      expect(await outcome(world, { url: "/-/live", credentials: null })).toBe(200);
      expect(fault.hits).toBe(5);
    }));

  test("of two that fit the older one, alone", () =>
    withFaults(async (world) => {
      world.faults.add({ operation: "*", status: 500, times: 1 });
      world.faults.add({ operation: "GetObject", status: 503, times: 1 });
      expect([await outcome(world, get), await outcome(world, get)]).toEqual([500, 503]);
      expect(await outcome(world, get)).toBe(200);
    }));
});

describe("an error", () => {
  test.each<readonly [Partial<Fault>, number, string]>([
    [{ status: 503 }, 503, "SlowDown"],
    [{ status: 500 }, 500, "InternalError"],
    [{ status: 403 }, 403, "AccessDenied"],
    [{ status: 404 }, 404, "NoSuchKey"],
    [{ status: 418 }, 418, "BadRequest"],
    [{ status: 503, code: "ServiceUnavailable" }, 503, "ServiceUnavailable"],
    [{ status: 400, code: "RequestTimeout", message: "so slow" }, 400, "RequestTimeout"],
  ])("of %o is S3's document, and the operation is not done", (answer, status, code) =>
    withFaults(async (world) => {
      world.faults.add({ operation: "PutObject", ...answer, times: 1 } as Fault);
      const refused = await send(world.port, put);
      expect([refused.status, refused.code]).toEqual([status, code]);
      expect(elementOf(refused.text, "RequestId")).toBe(refused.headers["x-amz-request-id"]);
      if ("message" in answer) expect(elementOf(refused.text, "Message")).toBe(answer.message);
      expect(await outcome(world, { url: "/bucket/new" })).toBe(404);
      expect(await outcome(world, put)).toBe(200);
    }),
  );

  test("comes on a connection that goes on, and counts for its operation", () =>
    withFaults(async (world) => {
      world.faults.add({ operation: "GetObject", status: 503, times: 1 });
      const last = { ...get, headers: { connection: "close" } };
      const twice = rawHead(world.port, get) + rawHead(world.port, last);
      const socket = connect({ port: world.port, host: "127.0.0.1" });
      socket.write(twice);
      const all = await text(socket);
      expect(all.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 503", "HTTP/1.1 200"]);
      expect(await world.edge.metrics.page()).toContain('operation="GetObject",status="5xx"} 1');
    }));
});

describe("a delay", () => {
  test("comes first; then the request is served, or refused", () =>
    withFaults(async (world) => {
      world.faults.add({ operation: "GetObject", delay: 150, times: 1 });
      world.faults.add({ operation: "GetObject", delayMs: 150, status: 503, times: 1 });
      for (const status of [200, 503]) {
        const startMs = performance.now();
        expect(await outcome(world, get)).toBe(status);
        expect(performance.now() - startMs).toBeGreaterThan(140);
      }
      expect(await outcome(world, get)).toBe(200);
    }));

  test("ends when the faults are cleared", () =>
    withFaults(async (world) => {
      const fault = world.faults.add({ operation: "PutObject", delay: 60_000 });
      const pending = outcome(world, put);
      while (fault.hits === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      world.faults.clear();
      expect(await pending).toBe(200);
    }));
});

describe("a cut", () => {
  test("before the operation: no byte comes, nothing is done", () =>
    withFaults(async (world) => {
      world.faults.add({ operation: "*", cut: true, times: 2 });
      expect(await outcome(world, put)).toBe("cut");
      expect(await received(world, get)).toEqual({ head: "", body: "" });
      expect(await outcome(world, { url: "/bucket/new" })).toBe(404);
      expect(world.edge.inFlight()).toBe(0);
    }));

  test("of the answer: no byte comes, and it is done", () =>
    withFaults(async (world) => {
      world.faults.add({ operation: "*", cut: "answer", times: 2 });
      expect(await outcome(world, put)).toBe("cut");
      expect(await received(world, get)).toEqual({ head: "", body: "" });
      expect((await send(world.port, { url: "/bucket/new" })).text).toBe("body");
      expect(world.edge.inFlight()).toBe(0);
    }));

  test.each([0, 1, 4, 9])("after %i bytes: the head and so much of the body", (afterBytes) =>
    withFaults(async (world) => {
      world.faults.add({ operation: "GetObject", cut: { afterBytes }, times: 2 });
      const { head, body } = await received(world, get);
      expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(head).toMatch(/\r\ncontent-length: 10(\r\n|$)/i);
      expect(body).toBe("0123456789".slice(0, afterBytes));
      expect(await outcome(world, get)).toBe("cut");
      expect(await outcome(world, get)).toBe(200);
      expect(world.edge.inFlight()).toBe(0);
    }),
  );

  test("an answer that is shorter than the cut is whole", () =>
    withFaults(async (world) => {
      world.faults.add({ operation: "*", cut: { afterBytes: 10 } });
      expect((await send(world.port, get)).text).toBe("0123456789");
      expect(await outcome(world, put)).toBe(200);
      expect(await outcome(world, { method: "HEAD", url: "/bucket/old" })).toBe(200);
    }));

  test.each([
    [1000, 999],
    [1000, 1000],
    [16_384, 300],
    [16_385, 16_384],
  ])("of %i bytes of all values after %i: these come as they are", (size, afterBytes) =>
    withFaults(async (world) => {
      const body = Buffer.from(Array.from({ length: size }, (_, at) => at & 0xff));
      await send(world.port, { method: "PUT", url: "/bucket/binary", body });
      world.faults.add({ operation: "GetObject", cut: { afterBytes }, times: 1 });
      const part = await received(world, { url: "/bucket/binary", headers: { connection: "close" } });
      expect(Buffer.from(part.body, "latin1").equals(body.subarray(0, afterBytes))).toBe(true);
    }),
  );

  test("in the middle of a body that is sent in pieces", () =>
    withFaults(async (world) => {
      const large = Buffer.alloc(5 * 1024 * 1024, "x");
      await send(world.port, { method: "PUT", url: "/bucket/large", body: large });
      world.faults.add({ operation: "GetObject", cut: { afterBytes: 3_000_001 }, times: 1 });
      expect((await received(world, { url: "/bucket/large" })).body).toHaveLength(3_000_001);
      expect((await send(world.port, { url: "/bucket/large" })).body.equals(large)).toBe(true);
      expect(world.edge.inFlight()).toBe(0);
    }));
});

test.each<readonly [unknown, RegExp]>([
  [{ operation: "PutObjects", status: 503 }, /PutObjects/],
  [{ operation: "PutObject" }, /no status, delay or cut/],
  [{ operation: "PutObject", status: 503, cut: true }, /exclude/],
  [{ operation: "PutObject", status: 200 }, /400 to 599/],
  [{ operation: "PutObject", status: "503" }, /400 to 599/],
  [{ operation: "PutObject", status: 503, code: "TooBusy" }, /TooBusy/],
  [{ operation: "PutObject", cut: true, code: "SlowDown" }, /needs a status/],
  [{ operation: "PutObject", cut: { afterBytes: -1 } }, /cut is/],
  [{ operation: "PutObject", cut: false }, /cut is/],
  [{ operation: "PutObject", status: 503, times: 0 }, /times/],
  [{ operation: "PutObject", delay: -1 }, /delay is/],
  [{ operation: "PutObject", delay: "100" }, /delay is/],
  [{ operation: "PutObject", delayMs: -1 }, /delay is/],
  [{ operation: "PutObject", delay: 1, delayMs: 1 }, /one thing/],
])("%o is refused when it is added", (fault, message) => {
  const faults = newFaults();
  expect(() => faults.add(fault as Fault)).toThrow(TypeError);
  expect(() => faults.add(fault as Fault)).toThrow(message);
  expect(faults.isEmpty).toBe(true);
});

test("every operation that is built can be named", () => {
  const faults = newFaults();
  const added: readonly AddedFault[] = Object.keys(operationTable).map((operation) =>
    faults.add({ operation: operation as Fault["operation"], status: 500 }),
  );
  expect(added.length).toBeGreaterThan(10);
});
