/**
 * The object that a copy is of, as a request names it, and what has to hold of it before anything is copied.
 */
import { invalidArgument, s3Error } from "../s3/errors.ts";
import { parseCopySource, sourceRefusal } from "../s3/copy-source.ts";
import type { BucketInfo, FoundObject } from "../service/api.ts";
import type { SourcePath } from "../service/copy-api.ts";
import { parseVersionId, versionIdOf, versionNameText } from "../state/version-id.ts";
import type { VersionName } from "../state/version-id.ts";
import { ownBucket } from "./authorize.ts";
import type { Exchange } from "./exchange.ts";

function versionOf(text: string | undefined): VersionName | undefined {
  if (text === undefined) return undefined;
  if (text === "") throw invalidArgument("Version id cannot be the empty string", "x-amz-copy-source", text);
  const version = parseVersionId(text);
  if (version === undefined) throw invalidArgument("Invalid version id specified", "x-amz-copy-source", text);
  return version;
}

export type NamedSource = SourcePath & { readonly ofBucket: BucketInfo };

export function copySourceOf(exchange: Exchange): NamedSource {
  const { bucket, key, versionId } = parseCopySource(exchange.headers);
  const ofBucket = ownBucket(exchange, bucket, "x-amz-source-expected-bucket-owner");
  return { bucket, key, version: versionOf(versionId), ofBucket };
}

/** Which version of the source it was. */
export function pushSourceVersion(headers: string[], source: NamedSource, found: FoundObject): void {
  if (source.ofBucket.versioning === undefined) return;
  headers.push("x-amz-copy-source-version-id", versionIdOf(found));
}

/** Throws what the conditions say against it. */
export function checkSource(
  exchange: Exchange,
  found: FoundObject,
  prefix: "x-amz-copy-source-" | "x-amz-rename-source-",
): void {
  const object = { etag: found.etag, lastModifiedMs: found.modifiedMs };
  const nowMs = exchange.edge.options.clock.nowMs();
  const refusal = sourceRefusal({ headers: exchange.headers, prefix, object, nowMs });
  if (refusal !== undefined) throw refusal;
}

export function noSuchSource(source: SourcePath): Error {
  const { key, version } = source;
  if (version === undefined) return s3Error("NoSuchKey", { fields: { Key: key } });
  return s3Error("NoSuchVersion", { fields: { Key: key, VersionId: versionNameText(version) } });
}

export function sourceIsMarker(): Error {
  return s3Error("InvalidRequest", {
    message: "The source of a copy request may not specifically refer to a delete marker by version id.",
  });
}
