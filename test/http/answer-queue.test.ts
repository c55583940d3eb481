/**
 * Answers that are complete: the bytes arrive as they are, and those of one turn are written together.
 */
import { afterEach, expect, test } from "vitest";
import { send } from "./client.ts";
import { startEdge, systemClock } from "./start-edge.ts";
import type { StartedEdge } from "./start-edge.ts";

const BYTES = Buffer.from(Array.from({ length: 3 * 16_384 }, (_, at) => (at * 31 + (at >> 8)) & 0xff));

let started: StartedEdge | undefined;
afterEach(() => started?.close());

test.each([1, 255, 16_383, 16_384, 16_385, 3 * 16_384])(
  "a body of %i bytes of all values arrives as it is",
  async (size) => {
    started = await startEdge();
    const { port } = started;
    const body = BYTES.subarray(0, size);
    await send(port, { method: "PUT", url: "/bucket" });
    await send(port, { method: "PUT", url: "/bucket/key", body });
    const whole = await send(port, { url: "/bucket/key" });
    expect(whole.body.equals(body)).toBe(true);
    const part = await send(port, { url: "/bucket/key", headers: { range: "bytes=0-99" } });
    expect(part.body.equals(body.subarray(0, 100))).toBe(true);
  },
);

test("answers that are known in one turn are written when it is over, and count until then", async () => {
  const turns: (() => void)[] = [];
  let isHeld = false;
  const yieldToOthers = async (): Promise<void> => {
    if (isHeld) await new Promise<void>((resolve) => turns.push(resolve));
    else await systemClock.yieldToOthers();
  };
  started = await startEdge({ clock: { ...systemClock, yieldToOthers } });
  const { port, edge } = started;
  await send(port, { method: "PUT", url: "/bucket" });
  await send(port, { method: "PUT", url: "/bucket/key", body: "x" });
  isHeld = true;
  // A refusal does not wait: what made it may cut the connection in the same turn.
  expect((await send(port, { url: "/bucket/absent" })).status).toBe(404);
  let answered = 0;
  const answers = ["/bucket/key", "/bucket/key", "/bucket?location"].map(async (url) => {
    const answer = await send(port, { url });
    answered++;
    return answer.status;
  });
  while (edge.inFlight() < 3) await systemClock.sleep(2);
  await systemClock.sleep(30);
  expect([answered, edge.inFlight(), turns.length]).toEqual([0, 3, 1]);
  for (const endTurn of turns) endTurn();
  expect(await Promise.all(answers)).toEqual([200, 200, 200]);
  expect(edge.inFlight()).toBe(0);
});
