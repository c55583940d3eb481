/**
 * ListParts.
 */
import { parseListParts } from "../../s3/list-parameters.ts";
import { listPartsXml } from "../../s3/multipart-xml.ts";
import { answerXml } from "../answer.ts";
import type { Exchange } from "../exchange.ts";
import { accountShown, ownerOf } from "../owner-of.ts";
import { requireBucketAndKey } from "../require-bucket.ts";
import { requireUpload } from "../require-upload.ts";

export async function listParts(exchange: Exchange): Promise<void> {
  requireBucketAndKey(exchange);
  const { bucket, key, query } = exchange.target;
  const { partNumberMarker, maxParts, isUrlEncoded } = parseListParts(query);
  const upload = await requireUpload(exchange);
  const { uploadId } = upload;
  const page = await exchange.edge.service.uploads.listParts({
    uploadId,
    after: partNumberMarker,
    limit: maxParts,
  });
  const xml = listPartsXml({
    bucket,
    key,
    uploadId,
    initiator: accountShown(exchange, upload.owner),
    owner: ownerOf(exchange),
    storageClass: upload.storageClass,
    partNumberMarker,
    nextPartNumberMarker: page.parts.at(-1)?.partNumber ?? 0,
    maxParts,
    isTruncated: page.truncated && maxParts > 0,
    isUrlEncoded,
    checksumAlgorithm: upload.checksum?.algorithm,
    checksumType: upload.checksum?.type,
    parts: page.parts.map((part) => ({
      partNumber: part.partNumber,
      lastModifiedMs: part.modifiedMs,
      etag: part.etag,
      size: part.size,
      checksum: part.checksum,
    })),
  });
  answerXml(exchange, xml);
}
