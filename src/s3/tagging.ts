/**
 * Tags on the wire: the x-amz-tagging header, which is a query string, and the Tagging document; and what S3
 * allows a tag to be. Lengths are in UTF-16 units, as AWS counts them.
 */
import { decodeHeaderText } from "./headers.ts";
import { headerText } from "./canonical-request.ts";
import type { RequestHeaders } from "./canonical-request.ts";
import { invalidArgument, s3Error } from "./errors.ts";
import type { S3Error } from "./errors.ts";
import { parseQuery } from "./request-target.ts";
import { document, element } from "./xml-write.ts";
import { malformedXml } from "./xml-read.ts";
import type { XmlElement } from "./xml-read.ts";

export type Tags = readonly (readonly [key: string, value: string])[];

export const OBJECT_TAGS_MAX = 10;
export const BUCKET_TAGS_MAX = 50;
const KEY_UNITS_MAX = 128;
const VALUE_UNITS_MAX = 256;
/** 50 tags of the longest kind, each character written as a reference. */
export const TAGGING_BYTES_MAX = 256 * 1024;

/** Letters, numbers and spaces of any script, and + - = . _ : / @ */
const ALLOWED = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

function invalidTag(message: string, key: string): S3Error {
  return s3Error("InvalidTag", { message, fields: { TagKey: key } });
}

function checkTag(key: string, value: string): void {
  if (key === "" || key.length > KEY_UNITS_MAX || !ALLOWED.test(key)) {
    throw invalidTag("The TagKey you have provided is invalid", key);
  }
  if (key.toLowerCase().startsWith("aws:")) {
    throw invalidTag("System tags cannot be added/updated by requester", key);
  }
  if (value.length > VALUE_UNITS_MAX || !ALLOWED.test(value)) {
    const message = "The TagValue you have provided is invalid";
    throw s3Error("InvalidTag", { message, fields: { TagKey: key, TagValue: value } });
  }
}

export function checkTags(tags: Tags, options: { readonly of: "object" | "bucket" }): void {
  const { of } = options;
  const most = of === "object" ? OBJECT_TAGS_MAX : BUCKET_TAGS_MAX;
  if (tags.length > most) {
    const message = `${of === "object" ? "Object" : "Bucket"} tags cannot be greater than ${most}`;
    throw s3Error(of === "object" ? "BadRequest" : "InvalidTag", { message });
  }
  const keys = new Set<string>();
  for (const [key, value] of tags) {
    checkTag(key, value);
    if (keys.has(key)) throw invalidTag("Cannot provide multiple Tags with the same key", key);
    keys.add(key);
  }
}

/** Of PutObject, CreateMultipartUpload and copies; checked. */
export function parseTaggingHeader(headers: RequestHeaders): Tags {
  const name = "x-amz-tagging";
  const text = headerText(headers, name);
  if (text === undefined || text === "") return [];
  let tags: Tags;
  try {
    const { names, values } = parseQuery(decodeHeaderText(text));
    tags = names.map((key, at) => [key, values[at] ?? ""] as const);
  } catch {
    const message =
      "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters";
    throw invalidArgument(`${message} without tag name duplicates.`, name, text);
  }
  checkTags(tags, { of: "object" });
  return tags;
}

function textOf(parent: XmlElement, name: string): string {
  const found = parent.children.filter((child) => child.name === name);
  const [only] = found;
  if (only === undefined || found.length > 1 || only.children.length > 0) throw malformedXml();
  return only.text;
}

/** Not checked yet. */
export function parseTagging(root: XmlElement): Tags {
  const [set] = root.children;
  if (root.name !== "Tagging" || set?.name !== "TagSet" || root.children.length !== 1) throw malformedXml();
  if (set.children.length === 0 && set.text.trim() !== "") throw malformedXml();
  return set.children.map((tag) => {
    if (tag.name !== "Tag" || tag.children.length !== 2) throw malformedXml();
    return [textOf(tag, "Key"), textOf(tag, "Value")] as const;
  });
}

export function taggingXml(tags: Tags): string {
  const set = tags.map(([key, value]) => `<Tag>${element("Key", key)}${element("Value", value)}</Tag>`);
  return document("Tagging", set.length === 0 ? "<TagSet/>" : `<TagSet>${set.join("")}</TagSet>`);
}
