/**
 * The headers that name another object: x-amz-copy-source with its range and conditions, x-amz-rename-source
 * with its own, and the directives that say what a copy takes over. Sources are percent-encoded; as in a
 * query, and as AWS reads it, a plus sign stands for a space.
 */
import { headerText } from "./canonical-request.ts";
import type { RequestHeaders } from "./canonical-request.ts";
import { headerNotImplemented, invalidArgument, s3Error } from "./errors.ts";
import type { S3Error } from "./errors.ts";
import { checkKey } from "./names.ts";
import { checkReadPreconditions } from "./preconditions.ts";
import type { ObjectState } from "./preconditions.ts";
import { decodeQuery } from "./request-target.ts";

export const COPY_SOURCE_BYTES_MAX = 5 * 1024 ** 3;

export type CopySource = {
  readonly bucket: string;
  readonly key: string;
  /** As sent, decoded. */
  readonly versionId: string | undefined;
};

const HEADER = "x-amz-copy-source";
const CUSTOMER_KEY = "x-amz-copy-source-server-side-encryption-customer-algorithm";

function decodeSource(header: string, text: string): string {
  try {
    return decodeQuery(text);
  } catch {
    throw invalidArgument("Invalid copy source encoding.", header, text);
  }
}

/** `/bucket/key` or `bucket/key`, percent-encoded, and perhaps `?versionId=...` behind it. */
export function parseCopySource(headers: RequestHeaders): CopySource {
  if (headers[CUSTOMER_KEY] !== undefined) throw headerNotImplemented(CUSTOMER_KEY);
  const text = headerText(headers, HEADER) ?? "";
  const mark = text.lastIndexOf("?versionId=");
  const path = decodeSource(HEADER, mark < 0 ? text : text.slice(0, mark));
  const versionId = mark < 0 ? undefined : decodeSource(HEADER, text.slice(mark + "?versionId=".length));
  const start = path.startsWith("/") ? 1 : 0;
  const slash = path.indexOf("/", start);
  if (slash <= start || slash === path.length - 1) {
    const message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey";
    throw invalidArgument(message, HEADER, text);
  }
  const source = { bucket: path.slice(start, slash), key: path.slice(slash + 1), versionId };
  checkKey(source.key);
  return source;
}

/** A key of the bucket; behind a leading slash the bucket's name may stand in front of it. */
export function parseRenameSource(headers: RequestHeaders, bucket: string): string {
  const header = "x-amz-rename-source";
  const text = headerText(headers, header) ?? "";
  if (text === "") throw s3Error("InvalidRequest", { message: `Missing required header: ${header}` });
  const path = decodeSource(header, text);
  const prefix = `/${bucket}/`;
  const key = path.startsWith(prefix) ? path.slice(prefix.length) : path.replace(/^\//, "");
  checkKey(key);
  return key;
}

const CONDITIONS = ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"] as const;

/**
 * What the conditions of a source say to it. An ETag decides, whatever the date beside it says; and where a
 * GET would answer 304, a copy fails.
 */
export function sourceRefusal(options: {
  readonly headers: RequestHeaders;
  readonly prefix: "x-amz-copy-source-" | "x-amz-rename-source-";
  readonly object: ObjectState;
  readonly nowMs: number;
}): S3Error | undefined {
  const { headers, prefix, object, nowMs } = options;
  const named = CONDITIONS.filter((name) => headers[prefix + name] !== undefined);
  if (named.length === 0) return undefined;
  const conditions = Object.fromEntries(named.map((name) => [name, headers[prefix + name]]));
  const verdict = checkReadPreconditions({ headers: conditions, object, nowMs });
  if (verdict.kind === "proceed") return undefined;
  if (verdict.kind === "failed") return verdict.error;
  const failed = conditions["if-none-match"] === undefined ? "If-Modified-Since" : "If-None-Match";
  return s3Error("PreconditionFailed", { fields: { Condition: prefix + failed.toLowerCase() } });
}

function parseDirective(headers: RequestHeaders, subject: "metadata" | "tagging"): "COPY" | "REPLACE" {
  const name = `x-amz-${subject}-directive`;
  const text = headerText(headers, name) ?? "COPY";
  if (text === "COPY" || text === "REPLACE") return text;
  throw invalidArgument(`Unknown ${subject} directive.`, name, text);
}

export type Directives = { readonly replacesMetadata: boolean; readonly replacesTags: boolean };

export function parseDirectives(headers: RequestHeaders): Directives {
  return {
    replacesMetadata: parseDirective(headers, "metadata") === "REPLACE",
    replacesTags: parseDirective(headers, "tagging") === "REPLACE",
  };
}

/** Copying an object to itself is a way to change what goes with it; without a change it is a mistake. */
export function refuseIdleCopy(
  headers: RequestHeaders,
  copy: { readonly isOntoItself: boolean; readonly directives: Directives },
): void {
  if (!copy.isOntoItself || copy.directives.replacesMetadata) return;
  const changes = ["x-amz-storage-class", "x-amz-website-redirect-location", "x-amz-checksum-algorithm"];
  if (changes.some((name) => headers[name] !== undefined)) return;
  throw s3Error("InvalidRequest", {
    message:
      "This copy request is illegal because it is trying to copy an object to itself without changing the " +
      "object's metadata, storage class, website redirect location or encryption attributes.",
  });
}

function sourceTooLarge(): S3Error {
  return s3Error("InvalidRequest", {
    message:
      "The specified copy source is larger than the maximum allowable size for a copy source: " +
      String(COPY_SOURCE_BYTES_MAX),
  });
}

export function checkSourceSize(bytes: number): void {
  if (bytes > COPY_SOURCE_BYTES_MAX) throw sourceTooLarge();
}

const RANGE = /^bytes=(\d{1,15})-(\d{1,15})$/;

/** Half-open. Both ends have to be given, and to lie in the source. */
export function parseCopyRange(
  headers: RequestHeaders,
  size: number,
): { readonly start: number; readonly end: number } {
  const name = "x-amz-copy-source-range";
  const text = headerText(headers, name);
  if (text === undefined) {
    checkSourceSize(size);
    return { start: 0, end: size };
  }
  const match = RANGE.exec(text);
  const [first, last] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || last < first) {
    const message =
      "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the " +
      "zero-based offsets of the first and last bytes to copy";
    throw invalidArgument(message, name, text);
  }
  if (last >= size) {
    throw invalidArgument(`Range specified is not valid for source object of size: ${size}`, name, text);
  }
  checkSourceSize(last + 1 - first);
  return { start: first, end: last + 1 };
}
