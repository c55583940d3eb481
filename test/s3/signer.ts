/**
 * A SigV4 client for tests, written from the specification and sharing no code with src/s3: it signs requests
 * in headers, presigns URLs and produces signed aws-chunked bodies, with and without trailers. What it signs
 * must verify; where both sides had the same mistake, the published AWS vectors in sigv4.test.ts would show
 * it.
 */

import { createHash, createHmac } from "node:crypto";

export type Credentials = {
  readonly accessKey: string;
  readonly secretKey: string;
  readonly region?: string;
  readonly sessionToken?: string;
};

export type RequestToSign = {
  readonly method: string;
  /** Path and query as they will be on the wire. */
  readonly url: string;
  readonly host: string;
  readonly nowMs: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Body to hash, or the literal value of x-amz-content-sha256. */
  readonly body?: Buffer;
  readonly payloadHash?: string;
  readonly credentials: Credentials;
};

export type SignedHeaders = {
  readonly headers: Record<string, string>;
  readonly signature: string;
  readonly timestamp: string;
  readonly scope: string;
};

export function sha256Hex(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

function hmac(key: string | Buffer, data: string): Buffer {
  return createHmac("sha256", key).update(data).digest();
}

export function signingKey(credentials: Credentials, date: string): Buffer {
  const region = credentials.region ?? "us-east-1";
  return hmac(hmac(hmac(hmac(`AWS4${credentials.secretKey}`, date), region), "s3"), "aws4_request");
}

export function amzDate(ms: number): string {
  return new Date(ms).toISOString().replaceAll(/[-:]|\.\d{3}/g, "");
}

export function rfc3986(text: string): string {
  let out = "";
  for (const byte of Buffer.from(text, "utf8")) {
    const character = String.fromCharCode(byte);
    out += /[A-Za-z0-9\-._~]/.test(character)
      ? character
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return out;
}

/** A key as a path: every segment encoded, the slashes kept. */
export function encodeKey(key: string): string {
  return key.split("/").map(rfc3986).join("/");
}

function formDecode(text: string): string {
  return decodeURIComponent(text.replaceAll("+", " "));
}

function canonicalQueryOf(query: string): string {
  if (query === "") return "";
  const pieces = query.split("&").filter((piece) => piece !== "");
  const pairs = pieces.map((piece) => {
    const [name = "", ...value] = piece.split("=");
    return [rfc3986(formDecode(name)), rfc3986(formDecode(value.join("=")))] as const;
  });
  pairs.sort((a, b) => (a[0] === b[0] ? (a[1] < b[1] ? -1 : 1) : a[0] < b[0] ? -1 : 1));
  return pairs.map(([name, value]) => `${name}=${value}`).join("&");
}

/** Only spaces: trim() would also take the byte 0xA0 off wire text. */
function trimSpaces(value: string): string {
  return value.replaceAll(/^ +| +$/g, "").replaceAll(/ +/g, " ");
}

function canonicalPathOf(path: string): string {
  return decodeURIComponent(path).split("/").map(rfc3986).join("/");
}

function signCanonical(
  parts: {
    readonly method: string;
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly names: readonly string[];
    readonly payloadHash: string;
  },
  credentials: Credentials,
  timestamp: string,
): { readonly signature: string; readonly scope: string } {
  const mark = parts.url.indexOf("?");
  const path = mark < 0 ? parts.url : parts.url.slice(0, mark);
  const query = mark < 0 ? "" : parts.url.slice(mark + 1);
  const lines = parts.names.map((name) => `${name}:${trimSpaces(parts.headers[name] ?? "")}\n`);
  const canonical = [
    parts.method,
    canonicalPathOf(path),
    canonicalQueryOf(query),
    lines.join(""),
    parts.names.join(";"),
    parts.payloadHash,
  ].join("\n");
  const date = timestamp.slice(0, 8);
  const scope = `${date}/${credentials.region ?? "us-east-1"}/s3/aws4_request`;
  const canonicalHash = sha256Hex(Buffer.from(canonical, "latin1"));
  const stringToSign = `AWS4-HMAC-SHA256\n${timestamp}\n${scope}\n${canonicalHash}`;
  return { signature: hmac(signingKey(credentials, date), stringToSign).toString("hex"), scope };
}

/** All given headers are signed, and host, x-amz-date and x-amz-content-sha256 are added. */
export function signRequest(request: RequestToSign): SignedHeaders {
  const timestamp = amzDate(request.nowMs);
  const payloadHash = request.payloadHash ?? sha256Hex(request.body ?? Buffer.alloc(0));
  const headers: Record<string, string> = { host: request.host };
  for (const [name, value] of Object.entries(request.headers ?? {})) headers[name.toLowerCase()] = value;
  headers["x-amz-date"] = timestamp;
  headers["x-amz-content-sha256"] = payloadHash;
  if (request.credentials.sessionToken !== undefined) {
    headers["x-amz-security-token"] = request.credentials.sessionToken;
  }
  const names = Object.keys(headers).toSorted();
  const { method, url, credentials } = request;
  const { signature, scope } = signCanonical(
    { method, url, headers, names, payloadHash },
    credentials,
    timestamp,
  );
  headers["authorization"] =
    `AWS4-HMAC-SHA256 Credential=${credentials.accessKey}/${scope}, SignedHeaders=${names.join(";")}, ` +
    `Signature=${signature}`;
  return { headers, signature, timestamp, scope };
}

/** Returns path and query of the presigned URL; given headers become signed headers. */
export function presign(
  request: RequestToSign & { readonly expiresSeconds: number; readonly payloadInQuery?: boolean },
): string {
  const timestamp = amzDate(request.nowMs);
  const headers: Record<string, string> = { host: request.host };
  for (const [name, value] of Object.entries(request.headers ?? {})) headers[name.toLowerCase()] = value;
  const names = Object.keys(headers).toSorted();
  const { credentials } = request;
  const scope = `${timestamp.slice(0, 8)}/${credentials.region ?? "us-east-1"}/s3/aws4_request`;
  const payloadHash = request.payloadHash ?? "UNSIGNED-PAYLOAD";
  const parameters = [
    `X-Amz-Algorithm=AWS4-HMAC-SHA256`,
    ...(request.payloadInQuery === true ? [`X-Amz-Content-Sha256=${payloadHash}`] : []),
    `X-Amz-Credential=${rfc3986(`${credentials.accessKey}/${scope}`)}`,
    `X-Amz-Date=${timestamp}`,
    `X-Amz-Expires=${request.expiresSeconds}`,
    ...(credentials.sessionToken === undefined
      ? []
      : [`X-Amz-Security-Token=${rfc3986(credentials.sessionToken)}`]),
    `X-Amz-SignedHeaders=${rfc3986(names.join(";"))}`,
  ];
  const url = `${request.url}${request.url.includes("?") ? "&" : "?"}${parameters.join("&")}`;
  const { signature } = signCanonical(
    { method: request.method, url, headers, names, payloadHash },
    credentials,
    timestamp,
  );
  return `${url}&X-Amz-Signature=${signature}`;
}

export type ChunkedBody = {
  readonly data: Buffer;
  readonly chunkBytes: number;
  readonly trailers?: Readonly<Record<string, string>>;
};

function cut(data: Buffer, chunkBytes: number): readonly Buffer[] {
  const chunks: Buffer[] = [];
  for (let start = 0; start < data.length; start += chunkBytes) {
    chunks.push(data.subarray(start, start + chunkBytes));
  }
  return chunks;
}

const EMPTY_SHA256 = sha256Hex("");

/** The body of STREAMING-AWS4-HMAC-SHA256-PAYLOAD, or of its -TRAILER form when trailers are given. */
export function signedChunks(body: ChunkedBody, signed: SignedHeaders, credentials: Credentials): Buffer {
  const key = signingKey(credentials, signed.timestamp.slice(0, 8));
  let previous = signed.signature;
  const wire: Buffer[] = [];
  for (const chunk of [...cut(body.data, body.chunkBytes), Buffer.alloc(0)]) {
    const lines = ["AWS4-HMAC-SHA256-PAYLOAD", signed.timestamp, signed.scope, previous, EMPTY_SHA256];
    previous = hmac(key, [...lines, sha256Hex(chunk)].join("\n")).toString("hex");
    wire.push(Buffer.from(`${chunk.length.toString(16)};chunk-signature=${previous}\r\n`), chunk);
    if (chunk.length > 0 || body.trailers === undefined) wire.push(Buffer.from("\r\n"));
  }
  if (body.trailers !== undefined) {
    const entries = Object.entries(body.trailers);
    const text = entries.map(([name, value]) => `${name.toLowerCase()}:${value.trim()}\n`).join("");
    const lines = ["AWS4-HMAC-SHA256-TRAILER", signed.timestamp, signed.scope, previous, sha256Hex(text)];
    const signature = hmac(key, lines.join("\n")).toString("hex");
    for (const [name, value] of entries) wire.push(Buffer.from(`${name}:${value}\r\n`));
    wire.push(Buffer.from(`x-amz-trailer-signature:${signature}\r\n\r\n`));
  }
  return Buffer.concat(wire);
}

/** The body of STREAMING-UNSIGNED-PAYLOAD-TRAILER. */
export function unsignedChunks(body: ChunkedBody): Buffer {
  const wire: Buffer[] = [];
  for (const chunk of cut(body.data, body.chunkBytes)) {
    wire.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n"));
  }
  wire.push(Buffer.from("0\r\n"));
  for (const [name, value] of Object.entries(body.trailers ?? {}))
    wire.push(Buffer.from(`${name}:${value}\r\n`));
  wire.push(Buffer.from("\r\n"));
  return Buffer.concat(wire);
}
