/**
 * Remembers presigned requests whose signature was verified, so that a URL used again costs no HMAC.
 *
 * Why this is safe: the signature is a function of method, path, query, the signed headers' values, the
 * payload hash and the secret. An entry is found only under the same method, the same raw path and query
 * (which hold date, expiry, scope, signature and the list of signed headers) and the same host, and only
 * requests whose one signed header is `host` and whose payload hash is not taken from a header are kept, so
 * every input of the signature is compared. The caller still looks up the account, compares its present
 * secret with the entry's, checks the clock against the expiry and refuses unsigned x-amz-* headers, on every
 * use. Nothing can be planted: entries are made only after a full verification.
 */

import type { PresignedAuthorization } from "./authorization.ts";
import { BoundedMemo } from "./bounded-memo.ts";
import { headerText } from "./canonical-request.ts";
import type { RequestHeaders } from "./canonical-request.ts";
import type { PayloadKind } from "./payload-hash.ts";
import type { RequestTarget } from "./request-target.ts";

/** Together with the bound on entries this bounds the memory. */
const QUERY_CHARACTERS_MAX = 2048;

export type VerifiedPresigned = PresignedAuthorization & {
  readonly secretKey: string;
  readonly startMs: number;
  readonly payload: PayloadKind;
};

export type PresignedRequest = {
  readonly method: string;
  readonly target: RequestTarget;
  readonly headers: RequestHeaders;
};

type Entry = VerifiedPresigned & {
  readonly method: string;
  readonly rawPath: string;
  readonly host: string | undefined;
};

export class PresignedMemo {
  readonly #memo: BoundedMemo<Entry>;

  constructor(options: { readonly entriesMax: number }) {
    this.#memo = new BoundedMemo(options);
  }

  find(request: PresignedRequest): VerifiedPresigned | undefined {
    const { target } = request;
    // The raw query holds the signature, so it alone is all but unique; the rest is compared.
    const entry = this.#memo.get(target.rawQuery);
    if (entry === undefined || entry.method !== request.method || entry.rawPath !== target.rawPath)
      return undefined;
    return entry.host === headerText(request.headers, "host") ? entry : undefined;
  }

  keep(request: PresignedRequest, verified: VerifiedPresigned): void {
    const { target, headers, method } = request;
    if (verified.signedHeaders !== "host" || headerText(headers, "x-amz-content-sha256") !== undefined)
      return;
    if (target.rawQuery.length > QUERY_CHARACTERS_MAX) return;
    const host = headerText(headers, "host");
    this.#memo.set(target.rawQuery, { ...verified, method, rawPath: target.rawPath, host });
  }
}
