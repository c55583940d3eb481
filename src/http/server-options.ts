/**
 * How a node:http server has to be set up for S3; Node's own defaults are made for web pages. There is no
 * limit on the length of a request, because a slow 5 GiB upload is no attack; silence is limited instead.
 * Connections stay open longer than a load balancer in front would keep them.
 */
import type { ServerOptions } from "node:http";
import type { EdgeLimits } from "./edge-options.ts";

const KEEP_ALIVE_MS_MIN = 65_000;
const CHECK_INTERVAL_MS_MAX = 5000;

/** For `http.createServer`. */
export function serverOptions(limits: EdgeLimits): ServerOptions {
  const { headersTimeoutMs } = limits;
  return {
    maxHeaderSize: limits.headerBytesMax,
    requestTimeout: 0,
    headersTimeout: headersTimeoutMs,
    connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MS_MAX, Math.ceil(headersTimeoutMs / 2)),
    keepAliveTimeout: Math.max(KEEP_ALIVE_MS_MIN, limits.idleTimeoutMs),
    noDelay: true,
  };
}
