/**
 * The request documents of CreateBucket, DeleteObjects and CompleteMultipartUpload: from the tree of
 * xml-read.ts to types. An unknown element, a repeated one or a missing one is MalformedXML, as a schema
 * would have it: an element that is ignored may have been the one that mattered.
 */

import type { Steps } from "../base/steps.ts";
import { parseChecksumAlgorithm } from "./checksum-headers.ts";
import type { ChecksumAlgorithm } from "./checksums.ts";
import { invalidArgument, s3Error } from "./errors.ts";
import { DELETE_KEYS_MAX, PART_NUMBER_MAX } from "./names.ts";
import { malformedXml } from "./xml-read.ts";
import type { XmlElement } from "./xml-read.ts";

/** 1,000 keys of 1,024 bytes, each character written as a reference. */
export const DELETE_BYTES_MAX = 8 * 1024 * 1024;
/** 10,000 parts with ETag and the longest checksum. */
export const COMPLETE_BYTES_MAX = 4 * 1024 * 1024;
export const CREATE_BUCKET_BYTES_MAX = 64 * 1024;

/**
 * The text of each child by name; refuses children that repeat, that have children, or that are not expected.
 */
function leaves(element: XmlElement, names: ReadonlySet<string>): ReadonlyMap<string, string> {
  if (element.children.length === 0 && element.text.trim() !== "") throw malformedXml();
  const found = new Map<string, string>();
  for (const child of element.children) {
    if (!names.has(child.name) || found.has(child.name) || child.children.length > 0) throw malformedXml();
    found.set(child.name, child.text);
  }
  return found;
}

function expectRoot(root: XmlElement, name: string): void {
  if (root.name !== name) throw malformedXml();
  if (root.children.length === 0 && root.text.trim() !== "") throw malformedXml();
}

export type BucketConfiguration = { readonly locationConstraint: string | undefined };

const BUCKET_FIELDS: ReadonlySet<string> = new Set(["LocationConstraint"]);

/** Any region is accepted. Directory buckets and tags at creation are not there. */
export function parseCreateBucketConfiguration(root: XmlElement): BucketConfiguration {
  expectRoot(root, "CreateBucketConfiguration");
  const missing = root.children.find((child) => ["Location", "Bucket", "Tags"].includes(child.name));
  if (missing !== undefined) {
    const message = `${missing.name} in CreateBucketConfiguration is not implemented`;
    throw s3Error("NotImplemented", { message });
  }
  const constraint = leaves(root, BUCKET_FIELDS).get("LocationConstraint");
  return { locationConstraint: constraint === "" ? undefined : constraint };
}

export type ObjectToDelete = {
  readonly key: string;
  readonly versionId: string | undefined;
  /** Conditions of the deletion, as sent. */
  readonly etag: string | undefined;
  readonly lastModifiedTime: string | undefined;
  readonly size: string | undefined;
};

export type DeleteDocument = { readonly objects: readonly ObjectToDelete[]; readonly isQuiet: boolean };

const OBJECT_FIELDS: ReadonlySet<string> = new Set(["Key", "VersionId", "ETag", "LastModifiedTime", "Size"]);

function parseBoolean(text: string): boolean {
  const word = text.trim().toLowerCase();
  if (word !== "true" && word !== "false") throw malformedXml();
  return word === "true";
}

function parseObjectToDelete(element: XmlElement): ObjectToDelete {
  const fields = leaves(element, OBJECT_FIELDS);
  const key = fields.get("Key");
  if (key === undefined || key === "") throw malformedXml();
  return {
    key,
    versionId: fields.get("VersionId"),
    etag: fields.get("ETag"),
    lastModifiedTime: fields.get("LastModifiedTime"),
    size: fields.get("Size"),
  };
}

export function parseDelete(root: XmlElement): DeleteDocument {
  expectRoot(root, "Delete");
  const objects: ObjectToDelete[] = [];
  let quiet: boolean | undefined;
  for (const child of root.children) {
    if (child.name === "Object") objects.push(parseObjectToDelete(child));
    else if (child.name === "Quiet" && quiet === undefined && child.children.length === 0) {
      quiet = parseBoolean(child.text);
    } else throw malformedXml();
  }
  if (objects.length === 0 || objects.length > DELETE_KEYS_MAX) throw malformedXml();
  return { objects, isQuiet: quiet === true };
}

export type PartToComplete = {
  readonly partNumber: number;
  /** Without quotes. */
  readonly etag: string;
  readonly checksum: { readonly algorithm: ChecksumAlgorithm; readonly value: string } | undefined;
};

const PART_FIELDS: ReadonlySet<string> = new Set([
  "PartNumber",
  "ETag",
  "ChecksumCRC32",
  "ChecksumCRC32C",
  "ChecksumCRC64NVME",
  "ChecksumSHA1",
  "ChecksumSHA256",
]);
const DIGITS = /^\d{1,9}$/;

export function unquoteEtag(text: string): string {
  const trimmed = text.trim();
  return trimmed.length >= 2 && trimmed.startsWith('"') && trimmed.endsWith('"')
    ? trimmed.slice(1, -1)
    : trimmed;
}

function parsePart(element: XmlElement): PartToComplete {
  const fields = leaves(element, PART_FIELDS);
  const numberText = fields.get("PartNumber")?.trim();
  const etag = fields.get("ETag");
  if (numberText === undefined || etag === undefined || !/^-?\d+$/.test(numberText)) throw malformedXml();
  const partNumber = DIGITS.test(numberText) ? Number(numberText) : 0;
  if (partNumber < 1) throw invalidArgument("PartNumber must be >= 1", "PartNumber", numberText);
  let checksum: PartToComplete["checksum"];
  for (const [name, value] of fields) {
    const algorithm = name.startsWith("Checksum") ? parseChecksumAlgorithm(name.slice(8)) : undefined;
    if (algorithm === undefined) continue;
    if (checksum !== undefined) {
      throw invalidArgument("Invalid Base64 or multiple checksums present in request", "Checksum");
    }
    checksum = { algorithm, value: value.trim() };
  }
  return { partNumber, etag: unquoteEtag(etag), checksum };
}

/** Half a millisecond. */
export const PARTS_PER_STEP = 500;

/**
 * In the order of the document; ascending numbers are checked here, because everything after relies on it.
 */
export function* parseCompleteMultipartUpload(root: XmlElement): Steps<readonly PartToComplete[]> {
  expectRoot(root, "CompleteMultipartUpload");
  if (root.children.length === 0 || root.children.length > PART_NUMBER_MAX) throw malformedXml();
  const parts: PartToComplete[] = [];
  let last = 0;
  for (const child of root.children) {
    if (parts.length > 0 && parts.length % PARTS_PER_STEP === 0) yield;
    if (child.name !== "Part") throw malformedXml();
    const part = parsePart(child);
    if (part.partNumber <= last) throw s3Error("InvalidPartOrder");
    last = part.partNumber;
    parts.push(part);
  }
  return parts;
}
