/**
 * CreateBucket, HeadBucket, DeleteBucket, GetBucketLocation. Any LocationConstraint is accepted and
 * remembered. As with AWS, creating a bucket that one already owns is a success and changes nothing in
 * us-east-1, where scripts say `mb` before every run, and BucketAlreadyOwnedByYou in every other region.
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

const FORGIVING_REGION = "us-east-1";
const LOCATION = /^[A-Za-z0-9-]{1,63}$/;

function checkLocation(location: string): void {
  if (location === "" || LOCATION.test(location)) return;
  throw s3Error("InvalidLocationConstraint", { fields: { LocationConstraint: location } });
}

function refuseExisting(exchange: Exchange, owner: string): void {
  const fields = { BucketName: exchange.target.bucket };
  if (owner !== exchange.identity.accountId) throw s3Error("BucketAlreadyExists", { fields });
  if (exchange.edge.options.region !== FORGIVING_REGION) throw s3Error("BucketAlreadyOwnedByYou", { fields });
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
  if (outcome.kind === "exists") refuseExisting(exchange, outcome.owner);
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
