/**
 * The response headers of GET and HEAD, as a flat list of names and values (the form Node writes without
 * further work), from a description of the object and what the request overrides.
 *
 * Values beyond ASCII go out as RFC 2047 encoded words, as S3 sends them, since HTTP headers have no other
 * safe form. Nothing that came from a client can end a header line: control characters are refused on the way
 * in by the HTTP parser, and in overrides here.
 */

import { checksumHeaderName } from "./checksum-headers.ts";
import type { ChecksumAlgorithm, ChecksumType } from "./checksums.ts";
import { formatHttpDate } from "./dates.ts";
import { invalidArgument, s3Error } from "./errors.ts";
import type { SystemMetadata } from "./headers.ts";
import type { QueryParameters } from "./request-target.ts";

export type StoredChecksum = {
  readonly algorithm: ChecksumAlgorithm;
  /** Base64, with `-N` when composite. */
  readonly value: string;
  readonly type: ChecksumType;
};

export type ObjectDescription = {
  /** Without quotes. */
  readonly etag: string;
  readonly size: number;
  readonly lastModifiedMs: number;
  readonly system: SystemMetadata;
  readonly user: Readonly<Record<string, string>>;
  readonly checksum?: StoredChecksum | undefined;
  /** For `x-amz-mp-parts-count`; given when the request named a part number. */
  readonly partsCount?: number | undefined;
  readonly tagCount?: number;
};

/** Half-open, within the object. */
export type ByteSlice = { readonly start: number; readonly end: number };

export type ResponseOverrides = {
  readonly contentType?: string;
  readonly contentLanguage?: string;
  readonly expires?: string;
  readonly cacheControl?: string;
  readonly contentDisposition?: string;
  readonly contentEncoding?: string;
};

const OVERRIDES = {
  "response-content-type": "contentType",
  "response-content-language": "contentLanguage",
  "response-expires": "expires",
  "response-cache-control": "cacheControl",
  "response-content-disposition": "contentDisposition",
  "response-content-encoding": "contentEncoding",
} as const satisfies Readonly<Record<string, keyof ResponseOverrides>>;

function isOverride(name: string): name is keyof typeof OVERRIDES {
  return Object.hasOwn(OVERRIDES, name);
}

const CONTROL = /[^\t -~\u0080-\uFFFF]/;

/**
 * `response-*` parameters; only a signed request may use them, or a link could be turned into something else.
 */
export function parseResponseOverrides(
  query: QueryParameters,
  options: { readonly isSigned: boolean },
): ResponseOverrides | undefined {
  let overrides: { -readonly [Name in keyof ResponseOverrides]: ResponseOverrides[Name] } | undefined;
  query.names.forEach((name, index) => {
    if (!name.startsWith("response-") || !isOverride(name)) return;
    if (!options.isSigned) {
      throw s3Error("InvalidRequest", {
        message: "Request specific response headers cannot be used for anonymous GET requests.",
      });
    }
    const value = query.values[index] ?? "";
    if (CONTROL.test(value)) throw invalidArgument("Header value cannot be represented", name, value);
    overrides ??= {};
    overrides[OVERRIDES[name]] = value;
  });
  return overrides;
}

const NOT_ASCII = /[^\t -~]/;

/** RFC 2047: words of at most 75 characters, cut between characters. */
export function encodeHeaderText(text: string): string {
  if (!NOT_ASCII.test(text)) return text;
  const words: string[] = [];
  let word = "";
  for (const character of text) {
    if (Buffer.byteLength(word + character, "utf8") > 45) {
      words.push(word);
      word = "";
    }
    word += character;
  }
  words.push(word);
  return words.map((part) => `=?UTF-8?B?${Buffer.from(part, "utf8").toString("base64")}?=`).join(" ");
}

export type ObjectHeaderOptions = {
  readonly object: ObjectDescription;
  readonly slice?: ByteSlice | undefined;
  readonly overrides?: ResponseOverrides | undefined;
  /** `x-amz-checksum-mode: ENABLED` */
  readonly showChecksum?: boolean;
};

function pushText(list: string[], name: string, value: string | undefined): void {
  if (value !== undefined) list.push(name, encodeHeaderText(value));
}

function pushMetadata(list: string[], object: ObjectDescription): void {
  const { system, user } = object;
  pushText(list, "x-amz-website-redirect-location", system.websiteRedirectLocation);
  if (system.storageClass !== "STANDARD") list.push("x-amz-storage-class", system.storageClass);
  for (const name in user) pushText(list, `x-amz-meta-${encodeHeaderText(name)}`, user[name]);
}

/** For 200 and 206 alike; the caller chooses the status. Names are as AWS writes them. */
export function objectHeaders(options: ObjectHeaderOptions): string[] {
  const { object, slice, overrides } = options;
  const { system } = object;
  const length = slice === undefined ? object.size : slice.end - slice.start;
  const list = [
    "ETag",
    `"${object.etag}"`,
    "Last-Modified",
    formatHttpDate(object.lastModifiedMs),
    "Accept-Ranges",
    "bytes",
    "Content-Type",
    encodeHeaderText(overrides?.contentType ?? system.contentType),
    "Content-Length",
    String(length),
  ];
  if (slice !== undefined) list.push("Content-Range", `bytes ${slice.start}-${slice.end - 1}/${object.size}`);
  pushText(list, "Cache-Control", overrides?.cacheControl ?? system.cacheControl);
  pushText(list, "Content-Disposition", overrides?.contentDisposition ?? system.contentDisposition);
  pushText(list, "Content-Encoding", overrides?.contentEncoding ?? system.contentEncoding);
  pushText(list, "Content-Language", overrides?.contentLanguage ?? system.contentLanguage);
  pushText(list, "Expires", overrides?.expires ?? system.expires);
  pushMetadata(list, object);
  if (object.tagCount !== undefined && object.tagCount > 0) {
    list.push("x-amz-tagging-count", String(object.tagCount));
  }
  if (object.partsCount !== undefined) list.push("x-amz-mp-parts-count", String(object.partsCount));
  // The checksum is that of the whole object: beside a part of it, it would be taken for the part's.
  if (options.showChecksum === true && slice === undefined && object.checksum !== undefined) {
    list.push(checksumHeaderName(object.checksum.algorithm), object.checksum.value);
    list.push("x-amz-checksum-type", object.checksum.type);
  }
  return list;
}

/** A 304 repeats what a cache needs to refresh its copy (RFC 9110 15.4.5). */
export function notModifiedHeaders(object: ObjectDescription): string[] {
  const list = ["ETag", `"${object.etag}"`, "Last-Modified", formatHttpDate(object.lastModifiedMs)];
  pushText(list, "Cache-Control", object.system.cacheControl);
  pushText(list, "Expires", object.system.expires);
  return list;
}
