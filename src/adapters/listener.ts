/** A node:http or node:https server on an address, with a way to end it that leaves no socket behind. */
import * as http from "node:http";
import * as https from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { RefusedError } from "../base/errors.ts";
import { systemErrorCode } from "../ports/disk.ts";
import type { TlsFiles } from "./tls-files.ts";

const HANDSHAKE_MS_MAX = 20_000;

export type Listener = {
  readonly server: http.Server;
  readonly host: string;
  /** The real one if port 0 was asked for. */
  readonly port: number;
  /** `https` if it has a certificate. */
  readonly scheme: "http" | "https";
  /** No new connections; idle ones are closed, busy ones may finish. */
  stopAccepting(): void;
  /** Cuts what is left. */
  close(): Promise<void>;
};

export async function listen(
  address: { readonly host: string; readonly port: number },
  options: http.ServerOptions & { readonly tls?: TlsFiles | undefined },
  connect: (server: http.Server) => void,
): Promise<Listener> {
  const { tls, ...serverOptions } = options;
  const server = tls === undefined ? http.createServer(serverOptions) : tlsServer(serverOptions, tls);
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  connect(server);
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error): void => reject(explained(error, address));
    server.once("error", fail);
    server.listen(address.port, address.host, () => {
      server.off("error", fail);
      resolve();
    });
  });
  const ended = new Promise<void>((resolve) => server.once("close", () => resolve()));
  return {
    server,
    host: address.host,
    port: (server.address() as AddressInfo).port,
    scheme: tls === undefined ? "http" : "https",
    stopAccepting: () => {
      server.close();
      server.closeIdleConnections();
    },
    close: async () => {
      server.close();
      server.closeAllConnections();
      // Those in the middle of a handshake are no connections of HTTP yet.
      for (const socket of sockets) socket.destroy();
      await ended;
    },
  };
}

/** A new certificate is for new connections; those that are open go on. */
function tlsServer(options: http.ServerOptions, tls: TlsFiles): https.Server {
  const handshakeTimeout = options.headersTimeout ?? HANDSHAKE_MS_MAX;
  const server = https.createServer({ ...options, ...tls.pair, handshakeTimeout });
  tls.follow((pair) => server.setSecureContext(pair));
  return server;
}

/** Said by itself, "EADDRINUSE" helps nobody who just wants the server to start. */
function explained(error: Error, { host, port }: { readonly host: string; readonly port: number }): Error {
  const code = systemErrorCode(error);
  const why = code === "EADDRINUSE" ? "another process listens there: stop it, or" : "";
  const how = `${why} choose another address with --s3-addr or --admin-addr`.trim();
  return new RefusedError(`cannot listen on ${host}:${port} (${code}): ${how}`, { cause: error });
}
