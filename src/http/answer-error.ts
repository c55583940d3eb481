/**
 * Error answers. Problem: a request may be refused while its body is still on the way. Closing the socket at
 * once makes the kernel send a reset, which destroys the answer before the client has read it; reading on
 * without end lets anyone make us read. So a short rest of a body is read and dropped on a connection that
 * stays; for a longer one the answer says `Connection: close`, is sent whole, and a bounded rest is dropped
 * before the socket closes.
 */
import { errorXml } from "../s3/error-xml.ts";
import { answerAtOnce, baseHeaders } from "./answer.ts";
import type { Exchange } from "./exchange.ts";
import { toS3Error } from "./to-s3-error.ts";

/** Declared bodies up to this size are read to their end, so that the connection can be used again. */
const DROPPED_BYTES_MAX = 256 * 1024;
/** Of longer bodies, so much and so long, for clients that read the answer only after sending. */
const LINGER_BYTES_MAX = 8 * 1024 * 1024;
const LINGER_MS_MAX = 2000;

/** Whether the client may still be sending more than we want to drop in silence. */
function mustClose(exchange: Exchange): boolean {
  const { incoming, headers } = exchange;
  if (incoming.complete) return false;
  if (headers["transfer-encoding"] !== undefined) return true;
  const declared = headers["content-length"];
  return declared !== undefined && Number(declared) > DROPPED_BYTES_MAX;
}

function closeAfter(exchange: Exchange, headers: string[]): void {
  // An edge that drains says so in all its answers.
  if (!exchange.edge.isDraining) headers.push("Connection", "close");
}

/** Sends everything but the end of the answer, drops what still comes, then ends. */
function answerAndLinger(exchange: Exchange, status: number, headers: string[], body: string): void {
  const { incoming, outgoing, edge } = exchange;
  closeAfter(exchange, headers);
  headers.push("Content-Length", String(Buffer.byteLength(body)));
  outgoing.writeHead(status, headers);
  if (exchange.method !== "HEAD") outgoing.write(body);
  else outgoing.flushHeaders();
  exchange.finish(status);
  const waiting = new AbortController();
  let dropped = 0;
  const end = (): void => {
    if (waiting.signal.aborted) return;
    waiting.abort();
    outgoing.end();
  };
  incoming.on("data", (chunk: Buffer) => {
    dropped += chunk.length;
    if (dropped > LINGER_BYTES_MAX) end();
  });
  incoming.on("end", end);
  incoming.on("close", end);
  void edge.options.clock.sleep(LINGER_MS_MAX, { signal: waiting.signal }).then(end);
}

function endsWithoutWords(exchange: Exchange): boolean {
  const { outgoing } = exchange;
  if (!outgoing.headersSent && !outgoing.destroyed) return false;
  // Half an answer is out, or nobody is there: the one honest thing left is to cut the connection.
  outgoing.destroy();
  return true;
}

export function answerError(exchange: Exchange, thrown: unknown): void {
  const error = toS3Error(exchange, thrown);
  if (endsWithoutWords(exchange)) return exchange.finish(error.status);
  const headers = baseHeaders(exchange);
  headers.push("Content-Type", "application/xml");
  for (const [name, value] of Object.entries(error.headers)) headers.push(name, value);
  const { incoming, requestId, edge } = exchange;
  const resource = `/${exchange.target.path}`;
  const body = errorXml(error, { requestId, resource, hostId: edge.ids.hostId });
  const isExpectingContinue = exchange.headers["expect"] !== undefined;
  if (error.code === "RequestTimeout") closeAfter(exchange, headers);
  else if (mustClose(exchange) && !isExpectingContinue && !incoming.destroyed) {
    return answerAndLinger(exchange, error.status, headers, body);
  }
  answerAtOnce(exchange, error.status, headers, body);
  // A paused body would never end, and the connection would never be free for the next request.
  if (!incoming.complete) incoming.resume();
}
