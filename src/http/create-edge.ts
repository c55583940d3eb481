/**
 * The S3 edge: everything between a node:http server and the service. It makes no server and owns no timer;
 * who does (main.ts, tests) creates servers with `serverOptions` and hands them to `connectS3` and
 * `connectAdmin`.
 */
import type { Server, ServerOptions } from "node:http";
import { initChecksums } from "../s3/checksums.ts";
import { UnavailableError } from "../base/errors.ts";
import { clientErrorListener } from "./client-error.ts";
import { clientUsage } from "./client-usage.ts";
import { connectServer } from "./connect-server.ts";
import { Edge } from "./edge.ts";
import type { EdgeOptions } from "./edge-options.ts";
import { handleRequest } from "./handle-request.ts";
import { honoListener } from "./hono-listener.ts";
import type { RequestListener } from "./hono-listener.ts";
import { createMetrics } from "./metrics.ts";
import type { Metrics } from "./metrics.ts";
import { serveAdmin } from "./serve-admin.ts";
import { serveS3 } from "./serve-s3.ts";
import { serverOptions } from "./server-options.ts";

export type S3Edge = {
  /** For `http.createServer`, of both listeners. */
  readonly serverOptions: ServerOptions;
  /** Both for `request` and for `checkContinue`: a body is asked for once its sender is known. */
  readonly s3Listener: RequestListener;
  readonly adminListener: RequestListener;
  readonly metrics: Metrics;
  /** Both return what takes the edge off the server again. */
  connectS3(server: Server): () => void;
  connectAdmin(server: Server): () => void;
  /** Readiness turns 503 and every answer closes its connection. Cannot be undone. */
  drain(): void;
  /** Requests whose answer is not complete. */
  inFlight(): number;
};

/** Resolves when the checksums that need WebAssembly are ready. */
export async function createEdge(options: EdgeOptions): Promise<S3Edge> {
  await initChecksums();
  const edge = new Edge(options);
  const metrics = createMetrics(edge);
  const s3Listener = honoListener(handleRequest(edge, serveS3(edge)));
  const adminListener = honoListener(handleRequest(edge, serveAdmin(edge, metrics)));
  const clientError = clientErrorListener(edge);
  options.tier?.watchClients(() => clientUsage(edge, edge.service.status().liveBytes));
  return {
    serverOptions: serverOptions(options.limits),
    s3Listener,
    adminListener,
    metrics,
    connectS3: (server) => connectServer(edge, server, { request: s3Listener, clientError }),
    connectAdmin: (server) => connectServer(edge, server, { request: adminListener, clientError }),
    drain: () => {
      edge.isDraining = true;
      edge.tierRuns.endAll(new UnavailableError("the server is stopping"));
    },
    inFlight: () => edge.inFlight,
  };
}
