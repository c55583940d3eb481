/**
 * ListObjects, versions 1 and 2.
 */
import { encodeContinuationToken, parseListObjectsV1, parseListObjectsV2 } from "../../s3/list-parameters.ts";
import { listObjectsV1Xml, listObjectsV2Xml } from "../../s3/list-xml.ts";
import type { ListedObject as ShownObject } from "../../s3/list-xml.ts";
import { ListingFold } from "../../s3/listing.ts";
import type { ListingParameters, ListingSeek } from "../../s3/listing.ts";
import type { ListedObject } from "../../service/api.ts";
import { answerXml } from "../answer.ts";
import type { Exchange } from "../exchange.ts";
import { ownerOf } from "../owner-of.ts";
import { readListing } from "../read-listing.ts";
import { noSuchBucket, requireBucket } from "../require-bucket.ts";

/** The successor of a key in byte order. */
function after(key: string): string {
  return `${key}\0`;
}

async function readPage(
  exchange: Exchange,
  parameters: ListingParameters,
): Promise<ListingFold<ListedObject>> {
  const fold = new ListingFold<ListedObject>(parameters);
  const { seek } = fold;
  if (seek === undefined) return fold;
  const { bucket } = exchange.target;
  const { prefix } = parameters;
  const from = seek.inclusive ? seek.key : after(seek.key);
  const cursor = await exchange.edge.service.objects.list({ bucket, prefix, from });
  if (cursor === undefined) throw noSuchBucket(bucket);
  const moveTo = ({ key, inclusive }: ListingSeek): "moved" | "stands" => {
    // An exclusive seek names the last key read, behind which the cursor stands already.
    if (!inclusive) return "stands";
    cursor.seek(key);
    return "moved";
  };
  await readListing(fold, cursor, { hasGroups: parameters.delimiter !== "", moveTo });
  return fold;
}

function shown(object: ListedObject): ShownObject {
  return {
    key: object.key,
    lastModifiedMs: object.modifiedMs,
    etag: object.etag,
    size: object.size,
    storageClass: object.storageClass,
    checksumAlgorithm: object.checksum?.algorithm,
    checksumType: object.checksum?.type,
  };
}

export async function listObjects(exchange: Exchange): Promise<void> {
  const { name } = requireBucket(exchange);
  const { prefix, delimiter, marker, maxKeys, isUrlEncoded } = parseListObjectsV1(exchange.target.query);
  const fold = await readPage(exchange, { prefix, delimiter, after: marker, limit: maxKeys });
  const xml = listObjectsV1Xml({
    bucket: name,
    prefix,
    delimiter,
    maxKeys,
    isUrlEncoded,
    marker,
    // Without a delimiter clients go on behind the last key themselves, as AWS documents it.
    nextMarker: delimiter === "" ? undefined : fold.nextAfter,
    isTruncated: fold.isTruncated,
    contents: fold.contents.map(shown),
    commonPrefixes: fold.commonPrefixes,
    owner: ownerOf(exchange),
  });
  answerXml(exchange, xml);
}

export async function listObjectsV2(exchange: Exchange): Promise<void> {
  const { name } = requireBucket(exchange);
  const parameters = parseListObjectsV2(exchange.target.query);
  const { prefix, delimiter, maxKeys, isUrlEncoded, startAfter, continuationToken } = parameters;
  const fold = await readPage(exchange, { prefix, delimiter, after: parameters.after, limit: maxKeys });
  const xml = listObjectsV2Xml({
    bucket: name,
    prefix,
    delimiter,
    maxKeys,
    isUrlEncoded,
    startAfter,
    continuationToken,
    nextContinuationToken: fold.nextAfter === undefined ? undefined : encodeContinuationToken(fold.nextAfter),
    isTruncated: fold.isTruncated,
    contents: fold.contents.map(shown),
    commonPrefixes: fold.commonPrefixes,
    owner: parameters.isOwnerWanted ? ownerOf(exchange) : undefined,
  });
  answerXml(exchange, xml);
}
