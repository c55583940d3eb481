/**
 * The reserved paths that need no credentials, on both listeners: `/-/live` (the process answers),
 * `/-/ready` (this node serves), `/-/cluster` (the cluster does). No bucket can be called `-`. MinIO's paths
 * are exact aliases, so that existing probes go on working.
 */
import { answer, baseHeaders } from "./answer.ts";
import type { Exchange } from "./exchange.ts";

type Probe = "live" | "ready" | "cluster";

const PROBES: ReadonlyMap<string, Probe> = new Map([
  ["/-/live", "live"],
  ["/-/ready", "ready"],
  ["/-/cluster", "cluster"],
  ["/minio/health/live", "live"],
  ["/minio/health/ready", "ready"],
  ["/minio/health/cluster", "cluster"],
]);

function readiness(exchange: Exchange): { readonly ready: boolean; readonly reason: string | undefined } {
  if (exchange.edge.isDraining) return { ready: false, reason: "the server is stopping" };
  const { ready, reason } = exchange.edge.service.status();
  return { ready, reason };
}

/** Whether the request was one of these, and is answered. */
export function answerHealth(exchange: Exchange): boolean {
  const { rawPath } = exchange.target;
  // Bucket names begin with a letter or a digit; only `-` and `m` can be ours.
  const first = rawPath.charCodeAt(1);
  if (first !== 0x2d && first !== 0x6d) return false;
  const probe = PROBES.get(rawPath);
  if (probe === undefined || (exchange.method !== "GET" && exchange.method !== "HEAD")) return false;
  exchange.counter = exchange.edge.counter("Health");
  const state = probe === "live" ? { ready: true, reason: undefined } : readiness(exchange);
  const status = state.ready ? 200 : 503;
  const headers = baseHeaders(exchange);
  headers.push("Content-Type", "application/json", "Cache-Control", "no-store");
  answer(exchange, status, headers, `${JSON.stringify({ [probe]: state.ready, reason: state.reason })}\n`);
  return true;
}
