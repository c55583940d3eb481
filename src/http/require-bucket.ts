/**
 * The bucket that a request names, checked: it exists, it belongs to whoever asks, and its owner is the one
 * that the client expected.
 */
import { s3Error } from "../s3/errors.ts";
import { checkBucketName, checkKey } from "../s3/names.ts";
import type { BucketInfo } from "../service/api.ts";
import type { Exchange } from "./exchange.ts";

export function noSuchBucket(name: string): Error {
  return s3Error("NoSuchBucket", { fields: { BucketName: name } });
}

export function noSuchKey(key: string): Error {
  return s3Error("NoSuchKey", { fields: { Key: key } });
}

export function requireBucket(exchange: Exchange): BucketInfo {
  const { edge, target, identity, headers } = exchange;
  const bucket = edge.service.buckets.find(target.bucket);
  if (bucket === undefined) {
    checkBucketName(target.bucket);
    throw noSuchBucket(target.bucket);
  }
  if (bucket.owner !== identity.accountId) throw s3Error("AccessDenied");
  const expected = headers["x-amz-expected-bucket-owner"];
  if (expected !== undefined && expected !== bucket.owner) throw s3Error("AccessDenied");
  return bucket;
}

/** For operations on a key: bucket and key are both fit. */
export function requireBucketAndKey(exchange: Exchange): BucketInfo {
  const bucket = requireBucket(exchange);
  checkKey(exchange.target.key);
  return bucket;
}
