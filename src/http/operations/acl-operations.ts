/**
 * Get and Put of the ACL of a bucket or an object, and of a bucket's ownership controls. There is one answer
 * to each GET, and a PUT can only confirm it.
 */
import {
  ACL_BYTES_MAX,
  OWNERSHIP_BYTES_MAX,
  checkAclRequest,
  checkOwnershipControls,
  ownershipControlsXml,
} from "../../s3/acl.ts";
import { privateAclXml } from "../../s3/absent.ts";
import { answer, answerXml, writeHeaders } from "../answer.ts";
import type { Exchange } from "../exchange.ts";
import { ownerOf } from "../owner-of.ts";
import { readDocument } from "../read-document.ts";
import { noSuchKey, requireBucketAndKey } from "../require-bucket.ts";

async function requireObject(exchange: Exchange): Promise<void> {
  requireBucketAndKey(exchange);
  const found = await exchange.edge.service.objects.find(exchange.target.path);
  if (found === undefined) throw noSuchKey(exchange.target.key);
}

async function confirmAcl(exchange: Exchange): Promise<void> {
  const root = await readDocument(exchange, { bytesMax: ACL_BYTES_MAX });
  checkAclRequest(exchange.headers, root, ownerOf(exchange).id);
  answer(exchange, 200, writeHeaders(exchange));
}

export function getBucketAcl(exchange: Exchange): void {
  answerXml(exchange, privateAclXml(ownerOf(exchange)));
}

export async function putBucketAcl(exchange: Exchange): Promise<void> {
  await confirmAcl(exchange);
}

export async function getObjectAcl(exchange: Exchange): Promise<void> {
  await requireObject(exchange);
  answerXml(exchange, privateAclXml(ownerOf(exchange)));
}

export async function putObjectAcl(exchange: Exchange): Promise<void> {
  await requireObject(exchange);
  await confirmAcl(exchange);
}

export function getBucketOwnershipControls(exchange: Exchange): void {
  answerXml(exchange, ownershipControlsXml());
}

export async function putBucketOwnershipControls(exchange: Exchange): Promise<void> {
  checkOwnershipControls(await readDocument(exchange, { bytesMax: OWNERSHIP_BYTES_MAX }));
  answer(exchange, 200, writeHeaders(exchange));
}
