/**
 * An edge over the fake service on real node:http servers on loopback, with the ports of the machine. Each
 * test starts its own and closes it; nothing is shared.
 */
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { createEdge } from "../../src/http/create-edge.ts";
import type { S3Edge } from "../../src/http/create-edge.ts";
import type { EdgeLimits, EdgeOptions } from "../../src/http/edge-options.ts";
import type { Telemetry } from "../../src/http/telemetry.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { LogFields } from "../../src/ports/logger.ts";
import { createFakeService, ROOT } from "./fake-service.ts";
import type { Service } from "../../src/service/api.ts";
import type { FakeService } from "./fake-service.ts";

export const LIMITS: EdgeLimits = {
  bytesInFlightMax: 64 * 1024 * 1024,
  xmlBytesMax: 8 * 1024 * 1024,
  headerBytesMax: 16 * 1024,
  connectionsMax: 1000,
  idleTimeoutMs: 60_000,
  bodyBytesPerSecondMin: 1024,
  headersTimeoutMs: 20_000,
};

const EMPTY_HISTOGRAM = { bounds: [0.001, 0.01], counts: [3, 2, 1], sum: 0.5 };
const TELEMETRY: Telemetry = {
  cacheHits: 7,
  cacheMisses: 3,
  cacheEvictions: 0,
  logBytesWritten: 4096,
  logSyncs: 6,
  logSyncSeconds: EMPTY_HISTOGRAM,
  batchEntries: EMPTY_HISTOGRAM,
  batchBytes: EMPTY_HISTOGRAM,
  eventLoopDelaySeconds: { p50: 0.001, p99: 0.002, max: 0.003 },
};

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, { signal } = {}) =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms).unref();
      signal?.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      });
    }),
  yieldToOthers: () => new Promise((resolve) => setImmediate(resolve)),
};

export type LogLine = { readonly level: string; readonly message: string; readonly fields: LogFields };

export type StartedEdge = {
  readonly edge: S3Edge;
  readonly service: FakeService;
  readonly port: number;
  readonly adminPort: number;
  readonly endpoint: string;
  readonly logLines: readonly LogLine[];
  readonly fatal: readonly Error[];
  close(): Promise<void>;
};

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

function listen(server: Server, port = 0): Promise<number> {
  return new Promise((resolve) => {
    server.listen(port, "127.0.0.1", () => resolve(portOf(server)));
  });
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

export type StartOptions = Partial<
  Pick<
    EdgeOptions,
    "domain" | "region" | "corsAllowOrigin" | "accessLog" | "clock" | "readOnly" | "faults" | "tier"
  >
> & {
  readonly limits?: Partial<EdgeLimits>;
  readonly port?: number;
  /** In the place of the fake one. */
  readonly real?: Service;
};

export async function startEdge(options: StartOptions = {}): Promise<StartedEdge> {
  const service = createFakeService();
  const logLines: LogLine[] = [];
  const fatal: Error[] = [];
  const log =
    (level: string) =>
    (message: string, fields: LogFields = {}): void => {
      logLines.push({ level, message, fields });
    };
  const edge = await createEdge({
    service: options.real ?? service,
    region: options.region ?? "us-east-1",
    domain: options.domain,
    corsAllowOrigin: options.corsAllowOrigin ?? [],
    rootAccountId: ROOT.accountId,
    limits: { ...LIMITS, ...options.limits },
    clock: options.clock ?? systemClock,
    random: { bytes: (count) => randomBytes(count) },
    logger: { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") },
    telemetry: TELEMETRY,
    readOnly: options.readOnly,
    accessLog: options.accessLog ?? false,
    appliedIndex: () => service.world.appliedIndex,
    onFatal: (error) => fatal.push(error),
    ...(options.faults === undefined ? {} : { faults: options.faults }),
    tier: options.tier,
  });
  const server = createServer(edge.serverOptions);
  const adminServer = createServer(edge.serverOptions);
  edge.connectS3(server);
  edge.connectAdmin(adminServer);
  const port = await listen(server, options.port);
  const adminPort = await listen(adminServer);
  return {
    edge,
    service,
    port,
    adminPort,
    endpoint: `http://127.0.0.1:${port}`,
    logLines,
    fatal,
    close: async () => {
      await Promise.all([stop(server), stop(adminServer)]);
    },
  };
}
