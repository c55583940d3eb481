/**
 * Between S3's view of what goes with an object (s3/headers.ts) and the stored one (state/attributes.ts).
 * Defaults are not stored: an absent content type is binary/octet-stream, an absent storage class STANDARD.
 */
import { DEFAULT_CONTENT_TYPE, parseStorageClass } from "../s3/headers.ts";
import type { ObjectMetadata, SystemMetadata } from "../s3/headers.ts";
import type { ObjectDescription } from "../s3/response-headers.ts";
import type { FoundObject } from "../service/api.ts";
import { STORED_HEADERS } from "../state/attributes.ts";
import type { Attributes, StoredChecksum, StoredHeader } from "../state/attributes.ts";

const FIELD_OF_HEADER = {
  "content-type": "contentType",
  "content-encoding": "contentEncoding",
  "content-language": "contentLanguage",
  "content-disposition": "contentDisposition",
  "cache-control": "cacheControl",
  expires: "expires",
  "x-amz-website-redirect-location": "websiteRedirectLocation",
  "x-amz-storage-class": "storageClass",
} as const satisfies Readonly<Record<StoredHeader, keyof SystemMetadata>>;

function isDefault(header: StoredHeader, value: string): boolean {
  if (header === "content-type") return value === DEFAULT_CONTENT_TYPE;
  return header === "x-amz-storage-class" && value === "STANDARD";
}

export function toAttributes(metadata: ObjectMetadata, checksum: StoredChecksum | undefined): Attributes {
  const headers: [StoredHeader, string][] = [];
  for (const header of STORED_HEADERS) {
    const value = metadata.system[FIELD_OF_HEADER[header]];
    if (value !== undefined && !isDefault(header, value)) headers.push([header, value]);
  }
  return { headers, metadata: Object.entries(metadata.user), checksum };
}

export function storageClassOf(attributes: Attributes): string {
  return attributes.headers.find(([name]) => name === "x-amz-storage-class")?.[1] ?? "STANDARD";
}

function toSystemMetadata(attributes: Attributes): SystemMetadata {
  const system: { -readonly [Field in keyof SystemMetadata]: SystemMetadata[Field] } = {
    contentType: DEFAULT_CONTENT_TYPE,
    storageClass: "STANDARD",
  };
  for (const [header, value] of attributes.headers) {
    const field = FIELD_OF_HEADER[header];
    if (field === "storageClass") system.storageClass = parseStorageClass(value);
    else system[field] = value;
  }
  return system;
}

/** `showPartsCount`: the request named a part. */
export function describeObject(
  found: FoundObject,
  options: { readonly showPartsCount: boolean },
): ObjectDescription {
  const { attributes } = found;
  const partsCount = options.showPartsCount && found.partCount > 0 ? found.partCount : undefined;
  return {
    etag: found.etag,
    size: found.size,
    lastModifiedMs: found.modifiedMs,
    system: toSystemMetadata(attributes),
    user: Object.fromEntries(attributes.metadata),
    checksum: attributes.checksum,
    partsCount,
    tagCount: found.tagCount,
  };
}
