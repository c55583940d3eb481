/**
 * The object, or the version of it, that a request names; and S3's refusals for what is not there, which tell
 * of delete markers.
 */
import { unreachable } from "../base/assert.ts";
import { formatHttpDate } from "../s3/dates.ts";
import { invalidArgument, s3Error } from "../s3/errors.ts";
import type { S3Error } from "../s3/errors.ts";
import type { FoundObject } from "../service/api.ts";
import type { FoundMarker } from "../service/version-api.ts";
import { parseVersionId, versionIdOf, versionNameText } from "../state/version-id.ts";
import type { VersionName } from "../state/version-id.ts";
import type { Exchange } from "./exchange.ts";
import { requireBucket } from "./require-bucket.ts";

/** What `versionId` of the query says; `undefined` without one. */
export function versionParameter(exchange: Exchange): VersionName | undefined {
  const text = exchange.target.query.get("versionId");
  if (text === undefined) return undefined;
  if (text === "") throw invalidArgument("Version id cannot be the empty string", "versionId", text);
  const version = parseVersionId(text);
  if (version === undefined) throw invalidArgument("Invalid version id specified", "versionId", text);
  return version;
}

/** Of the version that an answer is about; nothing where there never was versioning. */
export function pushVersion(headers: string[], versionId: string | undefined): void {
  if (versionId !== undefined) headers.push("x-amz-version-id", versionId);
}

/** The id that readers of this object are told. */
export function shownVersionId(exchange: Exchange, found: FoundObject): string | undefined {
  return requireBucket(exchange).versioning === undefined ? undefined : versionIdOf(found);
}

function markerHeaders({ versionId }: FoundMarker): Readonly<Record<string, string>> {
  return { "x-amz-delete-marker": "true", "x-amz-version-id": versionId };
}

/** Why there is no object. */
export function absentObject(exchange: Exchange): S3Error {
  const { bucket, key } = exchange.target;
  const fields = { Key: key };
  if (requireBucket(exchange).versioning === undefined) return s3Error("NoSuchKey", { fields });
  const marker = exchange.edge.service.versions.currentMarker({ bucket, key });
  if (marker === undefined) return s3Error("NoSuchKey", { fields });
  return s3Error("NoSuchKey", { fields, headers: markerHeaders(marker) });
}

/** A delete marker can be deleted and nothing else. */
function markerRefusal(exchange: Exchange, marker: FoundMarker): S3Error {
  return s3Error("MethodNotAllowed", {
    fields: { Method: exchange.method, ResourceType: "DeleteMarker" },
    headers: {
      Allow: "DELETE",
      "Last-Modified": formatHttpDate(marker.modifiedMs),
      ...markerHeaders(marker),
    },
  });
}

export async function requireVersion(exchange: Exchange, version: VersionName): Promise<FoundObject> {
  const { bucket, key } = exchange.target;
  const found = await exchange.edge.service.versions.find({ bucket, key, version });
  switch (found.kind) {
    case "object":
      return found.object;
    case "marker":
      throw markerRefusal(exchange, found.marker);
    case "noSuchVersion":
      throw s3Error("NoSuchVersion", { fields: { Key: key, VersionId: versionNameText(version) } });
    default:
      return unreachable(found);
  }
}

/** The version that the query names, else the current object. */
export async function requireObject(exchange: Exchange): Promise<FoundObject> {
  const version = versionParameter(exchange);
  if (version !== undefined) return await requireVersion(exchange, version);
  const found = await exchange.edge.service.objects.find(exchange.target.path);
  if (found === undefined) throw absentObject(exchange);
  return found;
}
