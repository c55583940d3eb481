/**
 * What a request says about checksums: a value in a header, a value announced for the trailer, an algorithm
 * for a multipart upload, a Content-MD5. Refuses with AWS's answers what contradicts itself; comparing a
 * declared value with the bytes is checkChecksum() and checkContentMd5(), to be called when the last byte was
 * hashed.
 */

import { CHECKSUM_ALGORITHMS, CHECKSUM_BYTES } from "./checksums.ts";
import type { ChecksumAlgorithm, ChecksumType } from "./checksums.ts";
import { headerText } from "./canonical-request.ts";
import type { RequestHeaders } from "./canonical-request.ts";
import { s3Error } from "./errors.ts";
import type { S3Error } from "./errors.ts";

const PREFIX = "x-amz-checksum-";
/** These begin like a checksum and are none. */
const NOT_VALUES: ReadonlySet<string> = new Set(["algorithm", "type", "mode"]);

const BY_SUFFIX: ReadonlyMap<string, ChecksumAlgorithm> = new Map(
  CHECKSUM_ALGORITHMS.map((algorithm) => [algorithm.toLowerCase(), algorithm]),
);

/** `x-amz-checksum-crc32` and its like, for requests, responses and trailers. */
export function checksumHeaderName(algorithm: ChecksumAlgorithm): string {
  return PREFIX + algorithm.toLowerCase();
}

/** `CRC32` etc. in any case, as header values name them. */
export function parseChecksumAlgorithm(text: string): ChecksumAlgorithm | undefined {
  return BY_SUFFIX.get(text.toLowerCase());
}

export type DeclaredChecksum =
  | { readonly kind: "none" }
  | { readonly kind: "header"; readonly algorithm: ChecksumAlgorithm; readonly value: string }
  | { readonly kind: "trailer"; readonly algorithm: ChecksumAlgorithm };

const NONE: DeclaredChecksum = { kind: "none" };

function invalidRequest(message: string): S3Error {
  return s3Error("InvalidRequest", { message });
}

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** Canonical base64 of the algorithm's length. */
export function isChecksumValue(algorithm: ChecksumAlgorithm, value: string): boolean {
  const bytes = CHECKSUM_BYTES[algorithm];
  if (value.length !== Math.ceil(bytes / 3) * 4 || !BASE64.test(value)) return false;
  const decoded = Buffer.from(value, "base64");
  return decoded.length === bytes && decoded.toString("base64") === value;
}

function tooMany(): S3Error {
  return invalidRequest(
    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
  );
}

function headerChecksum(headers: RequestHeaders): DeclaredChecksum {
  let found: DeclaredChecksum = NONE;
  for (const name in headers) {
    if (!name.startsWith(PREFIX)) continue;
    const suffix = name.slice(PREFIX.length);
    if (NOT_VALUES.has(suffix)) continue;
    const algorithm = BY_SUFFIX.get(suffix);
    if (algorithm === undefined) {
      throw invalidRequest("The algorithm type you specified in x-amz-checksum- header is invalid.");
    }
    if (found.kind !== "none") throw tooMany();
    const value = headerText(headers, name) ?? "";
    if (!isChecksumValue(algorithm, value)) throw invalidRequest(`Value for ${name} header is invalid.`);
    found = { kind: "header", algorithm, value };
  }
  return found;
}

/** The names that x-amz-trailer announces, lower case. */
export function trailerNames(headers: RequestHeaders): readonly string[] {
  const text = headerText(headers, "x-amz-trailer");
  if (text === undefined) return [];
  return text
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "");
}

function trailerChecksum(headers: RequestHeaders): DeclaredChecksum {
  const names = trailerNames(headers);
  const [name] = names;
  if (name === undefined) return NONE;
  if (names.length > 1) throw tooMany();
  const algorithm = name.startsWith(PREFIX) ? BY_SUFFIX.get(name.slice(PREFIX.length)) : undefined;
  if (algorithm === undefined) {
    throw invalidRequest("The value specified in the x-amz-trailer header is not supported");
  }
  return { kind: "trailer", algorithm };
}

/** For every operation with a body. `x-amz-sdk-checksum-algorithm` must agree with what is really there. */
export function parseDeclaredChecksum(headers: RequestHeaders): DeclaredChecksum {
  const inHeader = headerChecksum(headers);
  const inTrailer = trailerChecksum(headers);
  if (inHeader.kind !== "none" && inTrailer.kind !== "none") throw tooMany();
  const declared = inHeader.kind === "none" ? inTrailer : inHeader;
  const sdk = headerText(headers, "x-amz-sdk-checksum-algorithm");
  if (sdk === undefined) return declared;
  if (declared.kind === "none") {
    throw invalidRequest(
      "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer " +
        "headers were found.",
    );
  }
  if (parseChecksumAlgorithm(sdk) !== declared.algorithm) {
    throw invalidRequest("Value for x-amz-sdk-checksum-algorithm header is invalid.");
  }
  return declared;
}

/** The value of an announced trailer, once aws-chunked.ts has read it. */
export function trailerChecksumValue(
  algorithm: ChecksumAlgorithm,
  trailers: Readonly<Record<string, string>>,
): string {
  const name = checksumHeaderName(algorithm);
  const value = trailers[name];
  if (value === undefined) throw s3Error("MalformedTrailerError");
  if (!isChecksumValue(algorithm, value))
    throw invalidRequest(`Value for ${name} trailing header is invalid.`);
  return value;
}

/** Both in base64. */
export function checkChecksum(algorithm: ChecksumAlgorithm, declared: string, computed: string): void {
  if (declared === computed) return;
  throw s3Error("BadDigest", {
    message: `The ${algorithm} you specified did not match the calculated checksum.`,
  });
}

export type MultipartChecksum = { readonly algorithm: ChecksumAlgorithm; readonly type: ChecksumType };

/** A SHA cannot be combined from its parts; CRC64NVME has no composite form. */
function allowedTypes(algorithm: ChecksumAlgorithm): readonly [ChecksumType, ...ChecksumType[]] {
  if (algorithm === "CRC64NVME") return ["FULL_OBJECT"];
  return algorithm === "CRC32" || algorithm === "CRC32C" ? ["COMPOSITE", "FULL_OBJECT"] : ["COMPOSITE"];
}

export function parseChecksumType(text: string): ChecksumType {
  const type = text.toUpperCase();
  if (type === "FULL_OBJECT" || type === "COMPOSITE") return type;
  throw invalidRequest("Value for x-amz-checksum-type header is invalid.");
}

/**
 * For CreateMultipartUpload: which checksum the parts shall have, and of which kind the object's shall be.
 */
export function parseMultipartChecksum(headers: RequestHeaders): MultipartChecksum | undefined {
  const algorithmText = headerText(headers, "x-amz-checksum-algorithm");
  const typeText = headerText(headers, "x-amz-checksum-type");
  if (algorithmText === undefined) {
    if (typeText === undefined) return undefined;
    throw invalidRequest(
      "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
    );
  }
  const algorithm = parseChecksumAlgorithm(algorithmText);
  if (algorithm === undefined) {
    throw invalidRequest(
      "Checksum algorithm provided is unsupported. Please try again with any of the valid types: " +
        `[${CHECKSUM_ALGORITHMS.join(", ")}]`,
    );
  }
  const allowed = allowedTypes(algorithm);
  if (typeText === undefined) return { algorithm, type: allowed[0] };
  const type = parseChecksumType(typeText);
  if (allowed.includes(type)) return { algorithm, type };
  throw invalidRequest(
    `The ${type} checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`,
  );
}

const MD5_BYTES = 16;

/** The declared MD5 in canonical base64, or undefined when there is none. */
export function parseContentMd5(headers: RequestHeaders): string | undefined {
  const text = headerText(headers, "content-md5");
  if (text === undefined) return undefined;
  const decoded = Buffer.from(text, "base64");
  if (decoded.length !== MD5_BYTES || decoded.toString("base64") !== text) {
    throw s3Error("InvalidDigest", { fields: { "Content-MD5": text } });
  }
  return text;
}

/** Both in base64. */
export function checkContentMd5(declared: string, computed: string): void {
  if (declared === computed) return;
  throw s3Error("BadDigest", { fields: { ExpectedDigest: declared, CalculatedDigest: computed } });
}
