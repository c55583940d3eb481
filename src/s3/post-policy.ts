/**
 * The policy of an upload from a browser: what its signer allows the form to say, and until when. Every field
 * must be covered by a condition, so that nobody can add one to a form that somebody else signed.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
 */
import { ALGORITHM, parsePostCredential, unsupportedMechanism } from "./authorization.ts";
import type { Credential } from "./authorization.ts";
import { parseAmzDate, parseIsoDate } from "./dates.ts";
import { invalidArgument, s3Error } from "./errors.ts";
import type { S3Error } from "./errors.ts";
import { signatureMismatch, signaturesEqual, signHex } from "./signature.ts";
import type { SigningKeySource } from "./sigv4.ts";
import type { SigningKeys } from "./signing-keys.ts";

/** Fields of a form by their names in lower case. */
export type FormFields = ReadonlyMap<string, string>;

export type PostPolicy = {
  readonly expirationMs: number;
  readonly matches: readonly PolicyMatch[];
  readonly lengthMin: number;
  readonly lengthMax: number;
};

type PolicyMatch = {
  readonly operator: "eq" | "starts-with";
  readonly field: string;
  readonly value: string;
};

function invalidPolicy(detail: string): S3Error {
  return s3Error("InvalidPolicyDocument", { message: `Invalid Policy: ${detail}` });
}

function denied(detail: string): S3Error {
  return s3Error("AccessDenied", { message: `Invalid according to Policy: ${detail}` });
}

const BASE64 = /^[A-Za-z0-9+/\r\n]*={0,2}[\r\n]*$/;

function decodePolicy(text: string): unknown {
  if (!BASE64.test(text)) throw invalidPolicy("Invalid Base64 encoding.");
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(text, "base64")));
  } catch (error) {
    throw s3Error("InvalidPolicyDocument", { message: "Invalid Policy: Invalid JSON.", cause: error });
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fieldName(text: string): string {
  return (text.startsWith("$") ? text.slice(1) : text).toLowerCase();
}

function parseLength(value: unknown): number {
  const number = typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number) && number >= 0) return number;
  throw invalidPolicy("Invalid content-length-range.");
}

function parseMatch(condition: readonly unknown[]): PolicyMatch {
  const [operatorText, field, value] = condition;
  const operator = typeof operatorText === "string" ? operatorText.toLowerCase() : "";
  const isKnown = operator === "eq" || operator === "starts-with";
  if (!isKnown || condition.length !== 3 || typeof field !== "string" || typeof value !== "string") {
    throw invalidPolicy(`Invalid condition: ${JSON.stringify(condition)}.`);
  }
  if (!field.startsWith("$")) throw invalidPolicy("Invalid Simple-Condition: value must begin with '$'.");
  return { operator, field: fieldName(field), value };
}

export function parsePostPolicy(text: string): PostPolicy {
  const document = decodePolicy(text);
  if (!isObject(document)) throw invalidPolicy("Invalid JSON.");
  const { expiration, conditions } = document;
  const expirationMs = typeof expiration === "string" ? parseIsoDate(expiration) : undefined;
  if (expirationMs === undefined) throw invalidPolicy("Policy missing expiration, or it is no date.");
  if (!Array.isArray(conditions)) throw invalidPolicy("Policy missing conditions.");
  const matches: PolicyMatch[] = [];
  let [lengthMin, lengthMax] = [0, Number.MAX_SAFE_INTEGER];
  for (const condition of conditions as readonly unknown[]) {
    if (Array.isArray(condition)) {
      const parts = condition as readonly unknown[];
      if (typeof parts[0] === "string" && parts[0].toLowerCase() === "content-length-range") {
        if (parts.length !== 3) throw invalidPolicy("Invalid content-length-range.");
        lengthMin = Math.max(lengthMin, parseLength(parts[1]));
        lengthMax = Math.min(lengthMax, parseLength(parts[2]));
      } else matches.push(parseMatch(parts));
    } else if (isObject(condition)) {
      const entries = Object.entries(condition);
      const [only] = entries;
      if (only === undefined || entries.length > 1) {
        throw invalidPolicy("Invalid Simple-Condition: one property expected.");
      }
      const [field, value] = only;
      if (typeof value !== "string") throw invalidPolicy("Invalid Simple-Condition: value must be a string.");
      matches.push({ operator: "eq", field: fieldName(field), value });
    } else throw invalidPolicy("Invalid condition.");
  }
  return { expirationMs, matches, lengthMin, lengthMax };
}

const NEEDS_NO_CONDITION: ReadonlySet<string> = new Set(["policy", "x-amz-signature", "file"]);

/** `fields` as they take effect: with the bucket of the request and with the file's name in the key. */
export function checkPostPolicy(policy: PostPolicy, fields: FormFields, nowMs: number): void {
  if (policy.expirationMs <= nowMs) throw denied("Policy expired.");
  const covered = new Set<string>();
  for (const { operator, field, value } of policy.matches) {
    const actual = fields.get(field) ?? "";
    const holds = operator === "eq" ? actual === value : actual.startsWith(value);
    if (!holds) {
      throw denied(`Policy Condition failed: ${JSON.stringify([operator, `$${field}`, value])}`);
    }
    covered.add(field);
  }
  for (const name of fields.keys()) {
    if (covered.has(name) || NEEDS_NO_CONDITION.has(name) || name.startsWith("x-ignore-")) continue;
    // The bucket is in the request's target and needs no field.
    if (name === "bucket") continue;
    throw denied(`Extra input fields: ${name}`);
  }
}

function required(fields: FormFields, name: string): string {
  const value = fields.get(name);
  if (value !== undefined && value !== "") return value;
  const message =
    `Bucket POST must contain a field named '${name}'.  If it is specified, please check the order of the ` +
    "fields.";
  throw invalidArgument(message, name, "");
}

/** Who signed the policy; what is signed is its text as it came. */
export function verifyPostSignature<Source extends SigningKeySource>(options: {
  readonly fields: FormFields;
  readonly lookupSecret: (accessKey: string) => Source | undefined;
  readonly keys: SigningKeys;
}): Source {
  const { fields, lookupSecret, keys } = options;
  // Without a policy nobody has signed anything.
  if (!fields.has("policy")) throw s3Error("AccessDenied");
  const policy = required(fields, "policy");
  // boto3 signs forms with version 2 unless it is told.
  if (fields.has("awsaccesskeyid") && !fields.has("x-amz-algorithm")) throw unsupportedMechanism();
  const algorithm = required(fields, "x-amz-algorithm");
  if (algorithm !== ALGORITHM) {
    throw invalidArgument(`X-Amz-Algorithm only supports "${ALGORITHM}"`, "X-Amz-Algorithm", algorithm);
  }
  const credential: Credential = parsePostCredential(required(fields, "x-amz-credential"));
  const date = required(fields, "x-amz-date");
  if (parseAmzDate(date) === undefined || !date.startsWith(credential.date)) {
    throw invalidArgument("X-Amz-Date must be the time of the credential's day", "X-Amz-Date", date);
  }
  const provided = required(fields, "x-amz-signature");
  const { accessKey } = credential;
  const source = lookupSecret(accessKey);
  if (source === undefined) throw s3Error("InvalidAccessKeyId", { fields: { AWSAccessKeyId: accessKey } });
  if ((fields.get("x-amz-security-token") ?? "") !== (source.sessionToken ?? ""))
    throw s3Error("InvalidToken");
  const key = keys.get(credential, source.secretKey);
  if (!signaturesEqual(signHex(key, policy), provided)) {
    throw signatureMismatch({ accessKey, stringToSign: policy, provided });
  }
  keys.keep(credential, source.secretKey, key);
  return source;
}
