/**
 * Bodies that come too slowly end; those that are slow because we are do not.
 */
import { expect, test } from "vitest";
import { connect } from "node:net";
import { BodyWatch } from "../../src/http/body-watch.ts";
import { ManualClock } from "../store/manual-clock.ts";
import { elementOf, rawHead, send } from "./client.ts";
import { startEdge } from "./start-edge.ts";

const MIB = 1024 * 1024;

function watching(): {
  readonly clock: ManualClock;
  readonly watch: BodyWatch;
  readonly body: ReturnType<BodyWatch["begin"]>;
  readonly ended: () => number | undefined;
} {
  const clock = new ManualClock();
  const watch = new BodyWatch(clock, { windowMs: 8000, bytesPerSecondMin: 100 });
  let endedAtMs: number | undefined;
  const body = watch.begin(() => {
    endedAtMs ??= clock.monotonicMs();
    watch.end(body);
  });
  return { clock, watch, body, ended: () => endedAtMs };
}

/** Seconds pass, each with so many bytes. */
async function seconds(world: ReturnType<typeof watching>, count: number, bytes: number): Promise<void> {
  for (let second = 0; second < count; second++) {
    await world.clock.advance(1000);
    world.body.bytes += bytes;
  }
}

test("a body below the rate ends with its window, one above it goes on", async () => {
  const slow = watching();
  await seconds(slow, 20, 99);
  expect(slow.ended()).toBe(8000);
  const fast = watching();
  await seconds(fast, 100, 115);
  expect(fast.ended()).toBeUndefined();
});

test("what a body brought early does not excuse it later", async () => {
  const world = watching();
  await seconds(world, 7, 1_000_000);
  await seconds(world, 12, 1);
  expect(world.ended()).toBe(16_000);
});

test("time in which we let the client wait does not count", async () => {
  const world = watching();
  await seconds(world, 4, 0);
  world.body.pause(world.clock.monotonicMs());
  await seconds(world, 60, 0);
  expect(world.ended()).toBeUndefined();
  world.body.resume(world.clock.monotonicMs());
  await seconds(world, 3, 0);
  expect(world.ended()).toBeUndefined();
  await seconds(world, 2, 0);
  expect(world.ended()).toBe(68_000);
});

test("nor does time in which the process stood still", async () => {
  const world = watching();
  await seconds(world, 4, 0);
  world.clock.advanceNow(600_000);
  await seconds(world, 2, 0);
  expect(world.ended()).toBeUndefined();
  await seconds(world, 1, 0);
  expect(world.ended()).toBe(607_000);
});

test("without a body nothing is looked at, and the next one is", async () => {
  const world = watching();
  world.watch.end(world.body);
  await seconds(world, 2, 0);
  expect(world.clock.sleepers).toBe(0);
  let isEnded = false;
  world.watch.begin(() => (isEnded = true));
  await seconds(world, 10, 0);
  expect(isEnded).toBe(true);
});

/** Sends `head` and then a byte every 20 ms until there is an answer; what came back and when. */
async function trickle(
  port: number,
  head: string,
): Promise<{ readonly answer: string; readonly ms: number }> {
  const startMs = performance.now();
  const socket = connect({ port, host: "127.0.0.1" });
  const timer = setInterval(() => socket.write("x"), 20);
  let answer = "";
  socket.on("data", (bytes) => (answer += bytes.toString("latin1")));
  await new Promise<void>((resolve) => {
    socket.on("error", () => undefined);
    socket.on("close", () => resolve());
    socket.write(head);
  });
  clearInterval(timer);
  return { answer, ms: performance.now() - startMs };
}

test.each([
  ["a small body", "PUT", "/bucket/k", "1000"],
  ["a large body", "PUT", "/bucket/k", String(3 * MIB)],
  ["a document", "POST", "/bucket?delete", "1000"],
])("%s that trickles is told so, and gives its credits back", async (_, method, url, length) => {
  const started = await startEdge({ limits: { idleTimeoutMs: 400, bytesInFlightMax: 3 * MIB } });
  const { port, edge, service } = started;
  await send(port, { method: "PUT", url: "/bucket" });
  const headers = { "content-length": length, "content-md5": "1B2M2Y8AsgTpgAmY7PhCfg==" };
  const head = rawHead(port, { method, url, headers, payloadHash: "UNSIGNED-PAYLOAD" });
  const { answer, ms } = await trickle(port, head);
  expect(answer).toMatch(/^HTTP\/1.1 400 /);
  expect(elementOf(answer, "Code")).toBe("RequestTimeout");
  expect(answer).toContain("Connection: close");
  expect(ms).toBeGreaterThanOrEqual(400);
  expect(edge.inFlight()).toBe(0);
  expect(service.world.counts()).toEqual({ objects: 0, uploads: 0, openWriters: 0 });
  const whole = await send(port, { method: "PUT", url: "/bucket/whole", body: Buffer.alloc(3 * MIB) });
  expect(whole.status).toBe(200);
  await started.close();
});

test("a slow body that is fast enough is taken", async () => {
  const started = await startEdge({ limits: { idleTimeoutMs: 400, bodyBytesPerSecondMin: 10 } });
  await send(started.port, { method: "PUT", url: "/bucket" });
  const headers = { "content-length": "60", connection: "close" };
  const call = { method: "PUT", url: "/bucket/k", headers, payloadHash: "UNSIGNED-PAYLOAD" };
  const { answer, ms } = await trickle(started.port, rawHead(started.port, call));
  expect(answer).toMatch(/^HTTP\/1.1 200 /);
  expect(ms).toBeGreaterThan(1000);
  await started.close();
});
