/** GetBucketTagging, PutBucketTagging, DeleteBucketTagging: kept as the document that a GET answers. */
import { s3Error } from "../../s3/errors.ts";
import { TAGGING_BYTES_MAX, checkTags, parseTagging, taggingXml } from "../../s3/tagging.ts";
import { malformedXml } from "../../s3/xml-read.ts";
import { answer, answerXml, writeHeaders } from "../answer.ts";
import type { Exchange } from "../exchange.ts";
import { readDocument, readWithoutBody } from "../read-document.ts";
import { noSuchBucket, requireBucket } from "../require-bucket.ts";

export function getBucketTagging(exchange: Exchange): void {
  const { name } = requireBucket(exchange);
  const document = exchange.edge.service.buckets.setting(name, "tagging");
  if (document === undefined) throw s3Error("NoSuchTagSet", { fields: { BucketName: name } });
  answerXml(exchange, document);
}

export async function putBucketTagging(exchange: Exchange): Promise<void> {
  const { name } = requireBucket(exchange);
  const root = await readDocument(exchange, { bytesMax: TAGGING_BYTES_MAX });
  if (root === undefined) throw malformedXml();
  const tags = parseTagging(root);
  checkTags(tags, { of: "bucket" });
  const { kind } = await exchange.edge.service.buckets.putSetting(name, "tagging", taggingXml(tags));
  if (kind === "noSuchBucket") throw noSuchBucket(name);
  // AWS answers 204; minio-js believes nothing but 200, and other clients take both.
  answer(exchange, 200, writeHeaders(exchange));
}

export async function deleteBucketTagging(exchange: Exchange): Promise<void> {
  const { name } = requireBucket(exchange);
  await readWithoutBody(exchange);
  const { kind } = await exchange.edge.service.buckets.deleteSetting(name, "tagging");
  if (kind === "noSuchBucket") throw noSuchBucket(name);
  answer(exchange, 204, writeHeaders(exchange));
}
