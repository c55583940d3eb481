/**
 * GetObjectTagging, PutObjectTagging, DeleteObjectTagging. Tags change without the object changing: its
 * ETag and its last modification stay.
 */
import { unreachable } from "../../base/assert.ts";
import { TAGGING_BYTES_MAX, checkTags, parseTagging, taggingXml } from "../../s3/tagging.ts";
import type { Tags } from "../../s3/tagging.ts";
import { malformedXml } from "../../s3/xml-read.ts";
import { answer, answerXml, writeHeaders } from "../answer.ts";
import type { Exchange } from "../exchange.ts";
import { readDocument, readWithoutBody } from "../read-document.ts";
import { noSuchBucket, noSuchKey, requireBucketAndKey } from "../require-bucket.ts";

export async function getObjectTagging(exchange: Exchange): Promise<void> {
  requireBucketAndKey(exchange);
  const { bucket, key } = exchange.target;
  const tags = await exchange.edge.service.details.tags({ bucket, key });
  if (tags === undefined) throw noSuchKey(key);
  answerXml(exchange, taggingXml(tags));
}

async function replaceTags(exchange: Exchange, tags: Tags, status: 200 | 204): Promise<void> {
  const { bucket, key } = exchange.target;
  const { kind } = await exchange.edge.service.details.putTags({ bucket, key }, tags);
  switch (kind) {
    case "put":
      return answer(exchange, status, writeHeaders(exchange));
    case "noSuchBucket":
      throw noSuchBucket(bucket);
    case "noSuchKey":
      throw noSuchKey(key);
    default:
      return unreachable(kind);
  }
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
