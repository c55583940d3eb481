/**
 * The object that a copy is of, as a request names it, and what has to hold of it before anything is copied.
 */
import { invalidArgument, s3Error } from "../s3/errors.ts";
import { parseCopySource, sourceRefusal } from "../s3/copy-source.ts";
import type { FoundObject } from "../service/api.ts";
import type { ObjectPath } from "../service/copy-api.ts";
import { ownBucket } from "./authorize.ts";
import type { Exchange } from "./exchange.ts";

/** Without versioning, the one version that exists is called null. */
function refuseVersion(versionId: string | undefined): void {
  if (versionId === undefined || versionId === "null") return;
  const message = versionId === "" ? "Version id cannot be the empty string" : "Invalid version id specified";
  throw invalidArgument(message, "x-amz-copy-source", versionId);
}

export function copySourceOf(exchange: Exchange): ObjectPath {
  const { bucket, key, versionId } = parseCopySource(exchange.headers);
  ownBucket(exchange, bucket, "x-amz-source-expected-bucket-owner");
  refuseVersion(versionId);
  return { bucket, key };
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

export function noSuchSource(key: string): Error {
  return s3Error("NoSuchKey", { fields: { Key: key } });
}
