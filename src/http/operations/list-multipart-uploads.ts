/**
 * ListMultipartUploads: open uploads in order of key and id; the same fold as for objects, over pairs.
 */
import { parseListMultipartUploads } from "../../s3/list-parameters.ts";
import { ListingFold } from "../../s3/listing.ts";
import type { ListingEntry, ListingParameters, ListingSeek } from "../../s3/listing.ts";
import { listMultipartUploadsXml } from "../../s3/multipart-xml.ts";
import type { UploadInfo } from "../../service/api.ts";
import { answerXml } from "../answer.ts";
import type { Exchange } from "../exchange.ts";
import { accountShown, ownerOf } from "../owner-of.ts";
import { noSuchBucket, requireBucket } from "../require-bucket.ts";

type Entry = ListingEntry & { readonly upload: UploadInfo };

/** Ids are hexadecimal. */
const BEHIND_ALL_IDS = "\u{10ffff}";

/** The service reads behind a pair of key and id; the empty id stands before all of its key. */
function pairBefore(seek: ListingSeek): { readonly key: string; readonly uploadId: string } {
  return { key: seek.key, uploadId: seek.inclusive ? (seek.afterId ?? "") : BEHIND_ALL_IDS };
}

async function readPage(exchange: Exchange, parameters: ListingParameters): Promise<ListingFold<Entry>> {
  const fold = new ListingFold<Entry>(parameters);
  const { bucket } = exchange.target;
  for (let { seek } = fold; seek !== undefined; seek = fold.seek) {
    const page = await exchange.edge.service.uploads.list({
      bucket,
      prefix: parameters.prefix,
      after: pairBefore(seek),
      limit: fold.wanted,
    });
    if (page === undefined) throw noSuchBucket(bucket);
    const entries = page.uploads.map((upload) => ({ key: upload.key, id: upload.uploadId, upload }));
    fold.consume(entries, { isExhausted: !page.truncated });
  }
  return fold;
}

export async function listMultipartUploads(exchange: Exchange): Promise<void> {
  const { name } = requireBucket(exchange);
  const parameters = parseListMultipartUploads(exchange.target.query);
  const { prefix, delimiter, keyMarker, uploadIdMarker, maxUploads, isUrlEncoded } = parameters;
  const fold = await readPage(exchange, {
    prefix,
    delimiter,
    after: keyMarker,
    limit: maxUploads,
    afterId: uploadIdMarker === "" ? undefined : uploadIdMarker,
  });
  const xml = listMultipartUploadsXml({
    bucket: name,
    owner: ownerOf(exchange),
    prefix,
    delimiter,
    keyMarker,
    uploadIdMarker,
    nextKeyMarker: fold.nextAfter,
    nextUploadIdMarker: fold.nextAfterId,
    maxUploads,
    isTruncated: fold.isTruncated,
    isUrlEncoded,
    uploads: fold.contents.map(({ upload }) => ({
      initiator: accountShown(exchange, upload.owner),
      key: upload.key,
      uploadId: upload.uploadId,
      initiatedMs: upload.initiatedMs,
      storageClass: upload.storageClass,
      checksumAlgorithm: upload.checksum?.algorithm,
      checksumType: upload.checksum?.type,
    })),
    commonPrefixes: fold.commonPrefixes,
  });
  answerXml(exchange, xml);
}
