/** A real server in this process, on free ports and a directory of its own, and signed requests to it. */
import * as http from "node:http";
import { createServer } from "../../src/index.ts";
import type { EmbeddedServer, ServerOptions } from "../../src/index.ts";
import { signRequest } from "../s3/signer.ts";
import { temporaryDirectory } from "./open-store.ts";

/** What a request has to know of a server. */
export type Addressed = Pick<EmbeddedServer, "endpoint" | "adminEndpoint" | "credentials">;

export type TestServer = EmbeddedServer & { readonly dataDir: string };

export type Answer = {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
};

type Settings = NonNullable<ServerOptions["settings"]>;

export async function startEmbedded(
  settings: Settings = {},
  log?: (line: string) => void,
): Promise<TestServer> {
  const directory = await temporaryDirectory();
  const options = { settings: { dataDir: `${directory.path}/data`, ...settings } };
  const server = await createServer(log === undefined ? options : { ...options, log });
  const end = async (): Promise<void> => {
    await server.close();
    await directory[Symbol.asyncDispose]();
  };
  return { ...server, dataDir: `${directory.path}/data`, close: end, [Symbol.asyncDispose]: end };
}

export type Call = {
  readonly method: string;
  /** Path and query as on the wire. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** Instead of the server's own. */
  readonly credentials?: { readonly accessKey: string; readonly secretKey: string };
  readonly toAdmin?: boolean;
  /** Instead of the address. */
  readonly hostHeader?: string;
};

/** One request on a connection of its own. */
export async function send(server: Addressed, call: Call): Promise<Answer> {
  const base = new URL(call.toAdmin === true ? server.adminEndpoint : server.endpoint);
  const { accessKeyId: accessKey, secretAccessKey: secretKey } = server.credentials;
  const { headers } = signRequest({
    method: call.method,
    url: call.url,
    host: call.hostHeader ?? base.host,
    nowMs: Date.now(),
    headers: call.headers ?? {},
    body: call.body ?? Buffer.alloc(0),
    credentials: call.credentials ?? { accessKey, secretKey },
  });
  return await new Promise<Answer>((resolve, reject) => {
    const request = http.request({
      host: base.hostname.replace(/^\[|\]$/g, ""),
      port: base.port,
      method: call.method,
      path: call.url,
      headers: { ...headers, ...(call.body ? { "content-length": String(call.body.length) } : {}) },
      agent: false,
    });
    request.on("error", reject);
    request.on("response", (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("error", reject);
      response.on("end", () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(pieces),
        });
      });
    });
    request.end(call.body);
  });
}

/** The admin API's view of the node. */
export async function statusOf(server: Addressed): Promise<Readonly<Record<string, unknown>>> {
  const answer = await send(server, { method: "GET", url: "/-/status", toAdmin: true });
  return JSON.parse(answer.body.toString("utf8")) as Readonly<Record<string, unknown>>;
}
