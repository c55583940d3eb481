/**
 * The admin listener: health as on the S3 listener, `/-/metrics` for scrapers, and `/-/status` for whoever
 * signs with the root pair.
 */
import { s3Error } from "../s3/errors.ts";
import { parseRequestTarget } from "../s3/request-target.ts";
import { answer, baseHeaders } from "./answer.ts";
import { authenticate, requestHeaders } from "./authenticate.ts";
import type { Edge } from "./edge.ts";
import type { Exchange } from "./exchange.ts";
import { answerHealth } from "./health.ts";
import type { Metrics } from "./metrics.ts";
import type { Serve } from "./serve-s3.ts";

async function answerMetrics(exchange: Exchange, metrics: Metrics): Promise<void> {
  const page = await metrics.page();
  const headers = baseHeaders(exchange);
  headers.push("Content-Type", metrics.contentType);
  answer(exchange, 200, headers, page);
}

function answerStatus(exchange: Exchange): void {
  const { edge } = exchange;
  authenticate(exchange);
  if (exchange.identity.accountId !== edge.options.rootAccountId) throw s3Error("AccessDenied");
  const status = {
    ...edge.service.status(),
    draining: edge.isDraining,
    requestsInFlight: edge.inFlight,
    bodyBytesInFlight: edge.credits.taken,
  };
  const headers = baseHeaders(exchange);
  headers.push("Content-Type", "application/json", "Cache-Control", "no-store");
  answer(exchange, 200, headers, `${JSON.stringify(status)}\n`);
}

export function serveAdmin(edge: Edge, metrics: Metrics): Serve {
  const counter = edge.counter("Admin");
  return (exchange) => {
    exchange.headers = requestHeaders(exchange);
    const url = exchange.incoming.url ?? "";
    exchange.target = parseRequestTarget({ url, host: exchange.incoming.headers.host });
    if (answerHealth(exchange)) return undefined;
    exchange.counter = counter;
    const { rawPath } = exchange.target;
    const isRead = exchange.method === "GET" || exchange.method === "HEAD";
    if (rawPath === "/-/metrics" && isRead) return answerMetrics(exchange, metrics);
    if (rawPath === "/-/status" && isRead) return answerStatus(exchange);
    throw s3Error("MethodNotAllowed", { message: "There is no such page or method on the admin listener" });
  };
}
