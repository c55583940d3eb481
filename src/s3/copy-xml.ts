/** The answers of CopyObject and UploadPartCopy, and of GetObjectAttributes. */
import type { ChecksumAlgorithm } from "./checksums.ts";
import { formatIsoSeconds } from "./dates.ts";
import type { StoredChecksum } from "./response-headers.ts";
import { document, element, optionalElement } from "./xml-write.ts";

export type CopyResult = {
  readonly etag: string;
  readonly lastModifiedMs: number;
  readonly checksum: StoredChecksum | undefined;
};

/** The type belongs to objects; a part has the plain value only. */
export function copyResultXml(root: "CopyObjectResult" | "CopyPartResult", result: CopyResult): string {
  const { checksum } = result;
  const type = root === "CopyObjectResult" ? checksum?.type : undefined;
  return document(
    root,
    element("LastModified", formatIsoSeconds(result.lastModifiedMs)) +
      element("ETag", `"${result.etag}"`) +
      (checksum === undefined ? "" : element(`Checksum${checksum.algorithm}`, checksum.value)) +
      optionalElement("ChecksumType", type),
  );
}

export type ListedObjectPart = {
  readonly partNumber: number;
  readonly size: number;
  readonly checksum: { readonly algorithm: ChecksumAlgorithm; readonly value: string } | undefined;
};

export type ObjectPartList = {
  readonly total: number;
  readonly marker: number;
  readonly nextMarker: number;
  readonly maxParts: number;
  readonly isTruncated: boolean;
  readonly parts: readonly ListedObjectPart[];
};

export type AttributesDocument = {
  readonly etag: string | undefined;
  readonly checksum: StoredChecksum | undefined;
  readonly parts: ObjectPartList | undefined;
  readonly storageClass: string | undefined;
  readonly size: number | undefined;
};

function partsXml(list: ObjectPartList): string {
  // AWS names parts only where they have checksums; their number it always tells.
  const named = list.parts.filter((part) => part.checksum !== undefined);
  const page =
    named.length === 0
      ? ""
      : element("PartNumberMarker", String(list.marker)) +
        element("NextPartNumberMarker", String(list.nextMarker)) +
        element("MaxParts", String(list.maxParts)) +
        element("IsTruncated", String(list.isTruncated));
  const parts = named.map(({ partNumber, size, checksum }) => {
    const sum = checksum === undefined ? "" : element(`Checksum${checksum.algorithm}`, checksum.value);
    return `<Part>${element("PartNumber", String(partNumber))}${element("Size", String(size))}${sum}</Part>`;
  });
  return `<ObjectParts>${element("PartsCount", String(list.total))}${page}${parts.join("")}</ObjectParts>`;
}

export function objectAttributesXml(attributes: AttributesDocument): string {
  const { checksum, parts, size } = attributes;
  const sum =
    checksum === undefined
      ? ""
      : `<Checksum>${element(`Checksum${checksum.algorithm}`, checksum.value)}` +
        `${element("ChecksumType", checksum.type)}</Checksum>`;
  return document(
    "GetObjectAttributesResponse",
    // Without quotes, unlike everywhere else.
    optionalElement("ETag", attributes.etag) +
      sum +
      (parts === undefined ? "" : partsXml(parts)) +
      optionalElement("StorageClass", attributes.storageClass) +
      optionalElement("ObjectSize", size === undefined ? undefined : String(size)),
  );
}
