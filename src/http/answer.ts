/**
 * Complete answers: head and body in one go. Head lines are flat lists of names and values, written once;
 * Node adds Date, Connection and Keep-Alive itself.
 */
import { endAnswer } from "./answer-queue.ts";
import type { Exchange } from "./exchange.ts";

export const SERVER_NAME = "Thermocline";
/** Begins every list of head lines. */
export function baseHeaders(exchange: Exchange): string[] {
  const { edge } = exchange;
  const headers = [
    "x-amz-request-id",
    exchange.requestId,
    "x-amz-id-2",
    edge.ids.hostId,
    "Server",
    SERVER_NAME,
    "x-thermocline-applied-index",
    String(edge.options.appliedIndex()),
    "x-thermocline-consistency",
    edge.consistency,
  ];
  if (exchange.corsLines !== undefined) headers.push(...exchange.corsLines);
  if (edge.isDraining) headers.push("Connection", "close");
  return headers;
}

/** The head lines of a write: the token lets a later read ask for at least this state. */
export function writeHeaders(exchange: Exchange): string[] {
  const headers = baseHeaders(exchange);
  headers.push("x-thermocline-token", String(exchange.edge.options.appliedIndex()));
  return headers;
}

type CompleteBody = Uint8Array | string;

/** Returns what of the body is sent. */
function writeHead(
  exchange: Exchange,
  status: number,
  headers: string[],
  body: CompleteBody | undefined,
): CompleteBody | undefined {
  if (body !== undefined) {
    const length = typeof body === "string" ? Buffer.byteLength(body) : body.length;
    headers.push("Content-Length", String(length));
  } else if (status !== 204 && status !== 304) {
    headers.push("Content-Length", "0");
  }
  exchange.outgoing.writeHead(status, headers);
  return exchange.method === "HEAD" ? undefined : body;
}

/** `headers` must not hold a Content-Length. */
export function answer(exchange: Exchange, status: number, headers: string[], body?: CompleteBody): void {
  exchange.edge.answers.end(exchange, status, writeHead(exchange, status, headers, body));
}

/** Not with the others of this turn: where a client was too slow, Node may cut the socket before its end. */
export function answerAtOnce(
  exchange: Exchange,
  status: number,
  headers: string[],
  body: CompleteBody,
): void {
  endAnswer({ exchange, status, body: writeHead(exchange, status, headers, body) });
}

/** For the admin API: nothing of it is to be kept by anybody on the way. */
export function answerJson(exchange: Exchange, body: object): void {
  const headers = baseHeaders(exchange);
  headers.push("Content-Type", "application/json", "Cache-Control", "no-store");
  answer(exchange, 200, headers, `${JSON.stringify(body)}\n`);
}

export function answerXml(exchange: Exchange, xml: Uint8Array | string): void {
  const headers = baseHeaders(exchange);
  headers.push("Content-Type", "application/xml");
  answer(exchange, 200, headers, xml);
}
