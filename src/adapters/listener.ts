/** A node:http server on an address, with a way to end it that leaves no socket behind. */
import * as http from "node:http";
import type { AddressInfo } from "node:net";

export type Listener = {
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
    server.once("error", reject);
    server.listen(address.port, address.host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const ended = new Promise<void>((resolve) => server.once("close", () => resolve()));
  return {
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
