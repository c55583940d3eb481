/**
 * The one Hono app of a listener: a single route that hands Node's raw streams to `handle`.
 *
 * Hono is shown `/` in place of the request target. A WHATWG parser normalises `..`, `%2e` and backslashes,
 * and so would serve another object than was signed for; and parsing a presigned URL would cost more than
 * all else that Hono does. What its adapter refuses all the same (odd Host headers) never reaches the route;
 * such requests are handed over directly, so they get S3's answers too.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import type { HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono } from "hono";

export type RequestListener = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

/** `handle` must not throw. */
export function honoListener(handle: RequestListener): RequestListener {
  // Set and read within one synchronous call: the adapter runs the route before its first await.
  let target: string | undefined;
  const app = new Hono<{ Bindings: HttpBindings }>({ getPath: () => "/" });
  app.all("*", (context) => {
    const { incoming, outgoing } = context.env;
    incoming.url = target ?? "";
    target = undefined;
    handle(incoming, outgoing);
    return RESPONSE_ALREADY_SENT;
  });
  const listener = getRequestListener(app.fetch, {
    overrideGlobalObjects: false,
    autoCleanupIncoming: false,
    errorHandler: () => undefined,
  });
  return (incoming, outgoing) => {
    const { url = "" } = incoming;
    target = url;
    incoming.url = "/";
    void listener(incoming, outgoing);
    if (target === undefined) return;
    incoming.url = url;
    handle(incoming, outgoing);
  };
}
