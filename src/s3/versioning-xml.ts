/**
 * The documents of versioning: whether a bucket keeps versions, and the list of them.
 */
import { ownerXml } from "./absent.ts";
import type { Owner } from "./absent.ts";
import type { ChecksumAlgorithm, ChecksumType } from "./checksums.ts";
import { formatIsoSeconds } from "./dates.ts";
import { s3Error } from "./errors.ts";
import { commonPrefixesXml, listedName } from "./list-xml.ts";
import { malformedXml } from "./xml-read.ts";
import type { XmlElement } from "./xml-read.ts";
import { XmlBytes, document, documentStart, element, elementOrEmpty } from "./xml-write.ts";
import { escapeXml, optionalElement, urlEncodeName } from "./xml-write.ts";

export type Versioning = "Enabled" | "Suspended";

export const VERSIONING_BYTES_MAX = 64 * 1024;

export function versioningXml(versioning: Versioning | undefined): string {
  return document("VersioningConfiguration", optionalElement("Status", versioning));
}

/** AWS spells it one way in its schema and the other way in its texts. */
const MFA_NAMES: readonly string[] = ["MfaDelete", "MFADelete"];

export function parseVersioning(root: XmlElement): Versioning {
  if (root.name !== "VersioningConfiguration") throw malformedXml();
  if (root.children.length === 0 && root.text.trim() !== "") throw malformedXml();
  const found = new Map<string, string>();
  for (const { name, text, children } of root.children) {
    const field = MFA_NAMES.includes(name) ? "MfaDelete" : name;
    if ((field !== "Status" && field !== "MfaDelete") || found.has(field) || children.length > 0) {
      throw malformedXml();
    }
    found.set(field, text.trim());
  }
  const mfa = found.get("MfaDelete");
  if (mfa === "Enabled") throw s3Error("NotImplemented", { message: "MFADelete is not implemented" });
  if (mfa !== undefined && mfa !== "Disabled") throw malformedXml();
  const status = found.get("Status");
  if (status === undefined) throw s3Error("IllegalVersioningConfigurationException");
  if (status !== "Enabled" && status !== "Suspended") throw malformedXml();
  return status;
}

export type ListedVersion = {
  readonly key: string;
  readonly versionId: string;
  readonly isLatest: boolean;
  readonly lastModifiedMs: number;
  /** `undefined`: a delete marker. */
  readonly object:
    | {
        /** Without quotes. */
        readonly etag: string;
        readonly size: number;
        readonly storageClass: string;
        readonly checksumAlgorithm: ChecksumAlgorithm | undefined;
        readonly checksumType: ChecksumType | undefined;
      }
    | undefined;
};

export type VersionListing = {
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter: string;
  readonly keyMarker: string;
  readonly versionIdMarker: string;
  readonly nextKeyMarker: string | undefined;
  readonly nextVersionIdMarker: string | undefined;
  readonly maxKeys: number;
  readonly isTruncated: boolean;
  /** `encoding-type=url` */
  readonly isUrlEncoded: boolean;
  readonly owner: Owner;
  readonly versions: readonly ListedVersion[];
  readonly commonPrefixes: readonly string[];
};

const ENTRY_BYTES_EXPECTED = 420;

function headXml(listing: VersionListing): string {
  const { isUrlEncoded, delimiter, nextKeyMarker } = listing;
  return (
    element("Name", listing.bucket) +
    elementOrEmpty("Prefix", listedName(listing.prefix, isUrlEncoded)) +
    elementOrEmpty("KeyMarker", listedName(listing.keyMarker, isUrlEncoded)) +
    elementOrEmpty("VersionIdMarker", listing.versionIdMarker) +
    optionalElement("NextKeyMarker", nextKeyMarker && listedName(nextKeyMarker, isUrlEncoded)) +
    optionalElement("NextVersionIdMarker", listing.nextVersionIdMarker) +
    element("MaxKeys", String(listing.maxKeys)) +
    optionalElement("Delimiter", delimiter === "" ? undefined : listedName(delimiter, isUrlEncoded)) +
    (isUrlEncoded ? "<EncodingType>url</EncodingType>" : "") +
    element("IsTruncated", String(listing.isTruncated))
  );
}

function versionXml(version: ListedVersion, isUrlEncoded: boolean, owner: string): string {
  const { object } = version;
  const key = isUrlEncoded ? urlEncodeName(version.key) : escapeXml(version.key);
  const head =
    `<Key>${key}</Key><VersionId>${version.versionId}</VersionId><IsLatest>${version.isLatest}</IsLatest>` +
    `<LastModified>${formatIsoSeconds(version.lastModifiedMs)}</LastModified>`;
  if (object === undefined) return `<DeleteMarker>${head}${owner}</DeleteMarker>`;
  return (
    `<Version>${head}<ETag>&quot;${object.etag}&quot;</ETag>` +
    optionalElement("ChecksumAlgorithm", object.checksumAlgorithm) +
    optionalElement("ChecksumType", object.checksumType) +
    `<Size>${object.size}</Size>${owner}<StorageClass>${object.storageClass}</StorageClass></Version>`
  );
}

/** The document as UTF-8, ready to be sent. */
export function listObjectVersionsXml(listing: VersionListing): Buffer {
  const { isUrlEncoded } = listing;
  const out = new XmlBytes({ bytesExpected: 1024 + listing.versions.length * ENTRY_BYTES_EXPECTED });
  out.add(documentStart("ListVersionsResult") + headXml(listing));
  const owner = ownerXml(listing.owner);
  for (const version of listing.versions) out.add(versionXml(version, isUrlEncoded, owner));
  out.add(`${commonPrefixesXml(listing.commonPrefixes, isUrlEncoded)}</ListVersionsResult>`);
  return out.take();
}
