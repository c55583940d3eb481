/**
 * What may be called what: bucket names (the rules for general purpose buckets), keys, metadata, part
 * numbers.
 *
 * Keys are any Unicode text of 1 to 1,024 UTF-8 bytes. `.`, `..`, doubled slashes and control characters are
 * ordinary: S3 advises against some of them and refuses none, so nothing that stores a key may give a
 * character of it a meaning. Not keys are text without a UTF-8 form (a lone surrogate), and text with a NUL,
 * which no listing could show, not even escaped, and behind which rows of the state go on (state/keys.ts).
 */

import { invalidArgument, s3Error } from "./errors.ts";

export const KEY_BYTES_MAX = 1024;
export const METADATA_BYTES_MAX = 2048;
export const PART_NUMBER_MAX = 10_000;
export const PART_BYTES_MIN = 5 * 1024 * 1024;
export const PART_BYTES_MAX = 5 * 1024 ** 3;
export const PUT_BYTES_MAX = 5 * 1024 ** 3;
export const OBJECT_BYTES_MAX = 5 * 1024 ** 4;
export const DELETE_KEYS_MAX = 1000;

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;
const RESERVED_PREFIXES = ["xn--", "sthree-", "amzn-s3-demo-"] as const;
const RESERVED_SUFFIXES = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"] as const;

export function isValidBucketName(name: string): boolean {
  if (!BUCKET.test(name) || name.includes("..") || IPV4.test(name)) return false;
  return (
    !RESERVED_PREFIXES.some((prefix) => name.startsWith(prefix)) &&
    !RESERVED_SUFFIXES.some((suffix) => name.endsWith(suffix))
  );
}

export function checkBucketName(name: string): void {
  if (!isValidBucketName(name)) throw s3Error("InvalidBucketName", { fields: { BucketName: name } });
}

/** A UTF-16 unit is at most three bytes of UTF-8, so most keys are short enough without counting. */
export function checkKey(key: string): void {
  if (key === "") throw invalidArgument("Key must not be empty", "key", "");
  if (!key.isWellFormed()) throw s3Error("InvalidURI");
  if (key.includes("\0")) throw invalidArgument("A key must not hold a NUL character", "key");
  if (key.length * 3 <= KEY_BYTES_MAX) return;
  const size = Buffer.byteLength(key, "utf8");
  if (size > KEY_BYTES_MAX) {
    throw s3Error("KeyTooLongError", {
      fields: { Size: String(size), MaxSizeAllowed: String(KEY_BYTES_MAX) },
    });
  }
}

/** S3 counts the UTF-8 bytes of each name (without `x-amz-meta-`) and each value. */
export function checkMetadataSize(user: Readonly<Record<string, string>>): void {
  let size = 0;
  for (const name in user)
    size += Buffer.byteLength(name, "utf8") + Buffer.byteLength(user[name] ?? "", "utf8");
  if (size > METADATA_BYTES_MAX) {
    throw s3Error("MetadataTooLarge", {
      fields: { Size: String(size), MaxSizeAllowed: String(METADATA_BYTES_MAX) },
    });
  }
}

const DIGITS = /^\d{1,9}$/;

export function parsePartNumber(text: string): number {
  const number = DIGITS.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= PART_NUMBER_MAX) return number;
  throw invalidArgument(
    `Part number must be an integer between 1 and ${PART_NUMBER_MAX}, inclusive`,
    "partNumber",
    text,
  );
}
