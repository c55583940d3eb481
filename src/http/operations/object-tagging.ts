/**
 * GetObjectTagging, PutObjectTagging, DeleteObjectTagging. Tags change without the object changing: its
 * ETag and its last modification stay.
 */
import { unreachable } from "../../base/assert.ts";
import { s3Error } from "../../s3/errors.ts";
import { TAGGING_BYTES_MAX, checkTags, parseTagging, taggingXml } from "../../s3/tagging.ts";
import type { Tags } from "../../s3/tagging.ts";
import { malformedXml } from "../../s3/xml-read.ts";
import { answer, baseHeaders, writeHeaders } from "../answer.ts";
import type { Exchange } from "../exchange.ts";
import { readDocument, readWithoutBody } from "../read-document.ts";
import { noSuchBucket, requireBucketAndKey } from "../require-bucket.ts";
import { pushVersion, requireObject, shownVersionId } from "../require-object.ts";

export async function getObjectTagging(exchange: Exchange): Promise<void> {
  requireBucketAndKey(exchange);
  const { object, tags } = await exchange.edge.service.details.tags(() => requireObject(exchange));
  const headers = baseHeaders(exchange);
  pushVersion(headers, shownVersionId(exchange, object));
  headers.push("Content-Type", "application/xml");
  answer(exchange, 200, headers, taggingXml(tags));
}

/** How often the current object is looked for again because it keeps changing. */
const TRIES = 8;

async function replaceTags(exchange: Exchange, tags: Tags, status: 200 | 204): Promise<void> {
  const { bucket, key } = exchange.target;
  for (let tries = 0; tries < TRIES; tries++) {
    // A version that is named and gone is refused here.
    const found = await requireObject(exchange);
    const { kind } = await exchange.edge.service.details.putTags({ bucket, key }, found, tags);
    switch (kind) {
      case "put": {
        const headers = writeHeaders(exchange);
        pushVersion(headers, shownVersionId(exchange, found));
        return answer(exchange, status, headers);
      }
      case "noSuchBucket":
        throw noSuchBucket(bucket);
      case "noSuchVersion":
        break;
      default:
        return unreachable(kind);
    }
  }
  throw s3Error("SlowDown");
}

export async function putObjectTagging(exchange: Exchange): Promise<void> {
  requireBucketAndKey(exchange);
  const root = await readDocument(exchange, { bytesMax: TAGGING_BYTES_MAX });
  if (root === undefined) throw malformedXml();
  const tags = parseTagging(root);
  checkTags(tags, { of: "object" });
  await replaceTags(exchange, tags, 200);
}

export async function deleteObjectTagging(exchange: Exchange): Promise<void> {
  requireBucketAndKey(exchange);
  await readWithoutBody(exchange);
  await replaceTags(exchange, [], 204);
}
