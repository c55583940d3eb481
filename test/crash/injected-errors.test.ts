/**
 * Errors of the system under the real process: strace answers the writes to one file in the place of the
 * kernel. Needs strace, which the project's CI installs.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { scratchDirectory } from "./real-directory.ts";
import { ServerProcess } from "./server-process.ts";
import { hasStrace } from "./trace-syncs.ts";

/** From now on every write to `path` fails, until it is disposed of. */
async function failWrites(pid: number, path: string, code: string): Promise<AsyncDisposable> {
  const inject = `inject=pwrite64:error=${code}`;
  const options = [
    "-f",
    "-p",
    String(pid),
    "-P",
    path,
    "-e",
    "trace=pwrite64",
    "-e",
    inject,
    "-o",
    "/dev/null",
  ];
  const tracer = spawn("strace", options, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  for await (const piece of tracer.stderr) {
    said += String(piece);
    if (/attached/.test(said)) break;
  }
  if (!/attached/.test(said)) throw new Error(`strace does not trace: ${said}`);
  return {
    [Symbol.asyncDispose]: async () => {
      if (tracer.exitCode !== null || tracer.signalCode !== null) return;
      const ended = once(tracer, "exit");
      tracer.kill("SIGINT");
      await ended;
    },
  };
}

async function serve(directory: string): Promise<ServerProcess> {
  const server = await ServerProcess.spawn(directory);
  await server.ready();
  expect((await server.send("PUT", "/bucket")).status).toBe(200);
  expect((await server.sendKey("PUT", "bucket", "before", Buffer.from("before"))).status).toBe(200);
  return server;
}

async function has(directory: string, key: string): Promise<boolean> {
  await using server = await ServerProcess.spawn(directory);
  await server.ready();
  const { status, body } = await server.sendKey("GET", "bucket", key);
  return status === 200 && body.toString() === key;
}

describe.runIf(hasStrace())("under the real process", () => {
  test.each(["acked", "log/0000000001.seg"])(
    "a write to %s that fails with EIO ends it with exit code 1",
    { timeout: 60_000 },
    async (file) => {
      await using scratch = await scratchDirectory();
      const directory = `${scratch.path}/data`;
      {
        await using server = await serve(directory);
        await using _failing = await failWrites(server.pid, `${directory}/${file}`, "EIO");
        const put = server.sendKey("PUT", "bucket", "late", Buffer.from("late")).catch(() => undefined);
        expect(await server.exitCode()).toBe(1);
        expect(server.output).toContain("EIO");
        // The mark is not on the way of an acknowledgement; a record is.
        if (file !== "acked") expect((await put)?.status).not.toBe(200);
      }
      expect(await has(directory, "before")).toBe(true);
    },
  );

  test(
    "a quota that is used up is waited for: 503, reads, and on by itself",
    { timeout: 60_000 },
    async () => {
      await using scratch = await scratchDirectory();
      const directory = `${scratch.path}/data`;
      {
        await using server = await serve(directory);
        let waiting: Promise<{ readonly status: number }>;
        {
          await using _failing = await failWrites(server.pid, `${directory}/log/0000000001.seg`, "EDQUOT");
          waiting = server.sendKey("PUT", "bucket", "waits", Buffer.from("waits"));
          await sleep(1000);
          const refused = await server.sendKey("PUT", "bucket", "refused", Buffer.from("refused"));
          expect(refused.status).toBe(503);
          const { status, body } = await server.sendKey("GET", "bucket", "before");
          expect([status, body.toString()]).toEqual([200, "before"]);
        }
        expect((await waiting).status).toBe(200);
        let again = 503;
        for (let tries = 0; again === 503 && tries < 100; tries++) {
          again = (await server.sendKey("PUT", "bucket", "again", Buffer.from("again"))).status;
          if (again === 503) await sleep(100);
        }
        expect(again).toBe(200);
        await server.end("SIGTERM");
        expect(await server.exitCode()).toBe(0);
      }
      expect(await has(directory, "waits")).toBe(true);
    },
  );

  test("a start on a disk without any space waits for some, and says so", { timeout: 60_000 }, async () => {
    await using scratch = await scratchDirectory();
    const directory = `${scratch.path}/data`;
    {
      await using server = await serve(directory);
      await server.end("SIGTERM");
    }
    {
      const inject = ["-e", "trace=pwrite64", "-e", "inject=pwrite64:error=ENOSPC"];
      const segment = `${directory}/log/0000000001.seg`;
      const tracer = ["strace", "-D", "-f", "-P", segment, ...inject, "-o", "/dev/null"];
      await using server = await ServerProcess.spawn(directory, tracer);
      const ended = await Promise.race([server.exitCode(), sleep(4000).then(() => "waits")]);
      expect([ended, server.output]).toEqual(["waits", expect.stringContaining("the log waits for space")]);
    }
    expect(await has(directory, "before")).toBe(true);
  });

  test("a stop while the log waits for space ends cleanly", { timeout: 60_000 }, async () => {
    await using scratch = await scratchDirectory();
    const directory = `${scratch.path}/data`;
    {
      await using server = await serve(directory);
      await using _failing = await failWrites(server.pid, `${directory}/log/0000000001.seg`, "ENOSPC");
      const put = server.sendKey("PUT", "bucket", "never", Buffer.from("never")).catch(() => undefined);
      await sleep(1000);
      const start = performance.now();
      await server.end("SIGTERM");
      expect(performance.now() - start).toBeLessThan(12_000);
      expect(await server.exitCode()).toBe(0);
      expect((await put)?.status).not.toBe(200);
    }
    expect(await has(directory, "before")).toBe(true);
  });
});
