/**
 * ListObjectVersions: all versions and delete markers, in order of the keys and of a key the newest first;
 * the same fold as for objects, over pairs of key and place among the versions.
 */
import { parseListObjectVersions } from "../../s3/list-parameters.ts";
import { ListingFold } from "../../s3/listing.ts";
import type { ListingParameters, ListingSeek } from "../../s3/listing.ts";
import { listObjectVersionsXml } from "../../s3/versioning-xml.ts";
import type { ListedVersion as ShownVersion } from "../../s3/versioning-xml.ts";
import { invalidArgument } from "../../s3/errors.ts";
import type { ListedVersion, VersionPlace } from "../../service/version-api.ts";
import { birthOfInverted, birthText, parseVersionId } from "../../state/version-id.ts";
import { answerXml } from "../answer.ts";
import type { Exchange } from "../exchange.ts";
import { ownerOf } from "../owner-of.ts";
import { readListing } from "../read-listing.ts";
import { noSuchBucket, requireBucket } from "../require-bucket.ts";

/** No key holds a NUL, with which the rows of a key's older versions go on: the next key is behind U+0001. */
function placeOf(seek: ListingSeek): VersionPlace {
  return { key: seek.inclusive ? seek.key : `${seek.key}\u0001`, afterId: seek.afterId };
}

async function readPage(
  exchange: Exchange,
  parameters: ListingParameters,
): Promise<ListingFold<ListedVersion>> {
  const fold = new ListingFold<ListedVersion>(parameters);
  const { seek } = fold;
  if (seek === undefined) return fold;
  const { bucket } = exchange.target;
  const { prefix, delimiter } = parameters;
  const cursor = await exchange.edge.service.versions.list({ bucket, prefix, from: placeOf(seek) });
  if (cursor === undefined) throw noSuchBucket(bucket);
  const moveTo = (to: ListingSeek): "moved" | "stands" => {
    // One with an id names the last version read, behind which the cursor stands already.
    if (to.afterId !== undefined) return "stands";
    cursor.seek(placeOf(to));
    return "moved";
  };
  await readListing(fold, cursor, { hasGroups: delimiter !== "", moveTo });
  return fold;
}

/** Where a version-id-marker stands; one that is gone begins with the key's first version. */
function placeOfMarker(exchange: Exchange, key: string, marker: string): string | undefined {
  if (marker === "") return undefined;
  const version = parseVersionId(marker);
  if (version === undefined) {
    throw invalidArgument("Invalid version id specified", "version-id-marker", marker);
  }
  const { bucket } = exchange.target;
  return exchange.edge.service.versions.placeOf({ bucket, key, version }) ?? "";
}

function shown(version: ListedVersion): ShownVersion {
  const { key, versionId, isLatest, modifiedMs, object } = version;
  return {
    key,
    versionId,
    isLatest,
    lastModifiedMs: modifiedMs,
    object: object && {
      etag: object.etag,
      size: object.size,
      storageClass: object.storageClass,
      checksumAlgorithm: object.checksum?.algorithm,
      checksumType: object.checksum?.type,
    },
  };
}

export async function listObjectVersions(exchange: Exchange): Promise<void> {
  const { name } = requireBucket(exchange);
  const parameters = parseListObjectVersions(exchange.target.query);
  const { prefix, delimiter, keyMarker, versionIdMarker, maxKeys, isUrlEncoded } = parameters;
  const afterId = placeOfMarker(exchange, keyMarker, versionIdMarker);
  const fold = await readPage(exchange, { prefix, delimiter, after: keyMarker, limit: maxKeys, afterId });
  const { nextAfter, nextAfterId } = fold;
  const xml = listObjectVersionsXml({
    bucket: name,
    prefix,
    delimiter,
    keyMarker,
    versionIdMarker,
    nextKeyMarker: nextAfter,
    // Where it stands, of a null version too: by the name there may be another one until the next page.
    nextVersionIdMarker: nextAfterId === undefined ? undefined : birthText(birthOfInverted(nextAfterId)),
    maxKeys,
    isTruncated: fold.isTruncated,
    isUrlEncoded,
    owner: ownerOf(exchange),
    versions: fold.contents.map(shown),
    commonPrefixes: fold.commonPrefixes,
  });
  answerXml(exchange, xml);
}
