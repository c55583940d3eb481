/** Verifies requests for the tests of SigV4: one account, fresh caches unless given, a fixed clock. */

import type { RequestHeaders } from "../../src/s3/canonical-request.ts";
import type { S3Error } from "../../src/s3/errors.ts";
import { parseRequestTarget } from "../../src/s3/request-target.ts";
import { createSigV4Caches, verifySignature } from "../../src/s3/sigv4.ts";
import type { SigningKeySource, SigV4Caches, SignatureResult } from "../../src/s3/sigv4.ts";
import { signRequest } from "./signer.ts";

export const AWS = {
  accessKey: "AKIAIOSFODNN7EXAMPLE",
  secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
};
export const AWS_NOW = Date.UTC(2013, 4, 24);
export const AWS_HOST = "examplebucket.s3.amazonaws.com";
export const HOST = "127.0.0.1:9000";
export const NOW = Date.UTC(2026, 10, 21, 8, 30);
export const EMPTY_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

export type Options = {
  readonly method?: string;
  readonly url?: string;
  readonly headers: RequestHeaders;
  readonly nowMs?: number;
  readonly caches?: SigV4Caches;
  readonly accounts?: Readonly<Record<string, SigningKeySource>>;
  readonly domain?: string;
};

export function freshCaches(): SigV4Caches {
  return createSigV4Caches({ signingKeysMax: 16, authorizationsMax: 16, presignedMax: 16 });
}

export function verify(options: Options): SignatureResult<SigningKeySource> {
  const accounts: Readonly<Record<string, SigningKeySource>> = options.accounts ?? { [AWS.accessKey]: AWS };
  const host = options.headers["host"];
  return verifySignature({
    method: options.method ?? "GET",
    target: parseRequestTarget({
      url: options.url ?? "/",
      host: typeof host === "string" ? host : undefined,
      domain: options.domain,
    }),
    headers: options.headers,
    nowMs: options.nowMs ?? NOW,
    lookupSecret: (accessKey) => accounts[accessKey],
    caches: options.caches ?? freshCaches(),
  });
}

export function refusal(result: SignatureResult<SigningKeySource>): S3Error {
  if (result.kind !== "refused") throw new Error(`expected a refusal, got ${result.kind}`);
  return result.error;
}

export function signedGet(changes: Partial<Parameters<typeof signRequest>[0]> = {}): Record<string, string> {
  const request = { method: "GET", url: "/bucket/key", host: HOST, nowMs: NOW, credentials: AWS, ...changes };
  return signRequest(request).headers;
}
