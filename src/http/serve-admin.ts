/**
 * The admin listener: health as on the S3 listener, `/-/metrics` for scrapers, and for whoever signs with the
 * root pair `/-/status`, `/-/cost` and `/-/tier/...`.
 */
import { s3Error } from "../s3/errors.ts";
import { parseRequestTarget } from "../s3/request-target.ts";
import type { TierDesk } from "../service/tier-api.ts";
import { answer, answerJson, baseHeaders } from "./answer.ts";
import { authenticate, requestHeaders } from "./authenticate.ts";
import type { Edge } from "./edge.ts";
import type { Exchange } from "./exchange.ts";
import { answerHealth } from "./health.ts";
import type { Metrics } from "./metrics.ts";
import { answerCost } from "./serve-cost.ts";
import type { Serve } from "./serve-s3.ts";
import { answerAction, answerTierStatus, tierPages } from "./serve-tier.ts";

/** Of signed requests; by method and path. */
type Page = (exchange: Exchange) => void | Promise<void>;

async function answerMetrics(exchange: Exchange, metrics: Metrics): Promise<void> {
  const page = await metrics.page();
  const headers = baseHeaders(exchange);
  headers.push("Content-Type", metrics.contentType);
  answer(exchange, 200, headers, page);
}

function answerStatus(exchange: Exchange): void {
  const { edge } = exchange;
  answerJson(exchange, {
    ...edge.service.status(),
    draining: edge.isDraining,
    requestsInFlight: edge.inFlight,
    bodyBytesInFlight: edge.credits.taken,
  });
}

function withTier(run: (exchange: Exchange, tier: TierDesk) => void | Promise<void>): Page {
  return (exchange) => {
    const { tier } = exchange.edge.options;
    if (tier !== undefined) return run(exchange, tier);
    throw s3Error("InvalidRequest", { message: "This server has no cold tier; set cold.url" });
  };
}

const pages: ReadonlyMap<string, Page> = new Map<string, Page>([
  ["GET /-/status", answerStatus],
  ["GET /-/cost", withTier(answerCost)],
  ["GET /-/tier/status", withTier(answerTierStatus)],
  ...tierPages.map((page): readonly [string, Page] => [
    `POST /-/tier/${page.name}`,
    withTier((exchange, tier) => answerAction(exchange, page, tier)),
  ]),
]);

function requireRoot(exchange: Exchange): void {
  authenticate(exchange);
  if (exchange.identity.accountId !== exchange.edge.options.rootAccountId) throw s3Error("AccessDenied");
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
    const method = exchange.method === "HEAD" ? "GET" : exchange.method;
    if (rawPath === "/-/metrics" && method === "GET") return answerMetrics(exchange, metrics);
    const page = pages.get(`${method} ${rawPath}`);
    if (page === undefined) {
      throw s3Error("MethodNotAllowed", { message: "There is no such page or method on the admin listener" });
    }
    requireRoot(exchange);
    return page(exchange);
  };
}
