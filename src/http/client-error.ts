/**
 * What Node's parser refuses before there is a request, or in the middle of its body, answered in S3's words
 * on the bare socket: headers too large, headers too slow, a body that ends early, plain nonsense. The
 * connection ends. Requests before it on the same connection that are all there get their answers first:
 * each answer must be that of its own request.
 */
import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { errorXml } from "../s3/error-xml.ts";
import { s3Error } from "../s3/errors.ts";
import type { S3Error } from "../s3/errors.ts";
import { SERVER_NAME } from "./answer.ts";
import type { Edge } from "./edge.ts";

const REASONS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  408: "Request Timeout",
  431: "Request Header Fields Too Large",
};

type Refusal = { readonly status: number; readonly error: S3Error };

function refusalOf(code: string | undefined): Refusal {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return { status: 431, error: s3Error("RequestHeaderSectionTooLarge") };
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return { status: 408, error: s3Error("RequestTimeout") };
    case "HPE_INVALID_EOF_STATE":
      return { status: 400, error: s3Error("IncompleteBody") };
    default:
      return { status: 400, error: s3Error("BadRequest") };
  }
}

function isAnswer(message: unknown): message is ServerResponse {
  return message instanceof Object && "headersSent" in message && "req" in message;
}

/** The answer that is next on this socket; Node itself looks there before it writes its own. */
function nextAnswer(socket: Duplex): ServerResponse | undefined {
  const message: unknown = Reflect.get(socket, "_httpMessage");
  return isAnswer(message) ? message : undefined;
}

function refuse(edge: Edge, socket: Duplex, code: string | undefined): void {
  const refusal = refusalOf(code);
  const requestId = edge.ids.next();
  const body = errorXml(refusal.error, { requestId, hostId: edge.ids.hostId });
  const head = [
    `HTTP/1.1 ${refusal.status} ${REASONS[refusal.status]}`,
    `x-amz-request-id: ${requestId}`,
    `Server: ${SERVER_NAME}`,
    "Content-Type: application/xml",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  edge.unknownOperation.record(refusal.status, 0);
  edge.options.logger.debug("request refused by the parser", { requestId, code, status: refusal.status });
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}

/** A handshake that failed: there is nobody yet to whom HTTP could be spoken. */
function isOfTls(code: string | undefined): boolean {
  return code !== undefined && /^(?:ERR_SSL_|ERR_TLS_|EPROTO$)/.test(code);
}

export type ClientErrorListener = (error: Error & { readonly code?: string }, socket: Duplex) => void;

export function clientErrorListener(edge: Edge): ClientErrorListener {
  /** The parser says it again for every piece that still comes. */
  const waiting = new WeakSet<Duplex>();
  const refuseInTurn = (socket: Duplex, code: string | undefined): void => {
    const before = nextAnswer(socket);
    if (before?.req.complete === true && socket.writable) {
      before.once("close", () => refuseInTurn(socket, code));
    } else if (!socket.writable || before?.headersSent === true) socket.destroy();
    else refuse(edge, socket, code);
  };
  return (error, socket) => {
    const { code } = error;
    if (code === "ECONNRESET" || isOfTls(code) || !socket.writable) {
      socket.destroy();
    } else if (!waiting.has(socket)) {
      waiting.add(socket);
      refuseInTurn(socket, code);
    }
  };
}
