/** An S3 endpoint that does what a test tells it to, request by request, and counts who is connected. */
import * as http from "node:http";
import type { AddressInfo, Socket } from "node:net";

export type StubRequest = {
  readonly method: string;
  /** Path and query as on the wire, without the SDK's own `x-id`. */
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly pieces: AsyncIterable<Buffer>;
  /** Reads it to its end. */
  readonly body: () => Promise<Buffer>;
  readonly socket: Socket;
};

export type Stub = AsyncDisposable & {
  readonly endpoint: string;
  /** Of all requests so far, as `METHOD url`. */
  readonly seen: readonly string[];
  readonly sockets: () => { readonly now: number; readonly most: number; readonly ever: number };
};

export type StubAnswer = (request: StubRequest, response: http.ServerResponse) => Promise<void> | void;

/** One after the other; the last one for all that follow. */
export async function startStub(...answers: readonly StubAnswer[]): Promise<Stub> {
  const seen: string[] = [];
  const sockets = { now: 0, most: 0, ever: 0 };
  const server = http.createServer((message, response) => {
    const request = stubRequest(message);
    seen.push(`${request.method} ${request.url}`);
    const answer = answers[Math.min(seen.length, answers.length) - 1];
    void Promise.resolve(answer?.(request, response)).catch(() => message.socket.destroy());
  });
  server.on("connection", (socket) => {
    sockets.ever++;
    sockets.most = Math.max(sockets.most, ++sockets.now);
    socket.on("close", () => sockets.now--);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const end = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    seen,
    sockets: () => ({ ...sockets }),
    [Symbol.asyncDispose]: end,
  };
}

function stubRequest(message: http.IncomingMessage): StubRequest {
  const body = async (): Promise<Buffer> => {
    const pieces: Buffer[] = [];
    for await (const piece of message as AsyncIterable<Buffer>) pieces.push(piece);
    return Buffer.concat(pieces);
  };
  const url = (message.url ?? "").replace(/[?&]x-id=\w+/, "");
  const { method = "", headers, socket } = message;
  return { method, url, headers, pieces: message, body, socket };
}

/** Reads what was sent and says yes. */
export const accept: StubAnswer = async (request, response) => {
  await request.body();
  response.writeHead(200, { etag: '"e"' }).end();
};

/** Reads what was sent, and closes the connection without a word. */
export const hangUp: StubAnswer = async (request) => {
  await request.body();
  request.socket.destroy();
};

/** An error as S3 says it. */
export function refuse(status: number, code: string, headers: http.OutgoingHttpHeaders = {}): StubAnswer {
  return async (request, response) => {
    await request.body();
    const xml = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>said\nthe stub</Message></Error>`;
    response.writeHead(status, { "content-type": "application/xml", ...headers });
    response.end(request.method === "HEAD" ? "" : xml);
  };
}

export function answerWith(
  status: number,
  headers: http.OutgoingHttpHeaders,
  body: Uint8Array | string = "",
): StubAnswer {
  return async (request, response) => {
    await request.body();
    response.writeHead(status, headers).end(body);
  };
}
