/**
 * The query parameters of the operations that list something, checked and with S3's defaults; and the
 * continuation token: the last name shown, behind a version byte, in base64url. To clients it is opaque; to
 * us it needs no state, survives restarts and means the same on every node.
 */

import { invalidArgument } from "./errors.ts";
import type { S3Error } from "./errors.ts";
import { PART_NUMBER_MAX } from "./names.ts";
import type { QueryParameters } from "./request-target.ts";

export const LIST_MAX = 1000;
export const BUCKETS_MAX = 10_000;
const INT32_MAX = 2_147_483_647;

const INTEGER = /^[+-]?\d{1,10}$/;

/** More than S3's maximum is not an error but gets the maximum. */
export function parseListLimit(text: string | undefined, name: string): number {
  if (text === undefined || text === "") return LIST_MAX;
  const number = INTEGER.test(text) ? Number(text) : Number.NaN;
  if (!(Math.abs(number) <= INT32_MAX)) {
    throw invalidArgument(`Provided ${name} not an integer or within integer range`, name, text);
  }
  if (number < 0) {
    throw invalidArgument(`Argument ${name} must be an integer between 0 and ${INT32_MAX}`, name, text);
  }
  return Math.min(number, LIST_MAX);
}

function parseUrlEncoding(query: QueryParameters): boolean {
  const text = query.get("encoding-type");
  if (text === undefined || text === "") return false;
  if (text.toLowerCase() === "url") return true;
  throw invalidArgument("Invalid Encoding Method specified in Request", "encoding-type", text);
}

const TOKEN_VERSION = 1;

export function encodeContinuationToken(after: string): string {
  return Buffer.concat([Buffer.of(TOKEN_VERSION), Buffer.from(after, "utf8")]).toString("base64url");
}

function badToken(token: string): S3Error {
  return invalidArgument("The continuation token provided is incorrect", "continuation-token", token);
}

export function decodeContinuationToken(token: string): string {
  const bytes = Buffer.from(token, "base64url");
  if (bytes.length < 2 || bytes[0] !== TOKEN_VERSION || bytes.toString("base64url") !== token) {
    throw badToken(token);
  }
  const after = bytes.toString("utf8", 1);
  if (!Buffer.from(after, "utf8").equals(bytes.subarray(1))) throw badToken(token);
  return after;
}

export type ListObjectsV1Parameters = {
  readonly prefix: string;
  readonly delimiter: string;
  readonly marker: string;
  readonly maxKeys: number;
  readonly isUrlEncoded: boolean;
};

export function parseListObjectsV1(query: QueryParameters): ListObjectsV1Parameters {
  return {
    prefix: query.get("prefix") ?? "",
    delimiter: query.get("delimiter") ?? "",
    marker: query.get("marker") ?? "",
    maxKeys: parseListLimit(query.get("max-keys"), "max-keys"),
    isUrlEncoded: parseUrlEncoding(query),
  };
}

export type ListObjectsV2Parameters = {
  readonly prefix: string;
  readonly delimiter: string;
  readonly startAfter: string | undefined;
  readonly continuationToken: string | undefined;
  /** What the token or start-after says: the listing begins behind it. */
  readonly after: string;
  readonly maxKeys: number;
  readonly isUrlEncoded: boolean;
  readonly isOwnerWanted: boolean;
};

export function parseListObjectsV2(query: QueryParameters): ListObjectsV2Parameters {
  const startAfter = query.get("start-after");
  const continuationToken = query.get("continuation-token");
  return {
    prefix: query.get("prefix") ?? "",
    delimiter: query.get("delimiter") ?? "",
    startAfter,
    continuationToken,
    after: continuationToken === undefined ? (startAfter ?? "") : decodeContinuationToken(continuationToken),
    maxKeys: parseListLimit(query.get("max-keys"), "max-keys"),
    isUrlEncoded: parseUrlEncoding(query),
    isOwnerWanted: query.get("fetch-owner")?.toLowerCase() === "true",
  };
}

export type ListBucketsParameters = {
  readonly prefix: string;
  readonly bucketRegion: string | undefined;
  readonly after: string;
  readonly maxBuckets: number;
  /** Without max-buckets the answer is not paged, as it was before S3 could page it. */
  readonly isPaged: boolean;
};

export function parseListBuckets(query: QueryParameters): ListBucketsParameters {
  const text = query.get("max-buckets");
  const maxBuckets = text === undefined ? BUCKETS_MAX : INTEGER.test(text) ? Number(text) : 0;
  if (maxBuckets < 1 || maxBuckets > BUCKETS_MAX) {
    const message = `Argument max-buckets must be an integer between 1 and ${BUCKETS_MAX}.`;
    throw invalidArgument(message, "max-buckets", text);
  }
  const token = query.get("continuation-token");
  return {
    prefix: query.get("prefix") ?? "",
    bucketRegion: query.get("bucket-region"),
    after: token === undefined ? "" : decodeContinuationToken(token),
    maxBuckets,
    isPaged: text !== undefined,
  };
}

export type ListPartsParameters = {
  readonly uploadId: string;
  readonly partNumberMarker: number;
  readonly maxParts: number;
  readonly isUrlEncoded: boolean;
};

export function parseListParts(query: QueryParameters): ListPartsParameters {
  const marker = query.get("part-number-marker");
  const number =
    marker === undefined || marker === "" ? 0 : INTEGER.test(marker) ? Number(marker) : Number.NaN;
  if (!(number >= 0 && number <= INT32_MAX)) {
    const message = "Provided part-number-marker not an integer or within integer range";
    throw invalidArgument(message, "part-number-marker", marker);
  }
  return {
    uploadId: query.get("uploadId") ?? "",
    partNumberMarker: Math.min(number, PART_NUMBER_MAX),
    maxParts: parseListLimit(query.get("max-parts"), "max-parts"),
    isUrlEncoded: parseUrlEncoding(query),
  };
}

export type ListMultipartUploadsParameters = {
  readonly prefix: string;
  readonly delimiter: string;
  readonly keyMarker: string;
  readonly uploadIdMarker: string;
  readonly maxUploads: number;
  readonly isUrlEncoded: boolean;
};

/** Without a key marker the upload id marker means nothing. */
export function parseListMultipartUploads(query: QueryParameters): ListMultipartUploadsParameters {
  const keyMarker = query.get("key-marker") ?? "";
  return {
    prefix: query.get("prefix") ?? "",
    delimiter: query.get("delimiter") ?? "",
    keyMarker,
    uploadIdMarker: keyMarker === "" ? "" : (query.get("upload-id-marker") ?? ""),
    maxUploads: parseListLimit(query.get("max-uploads"), "max-uploads"),
    isUrlEncoded: parseUrlEncoding(query),
  };
}

export type ListObjectVersionsParameters = {
  readonly prefix: string;
  readonly delimiter: string;
  readonly keyMarker: string;
  readonly versionIdMarker: string;
  readonly maxKeys: number;
  readonly isUrlEncoded: boolean;
};

export function parseListObjectVersions(query: QueryParameters): ListObjectVersionsParameters {
  const keyMarker = query.get("key-marker") ?? "";
  const versionIdMarker = query.get("version-id-marker") ?? "";
  if (versionIdMarker !== "" && keyMarker === "") {
    const message = "A version-id marker cannot be specified without a key marker.";
    throw invalidArgument(message, "version-id-marker", versionIdMarker);
  }
  return {
    prefix: query.get("prefix") ?? "",
    delimiter: query.get("delimiter") ?? "",
    keyMarker,
    versionIdMarker,
    maxKeys: parseListLimit(query.get("max-keys"), "max-keys"),
    isUrlEncoded: parseUrlEncoding(query),
  };
}
