/**
 * Who sends this request: SigV4 over the accounts of the service, or a bearer token where nobody can read it
 * on the way. Whoever cannot say so is told AccessDenied; there are no public buckets.
 */
import { headersFromRaw, withQueryHeaders } from "../s3/headers.ts";
import { s3Error } from "../s3/errors.ts";
import { isPresigned } from "../s3/authorization.ts";
import { isBearer, verifyBearer } from "../s3/bearer.ts";
import { headerText } from "../s3/canonical-request.ts";
import type { RequestHeaders } from "../s3/canonical-request.ts";
import { parseAnonymousPayloadHash } from "../s3/payload-hash.ts";
import { verifySignature } from "../s3/sigv4.ts";
import { isConfidential } from "./connection-security.ts";
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

function authenticateBearer(exchange: Exchange, header: string): void {
  const { edge, headers, target, incoming } = exchange;
  if (!isConfidential(incoming.socket)) {
    const message =
      "Bearer tokens are accepted over TLS or from this machine only: others could read this one on its " +
      "way here. Change the secret, and sign requests, or use https.";
    throw s3Error("AccessDenied", { message });
  }
  if (isPresigned(target.query)) {
    throw s3Error("InvalidRequest", { message: "Only one auth mechanism allowed" });
  }
  exchange.identity = verifyBearer(header, edge.lookupSecret).identity;
  exchange.payload = parseAnonymousPayloadHash(headerText(headers, "x-amz-content-sha256"));
}

export function authenticate(exchange: Exchange): void {
  const authorization = exchange.headers["authorization"];
  if (typeof authorization === "string" && isBearer(authorization)) {
    return authenticateBearer(exchange, authorization);
  }
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
