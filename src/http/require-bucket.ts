/**
 * The bucket that a request names, as authorize.ts found it, and the refusals for what is not there.
 */
import { assert } from "../base/assert.ts";
import { s3Error } from "../s3/errors.ts";
import { checkKey } from "../s3/names.ts";
import type { BucketInfo } from "../service/api.ts";
import type { Exchange } from "./exchange.ts";

export function noSuchBucket(name: string): Error {
  return s3Error("NoSuchBucket", { fields: { BucketName: name } });
}

export function noSuchKey(key: string): Error {
  return s3Error("NoSuchKey", { fields: { Key: key } });
}

export function requireBucket(exchange: Exchange): BucketInfo {
  const { bucket } = exchange;
  assert(bucket !== undefined, "an operation on a bucket that nobody authorised");
  return bucket;
}

/** For operations on a key: the bucket was authorised, and the key is fit. */
export function requireBucketAndKey(exchange: Exchange): BucketInfo {
  const bucket = requireBucket(exchange);
  checkKey(exchange.target.key);
  return bucket;
}
