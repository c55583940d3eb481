/**
 * What the headers of a request say about its body, before a byte of it is read: how long it is, how it
 * travels, and what it must hash to. Refuses here what cannot be taken, so that nothing is read in vain.
 */
import { AwsChunkedDecoder, parseDecodedLength } from "../s3/aws-chunked.ts";
import { parseContentMd5, parseDeclaredChecksum, trailerNames } from "../s3/checksum-headers.ts";
import type { DeclaredChecksum } from "../s3/checksum-headers.ts";
import type { ChecksumAlgorithm } from "../s3/checksums.ts";
import { s3Error } from "../s3/errors.ts";
import type { S3Error } from "../s3/errors.ts";
import { unreachable } from "../base/assert.ts";
import type { Exchange } from "./exchange.ts";

export type BodyPlan = {
  /** Of the decoded body; undefined for a stream whose length its client does not know. */
  readonly length: number | undefined;
  /** Decoded bytes that are taken at most. */
  readonly bytesMax: number;
  readonly isDocument: boolean;
  readonly isChunked: boolean;
  readonly contentMd5: string | undefined;
  /** Of x-amz-content-sha256. */
  readonly sha256Hex: string | undefined;
  readonly declared: DeclaredChecksum;
  /** The checksum to compute; differs from the declared one only where nothing was declared. */
  readonly algorithm: ChecksumAlgorithm | undefined;
};

export type BodyRules = {
  readonly bytesMax: number;
  /** Whether a missing Content-Length is an error, as for objects, or means no body. */
  readonly needsLength: boolean;
  /** Computed when the client declares no checksum. */
  readonly checksum?: ChecksumAlgorithm | undefined;
  /** An XML document and no object: S3 has another error for those that are too long. */
  readonly isDocument?: boolean;
  /** The checksum headers speak of something else than this body. */
  readonly ignoresChecksums?: boolean;
};

export function bodyTooLong(limit: { readonly bytesMax: number; readonly isDocument?: boolean }): S3Error {
  const max = String(limit.bytesMax);
  if (limit.isDocument === true) {
    return s3Error("MaxMessageLengthExceeded", { fields: { MaxMessageLengthBytes: max } });
  }
  return s3Error("EntityTooLarge", { fields: { MaxSizeAllowed: max } });
}

const NO_CHECKSUM: DeclaredChecksum = { kind: "none" };

function declaredChecksum(exchange: Exchange): DeclaredChecksum {
  // Presence is looked at first: most requests carry none of these.
  for (const name in exchange.headers) {
    if (
      name.startsWith("x-amz-checksum-") ||
      name.startsWith("x-amz-trailer") ||
      name === "x-amz-sdk-checksum-algorithm"
    ) {
      return parseDeclaredChecksum(exchange.headers);
    }
  }
  return NO_CHECKSUM;
}

function isAwsChunked(exchange: Exchange): boolean {
  const { payload } = exchange;
  switch (payload.kind) {
    case "signed":
    case "unsigned":
      return false;
    case "streamingSigned":
    case "streamingSignedTrailer":
    case "streamingUnsignedTrailer":
      return true;
    default:
      return unreachable(payload);
  }
}

function text(exchange: Exchange, name: string): string | undefined {
  const value = exchange.headers[name];
  return typeof value === "string" ? value : undefined;
}

function plainLength(exchange: Exchange, rules: BodyRules): number | undefined {
  const length = text(exchange, "content-length");
  if (length !== undefined) return Number(length);
  const isStream = exchange.headers["transfer-encoding"] !== undefined;
  if (rules.needsLength) throw s3Error("MissingContentLength");
  return isStream ? undefined : 0;
}

/** The decoded length may be missing where the wire says where the body ends. */
function decodedLength(exchange: Exchange): number | undefined {
  return parseDecodedLength(text(exchange, "x-amz-decoded-content-length"));
}

export function planBody(exchange: Exchange, rules: BodyRules): BodyPlan {
  const { payload, headers } = exchange;
  const isChunked = isAwsChunked(exchange);
  const length = isChunked ? decodedLength(exchange) : plainLength(exchange, rules);
  if (length !== undefined && length > rules.bytesMax) throw bodyTooLong(rules);
  const declared = rules.ignoresChecksums === true ? NO_CHECKSUM : declaredChecksum(exchange);
  if (declared.kind === "trailer" && !isChunked) {
    throw s3Error("InvalidRequest", { message: "x-amz-trailer needs a streaming x-amz-content-sha256" });
  }
  return {
    length,
    bytesMax: rules.bytesMax,
    isDocument: rules.isDocument === true,
    isChunked,
    contentMd5: headers["content-md5"] === undefined ? undefined : parseContentMd5(headers),
    sha256Hex: payload.kind === "signed" ? payload.sha256Hex : undefined,
    declared,
    algorithm: declared.kind === "none" ? rules.checksum : declared.algorithm,
  };
}

/** The decoder for bodies that travel as aws-chunked. */
export function bodyDecoder(exchange: Exchange, plan: BodyPlan): AwsChunkedDecoder | undefined {
  if (!plan.isChunked) return undefined;
  return new AwsChunkedDecoder({
    signing: exchange.chunkSigning,
    decodedLength: plan.length,
    trailerNames: exchange.payload.kind === "streamingSigned" ? [] : trailerNames(exchange.headers),
    payloadBytesMax: plan.bytesMax,
  });
}
