/**
 * Access control lists, in the one form that is left of them where the bucket's owner owns all in it
 * (BucketOwnerEnforced, the default of AWS): the owner has FULL_CONTROL, and a request that says just that is
 * accepted. Every other one is AccessControlListNotSupported.
 */

import type { RequestHeaders } from "./canonical-request.ts";
import { headerText } from "./canonical-request.ts";
import { invalidArgument, s3Error } from "./errors.ts";
import { malformedXml } from "./xml-read.ts";
import type { XmlElement } from "./xml-read.ts";
import { document } from "./xml-write.ts";

export const ACL_BYTES_MAX = 64 * 1024;

const CANNED_ACLS: ReadonlySet<string> = new Set([
  "private",
  "public-read",
  "public-read-write",
  "aws-exec-read",
  "authenticated-read",
  "bucket-owner-read",
  "bucket-owner-full-control",
  "log-delivery-write",
]);

/** x-amz-acl and x-amz-grant-*, with whatever they come. */
export function checkAclHeader(name: string, value: string): void {
  if (name === "x-amz-acl") {
    // With one owner per bucket and no grants, these two say what is the case anyway.
    if (value === "private" || value === "bucket-owner-full-control") return;
    if (!CANNED_ACLS.has(value)) throw invalidArgument("", "x-amz-acl", value);
    throw s3Error("AccessControlListNotSupported");
  }
  if (name.startsWith("x-amz-grant-")) throw s3Error("AccessControlListNotSupported");
}

function childText(parent: XmlElement, name: string): string | undefined {
  return parent.children.find((child) => child.name === name)?.text;
}

function givesOwnerAll(grant: XmlElement, ownerId: string): boolean {
  const grantee = grant.children.find((child) => child.name === "Grantee");
  if (grantee === undefined) throw s3Error("MalformedACLError");
  return childText(grantee, "ID") === ownerId && childText(grant, "Permission") === "FULL_CONTROL";
}

/** Of a PUT ?acl: one header or one document, either of which says what is the case. */
export function checkAclRequest(
  headers: RequestHeaders,
  root: XmlElement | undefined,
  ownerId: string,
): void {
  let hasHeader = false;
  for (const name in headers) {
    if (name !== "x-amz-acl" && !name.startsWith("x-amz-grant-")) continue;
    checkAclHeader(name, headerText(headers, name) ?? "");
    hasHeader = true;
  }
  if (root === undefined) {
    if (!hasHeader) throw s3Error("MissingSecurityHeader", { fields: { MissingHeaderName: "x-amz-acl" } });
    return;
  }
  if (hasHeader) throw s3Error("UnexpectedContent");
  const list = root.children.find((child) => child.name === "AccessControlList");
  if (root.name !== "AccessControlPolicy" || list === undefined) throw s3Error("MalformedACLError");
  const isOwners = list.children.length > 0 && list.children.every((grant) => givesOwnerAll(grant, ownerId));
  if (!isOwners) throw s3Error("AccessControlListNotSupported");
}

export const OWNERSHIP_BYTES_MAX = 16 * 1024;

export function ownershipControlsXml(): string {
  return document("OwnershipControls", "<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>");
}

/** Ownership is what it is: only a request that says so is accepted. */
export function checkOwnershipControls(root: XmlElement | undefined): void {
  const [rule, ...more] = root?.children ?? [];
  if (root?.name !== "OwnershipControls" || rule === undefined || more.length > 0) throw malformedXml();
  const ownership = childText(rule, "ObjectOwnership");
  if (ownership === "BucketOwnerEnforced") return;
  if (ownership !== "BucketOwnerPreferred" && ownership !== "ObjectWriter") throw malformedXml();
  throw s3Error("NotImplemented", { message: `ObjectOwnership ${ownership} is not implemented` });
}
