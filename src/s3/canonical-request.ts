/**
 * The canonical request of SigV4 as S3 defines it: the path encoded once and never normalised, the query
 * sorted by encoded name, the signed headers trimmed.
 *
 * Clients differ in which characters they escape, so path and query are canonicalised by decoding and
 * encoding again; text that already is in canonical form (nearly all of it) is recognised by a scan and used
 * as it came.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */

import { hash } from "node:crypto";

import type { QueryParameters, RequestTarget } from "./request-target.ts";

/** Lower-case names; what Node's `req.headers` holds, or headersFromRaw() made. */
export type RequestHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The text of a header; repeated ones joined as S3 joins them. */
export function headerText(headers: RequestHeaders, name: string): string | undefined {
  const value = headers[name];
  if (typeof value === "string") return value;
  // Names come from clients too: `constructor` must not find what every object inherits.
  return Array.isArray(value) ? value.join(",") : undefined;
}

const SLASH = 0x2f;

/** 1 where a byte stands for itself in canonical text: A-Z a-z 0-9 - . _ ~ (RFC 3986 unreserved). */
const UNRESERVED = new Uint8Array(256);
for (const character of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") {
  UNRESERVED[character.charCodeAt(0)] = 1;
}

/** The value of an upper-case hex digit; lower case is not canonical and gives -1. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  return code >= 0x41 && code <= 0x46 ? code - 0x37 : -1;
}

/** Every escape is upper case and was necessary; in a path `%2F` was not, since a decoded slash stays one. */
function hasCanonicalEscapes(raw: string, isPath: boolean): boolean {
  for (let at = raw.indexOf("%"); at >= 0; at = raw.indexOf("%", at + 3)) {
    const high = hexDigit(raw.charCodeAt(at + 1));
    const low = hexDigit(raw.charCodeAt(at + 2));
    if (high < 0 || low < 0) return false;
    const byte = high * 16 + low;
    if (UNRESERVED[byte] === 1 || (isPath && byte === SLASH)) return false;
  }
  return true;
}

const NOT_ENCODED_BY_ECMASCRIPT = /[!'()*]/g;

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** RFC 3986: everything but the unreserved characters, upper-case hex. */
export function encodeRfc3986(text: string): string {
  return encodeURIComponent(text).replace(NOT_ENCODED_BY_ECMASCRIPT, percent);
}

const NOT_PATH = /[^A-Za-z0-9\-._~/%]/;

export function canonicalPath(target: RequestTarget): string {
  const raw = target.rawPath;
  if (!NOT_PATH.test(raw) && hasCanonicalEscapes(raw, true)) return raw;
  const decoded = target.isVirtualHost ? target.key : target.path;
  return `/${encodeRfc3986(decoded).replaceAll("%2F", "/")}`;
}

const NOT_QUERY = /[^A-Za-z0-9\-._~%=&]/;
const SIGNATURE_PREFIX = "X-Amz-Signature=";

/** The pieces `name=value`, or undefined when one of them is not written canonically. */
function canonicalPieces(raw: string): string[] | undefined {
  if (NOT_QUERY.test(raw) || !hasCanonicalEscapes(raw, false)) return undefined;
  const pieces = raw.split("&");
  for (const piece of pieces) {
    const equals = piece.indexOf("=");
    if (equals <= 0 || piece.indexOf("=", equals + 1) >= 0) return undefined;
  }
  return pieces;
}

function encodedPieces(query: QueryParameters): string[] {
  return query.names.map(
    (name, index) => `${encodeRfc3986(name)}=${encodeRfc3986(query.values[index] ?? "")}`,
  );
}

/** By name, then by value. `=` may not take part: `a-b=` comes after `a=`, though `-` sorts before `=`. */
function comparePieces(left: string, right: string): number {
  const leftName = left.slice(0, left.indexOf("="));
  const rightName = right.slice(0, right.indexOf("="));
  if (leftName !== rightName) return leftName < rightName ? -1 : 1;
  return left < right ? -1 : Number(left > right);
}

/** The signature of a presigned request is the one parameter that is not signed. */
export function canonicalQuery(target: RequestTarget): string {
  if (target.rawQuery === "") return "";
  const pieces = canonicalPieces(target.rawQuery) ?? encodedPieces(target.query);
  const signature = pieces.findIndex((piece) => piece.startsWith(SIGNATURE_PREFIX));
  if (signature >= 0) pieces.splice(signature, 1);
  for (let index = 1; index < pieces.length; index++) {
    if (comparePieces(pieces[index - 1] ?? "", pieces[index] ?? "") > 0) {
      pieces.sort(comparePieces);
      break;
    }
  }
  return pieces.join("&");
}

/** Nothing to trim, nothing to collapse, nothing beyond ASCII: nearly every header value. */
const PLAIN_VALUE = /^[!-~]*(?: [!-~]+)*$/;
const NOT_ASCII = /[^\n-~]/;

/** Spaces only: `\s` and trim() would also take 0xA0, which is half of a character in UTF-8 wire text. */
function trimValue(value: string): string {
  return value.replaceAll(/^ +| +$/g, "").replaceAll(/ {2,}/g, " ");
}

export type CanonicalRequestParts = {
  readonly method: string;
  readonly target: RequestTarget;
  readonly headers: RequestHeaders;
  readonly signedHeaders: string;
  readonly signedHeaderNames: readonly string[];
  readonly payloadHash: string;
};

export type CanonicalRequest = {
  readonly text: string;
  readonly isAscii: boolean;
};

export function canonicalRequest(parts: CanonicalRequestParts): CanonicalRequest {
  const path = canonicalPath(parts.target);
  const query = canonicalQuery(parts.target);
  let text = `${parts.method}\n${path}\n${query}\n`;
  let isAscii = true;
  for (const name of parts.signedHeaderNames) {
    let value = headerText(parts.headers, name) ?? "";
    if (!PLAIN_VALUE.test(value)) {
      value = trimValue(value);
      // The names come from the client too, but a name beyond ASCII finds no header.
      isAscii &&= !NOT_ASCII.test(value);
    }
    text += `${name}:${value}\n`;
  }
  return { text: `${text}\n${parts.signedHeaders}\n${parts.payloadHash}`, isAscii };
}

/**
 * SHA-256 in hex. Node gives each header byte as one character, so text beyond ASCII has to be hashed as
 * Latin-1 to become the bytes that the client signed.
 */
export function hashCanonicalRequest(canonical: CanonicalRequest): string {
  const { text, isAscii } = canonical;
  return hash("sha256", isAscii ? text : Buffer.from(text, "latin1"), "hex");
}
