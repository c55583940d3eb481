/**
 * AWS's answer to a GET of a setting that was never made: an empty document, a default, or the error that
 * says so. The caller has checked that the bucket or the object exists.
 *
 * Tools ask for these before they do anything (Terraform for a dozen, backup software for versioning and
 * object lock), and take any other answer for a broken store.
 */

import { s3Error } from "./errors.ts";
import type { S3Error, S3ErrorCode } from "./errors.ts";
import type { AbsentBucketSetting, ObjectSetting } from "./operations.ts";
import { document, element, escapeXml } from "./xml-write.ts";

export type Owner = { readonly id: string; readonly displayName: string };

export type AbsentAnswer =
  { readonly kind: "document"; readonly xml: string } | { readonly kind: "error"; readonly error: S3Error };

function answer(xml: string): AbsentAnswer {
  return { kind: "document", xml };
}

function absent(code: S3ErrorCode, fields: Readonly<Record<string, string>>, message?: string): AbsentAnswer {
  const details = message === undefined ? { fields } : { fields, message };
  return { kind: "error", error: s3Error(code, details) };
}

/** `<Owner>`, the same in every document that names one. */
export function ownerXml(owner: Owner): string {
  return `<Owner>${element("ID", owner.id)}${element("DisplayName", owner.displayName)}</Owner>`;
}

/** The private ACL: the owner may do everything, nobody else anything. */
export function privateAclXml(owner: Owner): string {
  const grantee =
    '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">' +
    `${element("ID", owner.id)}${element("DisplayName", owner.displayName)}</Grantee>`;
  const grant = `<Grant>${grantee}<Permission>FULL_CONTROL</Permission></Grant>`;
  return document("AccessControlPolicy", `${ownerXml(owner)}<AccessControlList>${grant}</AccessControlList>`);
}

function emptyList(root: string): AbsentAnswer {
  return answer(document(root, "<IsTruncated>false</IsTruncated>"));
}

export type AbsentBucketSettingOptions = {
  readonly setting: AbsentBucketSetting;
  readonly bucket: string;
  readonly owner: Owner;
  /** `?id=` names one configuration of a list instead of the list. */
  readonly hasId: boolean;
};

export function absentBucketSetting(options: AbsentBucketSettingOptions): AbsentAnswer {
  const { setting, owner, hasId } = options;
  const fields = { BucketName: options.bucket };
  switch (setting) {
    case "acl":
      return answer(privateAclXml(owner));
    case "accelerate":
      return answer(document("AccelerateConfiguration", ""));
    case "logging":
      return answer(document("BucketLoggingStatus", ""));
    case "notification":
      return answer(document("NotificationConfiguration", ""));
    case "requestPayment":
      return answer(document("RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>"));
    case "abac":
      return answer(document("AbacStatus", "<Status>Disabled</Status>"));
    case "analytics":
      return hasId
        ? absent("NoSuchConfiguration", fields)
        : emptyList("ListBucketAnalyticsConfigurationResult");
    case "inventory":
      return hasId ? absent("NoSuchConfiguration", fields) : emptyList("ListInventoryConfigurationsResult");
    case "metrics":
      return hasId ? absent("NoSuchConfiguration", fields) : emptyList("ListMetricsConfigurationsResult");
    case "intelligent-tiering":
      return hasId
        ? absent("NoSuchConfiguration", fields)
        : emptyList("ListBucketIntelligentTieringConfigurationsOutput");
    default:
      return absent(ABSENT_CODES[setting], fields);
  }
}

const ABSENT_CODES = {
  cors: "NoSuchCORSConfiguration",
  encryption: "ServerSideEncryptionConfigurationNotFoundError",
  lifecycle: "NoSuchLifecycleConfiguration",
  metadataAnnotationTable: "NoSuchConfiguration",
  metadataConfiguration: "NoSuchConfiguration",
  metadataInventoryTable: "NoSuchConfiguration",
  metadataJournalTable: "NoSuchConfiguration",
  metadataTable: "NoSuchConfiguration",
  "object-lock": "ObjectLockConfigurationNotFoundError",
  ownershipControls: "OwnershipControlsNotFoundError",
  policy: "NoSuchBucketPolicy",
  policyStatus: "NoSuchBucketPolicy",
  publicAccessBlock: "NoSuchPublicAccessBlockConfiguration",
  replication: "ReplicationConfigurationNotFoundError",
  tagging: "NoSuchTagSet",
  website: "NoSuchWebsiteConfiguration",
} as const satisfies Partial<Record<AbsentBucketSetting, S3ErrorCode>>;

/** An object without tags has an empty set of them, unlike a bucket. */
export function absentObjectSetting(setting: ObjectSetting, owner: Owner): AbsentAnswer {
  switch (setting) {
    case "acl":
      return answer(privateAclXml(owner));
    case "tagging":
      return answer(document("Tagging", "<TagSet/>"));
    default:
      // Lock settings need a bucket that was created with object lock.
      return absent("InvalidRequest", {}, "Bucket is missing Object Lock Configuration");
  }
}

/** us-east-1 is written as nothing, for historical reasons. */
export function locationXml(region: string): string {
  const text = region === "us-east-1" ? "" : escapeXml(region);
  return document("LocationConstraint", text);
}
