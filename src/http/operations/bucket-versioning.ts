/**
 * GetBucketVersioning and PutBucketVersioning. MFA delete is not there: switching it on is refused, so an
 * `x-amz-mfa` header means nothing, as with AWS where it is off.
 */
import { parseVersioning, VERSIONING_BYTES_MAX, versioningXml } from "../../s3/versioning-xml.ts";
import { malformedXml } from "../../s3/xml-read.ts";
import { answer, answerXml, writeHeaders } from "../answer.ts";
import type { Exchange } from "../exchange.ts";
import { readDocument } from "../read-document.ts";
import { noSuchBucket, requireBucket } from "../require-bucket.ts";

export function getBucketVersioning(exchange: Exchange): void {
  answerXml(exchange, versioningXml(requireBucket(exchange).versioning));
}

export async function putBucketVersioning(exchange: Exchange): Promise<void> {
  const { name } = requireBucket(exchange);
  const root = await readDocument(exchange, { bytesMax: VERSIONING_BYTES_MAX });
  if (root === undefined) throw malformedXml();
  const { kind } = await exchange.edge.service.versions.setVersioning(name, parseVersioning(root));
  if (kind === "noSuchBucket") throw noSuchBucket(name);
  answer(exchange, 200, writeHeaders(exchange));
}
