/**
 * Who sends this request: SigV4 over the accounts of the service. Whoever cannot say so is told
 * AccessDenied; there are no public buckets.
 */
import { headersFromRaw, withQueryHeaders } from "../s3/headers.ts";
import { s3Error } from "../s3/errors.ts";
import type { RequestHeaders } from "../s3/canonical-request.ts";
import { verifySignature } from "../s3/sigv4.ts";
import type { Exchange } from "./exchange.ts";

/**
 * Node has built its own table of headers by now, in which some repeated headers are dropped and others
 * joined otherwise than S3 does. Without repetitions, which is nearly always, it is the same table.
 */
export function requestHeaders(exchange: Exchange): RequestHeaders {
  const { headers, rawHeaders } = exchange.incoming;
  let count = 0;
  for (const name in headers) if (name !== "") count++;
  return count * 2 === rawHeaders.length ? headers : headersFromRaw(rawHeaders);
}

/** Without which a request is not presigned; only what comes on top can stand for a header. */
const PRESIGNED_PARAMETERS = 6;

export function authenticate(exchange: Exchange): void {
  const { edge, target, headers } = exchange;
  const result = verifySignature({
    method: exchange.method,
    target,
    headers,
    nowMs: edge.options.clock.nowMs(),
    lookupSecret: edge.lookupSecret,
    caches: edge.signatures,
  });
  switch (result.kind) {
    case "refused":
      throw result.error;
    case "anonymous":
      throw s3Error("AccessDenied");
    case "verified":
      exchange.identity = result.source.identity;
      exchange.payload = result.payload;
      exchange.chunkSigning = result.chunkSigning;
      if (result.isPresigned && target.query.size > PRESIGNED_PARAMETERS)
        exchange.headers = withQueryHeaders(headers, target.query);
  }
}
