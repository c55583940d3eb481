/**
 * One request and its answer: the raw streams of Node and what has been found out about the request so far.
 *
 * Life: made by handle-request.ts, filled by serve-s3.ts (target, identity, bucket, operation), answered
 * exactly once by answer.ts, answer-error.ts or send-body.ts, which all end in `finish`. Fields are plain
 * and all set in the constructor, so that every exchange has the same shape.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { RequestHeaders } from "../s3/canonical-request.ts";
import type { PayloadKind } from "../s3/payload-hash.ts";
import { QueryParameters } from "../s3/request-target.ts";
import type { RequestTarget } from "../s3/request-target.ts";
import type { ChunkSigning } from "../s3/sigv4.ts";
import type { BucketInfo, Identity } from "../service/api.ts";
import type { Edge } from "./edge.ts";
import type { OperationCounter } from "./operation-counter.ts";

const NO_TARGET: RequestTarget = {
  bucket: "",
  key: "",
  path: "",
  rawPath: "",
  rawQuery: "",
  query: new QueryParameters([], []),
  isVirtualHost: false,
};
const NOBODY: Identity = { accountId: "", displayName: "", accessKey: "" };
const UNSIGNED: PayloadKind = { kind: "unsigned" };

export class Exchange {
  readonly edge: Edge;
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly requestId: string;
  readonly startedMs: number;
  readonly method: string;
  headers: RequestHeaders;
  target: RequestTarget = NO_TARGET;
  /** Whether the query asks a GET for a part, or for other head lines than the object's own. */
  isSelective = false;
  /** Valid once `authenticate` has returned. */
  identity: Identity = NOBODY;
  /** What `authorize` let the sender work on; absent for requests to no bucket, or to make one. */
  bucket: BucketInfo | undefined = undefined;
  /** For browsers, and caches on the way to them; none where there are no rules. */
  corsLines: readonly string[] | undefined = undefined;
  payload: PayloadKind = UNSIGNED;
  chunkSigning: ChunkSigning | undefined = undefined;
  counter: OperationCounter;
  /** Credits that this request holds. */
  creditBytes = 0;
  isFinished = false;

  constructor(edge: Edge, incoming: IncomingMessage, outgoing: ServerResponse) {
    this.edge = edge;
    this.incoming = incoming;
    this.outgoing = outgoing;
    this.requestId = edge.ids.next();
    this.startedMs = edge.options.clock.monotonicMs();
    this.method = incoming.method ?? "";
    this.headers = incoming.headers;
    this.counter = edge.unknownOperation;
  }

  /** Before body bytes are read or buffered; given back by `finish`. Throws SlowDown. */
  takeCredits(bytes: number): void {
    const { credits, stalledReaders } = this.edge;
    if (!credits.has(bytes)) stalledReaders.makeRoom(() => credits.has(bytes));
    credits.take(bytes);
    this.creditBytes += bytes;
  }

  /** The answer is complete, or will never be. Counts the request; further calls do nothing. */
  finish(status: number): void {
    if (this.isFinished) return;
    this.isFinished = true;
    const { edge } = this;
    edge.inFlight--;
    if (this.creditBytes > 0) edge.credits.give(this.creditBytes);
    const { accessLog, clock } = edge.options;
    const milliseconds = clock.monotonicMs() - this.startedMs;
    this.counter.record(status, milliseconds / 1000);
    if (accessLog) this.#logAccess(status, milliseconds);
  }

  #logAccess(status: number, milliseconds: number): void {
    this.edge.options.logger.debug("request", {
      requestId: this.requestId,
      operation: this.counter.name,
      method: this.method,
      // Without the query: a presigned one is a credential.
      path: this.target.rawPath,
      status,
      milliseconds: Math.round(milliseconds * 1000) / 1000,
      accessKey: this.identity.accessKey,
      remoteAddress: this.incoming.socket.remoteAddress,
    });
  }
}
