/**
 * `Authorization: Bearer <access key>:<secret>`, for clients that cannot sign, such as `curl -T`. The secret
 * itself travels, so whoever calls this has made sure that nobody else can read it on the way. An access key
 * ends at the first colon; a secret may hold colons.
 */
import { hash, timingSafeEqual } from "node:crypto";
import { s3Error } from "./errors.ts";

const SCHEME = /^bearer +/i;

export function isBearer(header: string): boolean {
  return SCHEME.test(header);
}

/** Equal lengths whatever the secrets are, so that the comparison tells nothing of them. */
function isSame(given: string, secret: string): boolean {
  return timingSafeEqual(hash("sha256", given, "buffer"), hash("sha256", secret, "buffer"));
}

/** Whoever the token proves; throws what the client is told otherwise, without repeating the token. */
export function verifyBearer<Source extends { readonly secretKey: string }>(
  header: string,
  lookupSecret: (accessKey: string) => Source | undefined,
): Source {
  const token = header.replace(SCHEME, "").trim();
  const colon = token.indexOf(":");
  if (colon <= 0) {
    const message = 'The authorization header is malformed; a bearer token is "<access key>:<secret key>".';
    throw s3Error("AuthorizationHeaderMalformed", { message });
  }
  const accessKey = token.slice(0, colon);
  const source = lookupSecret(accessKey);
  if (source === undefined) throw s3Error("InvalidAccessKeyId", { fields: { AWSAccessKeyId: accessKey } });
  if (isSame(token.slice(colon + 1), source.secretKey)) return source;
  throw s3Error("AccessDenied", { message: "The secret in the bearer token is not the access key's." });
}
