/**
 * CreateMultipartUpload: what goes with the object is said here, the bytes come in parts.
 */
import { unreachable } from "../../base/assert.ts";
import { parseMultipartChecksum } from "../../s3/checksum-headers.ts";
import { parseObjectMetadata } from "../../s3/headers.ts";
import { initiateMultipartUploadXml } from "../../s3/multipart-xml.ts";
import { parseTaggingHeader } from "../../s3/tagging.ts";
import { answer, writeHeaders } from "../answer.ts";
import type { Exchange } from "../exchange.ts";
import { toAttributes } from "../object-attributes.ts";
import { noSuchBucket, requireBucketAndKey } from "../require-bucket.ts";

export async function createMultipartUpload(exchange: Exchange): Promise<void> {
  requireBucketAndKey(exchange);
  const { edge, target, identity } = exchange;
  const { bucket, key } = target;
  const attributes = toAttributes(parseObjectMetadata(exchange.headers), undefined);
  const checksum = parseMultipartChecksum(exchange.headers);
  const given = parseTaggingHeader(exchange.headers);
  const tags = given.length === 0 ? undefined : given;
  const owner = identity.accountId;
  const outcome = await edge.service.uploads.create({ bucket, key, owner, attributes, checksum, tags });
  switch (outcome.kind) {
    case "noSuchBucket":
      throw noSuchBucket(bucket);
    case "created": {
      const headers = writeHeaders(exchange);
      headers.push("Content-Type", "application/xml");
      if (checksum !== undefined) {
        headers.push("x-amz-checksum-algorithm", checksum.algorithm, "x-amz-checksum-type", checksum.type);
      }
      const { uploadId } = outcome;
      return answer(exchange, 200, headers, initiateMultipartUploadXml({ bucket, key, uploadId }));
    }
    default:
      return unreachable(outcome);
  }
}
