/**
 * The documents that list objects and buckets. A page of 1,000 keys is written in a fraction of a
 * millisecond: plain concatenation, escaping only where a test finds something, the date's day formatted once
 * per day.
 */

import { ownerXml } from "./absent.ts";
import type { Owner } from "./absent.ts";
import type { ChecksumAlgorithm, ChecksumType } from "./checksums.ts";
import { formatIsoSeconds } from "./dates.ts";
import { document, documentStart, element, elementOrEmpty, escapeXml } from "./xml-write.ts";
import { optionalElement, urlEncodeName, XmlBytes } from "./xml-write.ts";

/** Only the first guess: the buffer grows when keys are long. */
const ENTRY_BYTES_EXPECTED = 320;

export type ListedObject = {
  readonly key: string;
  readonly lastModifiedMs: number;
  /** Without quotes. */
  readonly etag: string;
  readonly size: number;
  readonly storageClass: string;
  readonly checksumAlgorithm?: ChecksumAlgorithm | undefined;
  readonly checksumType?: ChecksumType | undefined;
};

type CommonListing = {
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter: string;
  readonly maxKeys: number;
  readonly isTruncated: boolean;
  /** `encoding-type=url` */
  readonly isUrlEncoded: boolean;
  readonly contents: readonly ListedObject[];
  readonly commonPrefixes: readonly string[];
  /** Written with each object: always in V1, in V2 when fetch-owner asked. */
  readonly owner?: Owner | undefined;
};

export type ListingV1 = CommonListing & {
  readonly marker: string;
  readonly nextMarker: string | undefined;
};

export type ListingV2 = CommonListing & {
  readonly startAfter: string | undefined;
  readonly continuationToken: string | undefined;
  readonly nextContinuationToken: string | undefined;
};

/** A name as the client asked for it, ready to stand in an element. */
export function listedName(name: string, isUrlEncoded: boolean): string {
  return isUrlEncoded ? urlEncodeName(name) : name;
}

function checksumXml(object: ListedObject): string {
  if (object.checksumAlgorithm === undefined) return "";
  const type = object.checksumType === undefined ? "" : `<ChecksumType>${object.checksumType}</ChecksumType>`;
  return `<ChecksumAlgorithm>${object.checksumAlgorithm}</ChecksumAlgorithm>${type}`;
}

function addContents(out: XmlBytes, listing: CommonListing): void {
  const owner = listing.owner === undefined ? "" : ownerXml(listing.owner);
  for (const object of listing.contents) {
    // An encoded name has nothing left to escape.
    const key = listing.isUrlEncoded ? urlEncodeName(object.key) : escapeXml(object.key);
    out.add(
      `<Contents><Key>${key}</Key><LastModified>${formatIsoSeconds(object.lastModifiedMs)}</LastModified>` +
        `<ETag>&quot;${object.etag}&quot;</ETag>${checksumXml(object)}<Size>${object.size}</Size>${owner}` +
        `<StorageClass>${object.storageClass}</StorageClass></Contents>`,
    );
  }
}

export function commonPrefixesXml(prefixes: readonly string[], isUrlEncoded: boolean): string {
  let xml = "";
  for (const prefix of prefixes) {
    xml += `<CommonPrefixes><Prefix>${escapeXml(listedName(prefix, isUrlEncoded))}</Prefix></CommonPrefixes>`;
  }
  return xml;
}

function body(head: string, listing: CommonListing): Buffer {
  const { isUrlEncoded, delimiter } = listing;
  const out = new XmlBytes({ bytesExpected: 1024 + listing.contents.length * ENTRY_BYTES_EXPECTED });
  out.add(
    documentStart("ListBucketResult") +
      head +
      element("MaxKeys", String(listing.maxKeys)) +
      optionalElement("Delimiter", delimiter === "" ? undefined : listedName(delimiter, isUrlEncoded)) +
      (isUrlEncoded ? "<EncodingType>url</EncodingType>" : "") +
      element("IsTruncated", String(listing.isTruncated)),
  );
  addContents(out, listing);
  out.add(`${commonPrefixesXml(listing.commonPrefixes, isUrlEncoded)}</ListBucketResult>`);
  return out.take();
}

/** The document as UTF-8, ready to be sent. */
export function listObjectsV1Xml(listing: ListingV1): Buffer {
  const { isUrlEncoded, nextMarker } = listing;
  const head =
    element("Name", listing.bucket) +
    elementOrEmpty("Prefix", listedName(listing.prefix, isUrlEncoded)) +
    elementOrEmpty("Marker", listedName(listing.marker, isUrlEncoded)) +
    optionalElement(
      "NextMarker",
      nextMarker === undefined ? undefined : listedName(nextMarker, isUrlEncoded),
    );
  return body(head, listing);
}

/** The document as UTF-8, ready to be sent. */
export function listObjectsV2Xml(listing: ListingV2): Buffer {
  const { isUrlEncoded, startAfter } = listing;
  const head =
    element("Name", listing.bucket) +
    elementOrEmpty("Prefix", listedName(listing.prefix, isUrlEncoded)) +
    optionalElement(
      "StartAfter",
      startAfter === undefined ? undefined : listedName(startAfter, isUrlEncoded),
    ) +
    optionalElement("ContinuationToken", listing.continuationToken) +
    optionalElement("NextContinuationToken", listing.nextContinuationToken) +
    element("KeyCount", String(listing.contents.length + listing.commonPrefixes.length));
  return body(head, listing);
}

export type ListedBucket = {
  readonly name: string;
  readonly createdMs: number;
  readonly region: string;
};

export type BucketListing = {
  readonly owner: Owner;
  readonly buckets: readonly ListedBucket[];
  readonly prefix: string | undefined;
  /** For the next page; absent on the last. */
  readonly continuationToken: string | undefined;
};

export function listBucketsXml(listing: BucketListing): string {
  let buckets = "";
  for (const bucket of listing.buckets) {
    buckets +=
      `<Bucket>${element("Name", bucket.name)}` +
      `<CreationDate>${formatIsoSeconds(bucket.createdMs)}</CreationDate>` +
      `${element("BucketRegion", bucket.region)}</Bucket>`;
  }
  return document(
    "ListAllMyBucketsResult",
    `${ownerXml(listing.owner)}<Buckets>${buckets}</Buckets>` +
      optionalElement("ContinuationToken", listing.continuationToken) +
      optionalElement("Prefix", listing.prefix),
  );
}
