/**
 * What x-amz-content-sha256 says about the body: its SHA-256, that it is not signed, or one of the streaming
 * forms in which the body itself carries signatures or trailers (aws-chunked.ts reads those).
 */

import { invalidArgument, s3Error } from "./errors.ts";

export type PayloadKind =
  | { readonly kind: "signed"; readonly sha256Hex: string }
  | { readonly kind: "unsigned" }
  | { readonly kind: "streamingSigned" }
  | { readonly kind: "streamingSignedTrailer" }
  | { readonly kind: "streamingUnsignedTrailer" };

export const UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD";
const UNSIGNED: PayloadKind = { kind: "unsigned" };
const STREAMING_SIGNED: PayloadKind = { kind: "streamingSigned" };
const STREAMING_SIGNED_TRAILER: PayloadKind = { kind: "streamingSignedTrailer" };
const STREAMING_UNSIGNED_TRAILER: PayloadKind = { kind: "streamingUnsignedTrailer" };

const SHA256_HEX = /^[0-9a-fA-F]{64}$/;

export const EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const SIGNED_EMPTY: PayloadKind = { kind: "signed", sha256Hex: EMPTY_SHA256 };

export function parsePayloadHash(text: string): PayloadKind {
  switch (text) {
    // Every GET has it.
    case EMPTY_SHA256:
      return SIGNED_EMPTY;
    case UNSIGNED_PAYLOAD:
      return UNSIGNED;
    case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD":
      return STREAMING_SIGNED;
    case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER":
      return STREAMING_SIGNED_TRAILER;
    case "STREAMING-UNSIGNED-PAYLOAD-TRAILER":
      return STREAMING_UNSIGNED_TRAILER;
    case "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD":
    case "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER":
      throw s3Error("NotImplemented", { message: "SigV4A (AWS4-ECDSA-P256-SHA256) is not implemented" });
    default:
      if (SHA256_HEX.test(text)) return { kind: "signed", sha256Hex: text.toLowerCase() };
      throw invalidArgument(
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, " +
          "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, " +
          "or a valid sha256 value.",
        "x-amz-content-sha256",
        text,
      );
  }
}

/** A request without credentials has no key that could have signed chunks. */
export function parseAnonymousPayloadHash(text: string | undefined): PayloadKind {
  const payload = text === undefined ? UNSIGNED : parsePayloadHash(text);
  if (payload.kind === "streamingSigned" || payload.kind === "streamingSignedTrailer") {
    throw s3Error("InvalidRequest", {
      message:
        "Anonymous requests don't support this x-amz-content-sha256 value. Please use UNSIGNED-PAYLOAD or " +
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER.",
    });
  }
  return payload;
}

export function payloadHashMismatch(expectedHex: string, computedHex: string): Error {
  return s3Error("XAmzContentSHA256Mismatch", {
    fields: { ClientComputedContentSHA256: expectedHex, S3ComputedContentSHA256: computedHex },
  });
}
