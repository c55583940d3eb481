/**
 * Who sent this request? Verifies SigV4 in the Authorization header and in presigned queries, and says how
 * the body is covered. Anonymous requests are a result, not an error: whether they may do anything is for
 * others to say.
 *
 * Promises: the signature is compared in constant time; the host and every x-amz-* header that is present
 * must be signed, so nothing that changes what S3 does can be slipped into a signed request; a header
 * signature is good for 15 minutes around the clock it is given, a presigned one for its X-Amz-Expires.
 * Reading the parts is authorization.ts, the canonical form canonical-request.ts.
 */

import type { KeyObject } from "node:crypto";

import {
  ALGORITHM,
  isPresigned,
  parseAuthorizationPrefix,
  parsePresignedQuery,
  refuseSigV2Query,
  splitAuthorizationHeader,
} from "./authorization.ts";
import type { Authorization, Credential, PresignedAuthorization } from "./authorization.ts";
import { BoundedMemo } from "./bounded-memo.ts";
import { canonicalRequest, hashCanonicalRequest, headerText } from "./canonical-request.ts";
import type { RequestHeaders } from "./canonical-request.ts";
import { formatAmzDate, formatIsoSeconds, parseAmzDate, parseHttpDate } from "./dates.ts";
import { invalidArgument, S3Error, s3Error } from "./errors.ts";
import { parseAnonymousPayloadHash, parsePayloadHash, UNSIGNED_PAYLOAD } from "./payload-hash.ts";
import type { PayloadKind } from "./payload-hash.ts";
import { PresignedMemo } from "./presigned-memo.ts";
import type { RequestTarget } from "./request-target.ts";
import { signatureMismatch, signaturesEqual, signHex } from "./signature.ts";
import type { ChunkSigning } from "./signature.ts";

export type { ChunkSigning } from "./signature.ts";
import { SigningKeys } from "./signing-keys.ts";

export const CLOCK_SKEW_MS_MAX = 15 * 60 * 1000;
/** Longer texts are not memoised: the memo is bounded in entries, and this bounds what an entry holds. */
const MEMO_TEXT_CHARACTERS_MAX = 1024;

/** What an account has to offer to be recognised; callers extend it with whatever they need back. */
export type SigningKeySource = {
  readonly secretKey: string;
  /** Present for temporary credentials: requests must then carry it. */
  readonly sessionToken?: string;
};

export type SignatureResult<Source extends SigningKeySource> =
  | { readonly kind: "anonymous"; readonly payload: PayloadKind }
  | {
      readonly kind: "verified";
      readonly accessKey: string;
      readonly source: Source;
      readonly payload: PayloadKind;
      readonly isPresigned: boolean;
      readonly chunkSigning: ChunkSigning | undefined;
    }
  | { readonly kind: "refused"; readonly error: S3Error };

/** A parsed header prefix with the key that verified it; of no use once the account's secret has changed. */
type KnownAuthorization = {
  readonly authorization: Authorization;
  readonly secretKey: string;
  readonly key: KeyObject;
};

/** What verification keeps between requests. One for the life of a server. */
export type SigV4Caches = {
  readonly keys: SigningKeys;
  readonly authorizations: BoundedMemo<KnownAuthorization>;
  readonly presigned: PresignedMemo;
};

export type SigV4CacheOptions = {
  readonly signingKeysMax: number;
  readonly authorizationsMax: number;
  readonly presignedMax: number;
};

export function createSigV4Caches(options: SigV4CacheOptions): SigV4Caches {
  return {
    keys: new SigningKeys({ entriesMax: options.signingKeysMax }),
    authorizations: new BoundedMemo({ entriesMax: options.authorizationsMax }),
    presigned: new PresignedMemo({ entriesMax: options.presignedMax }),
  };
}

export type SignedRequest<Source extends SigningKeySource> = {
  readonly method: string;
  readonly target: RequestTarget;
  readonly headers: RequestHeaders;
  readonly nowMs: number;
  readonly lookupSecret: (accessKey: string) => Source | undefined;
  readonly caches: SigV4Caches;
};

function lookup<Source extends SigningKeySource>(request: SignedRequest<Source>, accessKey: string): Source {
  const source = request.lookupSecret(accessKey);
  if (source === undefined) throw s3Error("InvalidAccessKeyId", { fields: { AWSAccessKeyId: accessKey } });
  return source;
}

function checkSessionToken(source: SigningKeySource, token: string | undefined): void {
  if ((token ?? "") !== (source.sessionToken ?? "")) throw s3Error("InvalidToken");
}

function mustBeSigned(name: string, isQuery: boolean): boolean {
  return name.startsWith("x-amz-") || (!isQuery && name === "content-md5");
}

function checkSignedHeaders(headers: RequestHeaders, signed: readonly string[], isQuery: boolean): void {
  let missing: string[] | undefined;
  if (!signed.includes("host")) missing = ["host"];
  for (const name in headers) {
    const first = name.charCodeAt(0);
    // Only names that begin with x or c can matter: the hot path looks at one character of all others.
    if ((first !== 0x78 && first !== 0x63) || !mustBeSigned(name, isQuery) || signed.includes(name)) continue;
    (missing ??= []).push(name);
  }
  if (missing !== undefined) {
    throw s3Error("AccessDenied", {
      message: "There were headers present in the request which were not signed",
      fields: { HeadersNotSigned: missing.join(", ") },
    });
  }
}

type Proof = {
  readonly authorization: Authorization;
  readonly timestamp: string;
  readonly signature: string;
  readonly payloadHash: string;
  readonly key: KeyObject;
};

function prove(request: SignedRequest<SigningKeySource>, proof: Proof): void {
  const { authorization, key } = proof;
  const canonical = canonicalRequest({
    method: request.method,
    target: request.target,
    headers: request.headers,
    signedHeaders: authorization.signedHeaders,
    signedHeaderNames: authorization.signedHeaderNames,
    payloadHash: proof.payloadHash,
  });
  const canonicalHash = hashCanonicalRequest(canonical);
  const stringToSign = `${ALGORITHM}\n${proof.timestamp}\n${authorization.scope}\n${canonicalHash}`;
  if (!signaturesEqual(signHex(key, stringToSign), proof.signature)) {
    throw signatureMismatch({
      accessKey: authorization.accessKey,
      stringToSign,
      provided: proof.signature,
      canonical: canonical.text,
    });
  }
}

type Timestamp = { readonly text: string; readonly ms: number };

/** x-amz-date wins over Date; a Date is signed in the form of x-amz-date. */
function requestTimestamp(headers: RequestHeaders): Timestamp {
  const amzDate = headerText(headers, "x-amz-date");
  if (amzDate !== undefined) {
    const ms = parseAmzDate(amzDate);
    if (ms !== undefined) return { text: amzDate, ms };
  }
  const date = headerText(headers, "date");
  const ms = date === undefined ? undefined : (parseHttpDate(date) ?? parseAmzDate(date));
  if (amzDate === undefined && ms !== undefined) return { text: formatAmzDate(ms), ms };
  throw s3Error("AccessDenied", {
    message: "AWS authentication requires a valid Date or x-amz-date header",
  });
}

function checkSkew(timestamp: Timestamp, nowMs: number): void {
  if (Math.abs(timestamp.ms - nowMs) <= CLOCK_SKEW_MS_MAX) return;
  throw s3Error("RequestTimeTooSkewed", {
    fields: {
      RequestTime: timestamp.text,
      ServerTime: formatIsoSeconds(nowMs).replace(".000", ""),
      MaxAllowedSkewMilliseconds: String(CLOCK_SKEW_MS_MAX),
    },
  });
}

function checkScopeDate(credential: Credential, timestamp: string, code: "header" | "query"): void {
  if (timestamp.startsWith(credential.date)) return;
  const detail =
    `Invalid credential date "${credential.date}". This date is not the same as X-Amz-Date: ` +
    `"${timestamp.slice(0, 8)}".`;
  throw code === "header"
    ? s3Error("AuthorizationHeaderMalformed", {
        message: `The authorization header is malformed; ${detail}`,
      })
    : s3Error("AuthorizationQueryParametersError", { message: detail });
}

function chunkSigningOf(proof: Proof, payload: PayloadKind): ChunkSigning | undefined {
  if (payload.kind !== "streamingSigned" && payload.kind !== "streamingSignedTrailer") return undefined;
  const { accessKey, scope } = proof.authorization;
  return { key: proof.key, timestamp: proof.timestamp, scope, seedSignature: proof.signature, accessKey };
}

function verifyHeader<Source extends SigningKeySource>(
  request: SignedRequest<Source>,
  header: string,
): SignatureResult<Source> {
  const { headers, caches } = request;
  const { prefix, signature } = splitAuthorizationHeader(header);
  const known = caches.authorizations.get(prefix);
  const authorization = known?.authorization ?? parseAuthorizationPrefix(prefix);
  const source = lookup(request, authorization.accessKey);
  const timestamp = requestTimestamp(headers);
  checkScopeDate(authorization, timestamp.text, "header");
  checkSkew(timestamp, request.nowMs);
  checkSessionToken(source, headerText(headers, "x-amz-security-token"));
  const payloadHash = headerText(headers, "x-amz-content-sha256");
  if (payloadHash === undefined) {
    throw s3Error("InvalidRequest", {
      message: "Missing required header for this request: x-amz-content-sha256",
    });
  }
  const payload = parsePayloadHash(payloadHash);
  checkSignedHeaders(headers, authorization.signedHeaderNames, false);
  const { secretKey } = source;
  const isKnown = known !== undefined && known.secretKey === secretKey;
  const key = isKnown ? known.key : caches.keys.get(authorization, secretKey);
  const proof: Proof = { authorization, timestamp: timestamp.text, signature, payloadHash, key };
  prove(request, proof);
  if (!isKnown) {
    caches.keys.keep(authorization, secretKey, key);
    if (prefix.length <= MEMO_TEXT_CHARACTERS_MAX) {
      caches.authorizations.set(prefix, { authorization, secretKey, key });
    }
  }
  return {
    kind: "verified",
    accessKey: authorization.accessKey,
    source,
    payload,
    isPresigned: false,
    chunkSigning: chunkSigningOf(proof, payload),
  };
}

/** Both ends of a presigned request's life; checked on every use, memoised or not. */
function checkLifetime(request: { readonly nowMs: number }, startMs: number, expiresSeconds: number): void {
  const { nowMs } = request;
  if (startMs - nowMs > CLOCK_SKEW_MS_MAX) {
    throw s3Error("AccessDenied", { message: "Request is not yet valid" });
  }
  const endMs = startMs + expiresSeconds * 1000;
  if (nowMs <= endMs) return;
  throw s3Error("AccessDenied", {
    message: "Request has expired",
    fields: {
      "X-Amz-Expires": String(expiresSeconds),
      Expires: formatIsoSeconds(endMs).replace(".000", ""),
      ServerTime: formatIsoSeconds(nowMs).replace(".000", ""),
    },
  });
}

function presignedTime(authorization: PresignedAuthorization): number {
  const ms = parseAmzDate(authorization.timestamp);
  if (ms !== undefined) return ms;
  throw s3Error("AuthorizationQueryParametersError", {
    message: "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"",
  });
}

/** The memo's answer, which holds only while the account still has the secret that was verified. */
function verifyKnownPresigned<Source extends SigningKeySource>(
  request: SignedRequest<Source>,
): SignatureResult<Source> | undefined {
  const known = request.caches.presigned.find(request);
  if (known === undefined) return undefined;
  const { accessKey, payload } = known;
  const source = lookup(request, accessKey);
  if (source.secretKey !== known.secretKey) return undefined;
  checkSessionToken(source, known.securityToken);
  checkLifetime(request, known.startMs, known.expiresSeconds);
  checkSignedHeaders(request.headers, known.signedHeaderNames, true);
  return { kind: "verified", accessKey, source, payload, isPresigned: true, chunkSigning: undefined };
}

function verifyPresigned<Source extends SigningKeySource>(
  request: SignedRequest<Source>,
): SignatureResult<Source> {
  const { headers, target, caches } = request;
  const authorization = parsePresignedQuery(target.query);
  const { accessKey, timestamp, signature } = authorization;
  const source = lookup(request, accessKey);
  const { secretKey } = source;
  const startMs = presignedTime(authorization);
  checkScopeDate(authorization, timestamp, "query");
  checkLifetime(request, startMs, authorization.expiresSeconds);
  checkSessionToken(source, authorization.securityToken);
  checkSignedHeaders(headers, authorization.signedHeaderNames, true);
  const payloadHash =
    target.query.get("X-Amz-Content-Sha256") ??
    headerText(headers, "x-amz-content-sha256") ??
    UNSIGNED_PAYLOAD;
  const payload = parsePayloadHash(payloadHash);
  const key = caches.keys.get(authorization, secretKey);
  const proof: Proof = { authorization, timestamp, signature, payloadHash, key };
  prove(request, proof);
  caches.keys.keep(authorization, secretKey, key);
  const chunkSigning = chunkSigningOf(proof, payload);
  if (chunkSigning === undefined) {
    caches.presigned.keep(request, { ...authorization, secretKey, startMs, payload });
  }
  return { kind: "verified", accessKey, source, payload, isPresigned: true, chunkSigning };
}

function verify<Source extends SigningKeySource>(request: SignedRequest<Source>): SignatureResult<Source> {
  const header = headerText(request.headers, "authorization");
  const { query } = request.target;
  const hasQuery = query.size > 0;
  if (header !== undefined) {
    if (hasQuery && isPresigned(query)) {
      throw invalidArgument(
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string " +
          "parameter or the Authorization header should be specified",
        "Authorization",
        header,
      );
    }
    return verifyHeader(request, header);
  }
  if (hasQuery) {
    if (isPresigned(query)) return verifyKnownPresigned(request) ?? verifyPresigned(request);
    refuseSigV2Query(query);
  }
  const payload = parseAnonymousPayloadHash(headerText(request.headers, "x-amz-content-sha256"));
  return { kind: "anonymous", payload };
}

export function verifySignature<Source extends SigningKeySource>(
  request: SignedRequest<Source>,
): SignatureResult<Source> {
  try {
    return verify(request);
  } catch (error) {
    // A request that does not prove who sent it is an expected outcome; anything else is a bug and goes on.
    if (error instanceof S3Error) return { kind: "refused", error };
    throw error;
  }
}
