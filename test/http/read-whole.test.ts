/**
 * Bodies that are read as a whole: what they came in is freed, what is made of them is not.
 */
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import type { BodyPlan } from "../../src/http/body-plan.ts";
import { BodyWatch } from "../../src/http/body-watch.ts";
import type { Exchange } from "../../src/http/exchange.ts";
import { OperationCounter } from "../../src/http/operation-counter.ts";
import { readWhole } from "../../src/http/read-whole.ts";
import { ManualClock } from "../store/manual-clock.ts";

const PLAN: BodyPlan = {
  length: undefined,
  bytesMax: 300_000,
  isDocument: true,
  isChunked: false,
  contentMd5: undefined,
  sha256Hex: undefined,
  declared: { kind: "none" },
  algorithm: undefined,
};

/** As much of an exchange as reading a body needs. */
function exchangeOf(incoming: PassThrough): Exchange {
  const clock = new ManualClock();
  const bodies = new BodyWatch(clock, { windowMs: 1000, bytesPerSecondMin: 0 });
  const edge = { bodies, options: { clock } };
  const counter = new OperationCounter("PutObject");
  return { incoming, edge, headers: {}, counter } as unknown as Exchange;
}

/** Piece by piece, as a socket brings them. */
async function writeAll(incoming: PassThrough, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) {
    await new Promise((resolve) => setImmediate(resolve));
    incoming.write(piece);
  }
}

test("the buffers of a body of unknown length are freed, and its bytes are right", async () => {
  const incoming = new PassThrough();
  const reading = readWhole(exchangeOf(incoming), PLAN);
  const pieces = Array.from({ length: 4 }, (_, at) => Buffer.allocUnsafeSlow(50_000).fill(at + 1));
  const whole = Buffer.concat(pieces);
  await writeAll(incoming, pieces);
  incoming.end();
  const { bytes } = await reading;
  expect(bytes.equals(whole)).toBe(true);
  expect(bytes.buffer.byteLength).toBe(bytes.length);
  expect(pieces.map(({ length }) => length)).toEqual([0, 0, 0, 0]);
});

test("a body that is too long is refused, and nothing of it kept", async () => {
  const incoming = new PassThrough();
  const reading = readWhole(exchangeOf(incoming), PLAN);
  const pieces = Array.from({ length: 6 }, () => Buffer.allocUnsafeSlow(60_000).fill(7));
  const refused = expect(reading).rejects.toMatchObject({ code: "MaxMessageLengthExceeded" });
  await writeAll(incoming, pieces);
  await refused;
  expect(pieces.slice(0, 5).map(({ length }) => length)).toEqual([0, 0, 0, 0, 0]);
});
