/**
 * Joins an edge to a server: every event it needs, and the two settings that are properties and no options.
 *
 * Connections: one above the limit is still served, but its requests are told to slow down, which a client
 * understands better than a reset. Far above, Node drops them unseen.
 */
import type { IncomingMessage, Server } from "node:http";
import type { ClientErrorListener } from "./client-error.ts";
import type { Edge } from "./edge.ts";
import type { RequestListener } from "./hono-listener.ts";

const REFUSED_CONNECTIONS_MAX = 256;

export type ServerListeners = {
  readonly request: RequestListener;
  readonly clientError: ClientErrorListener;
};

/** Returns what takes the edge off the server again; what is under way goes on. */
export function connectServer(edge: Edge, server: Server, listeners: ServerListeners): () => void {
  const { connectionsMax, idleTimeoutMs } = edge.options.limits;
  // Node then emits `timeout` on the request if a body is under way, and destroys the socket if nobody
  // listens.
  server.timeout = idleTimeoutMs;
  server.maxConnections = connectionsMax + REFUSED_CONNECTIONS_MAX;
  const connected = (socket: IncomingMessage["socket"]): void => {
    edge.connections++;
    if (edge.connections > connectionsMax) edge.excessSockets.add(socket);
    socket.on("close", () => {
      edge.connections--;
    });
  };
  // With TLS the socket of a request is another one than the connection's, which was counted.
  const secured = (socket: IncomingMessage["socket"]): void => {
    if (edge.connections > connectionsMax) edge.excessSockets.add(socket);
  };
  server.on("request", listeners.request);
  server.on("checkContinue", listeners.request);
  server.on("clientError", listeners.clientError);
  server.on("connection", connected);
  server.on("secureConnection", secured);
  return () => {
    server.off("request", listeners.request);
    server.off("checkContinue", listeners.request);
    server.off("clientError", listeners.clientError);
    server.off("connection", connected);
    server.off("secureConnection", secured);
  };
}
