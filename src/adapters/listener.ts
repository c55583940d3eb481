/** A node:http server on an address, with a way to end it that leaves no socket behind. */
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { RefusedError } from "../base/errors.ts";
import { systemErrorCode } from "../ports/disk.ts";

export type Listener = {
  readonly server: http.Server;
  readonly host: string;
  /** The real one if port 0 was asked for. */
  readonly port: number;
  /** No new connections; idle ones are closed, busy ones may finish. */
  stopAccepting(): void;
  /** Cuts what is left. */
  close(): Promise<void>;
};

export async function listen(
  address: { readonly host: string; readonly port: number },
  options: http.ServerOptions,
  connect: (server: http.Server) => void,
): Promise<Listener> {
  const server = http.createServer(options);
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
    stopAccepting: () => {
      server.close();
      server.closeIdleConnections();
    },
    close: async () => {
      server.close();
      server.closeAllConnections();
      await ended;
    },
  };
}

/** Said by itself, "EADDRINUSE" helps nobody who just wants the server to start. */
function explained(error: Error, { host, port }: { readonly host: string; readonly port: number }): Error {
  const code = systemErrorCode(error);
  const why = code === "EADDRINUSE" ? "another process listens there: stop it, or" : "";
  const how = `${why} choose another address with --s3-addr or --admin-addr`.trim();
  return new RefusedError(`cannot listen on ${host}:${port} (${code}): ${how}`, { cause: error });
}
