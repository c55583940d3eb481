/** Promises of the figures about the process itself. */
import { expect, test } from "vitest";
import { CoreTelemetry } from "../../src/adapters/core-telemetry.ts";

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test("a stall of the event loop is told to everybody who asks in the same moment", async () => {
  const telemetry = new CoreTelemetry();
  await new Promise((resolve) => setTimeout(resolve, 50));
  block(300);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const asked = [0, 1, 2].map(() => telemetry.eventLoopDelaySeconds());
  telemetry.close();
  for (const { p99, max } of asked) {
    expect(max).toBeGreaterThan(0.2);
    expect(p99).toBeGreaterThan(0.2);
  }
});
