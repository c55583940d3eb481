import { Duplex } from "node:stream";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createEdge } from "../../src/http/create-edge.ts";
import { honoListener } from "../../src/http/hono-listener.ts";
import { createFakeService, ROOT, ROOT_SECRET } from "./fake-service.ts";
import { LIMITS, systemClock } from "./start-edge.ts";
import { presign, signRequest } from "../s3/signer.ts";
type L = (q: IncomingMessage, s: ServerResponse) => void;
const body = Buffer.alloc(4096, 97);
const small = ["Content-Type", "application/octet-stream", "Content-Length", "4096"];
const bare: L = (_q, s) => {
  s.writeHead(200, small);
  s.end(body);
};
const hono: L = honoListener(bare);
const service = createFakeService();
await service.buckets.create({ name: "bench", owner: "root", location: "" });
const none = { bounds: [], counts: [0], sum: 0 };
const edge = await createEdge({
  service,
  region: "us-east-1",
  domain: undefined,
  rootAccountId: ROOT.accountId,
  limits: LIMITS,
  clock: systemClock,
  random: { bytes: (n) => randomBytes(n) },
  logger: { debug() {}, info() {}, warn() {}, error: console.error },
  telemetry: { cacheHits: 0 } as never,
  accessLog: false,
  appliedIndex: () => service.appliedIndex(),
  onFatal: console.error,
});
const host = "127.0.0.1:9000";
const credentials = { accessKey: ROOT.accessKey, secretKey: ROOT_SECRET };
const urls = Array.from({ length: 2000 }, (_, i) => "/bench/obj/" + String(i).padStart(8, "0"));
for (const u of urls)
  await service.objects.put({
    bucket: "bench",
    key: u.slice(7),
    etag: "0123456789abcdef0123456789abcdef",
    attributes: { headers: [], metadata: [], checksum: undefined },
    body: { kind: "bytes", bytes: Buffer.alloc(4096, 97) },
    condition: { kind: "none" },
  });
const nowMs = Date.now();
const gets = urls.map((url) =>
  Buffer.from(
    `GET ${presign({ method: "GET", url, host, nowMs, credentials, expiresSeconds: 3600 })} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
  ),
);
const hgets = urls.map((url) => {
  const { headers } = signRequest({ method: "GET", url, host, nowMs, credentials });
  return Buffer.from(
    `GET ${url} HTTP/1.1\r\n${Object.entries(headers)
      .map(([k, v]) => `${k}: ${v}\r\n`)
      .join("")}\r\n`,
  );
});
const puts = urls.map((url) =>
  Buffer.concat([
    Buffer.from(
      `PUT ${presign({ method: "PUT", url, host, nowMs, credentials, expiresSeconds: 3600 })} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 4096\r\n\r\n`,
    ),
    body,
  ]),
);
const barePut: L = (q, s) => {
  const c: Buffer[] = [];
  q.on("data", (d) => c.push(d));
  q.on("end", () => {
    s.writeHead(200, ["ETag", '"x"', "Content-Length", "0"]);
    s.end();
  });
};
class Fake extends Duplex {
  onDone: () => void = () => {};
  setTimeout() {
    return this;
  }
  setNoDelay() {
    return this;
  }
  setKeepAlive() {
    return this;
  }
  ref() {
    return this;
  }
  unref() {
    return this;
  }
  _read() {}
  _write(_c: unknown, _e: unknown, cb: () => void) {
    cb();
    this.onDone();
  }
  _writev(_c: unknown, cb: () => void) {
    cb();
    this.onDone();
  }
}
async function run(listener: L, requests: readonly Buffer[], count: number): Promise<number> {
  const server = createServer({ requestTimeout: 0, headersTimeout: 0 }, listener);
  let sent = 0;
  let done = 0;
  const c0 = process.cpuUsage();
  await new Promise<void>((resolve) => {
    for (let i = 0; i < 64; i++) {
      const sock = new Fake({ highWaterMark: 1 << 20 });
      const next = () => {
        if (sent < count) sock.push(requests[sent++ % requests.length]);
      };
      sock.onDone = () => {
        if (++done === count) resolve();
        else setImmediate(next);
      };
      server.emit("connection", sock);
      next();
    }
  });
  const c = process.cpuUsage(c0);
  server.close();
  return (c.user + c.system) / count;
}
const N = Number(process.argv[2] ?? 60000);
const rounds = Number(process.argv[3] ?? 4);
const only = process.argv[4];
for (let r = 0; r < rounds; r++) {
  const out: string[] = [];
  for (const [name, l, q] of [
    ["bare", bare, gets],
    ["hono", hono, gets],
    ["edge presigned", edge.s3Listener, gets],
    ["edge header", edge.s3Listener, hgets],
    ["bare put", barePut, puts],
    ["edge put", edge.s3Listener, puts],
  ] as const) {
    if (only !== undefined && name !== only) continue;
    out.push(`${name} ${(await run(l, q, N)).toFixed(1)}`);
  }
  console.log(out.join("  |  "));
}
if (only !== undefined) {
  const { Session } = await import("node:inspector");
  const { writeFileSync } = await import("node:fs");
  const session = new Session();
  session.connect();
  session.post("Profiler.enable");
  session.post("Profiler.setSamplingInterval", { interval: 100 });
  session.post("Profiler.start");
  const table = {
    bare: [bare, gets],
    hono: [hono, gets],
    "edge presigned": [edge.s3Listener, gets],
    "edge header": [edge.s3Listener, hgets],
    "edge put": [edge.s3Listener, puts],
    "bare put": [barePut, puts],
  } as const;
  const [l, q] = table[only as "bare"];
  const M = 300000;
  await run(l, q, M);
  session.post("Profiler.stop", (_e, { profile: p }) => {
    const self = new Map<string, number>();
    const grp = new Map<string, number>();
    const nodes = new Map(p.nodes.map((n) => [n.id, n]));
    p.samples!.forEach((sm, i) => {
      const n = nodes.get(sm)!;
      const u = n.callFrame.url;
      const fn = n.callFrame.functionName;
      const k = fn + " " + u.split("/").slice(-2).join("/") + ":" + n.callFrame.lineNumber;
      const d = p.timeDeltas![i]!;
      self.set(k, (self.get(k) ?? 0) + d);
      const g = u.startsWith("node:")
        ? "node"
        : u.includes("node_modules")
          ? "hono"
          : u.includes("src/s3")
            ? "s3"
            : u.includes("src/http")
              ? "http"
              : u.includes("test/")
                ? "test"
                : fn.startsWith("RegExp")
                  ? "regexp"
                  : fn;
      grp.set(g, (grp.get(g) ?? 0) + d);
    });
    for (const [k, v] of [...grp].sort((a, b) => b[1] - a[1]).slice(0, 12))
      console.log((v / M).toFixed(2).padStart(7), k);
    console.log("---");
    for (const [k, v] of [...self].sort((a, b) => b[1] - a[1]).slice(0, 50))
      console.log((v / M).toFixed(2).padStart(7), k);
  });
}
process.exit(0);
