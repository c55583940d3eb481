/**
 * Makes an exchange of a request, lets `serve` answer it, and turns whatever it throws into an error answer.
 * Never throws itself. A request that is answered without waiting costs no promise here.
 */
import { s3Error } from "../s3/errors.ts";
import type { Edge } from "./edge.ts";
import { Exchange } from "./exchange.ts";
import { answerError } from "./answer-error.ts";
import type { RequestListener } from "./hono-listener.ts";
import type { Serve } from "./serve-s3.ts";

async function settle(exchange: Exchange, pending: Promise<void>): Promise<void> {
  try {
    await pending;
  } catch (error) {
    answerError(exchange, error);
  }
}

export function handleRequest(edge: Edge, serve: Serve): RequestListener {
  const { connectionsMax } = edge.options.limits;
  return (incoming, outgoing) => {
    edge.inFlight++;
    const exchange = new Exchange(edge, incoming, outgoing);
    try {
      if (edge.connections > connectionsMax && edge.excessSockets.has(incoming.socket))
        throw s3Error("SlowDown");
      const pending = serve(exchange);
      if (pending !== undefined) void settle(exchange, pending);
    } catch (error) {
      answerError(exchange, error);
    }
  };
}
