/**
 * CreateBucket, HeadBucket, DeleteBucket, GetBucketLocation. Any LocationConstraint is accepted and
 * remembered. As in us-east-1 of AWS, creating a bucket that one already owns is a success and changes
 * nothing: scripts say `mb` before every run.
 */
import { unreachable } from "../../base/assert.ts";
import { locationXml } from "../../s3/absent.ts";
import { s3Error } from "../../s3/errors.ts";
import { refuseUnbuiltHeaders } from "../../s3/headers.ts";
import { checkBucketName } from "../../s3/names.ts";
import { CREATE_BUCKET_BYTES_MAX, parseCreateBucketConfiguration } from "../../s3/request-documents.ts";
import { answer, answerXml, baseHeaders, writeHeaders } from "../answer.ts";
import { bucketRegion } from "../bucket-region.ts";
import type { Exchange } from "../exchange.ts";
import { readDocument } from "../read-document.ts";
import { noSuchBucket, requireBucket } from "../require-bucket.ts";

const LOCATION = /^[A-Za-z0-9-]{1,63}$/;

function checkLocation(location: string): void {
  if (location === "" || LOCATION.test(location)) return;
  throw s3Error("InvalidLocationConstraint", { fields: { LocationConstraint: location } });
}

export async function createBucket(exchange: Exchange): Promise<void> {
  const { edge, target, identity, headers } = exchange;
  const name = target.bucket;
  checkBucketName(name);
  refuseUnbuiltHeaders(headers);
  const root = await readDocument(exchange, { bytesMax: CREATE_BUCKET_BYTES_MAX });
  const location =
    (root === undefined ? undefined : parseCreateBucketConfiguration(root).locationConstraint) ?? "";
  checkLocation(location);
  const outcome = await edge.service.buckets.create({ name, owner: identity.accountId, location });
  if (outcome.kind === "exists" && outcome.owner !== identity.accountId) {
    throw s3Error("BucketAlreadyExists", { fields: { BucketName: name } });
  }
  const answerHeaders = writeHeaders(exchange);
  answerHeaders.push("Location", `/${name}`);
  answer(exchange, 200, answerHeaders);
}

export function headBucket(exchange: Exchange): void {
  const bucket = requireBucket(exchange);
  const headers = baseHeaders(exchange);
  headers.push("x-amz-bucket-region", bucketRegion(exchange, bucket), "x-amz-access-point-alias", "false");
  headers.push("Content-Type", "application/xml");
  answer(exchange, 200, headers);
}

export async function deleteBucket(exchange: Exchange): Promise<void> {
  const { name } = requireBucket(exchange);
  const { kind } = await exchange.edge.service.buckets.delete(name);
  switch (kind) {
    case "deleted":
      return answer(exchange, 204, writeHeaders(exchange));
    case "noSuchBucket":
      throw noSuchBucket(name);
    case "bucketNotEmpty":
      throw s3Error("BucketNotEmpty", { fields: { BucketName: name } });
    default:
      return unreachable(kind);
  }
}

export function getBucketLocation(exchange: Exchange): void {
  answerXml(exchange, locationXml(bucketRegion(exchange, requireBucket(exchange))));
}
