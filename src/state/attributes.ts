/**
 * What a client says about an object and gets back with it: system headers, user metadata, checksum. One
 * codec, used in commands, in object rows and in the rows of open uploads.
 */
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import { FormatError } from "../base/bytes.ts";

/** Stored system headers. The position in this list is the code at rest: append only. */
export const STORED_HEADERS = [
  "content-type",
  "content-encoding",
  "content-language",
  "content-disposition",
  "cache-control",
  "expires",
  "x-amz-website-redirect-location",
  "x-amz-storage-class",
] as const;
export type StoredHeader = (typeof STORED_HEADERS)[number];

/** The position in this list, plus one, is the code at rest: append only. */
export const CHECKSUM_ALGORITHMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] as const;
export type ChecksumAlgorithm = (typeof CHECKSUM_ALGORITHMS)[number];
export type ChecksumType = "FULL_OBJECT" | "COMPOSITE";

export type StoredChecksum = {
  readonly algorithm: ChecksumAlgorithm;
  readonly type: ChecksumType;
  /** Base64 as S3 shows it, with `-N` for a composite of N parts. */
  readonly value: string;
};

export type Attributes = {
  readonly headers: readonly (readonly [name: StoredHeader, value: string])[];
  /** User metadata, names without `x-amz-meta-`, lower case. */
  readonly metadata: readonly (readonly [name: string, value: string])[];
  readonly checksum: StoredChecksum | undefined;
};

export const NO_ATTRIBUTES: Attributes = { headers: [], metadata: [], checksum: undefined };

const headerCodes = new Map<string, number>(STORED_HEADERS.map((name, code) => [name, code]));

/** Code of a checksum in rows and commands: 0 none, else algorithm + 16 for composite. */
export function checksumCode(
  algorithm: ChecksumAlgorithm | undefined,
  type: ChecksumType | undefined,
): number {
  if (algorithm === undefined) return 0;
  return CHECKSUM_ALGORITHMS.indexOf(algorithm) + 1 + (type === "COMPOSITE" ? 16 : 0);
}

export function checksumOfCode(
  code: number,
): { readonly algorithm: ChecksumAlgorithm; readonly type: ChecksumType } | undefined {
  if (code === 0) return undefined;
  const algorithm = CHECKSUM_ALGORITHMS[(code & 15) - 1];
  if (algorithm === undefined) throw new FormatError(`unknown checksum code ${code}`);
  return { algorithm, type: code & 16 ? "COMPOSITE" : "FULL_OBJECT" };
}

/** What an object may say it is; the position in this list is the code at rest: append only. */
const STORAGE_CLASSES: readonly string[] = [
  "STANDARD",
  "REDUCED_REDUNDANCY",
  "STANDARD_IA",
  "ONEZONE_IA",
  "INTELLIGENT_TIERING",
  "GLACIER_IR",
];
/** Above all codes of checksums. */
const STORAGE_CLASS_UNIT = 32;

export function storageClassOf(attributes: Attributes): string {
  for (const [name, value] of attributes.headers) if (name === "x-amz-storage-class") return value;
  return "STANDARD";
}

/** What listings show of attributes, as one number: the checksum's code and 32 times the storage class's. */
export function listingCode(attributes: Attributes): number {
  const { headers, checksum } = attributes;
  const sum = checksumCode(checksum?.algorithm, checksum?.type);
  if (headers.length === 0) return sum;
  return sum + STORAGE_CLASS_UNIT * Math.max(0, STORAGE_CLASSES.indexOf(storageClassOf(attributes)));
}

export function readListingCode(code: number): {
  readonly checksum: ReturnType<typeof checksumOfCode>;
  readonly storageClass: string;
} {
  const storageClass = STORAGE_CLASSES[Math.floor(code / STORAGE_CLASS_UNIT)];
  if (storageClass === undefined) throw new FormatError(`unknown listing code ${code}`);
  return { checksum: checksumOfCode(code % STORAGE_CLASS_UNIT), storageClass };
}

export function writeAttributes(writer: ByteWriter, attributes: Attributes): void {
  writer.varint(attributes.headers.length);
  for (const [name, value] of attributes.headers) {
    writer.u8(headerCodes.get(name) as number);
    writer.text(value);
  }
  writer.varint(attributes.metadata.length);
  for (const [name, value] of attributes.metadata) {
    writer.text(name);
    writer.text(value);
  }
  const { checksum } = attributes;
  writer.u8(checksumCode(checksum?.algorithm, checksum?.type));
  if (checksum !== undefined) writer.text(checksum.value);
}

/** At least as many bytes as they take: three per UTF-16 unit, and lengths. Cheaper than to encode them. */
export function attributesBytesMax(attributes: Attributes): number {
  let units = 0;
  let texts = attributes.checksum === undefined ? 0 : 1;
  for (const [, value] of attributes.headers) {
    units += value.length;
    texts++;
  }
  for (const [name, value] of attributes.metadata) {
    units += name.length + value.length;
    texts += 2;
  }
  units += attributes.checksum?.value.length ?? 0;
  return 3 * units + 8 * texts + 17;
}

export function readAttributes(reader: ByteReader): Attributes {
  const headers: [StoredHeader, string][] = [];
  for (let count = reader.varint(); count > 0; count--) {
    const name = STORED_HEADERS[reader.u8()];
    if (name === undefined) throw new FormatError("unknown header code");
    headers.push([name, reader.text()]);
  }
  const metadata: [string, string][] = [];
  for (let count = reader.varint(); count > 0; count--) metadata.push([reader.text(), reader.text()]);
  const sum = checksumOfCode(reader.u8());
  const checksum = sum === undefined ? undefined : { ...sum, value: reader.text() };
  return { headers, metadata, checksum };
}
