/** The cold tier on the admin listener: who may ask what, actions that take long, and who is waiting. */
import { request } from "node:http";
import type { ClientRequest } from "node:http";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, test } from "vitest";
import { ColdUnavailableError } from "../../src/ports/cold-store.ts";
import { signRequest } from "../s3/signer.ts";
import { OTHER_CREDENTIALS, ROOT_CREDENTIALS, elementOf, send } from "./client.ts";
import type { Answer } from "./client.ts";
import { DONE, FakeTier } from "./fake-tier.ts";
import { startEdge } from "./start-edge.ts";
import type { StartOptions, StartedEdge } from "./start-edge.ts";

let started: StartedEdge | undefined;
afterEach(async () => {
  await started?.close();
  started = undefined;
});

type World = { readonly tier: FakeTier; readonly port: number; readonly edge: StartedEdge["edge"] };

async function openWorld(options: StartOptions = {}): Promise<World> {
  const tier = new FakeTier();
  started = await startEdge({ tier, ...options });
  return { tier, port: started.adminPort, edge: started.edge };
}

function ask(port: number, method: string, path: string): Promise<Answer> {
  return send(port, { method, url: `/-/${path}` });
}

const messageOf = ({ status, code, text }: Answer): string =>
  `${status} ${code} ${elementOf(text, "Message")}`;

/** Lines as they come. */
class Listener {
  readonly lines: unknown[] = [];
  readonly request: ClientRequest;
  status = 0;
  readonly #ended = Promise.withResolvers<void>();

  constructor(port: number, path: string) {
    const url = `/-/${path}`;
    const { headers } = signRequest({
      method: "POST",
      url,
      host: `127.0.0.1:${port}`,
      nowMs: Date.now(),
      headers: {},
      body: Buffer.alloc(0),
      credentials: ROOT_CREDENTIALS,
    });
    const where = { host: "127.0.0.1", port, method: "POST", path: url, agent: false } as const;
    this.request = request({ ...where, headers: { ...headers, "content-length": 0 } });
    this.request.on("error", () => this.#ended.resolve());
    this.request.on("response", (incoming) => {
      this.status = incoming.statusCode ?? 0;
      const lines = createInterface({ input: incoming });
      // A client that hangs up hears of it.
      incoming.on("error", () => undefined);
      lines.on("error", () => undefined);
      lines.on("line", (line) => this.lines.push(JSON.parse(line)));
      lines.on("close", () => this.#ended.resolve());
    });
    this.request.end();
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }
}

async function oneRunning(tier: FakeTier, count = 1): Promise<FakeTier["begun"][number]> {
  await expect.poll(() => tier.begun.length).toBe(count);
  const running = tier.begun.at(-1);
  if (running === undefined) throw new Error("nothing was begun");
  return running;
}

const ACTIONS = ["tier/offload", "tier/recall", "tier/audit", "tier/adopt"];

describe("the pages of the tier", () => {
  test("say that there is none, where there is none", async () => {
    started = await startEdge();
    const port = started.adminPort;
    for (const [method, path] of [
      ["GET", "cost"],
      ["GET", "tier/status"],
      ...ACTIONS.map((action) => ["POST", action] as const),
    ] as const) {
      const answer = await ask(port, method, path);
      expect(messageOf(answer)).toBe("400 InvalidRequest This server has no cold tier; set cold.url");
    }
  });

  test("are for the root pair, by their own method, without bodies and unknown parameters", async () => {
    const { tier, port } = await openWorld({});
    for (const path of ["cost", "tier/status"]) {
      expect((await ask(port, "GET", path)).status).toBe(200);
      expect((await ask(port, "HEAD", path)).status).toBe(200);
      expect((await ask(port, "POST", path)).status).toBe(405);
    }
    for (const path of ACTIONS) {
      expect((await ask(port, "GET", path)).status).toBe(405);
      expect((await ask(port, "PUT", path)).status).toBe(405);
    }
    expect((await ask(port, "POST", "tier/other")).status).toBe(405);
    for (const credentials of [null, OTHER_CREDENTIALS]) {
      for (const url of ["/-/cost", "/-/tier/status"])
        expect((await send(port, { url, credentials })).code).toBe("AccessDenied");
      for (const path of ACTIONS) {
        const answer = await send(port, { method: "POST", url: `/-/${path}`, credentials });
        expect(answer.code).toBe("AccessDenied");
      }
    }
    const withBody = await send(port, { method: "POST", url: "/-/tier/adopt", body: "x" });
    expect(withBody.status).toBe(400);
    for (const [path, message] of [
      ["tier/offload?al=true", "400 InvalidArgument No such parameter; there are all"],
      ["tier/offload?all=yes", "400 InvalidArgument Must be true or false"],
      ["tier/offload?all=true&all=true", "400 InvalidArgument Given twice"],
      ["tier/adopt?x=1", "400 InvalidArgument No such parameter; there are none"],
      ["tier/recall", "400 InvalidRequest The parameter bucket is missing"],
      ["tier/recall?bucket=nowhere", "404 NoSuchBucket The specified bucket does not exist"],
    ])
      expect(messageOf(await ask(port, "POST", path ?? ""))).toBe(message);
    expect(tier.begun).toEqual([]);
  });

  test("show how it is", async () => {
    const { port } = await openWorld();
    const answer = await ask(port, "GET", "tier/status");
    expect(JSON.parse(answer.text)).toEqual({ place: "memory:cold", degraded: false });
    expect(answer.headers["cache-control"]).toBe("no-store");
  });
});

describe("an action", () => {
  test("gets its terms, tells how far it is, and what it came to", async () => {
    const { tier, port } = await openWorld();
    await send(started?.port ?? 0, { method: "PUT", url: "/photos" });
    const listener = new Listener(port, "tier/recall?bucket=photos&prefix=a%2Fb%20c");
    const running = await oneRunning(tier);
    expect([running.what, running.terms]).toEqual(["recall", { bucket: "photos", prefix: "a/b c" }]);
    running.call.onProgress("1 of 3 segments");
    running.call.onProgress("2 of 3 segments");
    running.finish(DONE);
    await listener.ended;
    expect(listener.status).toBe(200);
    expect(listener.lines).toEqual([
      { progress: "1 of 3 segments" },
      { progress: "2 of 3 segments" },
      { outcome: DONE },
    ]);
  });

  test.each([
    ["tier/offload", "offload", { all: false }],
    ["tier/offload?all=true", "offload", { all: true }],
    ["tier/audit", "audit", { deep: false, repair: false }],
    ["tier/audit?deep=true", "audit", { deep: true, repair: false }],
    ["tier/audit?repair=true&deep=false", "audit", { deep: false, repair: true }],
    ["tier/adopt", "adopt", {}],
  ])("POST %s is asked for as it was meant", async (path, what, terms) => {
    const { tier, port } = await openWorld();
    tier.outcome = DONE;
    const answer = await ask(port, "POST", path);
    expect(JSON.parse(answer.text)).toEqual({ outcome: DONE });
    expect(tier.begun.map((each) => [each.what, each.terms])).toEqual([[what, terms]]);
  });

  test("that fails before it said a word is an error with its reason", async () => {
    const { tier, port } = await openWorld();
    tier.outcome = new ColdUnavailableError("cold tier s3://b at http://h: no answer", { retryAfterMs: 5 });
    expect(messageOf(await ask(port, "POST", "tier/audit"))).toBe(
      "503 ServiceUnavailable cold tier s3://b at http://h: no answer",
    );
    tier.outcome = new Error("secret of the machine");
    expect(messageOf(await ask(port, "POST", "tier/audit"))).toBe(
      "500 InternalError We encountered an internal error. Please try again.",
    );
  });

  test("that fails later says so in its last line", async () => {
    const { tier, port } = await openWorld();
    const listener = new Listener(port, "tier/adopt");
    const running = await oneRunning(tier);
    running.call.onProgress("1 of 2");
    running.fail(new ColdUnavailableError("cold tier s3://b: no answer", { retryAfterMs: 5 }));
    await listener.ended;
    const failed = { code: "ServiceUnavailable", message: "cold tier s3://b: no answer" };
    expect(listener.lines).toEqual([{ progress: "1 of 2" }, { failed }]);
  });

  test("is joined by whoever asks for the same, and refused to who asks for another", async () => {
    const { tier, port } = await openWorld();
    const first = new Listener(port, "tier/audit?deep=true");
    const running = await oneRunning(tier);
    const second = new Listener(port, "tier/audit?deep=true&repair=false");
    expect(messageOf(await ask(port, "POST", "tier/audit"))).toBe(
      "409 OperationAborted audit: another one is under way (of every byte); ask again when it is over",
    );
    const other = new Listener(port, "tier/adopt");
    expect((await oneRunning(tier, 2)).what).toBe("adopt");
    // Both have to be there, which only what they hear can tell.
    await expect
      .poll(() => {
        running.call.onProgress("half");
        return Math.min(first.lines.length, second.lines.length);
      })
      .toBeGreaterThan(0);
    running.finish(DONE);
    await Promise.all([first.ended, second.ended]);
    expect([first.lines.at(-1), second.lines.at(-1)]).toEqual([{ outcome: DONE }, { outcome: DONE }]);
    expect(tier.begun.length).toBe(2);
    other.request.destroy();
    tier.outcome = DONE;
    expect((await ask(port, "POST", "tier/audit")).status).toBe(200);
  });

  test("goes on while anybody waits, and is ended when nobody does", async () => {
    const { tier, port } = await openWorld();
    const first = new Listener(port, "tier/offload");
    const { call } = await oneRunning(tier);
    const second = new Listener(port, "tier/offload");
    await expect
      .poll(() => {
        call.onProgress("on");
        return second.lines.length;
      })
      .toBeGreaterThan(0);
    first.request.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(call.signal.aborted).toBe(false);
    second.request.destroy();
    await expect.poll(() => call.signal.aborted).toBe(true);
    await expect.poll(() => started?.edge.inFlight()).toBe(0);
    tier.outcome = DONE;
    expect((await ask(port, "POST", "tier/offload")).status).toBe(200);
  });

  test("that is just ending is not joined", async () => {
    const { tier, port } = await openWorld();
    const ends: ((outcome: typeof DONE) => void)[] = [];
    // It has something to finish first, whoever has gone.
    tier.actions.adopt = () => new Promise((resolve) => ends.push(resolve));
    const first = new Listener(port, "tier/adopt");
    await expect.poll(() => ends.length).toBe(1);
    first.request.destroy();
    await expect.poll(() => started?.edge.inFlight()).toBe(0);
    expect(messageOf(await ask(port, "POST", "tier/adopt"))).toMatch(/^409 .*one is just ending; ask again/);
    ends[0]?.(DONE);
    await new Promise((resolve) => setImmediate(resolve));
    const second = new Listener(port, "tier/adopt");
    await expect.poll(() => ends.length).toBe(2);
    ends[1]?.(DONE);
    await second.ended;
    expect(second.lines).toEqual([{ outcome: DONE }]);
  });

  test("ends with the server, and none is begun after", async () => {
    const { tier, port, edge } = await openWorld();
    const listener = new Listener(port, "tier/offload?all=true");
    const { call } = await oneRunning(tier);
    call.onProgress("on");
    await expect.poll(() => listener.lines.length).toBe(1);
    edge.drain();
    await listener.ended;
    const failed = {
      code: "ServiceUnavailable",
      message: "This node does not serve: the server is stopping",
    };
    expect(listener.lines.at(-1)).toEqual({ failed });
    expect((await ask(port, "POST", "tier/offload")).status).toBe(503);
    expect(tier.begun.length).toBe(1);
  });

  test("that is silent for long is not cut off", async () => {
    const { tier, port } = await openWorld({ limits: { idleTimeoutMs: 150 } });
    const listener = new Listener(port, "tier/adopt");
    const running = await oneRunning(tier);
    await new Promise((resolve) => setTimeout(resolve, 500));
    running.finish(DONE);
    await listener.ended;
    expect(listener.lines.at(-1)).toEqual({ outcome: DONE });
    expect(listener.lines.length).toBeGreaterThan(3);
    expect(listener.lines[0]).toEqual({ progress: "" });
  });
});

describe("what it costs", () => {
  test("is asked for with prices and policies as they were given", async () => {
    const { tier, port } = await openWorld();
    await ask(port, "GET", "cost");
    await ask(port, "GET", "cost?thousandWrites=0.0045&gibMonth=0&tierAfterMs=604800000&recoveryPointMs=off");
    await ask(port, "GET", "cost?recoveryPointMs=10000&hotBytesMax=5000000000&gibOut=0.09");
    await ask(port, "GET", "cost?hotPercentMax=70");
    expect(tier.questions).toEqual([
      { policy: {}, prices: {} },
      {
        policy: { tierAfterMs: 604_800_000, recoveryPointMs: "off" },
        prices: { thousandWrites: 0.0045, gibMonth: 0 },
      },
      {
        policy: { recoveryPointMs: 10_000, hotBytesMax: { kind: "bytes", bytes: 5e9 } },
        prices: { gibOut: 0.09 },
      },
      { policy: { hotBytesMax: { kind: "percent", percent: 70 } }, prices: {} },
    ]);
    for (const query of [
      "gibMonth=-1",
      "gibMonth=1e3",
      "gibMonth=",
      "gibMonth=0.1&gibMonth=0.2",
      "thousandwrites=1",
      "tierAfterMs=7d",
      "recoveryPointMs=0",
      "hotBytesMax=1&hotPercentMax=1",
      "hotPercentMax=101",
    ])
      expect((await ask(port, "GET", `cost?${query}`)).code).toBe("InvalidArgument");
    expect(tier.questions.length).toBe(4);
  });

  test("has metrics by operation, kind and status", async () => {
    const { tier, port } = await openWorld();
    const key = "c/l/manifest/x";
    tier.meter.count({ operation: "put", key, status: 200, sentBytes: 500, receivedBytes: 0 });
    tier.meter.count({ operation: "put", key, status: 503, sentBytes: 500, receivedBytes: 0 });
    tier.meter.count({ operation: "get", key, status: 0, sentBytes: 0, receivedBytes: 0 });
    const { text } = await send(port, { url: "/-/metrics", credentials: null });
    for (const line of [
      'cold_requests_total{operation="put",kind="manifest",status="2xx"} 1',
      'cold_requests_total{operation="put",kind="manifest",status="5xx"} 1',
      'cold_requests_total{operation="get",kind="manifest",status="none"} 1',
      'cold_bytes_total{kind="manifest",direction="sent"} 1000',
      'cold_bytes_total{kind="tail",direction="received"} 0',
    ])
      expect(text).toContain(`thermocline_${line}\n`);
  });
});
