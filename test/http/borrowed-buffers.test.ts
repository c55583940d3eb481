/**
 * Buffers of the socket are freed with their last holder, and never while somebody needs them.
 */
import { expect, test } from "vitest";
import { BodyDigests } from "../../src/http/body-digests.ts";
import type { BodyPlan } from "../../src/http/body-plan.ts";
import { BodySink } from "../../src/http/body-sink.ts";
import { BorrowedBuffers } from "../../src/http/borrowed-buffers.ts";
import { rawHead, send, sendRaw } from "./client.ts";
import { FakeObjects } from "./fake-objects.ts";
import { FakeWorld } from "./fake-world.ts";
import { startEdge } from "./start-edge.ts";

const MIB = 1024 * 1024;
const PLAN: BodyPlan = {
  length: undefined,
  bytesMax: 64 * MIB,
  isDocument: false,
  isChunked: false,
  contentMd5: undefined,
  sha256Hex: undefined,
  declared: { kind: "none" },
  algorithm: undefined,
};

test("a buffer is freed by its last holder, however many took a part of it", () => {
  const borrowed = new BorrowedBuffers();
  const wire = Buffer.allocUnsafeSlow(64 * 1024).fill(7);
  const parts = [wire.subarray(0, 1000), wire.subarray(1000)];
  borrowed.borrow(wire);
  for (const part of parts) borrowed.hold(part);
  borrowed.release(wire);
  borrowed.release(parts[0] as Buffer);
  expect([wire.length, parts[1]?.[0]]).toEqual([64 * 1024, 7]);
  borrowed.release(parts[1] as Buffer);
  expect([wire.length, parts[1]?.length]).toEqual([0, 0]);
});

test("memory that others may use is not freed", () => {
  const borrowed = new BorrowedBuffers();
  const slab = Buffer.allocUnsafeSlow(64 * 1024);
  const slice = slab.subarray(0, 32 * 1024);
  borrowed.borrow(slice);
  borrowed.release(slice);
  const stranger = Buffer.allocUnsafeSlow(8192);
  borrowed.hold(stranger);
  borrowed.release(stranger);
  borrowed.release(stranger);
  expect([slab.length, stranger.length]).toEqual([64 * 1024, 8192]);
});

test("what a body came in is freed once its chunks are stored, and not before", async () => {
  const world = new FakeWorld();
  const gate = Promise.withResolvers<void>();
  world.writeGate = gate.promise;
  const sink = new BodySink(new FakeObjects(world), new BodyDigests(PLAN));
  const pieces = Array.from({ length: 40 }, (_, at) => Buffer.allocUnsafeSlow(64 * 1024 + at).fill(at));
  const whole = Buffer.concat(pieces);
  for (const piece of pieces) {
    sink.borrow(piece);
    void sink.take(piece);
    sink.giveBack(piece);
  }
  const finished = sink.finish();
  await new Promise((resolve) => setImmediate(resolve));
  expect(pieces.every(({ length }) => length > 0)).toBe(true);
  gate.resolve();
  await finished;
  await sink.settled();
  expect(pieces.every(({ length }) => length === 0)).toBe(true);
  expect(Buffer.concat([...world.writers].flatMap((writer) => writer.pieces)).equals(whole)).toBe(true);
});

test("a refused body holds its credits until the service has let go of its bytes", async () => {
  const started = await startEdge({ limits: { bytesInFlightMax: 3 * MIB } });
  const { port, service, edge } = started;
  await send(port, { method: "PUT", url: "/bucket" });
  const gate = Promise.withResolvers<void>();
  service.world.writeGate = gate.promise;
  const headers = { "content-length": String(2 * MIB) };
  const head = rawHead(port, { method: "PUT", url: "/bucket/k", payloadHash: "UNSIGNED-PAYLOAD", headers });
  const answer = sendRaw(port, head + "x".repeat(MIB + 1000), { finish: true });
  while (service.world.writers.size === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(edge.inFlight()).toBe(1);
  const second = await send(port, { method: "PUT", url: "/bucket/other", body: Buffer.alloc(2 * MIB) });
  expect(second.code).toBe("SlowDown");
  gate.resolve();
  expect(await answer).toContain("IncompleteBody");
  while (edge.inFlight() > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  expect((await send(port, { method: "PUT", url: "/bucket/k", body: Buffer.alloc(2 * MIB) })).status).toBe(
    200,
  );
  expect(service.world.counts()).toEqual({ objects: 1, uploads: 0, openWriters: 0 });
  await started.close();
});
