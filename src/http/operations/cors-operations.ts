/**
 * GetBucketCors, PutBucketCors, DeleteBucketCors. What the rules do is cross-origin.ts.
 */
import { CORS_BYTES_MAX, corsDocument, corsXml, parseCors, readCorsDocument } from "../../s3/cors.ts";
import { s3Error } from "../../s3/errors.ts";
import { answer, answerXml, writeHeaders } from "../answer.ts";
import type { Exchange } from "../exchange.ts";
import { readDocument } from "../read-document.ts";
import { noSuchBucket, requireBucket } from "../require-bucket.ts";

export function getBucketCors(exchange: Exchange): void {
  const { name } = requireBucket(exchange);
  const stored = exchange.edge.service.buckets.setting(name, "cors");
  if (stored === undefined) throw s3Error("NoSuchCORSConfiguration", { fields: { BucketName: name } });
  answerXml(exchange, corsXml(readCorsDocument(stored)));
}

export async function putBucketCors(exchange: Exchange): Promise<void> {
  const { name } = requireBucket(exchange);
  const root = await readDocument(exchange, { bytesMax: CORS_BYTES_MAX });
  if (root === undefined) throw s3Error("MissingRequestBodyError");
  const { buckets } = exchange.edge.service;
  const { kind } = await buckets.putSetting(name, "cors", corsDocument(parseCors(root)));
  if (kind === "noSuchBucket") throw noSuchBucket(name);
  answer(exchange, 200, writeHeaders(exchange));
}

export async function deleteBucketCors(exchange: Exchange): Promise<void> {
  const { name } = requireBucket(exchange);
  const { kind } = await exchange.edge.service.buckets.deleteSetting(name, "cors");
  if (kind === "noSuchBucket") throw noSuchBucket(name);
  answer(exchange, 204, writeHeaders(exchange));
}
