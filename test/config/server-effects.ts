/**
 * Effects of settings that need a running server: each case starts one with the setting and sees a difference
 * from outside.
 */
import { existsSync } from "node:fs";
import * as http from "node:http";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { expect } from "vitest";
import { signRequest } from "../s3/signer.ts";
import { send, startEmbedded, statusOf } from "../support/embedded.ts";
import type { TestServer } from "../support/embedded.ts";
import { temporaryDirectory } from "../support/open-store.ts";

type Effect = () => Promise<void>;
type Settings = Parameters<typeof startEmbedded>[0];

const KIB = 1024;
const MIB = 1024 * KIB;

function on(settings: Settings, check: (server: TestServer) => Promise<void>): Effect {
  return async () => {
    await using server = await startEmbedded(settings);
    await check(server);
  };
}

async function makeBucket(server: TestServer): Promise<void> {
  expect((await send(server, { method: "PUT", url: "/bucket" })).status).toBe(200);
}

function port(server: TestServer): { readonly host: string; readonly port: number } {
  const { hostname, port: number } = new URL(server.endpoint);
  return { host: hostname, port: Number(number) };
}

/** How long a connection lives that sends `text` and then nothing. */
async function silenceMs(server: TestServer, text: string): Promise<number> {
  const start = performance.now();
  const socket = connect(port(server));
  socket.write(text);
  socket.resume();
  await new Promise<void>((resolve) => {
    socket.on("error", () => undefined);
    socket.on("close", () => resolve());
  });
  return performance.now() - start;
}

async function openSockets(server: TestServer, count: number): Promise<readonly Socket[]> {
  const sockets = Array.from({ length: count }, () => connect(port(server)));
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once("connect", resolve))));
  return sockets;
}

const alice = { id: "alice", accessKey: "alice-key", secretKey: "secret-of-alice" };
const otherPair = { accessKey: "other-key", secretKey: "other-secret" };

export const serverEffects: Readonly<Record<string, Effect>> = {
  dataDir: on({}, (server) => {
    expect(existsSync(`${server.dataDir}/node.json`)).toBe(true);
    return Promise.resolve();
  }),

  rootAccessKey: on({ rootAccessKey: "other-key", rootSecretKey: "other-secret" }, async (server) => {
    expect((await send(server, { method: "GET", url: "/", credentials: otherPair })).status).toBe(200);
    const stranger = { accessKey: "thermocline", secretKey: "other-secret" };
    expect((await send(server, { method: "GET", url: "/", credentials: stranger })).status).toBe(403);
  }),

  rootSecretKey: on({ rootAccessKey: "other-key", rootSecretKey: "other-secret" }, async (server) => {
    const wrong = { ...otherPair, secretKey: "thermocline-dev" };
    const answer = await send(server, { method: "GET", url: "/", credentials: wrong });
    expect(answer.status).toBe(403);
    expect(answer.body.toString()).toContain("SignatureDoesNotMatch");
  }),

  accounts: on({ accounts: [alice] }, async (server) => {
    const { accessKey, secretKey } = alice;
    const credentials = { accessKey, secretKey };
    expect((await send(server, { method: "PUT", url: "/of-alice", credentials })).status).toBe(200);
    expect((await send(server, { method: "GET", url: "/of-alice" })).status).toBe(200);
    await makeBucket(server);
    expect((await send(server, { method: "GET", url: "/bucket", credentials })).status).toBe(403);
  }),

  masterKey: async () => {
    await using directory = await temporaryDirectory();
    const reasonWith = async (masterKey: string): Promise<unknown> => {
      const settings = { accounts: [alice], masterKey, dataDir: `${directory.path}/data` };
      await using server = await startEmbedded(settings);
      return (await statusOf(server))["reason"];
    };
    expect(await reasonWith("the-first-master-key")).toBeUndefined();
    expect(await reasonWith("some-other-master-key")).toContain("masterKey is not the one");
    expect(await reasonWith("the-first-master-key")).toBeUndefined();
  },

  region: on({ region: "eu-north-7" }, async (server) => {
    await makeBucket(server);
    const { headers } = await send(server, { method: "HEAD", url: "/bucket" });
    expect(headers["x-amz-bucket-region"]).toBe("eu-north-7");
  }),

  domain: on({ domain: "s3.example.test" }, async (server) => {
    await makeBucket(server);
    const hostHeader = "bucket.s3.example.test";
    const put = await send(server, { method: "PUT", url: "/key", hostHeader, body: Buffer.from("x") });
    expect(put.status).toBe(200);
    expect((await send(server, { method: "GET", url: "/bucket/key" })).body.toString()).toBe("x");
  }),

  cacheBytes: async () => {
    const entries = async (cacheBytes: string): Promise<unknown> => {
      await using server = await startEmbedded({ cacheBytes });
      await makeBucket(server);
      await send(server, { method: "PUT", url: "/bucket/key", body: Buffer.alloc(32 * KIB, 1) });
      await send(server, { method: "GET", url: "/bucket/key" });
      return (await statusOf(server))["cacheEntries"];
    };
    expect(await entries("16KiB")).toBe(0);
    expect(await entries("1MiB")).toBe(1);
  },

  "s3.addr": on({ s3: { addr: "127.0.0.2:0" } }, (server) => {
    expect(new URL(server.endpoint).hostname).toBe("127.0.0.2");
    return Promise.resolve();
  }),

  "s3.corsAllowOrigin": on(
    { s3: { corsAllowOrigin: "https://a.test, https://*.b.test" } },
    async (server) => {
      const allowed = async (origin: string): Promise<unknown> => {
        const { headers } = await send(server, { method: "GET", url: "/", headers: { origin } });
        return headers["access-control-allow-origin"];
      };
      expect(await allowed("https://x.b.test")).toBe("https://x.b.test");
      expect(await allowed("https://c.test")).toBeUndefined();
    },
  ),

  "admin.addr": on({ admin: { addr: "127.0.0.3:0" } }, async (server) => {
    expect(new URL(server.adminEndpoint).hostname).toBe("127.0.0.3");
    expect((await statusOf(server))["ready"]).toBe(true);
  }),

  "raft.maxPayloadEntries": async () => {
    const body = Buffer.from("x");
    const entriesOf = async (server: Parameters<typeof statusOf>[0]): Promise<number> => {
      const before = Number((await statusOf(server))["appliedIndex"]);
      await Promise.all(
        Array.from({ length: 60 }, (_, at) => send(server, { method: "PUT", url: `/bucket/${at}`, body })),
      );
      return Number((await statusOf(server))["appliedIndex"]) - before;
    };
    await using alone = await startEmbedded({ raft: { maxPayloadEntries: "1" } });
    await makeBucket(alone);
    expect(await entriesOf(alone)).toBe(60);
    await using together = await startEmbedded({ raft: { maxPayloadEntries: "300" } });
    await makeBucket(together);
    // Which writes come together is for the machine: a fast disk may be done with each before the next.
    await expect.poll(() => entriesOf(together), { timeout: 30_000 }).toBeLessThan(60);
  },

  "limits.connectionsMax": on({ limits: { connectionsMax: "2" } }, async (server) => {
    const sockets = await openSockets(server, 2);
    expect((await send(server, { method: "GET", url: "/" })).status).toBe(503);
    for (const socket of sockets) socket.destroy();
  }),

  "limits.headerBytesMax": async () => {
    const headers = { "x-amz-meta-padding": "x".repeat(1500), "x-padding": "y".repeat(6 * KIB) };
    const call = { method: "PUT", url: "/bucket/key", headers, body: Buffer.from("x") };
    await using narrow = await startEmbedded({ limits: { headerBytesMax: "4KiB" } });
    const refused = await send(narrow, call).catch(() => undefined);
    expect(refused?.status ?? 431).toBeGreaterThanOrEqual(400);
    await using wide = await startEmbedded();
    await makeBucket(wide);
    expect((await send(wide, call)).status).toBe(200);
  },

  "limits.bytesInFlightMax": on({ limits: { bytesInFlightMax: "8MiB" } }, async (server) => {
    await makeBucket(server);
    // Bodies that are promised and do not come hold their credits.
    const waiting = Array.from({ length: 16 }, (_, at) => slowPut(server, `/bucket/${at}`, 64 * MIB));
    const first = await Promise.any(waiting.map(({ answered }) => answered));
    expect(first).toBe(503);
    for (const { socket } of waiting) socket.destroy();
  }),

  "limits.xmlBytesMax": async () => {
    const keys = Array.from({ length: 900 }, (_, at) => `<Object><Key>${"k".repeat(90)}${at}</Key></Object>`);
    const body = Buffer.from(`<Delete>${keys.join("")}</Delete>`);
    const statusWith = async (xmlBytesMax: string): Promise<number> => {
      await using server = await startEmbedded({ limits: { xmlBytesMax } });
      await makeBucket(server);
      return (await send(server, { method: "POST", url: "/bucket?delete", body })).status;
    };
    expect(await statusWith("64KiB")).toBe(400);
    expect(await statusWith("1MiB")).toBe(200);
  },

  "limits.idleTimeout": on({ limits: { idleTimeout: "1s" } }, async (server) => {
    await makeBucket(server);
    const { answered, socket } = slowPut(server, "/bucket/key", 1000);
    const start = performance.now();
    await answered.catch(() => undefined);
    socket.destroy();
    expect(performance.now() - start).toBeLessThan(10_000);
  }),

  "limits.bodyBytesPerSecondMin": async () => {
    const statusAt = async (bodyBytesPerSecondMin: string): Promise<number> => {
      await using server = await startEmbedded({ limits: { idleTimeout: "1s", bodyBytesPerSecondMin } });
      await makeBucket(server);
      const { answered, socket } = slowPut(server, "/bucket/key", 8);
      const timer = setInterval(() => socket.write("x"), 300);
      const status = await answered;
      clearInterval(timer);
      socket.destroy();
      return status;
    };
    expect(await statusAt("100B")).toBe(400);
    expect(await statusAt("1B")).toBe(200);
  },

  "limits.headersTimeout": on({ limits: { headersTimeout: "1s" } }, async (server) => {
    expect(await silenceMs(server, "GET / HTTP/1.1\r\nhost: x\r\n")).toBeLessThan(10_000);
  }),

  "limits.pendingWritesMax": on({ limits: { pendingWritesMax: "1" } }, async (server) => {
    await makeBucket(server);
    const body = Buffer.from("x");
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, at) => send(server, { method: "PUT", url: `/bucket/${at}`, body })),
    );
    const statuses = new Set(answers.map(({ status }) => status));
    expect(statuses).toEqual(new Set([200, 503]));
  }),

  "log.level": async () => {
    const linesAt = async (level: string): Promise<readonly string[]> => {
      const lines: string[] = [];
      await using server = await startEmbedded({ log: { level } }, (line) => lines.push(line));
      await send(server, { method: "GET", url: "/" });
      return lines;
    };
    expect((await linesAt("debug")).some((line) => line.includes("ListBuckets"))).toBe(true);
    expect(await linesAt("error")).toEqual([]);
  },

  "shutdown.timeout": async () => {
    const closeMs = async (timeout: string): Promise<number> => {
      await using server = await startEmbedded({ shutdown: { timeout } });
      await makeBucket(server);
      const { answered, socket } = slowPut(server, "/bucket/key", 1000);
      answered.catch(() => undefined);
      await new Promise((resolve) => socket.once("socket-ready", resolve));
      const start = performance.now();
      await server.close();
      return performance.now() - start;
    };
    expect(await closeMs("100ms")).toBeLessThan(1500);
    expect(await closeMs("2s")).toBeGreaterThan(1900);
  },
};

/** A PUT that promises a body and sends one byte of it. */
function slowPut(
  server: TestServer,
  path: string,
  length: number,
): { readonly answered: Promise<number>; readonly socket: http.ClientRequest } {
  const { accessKeyId, secretAccessKey } = server.credentials;
  const request = http.request({
    ...port(server),
    method: "PUT",
    path,
    agent: false,
    headers: { ...unsignedPut(server, path, { accessKeyId, secretAccessKey }), "content-length": length },
  });
  const answered = new Promise<number>((resolve, reject) => {
    request.on("response", (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on("error", reject);
  });
  request.write("x");
  setTimeout(() => request.emit("socket-ready"), 300);
  return { answered, socket: request };
}

function unsignedPut(
  server: TestServer,
  path: string,
  credentials: { readonly accessKeyId: string; readonly secretAccessKey: string },
): Readonly<Record<string, string>> {
  const { host } = new URL(server.endpoint);
  return signRequest({
    method: "PUT",
    url: path,
    host,
    nowMs: Date.now(),
    payloadHash: "UNSIGNED-PAYLOAD",
    credentials: { accessKey: credentials.accessKeyId, secretKey: credentials.secretAccessKey },
  }).headers;
}
