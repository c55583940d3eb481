/**
 * If-Match, If-None-Match, If-Modified-Since and If-Unmodified-Since of GET and HEAD, with S3's rules for
 * their combination (an ETag condition decides, and the date beside it is not looked at), and the reading of
 * the two that a write may carry.
 *
 * Dates have whole seconds on the wire, so objects are compared by their second. A date that is malformed or
 * lies in the future is ignored. ETags may come with quotes, without, weak, in lists and as `*`.
 */

import { headerText } from "./canonical-request.ts";
import type { RequestHeaders } from "./canonical-request.ts";
import { parseHttpDate, parseIsoDate } from "./dates.ts";
import { headerNotImplemented, s3Error } from "./errors.ts";
import type { S3Error } from "./errors.ts";

export type ReadPrecondition =
  | { readonly kind: "proceed" }
  | { readonly kind: "notModified" }
  | { readonly kind: "failed"; readonly error: S3Error };

/** What a condition is compared with. */
export type ObjectState = {
  /** Without quotes. */
  readonly etag: string;
  readonly lastModifiedMs: number;
};

const PROCEED: ReadPrecondition = { kind: "proceed" };
const NOT_MODIFIED: ReadPrecondition = { kind: "notModified" };

function failed(condition: string): ReadPrecondition {
  return { kind: "failed", error: s3Error("PreconditionFailed", { fields: { Condition: condition } }) };
}

type EntityTag = { readonly tag: string; readonly isWeak: boolean };

function parseEntityTag(text: string): EntityTag {
  const isWeak = text.startsWith("W/");
  const quoted = isWeak ? text.slice(2) : text;
  const isQuoted = quoted.length >= 2 && quoted.startsWith('"') && quoted.endsWith('"');
  return { tag: isQuoted ? quoted.slice(1, -1) : quoted, isWeak };
}

/** S3's ETags have no commas, so a list may be split at them. */
function matches(header: string, etag: string, options: { readonly isWeakAllowed: boolean }): boolean {
  for (const part of header.split(",")) {
    const text = part.trim();
    if (text === "*") return true;
    const { tag, isWeak } = parseEntityTag(text);
    if (tag === etag && (options.isWeakAllowed || !isWeak)) return true;
  }
  return false;
}

function conditionDate(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseHttpDate(text) ?? parseIsoDate(text);
  return ms === undefined || ms > nowMs ? undefined : ms;
}

export type ReadPreconditionOptions = {
  readonly headers: RequestHeaders;
  readonly object: ObjectState;
  readonly nowMs: number;
};

function checkRequired(options: ReadPreconditionOptions, secondMs: number): ReadPrecondition | undefined {
  const { headers, object, nowMs } = options;
  const ifMatch = headerText(headers, "if-match");
  if (ifMatch !== undefined) {
    return matches(ifMatch, object.etag, { isWeakAllowed: false }) ? undefined : failed("If-Match");
  }
  const unmodifiedSince = conditionDate(headerText(headers, "if-unmodified-since"), nowMs);
  if (unmodifiedSince !== undefined && secondMs > unmodifiedSince) return failed("If-Unmodified-Since");
  return undefined;
}

export function checkReadPreconditions(options: ReadPreconditionOptions): ReadPrecondition {
  const { headers, object, nowMs } = options;
  const secondMs = object.lastModifiedMs - (object.lastModifiedMs % 1000);
  const required = checkRequired(options, secondMs);
  if (required !== undefined) return required;
  const ifNoneMatch = headerText(headers, "if-none-match");
  if (ifNoneMatch !== undefined) {
    return matches(ifNoneMatch, object.etag, { isWeakAllowed: true }) ? NOT_MODIFIED : PROCEED;
  }
  const modifiedSince = conditionDate(headerText(headers, "if-modified-since"), nowMs);
  return modifiedSince !== undefined && secondMs <= modifiedSince ? NOT_MODIFIED : PROCEED;
}

/** What a conditional write asks for; deciding it belongs into apply, where it is atomic. */
export type WritePrecondition =
  | { readonly kind: "none" }
  | { readonly kind: "ifAbsent" }
  /** `*` asks for any object to be there. */
  | { readonly kind: "ifMatch"; readonly etag: string };

export function parseWritePrecondition(headers: RequestHeaders): WritePrecondition {
  const ifMatch = headerText(headers, "if-match");
  const ifNoneMatch = headerText(headers, "if-none-match");
  if (ifMatch !== undefined && ifNoneMatch !== undefined) {
    throw notImplemented(
      "If-Match,If-None-Match",
      "Multiple conditional request headers present in the request",
    );
  }
  if (ifMatch !== undefined) return { kind: "ifMatch", etag: parseEntityTag(ifMatch.trim()).tag };
  if (ifNoneMatch === undefined) return { kind: "none" };
  if (ifNoneMatch.trim() === "*") return { kind: "ifAbsent" };
  throw notImplemented(
    "If-None-Match",
    "We don't accept the provided value of If-None-Match header for this API",
  );
}

/** What only directory buckets compare. Ignoring one would delete what its sender wanted to keep. */
const DIRECTORY_BUCKET_CONDITIONS = [
  "x-amz-if-match-size",
  "x-amz-if-match-last-modified-time",
  "x-amz-if-match-initiated-time",
] as const;

/** A deletion knows If-Match alone, and that of the current object: of a named version AWS refuses it. */
export function parseDeletePrecondition(
  headers: RequestHeaders,
  options: { readonly isOfVersion: boolean },
): WritePrecondition {
  refuseDirectoryBucketConditions(headers);
  if (headers["if-none-match"] !== undefined) throw headerNotImplemented("If-None-Match");
  const ifMatch = headerText(headers, "if-match");
  if (ifMatch === undefined) return { kind: "none" };
  if (options.isOfVersion) throw headerNotImplemented("If-Match");
  return parseWritePrecondition(headers);
}

export function refuseDirectoryBucketConditions(headers: RequestHeaders): void {
  for (const name of DIRECTORY_BUCKET_CONDITIONS) {
    if (headers[name] !== undefined) throw headerNotImplemented(name);
  }
}

function notImplemented(header: string, additionalMessage: string): S3Error {
  return s3Error("NotImplemented", { fields: { Header: header, additionalMessage } });
}
