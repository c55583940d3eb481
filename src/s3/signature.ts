/**
 * One signature: computed with a KeyObject, compared in constant time, and explained where it does not match.
 * Used for whole requests (sigv4.ts) and for the chunks and trailers of streaming bodies (aws-chunked.ts).
 */

import { createHmac, timingSafeEqual } from "node:crypto";
import type { KeyObject } from "node:crypto";

import { s3Error } from "./errors.ts";
import type { S3Error } from "./errors.ts";

/** What the chunks of a signed streaming body are verified with. */
export type ChunkSigning = {
  readonly key: KeyObject;
  readonly timestamp: string;
  readonly scope: string;
  readonly seedSignature: string;
  readonly accessKey: string;
};

export function signHex(key: KeyObject, text: string): string {
  return createHmac("sha256", key).update(text).digest("hex");
}

const SIGNATURE_CHARACTERS = 64;
const computedBytes = Buffer.alloc(SIGNATURE_CHARACTERS);
const providedBytes = Buffer.alloc(SIGNATURE_CHARACTERS);

/** Constant time in the content; a length other than that of a signature is no secret. */
export function signaturesEqual(computed: string, provided: string): boolean {
  if (provided.length !== SIGNATURE_CHARACTERS || computed.length !== SIGNATURE_CHARACTERS) return false;
  computedBytes.write(computed, 0, "latin1");
  providedBytes.write(provided, 0, "latin1");
  return timingSafeEqual(computedBytes, providedBytes);
}

function bytesInHex(text: string): string {
  return Buffer.from(text, "latin1")
    .toString("hex")
    .replaceAll(/(..)(?=.)/g, "$1 ");
}

/** AWS shows what it computed, so that the author of a client finds the difference. */
export function signatureMismatch(facts: {
  readonly accessKey: string;
  readonly stringToSign: string;
  readonly provided: string;
  readonly canonical?: string;
}): S3Error {
  const fields: Record<string, string> = {
    AWSAccessKeyId: facts.accessKey,
    StringToSign: facts.stringToSign,
    SignatureProvided: facts.provided,
    StringToSignBytes: bytesInHex(facts.stringToSign),
  };
  if (facts.canonical !== undefined) {
    fields["CanonicalRequest"] = facts.canonical;
    fields["CanonicalRequestBytes"] = bytesInHex(facts.canonical);
  }
  return s3Error("SignatureDoesNotMatch", { fields });
}
