/**
 * Request headers as S3 reads them: which are kept with an object, which are metadata of its user, and which
 * promise something that is not there and are refused. What goes back out is response-headers.ts.
 *
 * Header bytes arrive as one character each; values that are valid UTF-8 are decoded, anything else stays
 * what it was. A header that asks for encryption, locks or grants is an error and never silently
 * ignored: an object its owner believes encrypted must not lie there in the clear.
 */

import { checkAclHeader } from "./acl.ts";
import { headerText } from "./canonical-request.ts";
import type { RequestHeaders } from "./canonical-request.ts";
import { headerNotImplemented, s3Error } from "./errors.ts";
import { checkMetadataSize } from "./names.ts";
import type { QueryParameters } from "./request-target.ts";

/** Absent fields were not sent. */
export type SystemMetadata = {
  readonly contentType: string;
  readonly contentEncoding?: string;
  readonly cacheControl?: string;
  readonly contentDisposition?: string;
  readonly contentLanguage?: string;
  readonly expires?: string;
  readonly websiteRedirectLocation?: string;
  readonly storageClass: StorageClass;
};

export type ObjectMetadata = {
  readonly system: SystemMetadata;
  /** Lower-case names without `x-amz-meta-`. */
  readonly user: Readonly<Record<string, string>>;
};

const STORAGE_CLASSES = [
  "STANDARD",
  "REDUCED_REDUNDANCY",
  "STANDARD_IA",
  "ONEZONE_IA",
  "INTELLIGENT_TIERING",
  "GLACIER_IR",
] as const;
export type StorageClass = (typeof STORAGE_CLASSES)[number];

/** Real classes that promise an archive or another service. */
const OTHER_STORAGE_CLASSES: ReadonlySet<string> = new Set([
  "GLACIER",
  "DEEP_ARCHIVE",
  "OUTPOSTS",
  "SNOW",
  "EXPRESS_ONEZONE",
  "FSX_OPENZFS",
  "FSX_ONTAP",
]);

export const DEFAULT_CONTENT_TYPE = "binary/octet-stream";

/**
 * Lower-case names, repeated headers joined with a comma as S3 does. Made from Node's rawHeaders, because
 * `req.headers` drops repetitions of some and joins others differently.
 */
export function headersFromRaw(rawHeaders: readonly string[]): RequestHeaders {
  const headers: Record<string, string> = {};
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? "").toLowerCase();
    const value = rawHeaders[index + 1] ?? "";
    // hasOwn, because a header may be called `constructor`.
    const isRepeated = Object.hasOwn(headers, name);
    // RFC 9112: whoever routes by one of them must not meet somebody who goes by the other.
    if (isRepeated && name === "host") throw s3Error("BadRequest", { message: "There are two Host headers" });
    headers[name] = isRepeated ? `${headers[name] ?? ""},${value}` : value;
  }
  return headers;
}

const NOT_FROM_QUERY =
  /^x-amz-(?:algorithm|content-sha256|credential|date|expires|security-token|signature|signedheaders)$/;

/**
 * Presigning clients put x-amz-* headers into the query, where they are signed and count as headers. Only for
 * requests whose query was verified.
 */
export function withQueryHeaders(headers: RequestHeaders, query: QueryParameters): RequestHeaders {
  let merged: Record<string, string | readonly string[] | undefined> | undefined;
  query.names.forEach((name, index) => {
    const lower = name.toLowerCase();
    if (!lower.startsWith("x-amz-") || NOT_FROM_QUERY.test(lower) || headers[lower] !== undefined) return;
    merged ??= { ...headers };
    merged[lower] = Buffer.from(query.values[index] ?? "", "utf8").toString("latin1");
  });
  return merged ?? headers;
}

const NOT_ASCII = /[^\0-\x7f]/;

/** Wire characters (one per byte) to text. */
export function decodeHeaderText(wire: string): string {
  if (!NOT_ASCII.test(wire)) return wire;
  const bytes = Buffer.from(wire, "latin1");
  const text = bytes.toString("utf8");
  // Decoding replaces what is not UTF-8; only valid text encodes back to the same bytes.
  return Buffer.from(text, "utf8").equals(bytes) ? text : wire;
}

const NOT_BUILT_PREFIXES = ["x-amz-server-side-encryption", "x-amz-object-lock-"] as const;

/** To be called for every request that creates or changes something. */
export function refuseUnbuiltHeaders(headers: RequestHeaders): void {
  for (const name in headers) {
    if (!name.startsWith("x-amz-")) continue;
    const value = headerText(headers, name) ?? "";
    if (name === "x-amz-acl" || name.startsWith("x-amz-grant-")) checkAclHeader(name, value);
    else if (name === "x-amz-bucket-object-lock-enabled" && value.toLowerCase() === "true") {
      throw headerNotImplemented(name, value);
    } else if (name === "x-amz-object-ownership" && value !== "BucketOwnerEnforced") {
      throw headerNotImplemented(name, value);
    } else if (NOT_BUILT_PREFIXES.some((prefix) => name.startsWith(prefix))) throw headerNotImplemented(name);
  }
}

/** A GET or HEAD with a customer's key asks for an object that was encrypted with it: there is none. */
export function refuseCustomerKey(headers: RequestHeaders): void {
  const name = "x-amz-server-side-encryption-customer-algorithm";
  if (headers[name] !== undefined) throw headerNotImplemented(name);
}

export function parseStorageClass(text: string | undefined): StorageClass {
  if (text === undefined) return "STANDARD";
  const known = STORAGE_CLASSES.find((name) => name === text);
  if (known !== undefined) return known;
  if (OTHER_STORAGE_CLASSES.has(text)) throw headerNotImplemented("x-amz-storage-class", text);
  throw s3Error("InvalidStorageClass", { fields: { StorageClassRequested: text } });
}

/** aws-chunked is how the body travelled, not what it is. */
export function storedContentEncoding(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const kept = text
    .split(",")
    .map((coding) => coding.trim())
    .filter((coding) => coding !== "" && coding.toLowerCase() !== "aws-chunked");
  return kept.length === 0 ? undefined : kept.join(",");
}

function checkRedirect(location: string | undefined): void {
  if (location === undefined || /^(?:\/|https?:\/\/)/.test(location)) return;
  throw s3Error("InvalidRedirectLocation");
}

const META_PREFIX = "x-amz-meta-";

function userMetadata(headers: RequestHeaders): Readonly<Record<string, string>> {
  // No prototype, so that metadata may be called `__proto__`.
  const user: Record<string, string> = Object.create(null);
  let hasAny = false;
  for (const name in headers) {
    if (!name.startsWith(META_PREFIX)) continue;
    user[decodeHeaderText(name.slice(META_PREFIX.length))] = decodeHeaderText(
      headerText(headers, name) ?? "",
    );
    hasAny = true;
  }
  if (hasAny) checkMetadataSize(user);
  return user;
}

/** What PutObject and CreateMultipartUpload keep with the object. Refuses what cannot be kept. */
export function parseObjectMetadata(headers: RequestHeaders): ObjectMetadata {
  refuseUnbuiltHeaders(headers);
  const text = (name: string): string | undefined => {
    const value = headerText(headers, name);
    return value === undefined ? undefined : decodeHeaderText(value);
  };
  const contentType = text("content-type");
  const contentEncoding = storedContentEncoding(text("content-encoding"));
  const cacheControl = text("cache-control");
  const contentDisposition = text("content-disposition");
  const contentLanguage = text("content-language");
  const expires = text("expires");
  const websiteRedirectLocation = text("x-amz-website-redirect-location");
  checkRedirect(websiteRedirectLocation);
  const system: SystemMetadata = {
    contentType: contentType === undefined || contentType === "" ? DEFAULT_CONTENT_TYPE : contentType,
    storageClass: parseStorageClass(headerText(headers, "x-amz-storage-class")),
    ...(contentEncoding === undefined ? {} : { contentEncoding }),
    ...(cacheControl === undefined ? {} : { cacheControl }),
    ...(contentDisposition === undefined ? {} : { contentDisposition }),
    ...(contentLanguage === undefined ? {} : { contentLanguage }),
    ...(expires === undefined ? {} : { expires }),
    ...(websiteRedirectLocation === undefined ? {} : { websiteRedirectLocation }),
  };
  return { system, user: userMetadata(headers) };
}
