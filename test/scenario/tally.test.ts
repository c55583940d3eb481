/**
 * The counts that CI sums up are real: what fails is counted, what is not there fails, nothing is left out.
 */
import { expect, test } from "vitest";
import { runClients, scenarios } from "../clients/run-clients.ts";
import { Tally } from "./tally.ts";

function silentTally(): { readonly tally: Tally; readonly lines: string[] } {
  const lines: string[] = [];
  return { tally: new Tally((line) => lines.push(line)), lines };
}

test("steps are counted, a step that throws has failed, and the next one still runs", async () => {
  const { tally, lines } = silentTally();
  await tally.step("good", () => undefined);
  expect(await tally.step("bad", () => Promise.reject(new Error("because")))).toBe(false);
  expect(await tally.step("good again", () => Promise.resolve())).toBe(true);
  expect(lines.join("\n")).toMatch(/FAIL {2}bad .*\n.*because/);
  expect(tally.close()).toBe(1);
  expect(lines.at(-1)).toBe("\n2 passed, 1 failed");
});

test("a run without a single step has failed", () => {
  const { tally, lines } = silentTally();
  expect(tally.close()).toBe(1);
  expect(lines.at(-1)).toBe("\n0 passed, 1 failed");
});

test("a client that nobody knows fails", async () => {
  const { tally } = silentTally();
  await runClients(["no-such-client"], tally, {});
  expect(tally).toMatchObject({ passed: 0, failed: 1 });
});

test("a client that is not there fails, and is not left out", { timeout: 60_000 }, async () => {
  const { tally } = silentTally();
  await runClients(["rclone"], tally, { CLIENT_RCLONE: "/nowhere/rclone" });
  // All that works without it is killing the server, and stopping it.
  expect(tally.passed).toBeLessThanOrEqual(2);
  expect(tally.failed).toBeGreaterThan(10);
});

test("all the clients that are promised have a scenario", () => {
  expect(Object.keys(scenarios).toSorted()).toEqual(
    [
      ...["aws-cli", "aws-cli-debian", "sdk", "rclone", "boto3", "minio", "s3cmd", "restic", "duplicity"],
      ...["s3fs", "tls", "presigned"],
    ].toSorted(),
  );
});
