/**
 * The documents of multipart uploads and of DeleteObjects: what was started, which parts are there, which
 * uploads are open, what came out.
 */

import { ownerXml } from "./absent.ts";
import type { Owner } from "./absent.ts";
import type { ChecksumAlgorithm, ChecksumType } from "./checksums.ts";
import { formatIsoSeconds } from "./dates.ts";
import { commonPrefixesXml, listedName } from "./list-xml.ts";
import type { StoredChecksum } from "./response-headers.ts";
import { document, element, elementOrEmpty, optionalElement } from "./xml-write.ts";

export type InitiatedUpload = { readonly bucket: string; readonly key: string; readonly uploadId: string };

export function initiateMultipartUploadXml(upload: InitiatedUpload): string {
  return document(
    "InitiateMultipartUploadResult",
    element("Bucket", upload.bucket) + element("Key", upload.key) + element("UploadId", upload.uploadId),
  );
}

function checksumElement(algorithm: ChecksumAlgorithm, value: string): string {
  return element(`Checksum${algorithm}`, value);
}

export type CompletedUpload = {
  readonly location: string;
  readonly bucket: string;
  readonly key: string;
  /** Without quotes. */
  readonly etag: string;
  readonly checksum?: StoredChecksum | undefined;
};

export function completeMultipartUploadXml(upload: CompletedUpload): string {
  const { checksum } = upload;
  return document(
    "CompleteMultipartUploadResult",
    element("Location", upload.location) +
      element("Bucket", upload.bucket) +
      element("Key", upload.key) +
      element("ETag", `"${upload.etag}"`) +
      (checksum === undefined
        ? ""
        : checksumElement(checksum.algorithm, checksum.value) + element("ChecksumType", checksum.type)),
  );
}

export type ListedPart = {
  readonly partNumber: number;
  readonly lastModifiedMs: number;
  readonly etag: string;
  readonly size: number;
  readonly checksum?: { readonly algorithm: ChecksumAlgorithm; readonly value: string } | undefined;
};

export type PartListing = InitiatedUpload & {
  /** Who began the upload; the owner of the bucket need not be the one. */
  readonly initiator: Owner;
  readonly owner: Owner;
  readonly storageClass: string;
  readonly partNumberMarker: number;
  readonly nextPartNumberMarker: number;
  readonly maxParts: number;
  readonly isTruncated: boolean;
  readonly isUrlEncoded: boolean;
  readonly checksumAlgorithm?: ChecksumAlgorithm | undefined;
  readonly checksumType?: ChecksumType | undefined;
  readonly parts: readonly ListedPart[];
};

function initiatorXml(owner: Owner): string {
  return `<Initiator>${element("ID", owner.id)}${element("DisplayName", owner.displayName)}</Initiator>`;
}

export function listPartsXml(listing: PartListing): string {
  let parts = "";
  for (const part of listing.parts) {
    const { checksum } = part;
    parts +=
      `<Part><PartNumber>${part.partNumber}</PartNumber>` +
      `<LastModified>${formatIsoSeconds(part.lastModifiedMs)}</LastModified>` +
      `<ETag>&quot;${part.etag}&quot;</ETag><Size>${part.size}</Size>` +
      `${checksum === undefined ? "" : checksumElement(checksum.algorithm, checksum.value)}</Part>`;
  }
  return document(
    "ListPartsResult",
    element("Bucket", listing.bucket) +
      element("Key", listedName(listing.key, listing.isUrlEncoded)) +
      element("UploadId", listing.uploadId) +
      (listing.isUrlEncoded ? "<EncodingType>url</EncodingType>" : "") +
      initiatorXml(listing.initiator) +
      ownerXml(listing.owner) +
      element("StorageClass", listing.storageClass) +
      element("PartNumberMarker", String(listing.partNumberMarker)) +
      element("NextPartNumberMarker", String(listing.nextPartNumberMarker)) +
      element("MaxParts", String(listing.maxParts)) +
      element("IsTruncated", String(listing.isTruncated)) +
      optionalElement("ChecksumAlgorithm", listing.checksumAlgorithm) +
      optionalElement("ChecksumType", listing.checksumType) +
      parts,
  );
}

export type ListedUpload = {
  readonly initiator: Owner;
  readonly key: string;
  readonly uploadId: string;
  readonly initiatedMs: number;
  readonly storageClass: string;
  readonly checksumAlgorithm?: ChecksumAlgorithm | undefined;
  readonly checksumType?: ChecksumType | undefined;
};

export type UploadListing = {
  readonly bucket: string;
  readonly owner: Owner;
  readonly prefix: string;
  readonly delimiter: string;
  readonly keyMarker: string;
  readonly uploadIdMarker: string;
  readonly nextKeyMarker: string | undefined;
  readonly nextUploadIdMarker: string | undefined;
  readonly maxUploads: number;
  readonly isTruncated: boolean;
  readonly isUrlEncoded: boolean;
  readonly uploads: readonly ListedUpload[];
  readonly commonPrefixes: readonly string[];
};

function uploadXml(upload: ListedUpload, listing: UploadListing): string {
  return (
    `<Upload>${element("Key", listedName(upload.key, listing.isUrlEncoded))}` +
    element("UploadId", upload.uploadId) +
    initiatorXml(upload.initiator) +
    ownerXml(listing.owner) +
    element("StorageClass", upload.storageClass) +
    element("Initiated", formatIsoSeconds(upload.initiatedMs)) +
    optionalElement("ChecksumAlgorithm", upload.checksumAlgorithm) +
    `${optionalElement("ChecksumType", upload.checksumType)}</Upload>`
  );
}

export function listMultipartUploadsXml(listing: UploadListing): string {
  const { isUrlEncoded, nextKeyMarker, delimiter } = listing;
  return document(
    "ListMultipartUploadsResult",
    element("Bucket", listing.bucket) +
      elementOrEmpty("KeyMarker", listedName(listing.keyMarker, isUrlEncoded)) +
      elementOrEmpty("UploadIdMarker", listing.uploadIdMarker) +
      optionalElement("NextKeyMarker", nextKeyMarker && listedName(nextKeyMarker, isUrlEncoded)) +
      optionalElement("NextUploadIdMarker", listing.nextUploadIdMarker) +
      optionalElement("Delimiter", delimiter === "" ? undefined : listedName(delimiter, isUrlEncoded)) +
      elementOrEmpty("Prefix", listedName(listing.prefix, isUrlEncoded)) +
      (isUrlEncoded ? "<EncodingType>url</EncodingType>" : "") +
      element("MaxUploads", String(listing.maxUploads)) +
      element("IsTruncated", String(listing.isTruncated)) +
      listing.uploads.map((upload) => uploadXml(upload, listing)).join("") +
      commonPrefixesXml(listing.commonPrefixes, isUrlEncoded),
  );
}

export type DeleteOutcome =
  | {
      readonly kind: "deleted";
      readonly key: string;
      readonly versionId?: string | undefined;
      /** Of the delete marker that was made, or removed. */
      readonly markerVersionId?: string | undefined;
    }
  | {
      readonly kind: "error";
      readonly key: string;
      readonly versionId?: string | undefined;
      readonly code: string;
      readonly message: string;
    };

/** Quiet leaves out what succeeded, never what failed. */
export function deleteResultXml(
  outcomes: readonly DeleteOutcome[],
  options: { readonly isQuiet: boolean },
): string {
  let body = "";
  for (const outcome of outcomes) {
    const name = element("Key", outcome.key) + optionalElement("VersionId", outcome.versionId);
    if (outcome.kind === "error") {
      body += `<Error>${name}${element("Code", outcome.code)}${element("Message", outcome.message)}</Error>`;
    } else if (!options.isQuiet) {
      const { markerVersionId } = outcome;
      const marker = markerVersionId === undefined ? "" : "<DeleteMarker>true</DeleteMarker>";
      const markerId = optionalElement("DeleteMarkerVersionId", markerVersionId);
      body += `<Deleted>${name}${marker}${markerId}</Deleted>`;
    }
  }
  return document("DeleteResult", body);
}
