/**
 * What browsers see of cross-origin rules: the answer to a preflight, which carries no credentials and is for
 * anybody, and the head lines that every answer to another origin gets, errors among them, lest a page cannot
 * tell why it was refused. The bucket's own rules come first, then the origins allowed for all buckets. Where
 * there are rules every answer names what it depends on, whoever asked.
 */
import { VARY_LINES, corsHeaders } from "../s3/cors.ts";
import type { CorsQuestion } from "../s3/cors.ts";
import { s3Error } from "../s3/errors.ts";
import { answer, baseHeaders } from "./answer.ts";
import type { Exchange } from "./exchange.ts";

function header(exchange: Exchange, name: string): string | undefined {
  const value = exchange.headers[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** To be called for every request, as soon as its target is known. */
export function addCorsHeaders(exchange: Exchange): void {
  const { method, target } = exchange;
  if (method === "OPTIONS") return;
  const rules = exchange.edge.crossOrigin.rulesOf(target.bucket);
  if (rules.length === 0) return;
  const origin = header(exchange, "origin");
  const lines = origin === undefined ? undefined : corsHeaders(rules, { origin, method, headers: [] });
  exchange.corsLines = lines ?? VARY_LINES;
}

function questionOf(exchange: Exchange): CorsQuestion {
  const origin = header(exchange, "origin");
  if (origin === undefined) {
    throw s3Error("BadRequest", { message: "Insufficient information. Origin request header needed." });
  }
  const method = header(exchange, "access-control-request-method");
  if (method === undefined) {
    throw s3Error("BadRequest", { message: "Invalid Access-Control-Request-Method: null" });
  }
  const names = header(exchange, "access-control-request-headers") ?? "";
  const headers = names.split(",").flatMap((name) => (name.trim() === "" ? [] : [name.trim()]));
  return { origin, method, headers };
}

const NOT_ALLOWED =
  "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, " +
  "request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by " +
  "the resource's CORS spec.";

/** OPTIONS, of whatever. */
export function answerPreflight(exchange: Exchange): void {
  const { edge, target } = exchange;
  exchange.counter = edge.counter("Preflight");
  const question = questionOf(exchange);
  const rules = edge.crossOrigin.rulesOf(target.bucket);
  const fields = {
    Method: question.method,
    ResourceType: target.key === "" ? (target.bucket === "" ? "SERVICE" : "BUCKET") : "OBJECT",
  };
  if (rules.length === 0) throw s3Error("AccessForbidden", { fields });
  const lines = corsHeaders(rules, question);
  if (lines === undefined) throw s3Error("AccessForbidden", { message: NOT_ALLOWED, fields });
  answer(exchange, 200, [...baseHeaders(exchange), ...lines]);
}
