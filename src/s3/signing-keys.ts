/**
 * SigV4 signing keys, derived once per (access key, day, region) and kept as KeyObjects: on Node 24
 * createHmac with a Buffer as key costs several times what it costs with a KeyObject.
 *
 * An entry remembers the secret it came from, so a changed secret takes effect with the next request. Only
 * keys that verified a signature are kept: a stranger who invents dates and regions cannot push out the ones
 * in use.
 */

import { createHmac, createSecretKey } from "node:crypto";
import type { KeyObject } from "node:crypto";

import type { Credential } from "./authorization.ts";
import { BoundedMemo } from "./bounded-memo.ts";

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, "Signing key" */
export function deriveSigningKey(secretKey: string, date: string, region: string): KeyObject {
  const service = hmac(hmac(hmac(`AWS4${secretKey}`, date), region), "s3");
  return createSecretKey(hmac(service, "aws4_request"));
}

type Entry = { readonly secretKey: string; readonly key: KeyObject };

export class SigningKeys {
  readonly #memo: BoundedMemo<Entry>;

  constructor(options: { readonly entriesMax: number }) {
    this.#memo = new BoundedMemo(options);
  }

  get(credential: Credential, secretKey: string): KeyObject {
    const entry = this.#memo.get(`${credential.accessKey}/${credential.scope}`);
    if (entry !== undefined && entry.secretKey === secretKey) return entry.key;
    return deriveSigningKey(secretKey, credential.date, credential.region);
  }

  keep(credential: Credential, secretKey: string, key: KeyObject): void {
    const name = `${credential.accessKey}/${credential.scope}`;
    if (this.#memo.get(name)?.key !== key) this.#memo.set(name, { secretKey, key });
  }
}
