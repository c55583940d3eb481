/**
 * Sends bad input to a server process in great numbers, and looks whether anything came of it.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { LevelIndexStore } from "../../src/adapters/level-index-store.ts";
import { elementsOf, send } from "../http/client.ts";
import type { Answer, Call } from "../http/client.ts";
import type { BadKind } from "./bad-bodies.ts";
import type { BadWorld } from "./bad-requests.ts";
import { RawLane } from "./raw-lane.ts";
import { ServerProcess, credentials, temporaryDirectory } from "./server-process.ts";

export const WARM_UP = 200;
export const ATTEMPTS = 1000;
const SETTLE_MS_MAX = 10_000;

export type Seen = {
  readonly answers: ReadonlyMap<string, number>;
  readonly growthMiB: number;
  readonly ms: number;
};

export class BadRun {
  readonly server: ServerProcess;
  readonly world: BadWorld;
  readonly #dispose: () => Promise<void>;

  private constructor(server: ServerProcess, world: BadWorld, dispose: () => Promise<void>) {
    this.server = server;
    this.world = world;
    this.#dispose = dispose;
  }

  /** With an empty bucket in which an upload is open, and another bucket that holds a secret. */
  static async start(flags: readonly string[] = []): Promise<BadRun> {
    const folder = await temporaryDirectory();
    const server = await ServerProcess.start(`${folder.path}/data`, { flags });
    const port = Number(new URL(server.endpoint).port);
    const say = (call: Call): Promise<Answer> => send(port, { credentials, ...call });
    await say({ method: "PUT", url: "/bucket" });
    await say({ method: "PUT", url: "/canary" });
    await say({ method: "PUT", url: "/canary/secret", body: "secret" });
    const { text } = await say({ method: "POST", url: "/bucket/upload?uploads" });
    const uploadId = elementsOf(text, "UploadId")[0] ?? "";
    return new BadRun(server, { port, bucket: "bucket", uploadId }, async () => {
      await folder[Symbol.asyncDispose]();
    });
  }

  async #say(call: Call): Promise<Answer> {
    return await send(this.world.port, { credentials, ...call });
  }

  get residentMiB(): number {
    const { pid = 0 } = this.server.child;
    try {
      const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
      return Number(kib) / 1024;
    } catch {
      // Not every system has /proc; those without it have this.
      return Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" })) / 1024;
    }
  }

  /** Attempts number `from` and following, so many at a time; what came back, and how often. */
  async attempt(
    kind: BadKind,
    from: number,
    options: { readonly count: number; readonly atOnce: number },
  ): Promise<ReadonlyMap<string, number>> {
    const answers = new Map<string, number>();
    const answersMax = kind.answers.filter((answer) => answer !== "end").length;
    let next = from;
    const run = async (): Promise<void> => {
      const lane = new RawLane(this.world.port);
      while (next < from + options.count) {
        const heard = await lane.exchange(kind.send(this.world, next++), answersMax);
        const answer = heard.answers.join(", ");
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
      }
      lane.close();
    };
    await Promise.all(Array.from({ length: options.atOnce }, run));
    return answers;
  }

  /** The full number of attempts, after a warm-up; all of them must have been answered as the table says. */
  async full(kind: BadKind, atOnce: number): Promise<Seen> {
    const startMs = performance.now();
    const beforeMiB = this.residentMiB;
    const answers = await this.attempt(kind, WARM_UP, { count: ATTEMPTS, atOnce });
    await this.settled();
    const growthMiB = this.residentMiB - beforeMiB;
    expect([...answers], kind.what).toEqual([[kind.answers.join(", "), ATTEMPTS]]);
    return { answers, growthMiB, ms: performance.now() - startMs };
  }

  async #metrics(): Promise<ReadonlyMap<string, number>> {
    const page = await (await fetch(`${this.server.adminEndpoint}/-/metrics`)).text();
    return new Map(
      [...page.matchAll(/^thermocline_(\w+) (\S+)$/gm)].map((match) => [match[1] ?? "", Number(match[2])]),
    );
  }

  /** Until nothing is under way any more: clients that vanish are noticed a little later. */
  async settled(): Promise<void> {
    const endMs = performance.now() + SETTLE_MS_MAX;
    let metrics = await this.#metrics();
    const isBusy = (): boolean =>
      (metrics.get("http_body_bytes_in_flight") ?? 1) > 0 ||
      (metrics.get("http_requests_in_flight") ?? 2) > 1;
    while (isBusy() && performance.now() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      metrics = await this.#metrics();
    }
    expect(metrics.get("http_body_bytes_in_flight"), "credits").toBe(0);
    // This very one is under way.
    expect(metrics.get("http_requests_in_flight"), "requests in flight").toBe(1);
  }

  async nothingStored(): Promise<void> {
    const { bucket, uploadId } = this.world;
    expect(elementsOf((await this.#say({ url: "/" })).text, "Name")).toEqual(["bucket", "canary"]);
    expect(elementsOf((await this.#say({ url: `/${bucket}?list-type=2` })).text, "Key")).toEqual([]);
    expect(elementsOf((await this.#say({ url: `/${bucket}?uploads` })).text, "UploadId")).toEqual([uploadId]);
    const parts = await this.#say({ url: `/${bucket}/upload?uploadId=${uploadId}` });
    expect([parts.status, elementsOf(parts.text, "PartNumber")]).toEqual([200, []]);
    expect((await this.#say({ url: "/canary/secret" })).text).toBe("secret");
  }

  /** Ends the server in good order; then nothing of all the attempts may be left in the index. */
  async endsClean(): Promise<void> {
    const { bucket, uploadId } = this.world;
    const aborted = await this.#say({ method: "DELETE", url: `/${bucket}/upload?uploadId=${uploadId}` });
    expect(aborted.status).toBe(204);
    const stopped = await this.server.stop();
    expect(stopped.code, this.server.output).toBe(0);
    expect(this.server.output).not.toContain('"level":"error"');
    expect(await leftovers(this.server.directory)).toEqual([]);
  }

  /** However it went. */
  async close(): Promise<void> {
    await this.server.kill();
    await this.#dispose();
  }
}

/** Rows of staged bodies, uploads and parts; of bodies, those that nobody is about to reap. */
async function leftovers(directory: string): Promise<readonly string[]> {
  const store = await LevelIndexStore.open(`${directory}/index`);
  const keysOf = async (prefix: string): Promise<readonly string[]> => {
    const iterator = store.iterate({ from: prefix, to: `${prefix}\u{10ffff}` });
    const page = await iterator.next(100_000);
    await iterator.close();
    return page.map(([key]) => key);
  };
  const reaped = new Set((await keysOf("reap/body/")).map((key) => key.slice("reap/".length)));
  const bodies = (await keysOf("body/")).filter((key) => !reaped.has(key.split("/", 2).join("/")));
  const open = [...(await keysOf("stage/")), ...(await keysOf("uploads/")), ...(await keysOf("part/"))];
  await store.close();
  return [...bodies, ...open];
}

export function line(kind: BadKind, seen: Seen): string {
  const { growthMiB, ms } = seen;
  const count = [...seen.answers.values()].reduce((sum, each) => sum + each, 0);
  const grown = `${growthMiB.toFixed(1)} MiB, ${ms.toFixed(0)} ms`;
  return `${String(count).padStart(5)} × ${kind.what}: ${kind.answers.join(", ")}; ${grown}`;
}
