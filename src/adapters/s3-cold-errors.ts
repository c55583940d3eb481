/**
 * What an error of the SDK means for the cold tier: missing, refused, unavailable or damaged, whether it may
 * help to ask again, and one line for the person who has to mend it. Codes are S3's own and those that
 * S3-like stores send; what nobody knows by its code is judged by its status, and what has no status never
 * got an answer.
 */
import {
  ColdDamagedError,
  ColdMissingError,
  ColdRefusedError,
  ColdUnavailableError,
  isColdError,
} from "../ports/cold-store.ts";
import type { Verdict } from "./guarded-calls.ts";

/** As the SDK throws it; everything may be absent. */
type SdkError = {
  readonly name?: string;
  readonly code?: unknown;
  readonly message?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string | undefined>> };
};

/** The last attempt was answered, the message says how; ask again then. */
const RETRY_AFTER_MS = 1_000;

/** What was to be sent could not be read; the cold tier has nothing to do with it. */
export class SourceFailure extends Error {
  override readonly cause: Error;

  constructor(cause: Error) {
    super(cause.message);
    this.cause = cause;
  }
}

const mendKeys = "mend cold.accessKey and cold.secretKey, or the pair in the environment";

const mending: ReadonlyMap<string, string> = new Map([
  ["NoSuchBucket", "create the bucket, or mend cold.url"],
  ["AccessDenied", "allow s3:ListBucket, GetObject, PutObject, DeleteObject, AbortMultipartUpload there"],
  ["InvalidAccessKeyId", mendKeys],
  ["SignatureDoesNotMatch", mendKeys],
  ["ExpiredToken", "renew the session's credentials"],
  ["CredentialsProviderError", "set cold.accessKey and cold.secretKey, or AWS_ACCESS_KEY_ID and its secret"],
  ["AccountProblem", "the provider has closed the account; ask them"],
  ["PermanentRedirect", "mend cold.region: the bucket is in another one"],
  ["AuthorizationHeaderMalformed", "mend cold.region: the bucket is in another one"],
  ["InvalidObjectState", "the object is archived; restore it, and use a storage class that is read at once"],
  ["RequestTimeTooSkewed", "set this machine's clock"],
  ["MissingRegion", "set cold.region"],
]);

const missingCodes = new Set(["NoSuchKey", "NotFound"]);
const damagedCodes = new Set(["InvalidRange", "BadDigest", "XAmzContentSHA256Mismatch", "InvalidDigest"]);
const throttledCodes = new Set(["SlowDown", "TooManyRequests", "ThrottlingException", "Throttling"]);
/** They carry a status that says otherwise. */
const passingCodes = new Set(["RequestTimeout", "InternalError", "ServiceUnavailable", "OperationAborted"]);
/** The SDK sets its clock by the answer, so the next attempt may be right. */
const worthAnotherTry = new Set(["RequestTimeTooSkewed", "BadDigest", "XAmzContentSHA256Mismatch"]);

export type Asked = { readonly place: string; readonly key: string | undefined };

export function judgeS3Error(thrown: unknown, { place, key }: Asked): Verdict {
  if (isColdError(thrown)) return { error: thrown, mayHelpToRepeat: false, place: "alive" };
  if (thrown instanceof SourceFailure) {
    return { error: thrown.cause, mayHelpToRepeat: false, place: "unknown" };
  }
  const error = (thrown ?? {}) as SdkError;
  const status = error.$metadata?.httpStatusCode;
  const code = codeOf(error);
  const what = `cold tier ${place}${key === undefined ? "" : `, ${key}`}`;
  const options = { cause: thrown };
  const mayHelpToRepeat = worthAnotherTry.has(code);
  if (missingCodes.has(code)) {
    const missing = new ColdMissingError(`${what}: there is no such object`, options);
    return { error: missing, mayHelpToRepeat: false, place: "alive" };
  }
  if (damagedCodes.has(code)) {
    const damaged = new ColdDamagedError(`${what}: ${sentence(code, error)}`, options);
    return { error: damaged, mayHelpToRepeat, place: "alive" };
  }
  if (mending.has(code) || isRefusal(status, code)) {
    const mend = mending.get(code) ?? mendByStatus(status);
    const refused = new ColdRefusedError(`${what}: ${sentence(code, error)}; ${mend}`, options);
    return { error: refused, mayHelpToRepeat, place: "alive" };
  }
  return unavailable(error, { what, code, status, thrown });
}

/** Answers to HEAD have no body, and so no code. */
function mendByStatus(status: number | undefined): string {
  const code = status === 403 ? "AccessDenied" : status === 301 ? "PermanentRedirect" : "";
  return mending.get(code) ?? "look whether the endpoint is an S3 API and the key may do this";
}

type Unanswered = {
  readonly what: string;
  readonly code: string;
  readonly status: number | undefined;
  readonly thrown: unknown;
};

function unavailable(error: SdkError, { what, code, status, thrown }: Unanswered): Verdict {
  const waitMs = retryAfterMs(error);
  const isThrottled = status === 429 || throttledCodes.has(code);
  return {
    error: new ColdUnavailableError(`${what}: ${sentence(code, error)}`, {
      retryAfterMs: waitMs ?? RETRY_AFTER_MS,
      cause: thrown,
    }),
    mayHelpToRepeat: true,
    place: isThrottled ? "alive" : "failed",
    ...(waitMs === undefined ? {} : { waitMs }),
  };
}

function codeOf(error: SdkError): string {
  if (error.message === "Region is missing") return "MissingRegion";
  const isNamed = error.name !== undefined && error.name !== "Error" && error.name !== "";
  if (isNamed) return error.name;
  return typeof error.code === "string" ? error.code : "no answer";
}

/** 3xx and 4xx are about the request, unless they are about the moment. */
function isRefusal(status: number | undefined, code: string): boolean {
  if (passingCodes.has(code) || throttledCodes.has(code)) return false;
  if (status === 501) return true;
  return status !== undefined && status >= 300 && status < 500 && status !== 408 && status !== 429;
}

/** One line: servers put line breaks, and anything else, into messages. */
function sentence(code: string, error: SdkError): string {
  const message = (error.message ?? "").replaceAll(/\s+/g, " ").trim();
  const said = message === "" || message === code ? code : `${code}: ${message}`;
  return (said.length > 300 ? `${said.slice(0, 297)}...` : said).replace(/\.$/, "");
}

function retryAfterMs(error: SdkError): number | undefined {
  const seconds = Number(error.$response?.headers?.["retry-after"] ?? Number.NaN);
  return seconds >= 0 && seconds <= 3600 ? seconds * 1000 : undefined;
}
