/**
 * AWS Signature Version 4 for a request without a body, in headers: what a client of the admin API needs.
 *
 * The server's verifier knows far more; this shares nothing with it on purpose, so that a mistake in one
 * cannot agree with the same mistake in the other. Section: "Signature Calculations for the Authorization
 * Header" of the S3 API.
 */
import { createHash, createHmac } from "node:crypto";

export interface SignableRequest {
  readonly method: "GET" | "POST";
  /** As in the Host header, port included. */
  readonly host: string;
  /** Already percent-encoded, without query. */
  readonly path: string;
  /** As `queryText` writes it; empty for none. */
  readonly query: string;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly now: Date;
}

const emptyHash = sha256("");

/** On the wire as it is signed: sorted by names, which must differ, and encoded as RFC 3986 says. */
export function queryText(parameters: Readonly<Record<string, string>>): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .toSorted()
    .join("&");
}

function encoded(text: string): string {
  const escape = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, escape);
}

export function signRequest(request: SignableRequest): Readonly<Record<string, string>> {
  const time = request.now.toISOString().replaceAll(/[-:]|\.\d{3}/g, "");
  const scope = `${time.slice(0, 8)}/${request.region}/s3/aws4_request`;
  const headers = { host: request.host, "x-amz-content-sha256": emptyHash, "x-amz-date": time };
  const signedHeaders = Object.keys(headers).join(";");
  const headerLines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
  const canonical = [
    request.method,
    request.path,
    request.query,
    headerLines.join(""),
    signedHeaders,
    emptyHash,
  ].join("\n");
  const toSign = ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n");
  const signature = hmac(signingKey(request.secretKey, scope), toSign).toString("hex");
  const credential = `Credential=${request.accessKey}/${scope}`;
  const parts = [credential, `SignedHeaders=${signedHeaders}`, `Signature=${signature}`];
  return { ...headers, authorization: `AWS4-HMAC-SHA256 ${parts.join(", ")}` };
}

/** The key is derived along the parts of the scope: date, region, service, terminator. */
function signingKey(secretKey: string, scope: string): Buffer {
  return scope.split("/").reduce((key: Buffer, part) => hmac(key, part), Buffer.from(`AWS4${secretKey}`));
}

function hmac(key: Buffer, data: string): Buffer {
  return createHmac("sha256", key).update(data).digest();
}

function sha256(data: string): string {
  return createHash("sha256").update(data).digest("hex");
}
