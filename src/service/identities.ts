/** Who stands behind an access key. In this build: the root account. */
import type { Identity, IdentityService } from "./api.ts";

export const ROOT_ACCOUNT_ID = "root";

export class Identities implements IdentityService {
  readonly #byKey: ReadonlyMap<string, { readonly identity: Identity; readonly secretKey: string }>;

  constructor(root: { readonly accessKey: string; readonly secretKey: string }) {
    const { accessKey, secretKey } = root;
    const identity = { accountId: ROOT_ACCOUNT_ID, displayName: ROOT_ACCOUNT_ID, accessKey };
    this.#byKey = new Map([[accessKey, { identity, secretKey }]]);
  }

  find(accessKey: string): { readonly identity: Identity; readonly secretKey: string } | undefined {
    return this.#byKey.get(accessKey);
  }
}
