/**
 * Reads the two places where SigV4 puts its parts, the Authorization header and the presigned query, and
 * refuses with AWS's messages what is malformed. Nothing is verified here: the signature is sigv4.ts's
 * matter.
 *
 * The credential is split from its end, because an access key may contain slashes. Any region is accepted,
 * since one store answers for all of them; the service must be s3.
 */

import { invalidArgument, s3Error } from "./errors.ts";
import type { S3Error } from "./errors.ts";
import type { QueryParameters } from "./request-target.ts";

export type Credential = {
  readonly accessKey: string;
  /** `yyyyMMdd` */
  readonly date: string;
  readonly region: string;
  /** `yyyyMMdd/region/s3/aws4_request` */
  readonly scope: string;
};

export type Authorization = Credential & {
  /** As the client wrote them, separated by semicolons. */
  readonly signedHeaders: string;
  readonly signedHeaderNames: readonly string[];
};

export type PresignedAuthorization = Authorization & {
  readonly signature: string;
  readonly timestamp: string;
  readonly expiresSeconds: number;
  readonly securityToken: string | undefined;
};

export const ALGORITHM = "AWS4-HMAC-SHA256";
export const PRESIGN_SECONDS_MAX = 604_800;
const EXPECTED = 'expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".';

function headerMalformed(detail: string): S3Error {
  return s3Error("AuthorizationHeaderMalformed", {
    message: `The authorization header is malformed; ${detail}`,
  });
}

function queryMalformed(message: string): S3Error {
  return s3Error("AuthorizationQueryParametersError", { message });
}

function credentialMalformed(detail: string): S3Error {
  return queryMalformed(`Error parsing the X-Amz-Credential parameter; ${detail}`);
}

const SCOPE_DATE = /^\d{8}$/;

function parseCredential(text: string, refuse: (detail: string) => S3Error): Credential {
  const terminalAt = text.lastIndexOf("/");
  const serviceAt = text.lastIndexOf("/", terminalAt - 1);
  const regionAt = text.lastIndexOf("/", serviceAt - 1);
  const dateAt = text.lastIndexOf("/", regionAt - 1);
  if (dateAt <= 0 || regionAt <= dateAt || serviceAt <= regionAt || terminalAt <= serviceAt) {
    throw refuse(`the Credential is mal-formed; ${EXPECTED}`);
  }
  const date = text.slice(dateAt + 1, regionAt);
  const service = text.slice(serviceAt + 1, terminalAt);
  const terminal = text.slice(terminalAt + 1);
  if (!SCOPE_DATE.test(date)) {
    throw refuse(
      `incorrect date format "${date}". This date in the credential must be in the format "yyyyMMdd".`,
    );
  }
  if (service !== "s3") throw refuse(`incorrect service "${service}". This endpoint belongs to "s3".`);
  if (terminal !== "aws4_request") {
    throw refuse(`incorrect terminal "${terminal}". This endpoint uses "aws4_request".`);
  }
  const region = text.slice(regionAt + 1, serviceAt);
  return { accessKey: text.slice(0, dateAt), date, region, scope: text.slice(dateAt + 1) };
}

/** Of a form's field. */
export function parsePostCredential(text: string): Credential {
  return parseCredential(text, (detail) =>
    invalidArgument(`Error parsing the X-Amz-Credential field; ${detail}`, "X-Amz-Credential", text),
  );
}

export function unsupportedMechanism(): S3Error {
  return s3Error("InvalidRequest", {
    message: "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
  });
}

/**
 * What stands before `Signature=`: the same text in all requests of a client on one day, so it is memoised.
 */
export type AuthorizationHeader = { readonly prefix: string; readonly signature: string };

const SIGNATURE = "Signature=";

/** Splits the header into signature and the rest; refuses every mechanism but SigV4 with HMAC. */
export function splitAuthorizationHeader(header: string): AuthorizationHeader {
  if (!header.startsWith(`${ALGORITHM} `)) {
    const space = header.indexOf(" ");
    const type = space < 0 ? header : header.slice(0, space);
    if (type === "AWS") throw unsupportedMechanism();
    if (type === "AWS4-ECDSA-P256-SHA256") {
      throw s3Error("NotImplemented", { message: "SigV4A (AWS4-ECDSA-P256-SHA256) is not implemented" });
    }
    throw invalidArgument("Unsupported Authorization Type", "Authorization", header);
  }
  const at = header.indexOf(SIGNATURE, ALGORITHM.length);
  if (at < 0) throw headerMalformed("missing Signature.");
  const comma = header.indexOf(",", at);
  const signature = header.slice(at + SIGNATURE.length, comma < 0 ? header.length : comma).trim();
  const rest = comma < 0 ? header.slice(0, at) : header.slice(0, at) + header.slice(comma + 1);
  return { prefix: rest, signature };
}

/** Reads what splitAuthorizationHeader left: `AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., `. */
export function parseAuthorizationPrefix(prefix: string): Authorization {
  let credential: string | undefined;
  let signedHeaders: string | undefined;
  for (const part of prefix.slice(ALGORITHM.length).split(",")) {
    const component = part.trim();
    if (component === "") continue;
    const equals = component.indexOf("=");
    const name = equals < 0 ? component : component.slice(0, equals);
    if (name === "Credential") credential = component.slice(equals + 1);
    else if (name === "SignedHeaders") signedHeaders = component.slice(equals + 1);
    else throw headerMalformed(`the authorization component "${component}" is malformed.`);
  }
  if (credential === undefined) throw headerMalformed("missing Credential.");
  if (signedHeaders === undefined || signedHeaders === "") throw headerMalformed("missing SignedHeaders.");
  const parsed = parseCredential(credential, headerMalformed);
  return { ...parsed, signedHeaders, signedHeaderNames: signedHeaders.toLowerCase().split(";") };
}

/** A query that names any part of SigV4 is a presigned request, so that leaving one out is an error. */
export function isPresigned(query: QueryParameters): boolean {
  return query.has("X-Amz-Algorithm") || query.has("X-Amz-Credential") || query.has("X-Amz-Signature");
}

export function refuseSigV2Query(query: QueryParameters): void {
  if (query.has("AWSAccessKeyId") && query.has("Signature")) throw unsupportedMechanism();
}

const DIGITS = /^\d+$/;

function parseExpires(text: string): number {
  if (text.startsWith("-")) throw queryMalformed("X-Amz-Expires must be non-negative");
  if (!DIGITS.test(text)) throw queryMalformed("X-Amz-Expires should be a number");
  const seconds = Number(text);
  if (seconds > PRESIGN_SECONDS_MAX) {
    throw queryMalformed(
      "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be " +
        `less than ${PRESIGN_SECONDS_MAX} seconds`,
    );
  }
  if (seconds < 1) throw queryMalformed("X-Amz-Expires must be at least 1 second");
  return seconds;
}

export function parsePresignedQuery(query: QueryParameters): PresignedAuthorization {
  const algorithm = query.get("X-Amz-Algorithm");
  const credential = query.get("X-Amz-Credential");
  const signature = query.get("X-Amz-Signature");
  const timestamp = query.get("X-Amz-Date");
  const signedHeaders = query.get("X-Amz-SignedHeaders");
  const expires = query.get("X-Amz-Expires");
  if (!algorithm || !credential || !signature || !timestamp || !signedHeaders || !expires) {
    throw queryMalformed(
      "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, " +
        "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
    );
  }
  if (algorithm !== ALGORITHM) throw queryMalformed(`X-Amz-Algorithm only supports "${ALGORITHM}"`);
  const parsed = parseCredential(credential, credentialMalformed);
  const expiresSeconds = parseExpires(expires);
  return {
    ...parsed,
    signedHeaders,
    signedHeaderNames: signedHeaders.toLowerCase().split(";"),
    signature,
    timestamp,
    expiresSeconds,
    securityToken: query.get("X-Amz-Security-Token"),
  };
}
