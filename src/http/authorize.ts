/**
 * Who may do what, in one place: after the signature, before the operation. A bucket and all in it belong to
 * the account that made it; the root account may do everything; nobody else may do anything. Whoever is
 * nobody learns of a bucket what AWS tells too: that the name is taken (403), or is not (404).
 *
 * Operations find the bucket they may work on in `exchange.bucket`. Those that name a second one (the source
 * of a copy) ask `ownBucket` for it themselves.
 */
import { unreachable } from "../base/assert.ts";
import { s3Error } from "../s3/errors.ts";
import { checkBucketName } from "../s3/names.ts";
import type { Route } from "../s3/operations.ts";
import type { BucketInfo } from "../service/api.ts";
import { canonicalId } from "./owner-of.ts";
import type { Exchange } from "./exchange.ts";
import { noSuchBucket } from "./require-bucket.ts";

/** What a client expects of a bucket: the account's id as we call it, or as S3's documents show it. */
function checkExpectedOwner(exchange: Exchange, bucket: BucketInfo, header: string): void {
  const expected = exchange.headers[header];
  if (expected === undefined || expected === bucket.owner) return;
  if (expected !== canonicalId(bucket.owner)) throw s3Error("AccessDenied");
}

/** A bucket that the sender of this request may work on; throws NoSuchBucket or AccessDenied. */
export function ownBucket(
  exchange: Exchange,
  name: string,
  expectedOwnerHeader = "x-amz-expected-bucket-owner",
): BucketInfo {
  const { edge, identity } = exchange;
  const bucket = edge.service.buckets.find(name);
  if (bucket === undefined) {
    checkBucketName(name);
    throw noSuchBucket(name);
  }
  const { accountId } = identity;
  if (bucket.owner !== accountId && accountId !== edge.options.rootAccountId) throw s3Error("AccessDenied");
  checkExpectedOwner(exchange, bucket, expectedOwnerHeader);
  return bucket;
}

export function authorize(exchange: Exchange, route: Route): void {
  switch (route.kind) {
    case "operation":
      // Everybody has a list of buckets, and a name that is taken is refused where it is taken.
      if (route.name === "ListBuckets" || route.name === "CreateBucket") return;
      // Who uploads a form is known once its fields are read: post-object.ts asks `ownBucket` then.
      if (route.name === "PostObject") return;
      break;
    case "absentBucketSetting":
    case "absentObjectSetting":
      break;
    case "refused":
      // Is refused to everybody, whoever owns the bucket.
      return;
    default:
      return unreachable(route);
  }
  exchange.bucket = ownBucket(exchange, exchange.target.bucket);
}

/**
 * Once more, when a body has arrived: it may have taken hours, and meanwhile the bucket may have gone and
 * another account may have made one of that name.
 */
export function authorizeAgain(exchange: Exchange): void {
  if (exchange.bucket === undefined) return;
  exchange.bucket = ownBucket(exchange, exchange.target.bucket);
}
