/**
 * Who stands behind an access key: the root account, and the accounts that the settings name. Which of those
 * are usable is settled once, at the start (accounts.ts).
 */
import type { Identity, IdentityService } from "./api.ts";

export const ROOT_ACCOUNT_ID = "root";

/** An account of the settings. */
export type Account = {
  readonly id: string;
  readonly displayName: string;
  readonly accessKey: string;
  readonly secretKey: string;
};

type Known = { readonly identity: Identity; readonly secretKey: string };

export class Identities implements IdentityService {
  readonly #byKey = new Map<string, Known>();
  readonly #names = new Map<string, string>();
  /** Why accounts of the settings are not usable, if they are not. */
  problem: string | undefined;

  constructor(root: { readonly accessKey: string; readonly secretKey: string }) {
    this.add({ id: ROOT_ACCOUNT_ID, displayName: ROOT_ACCOUNT_ID, ...root });
  }

  add(account: Account): void {
    const { id: accountId, displayName, accessKey, secretKey } = account;
    this.#byKey.set(accessKey, { identity: { accountId, displayName, accessKey }, secretKey });
    this.#names.set(accountId, displayName);
  }

  find(accessKey: string): Known | undefined {
    return this.#byKey.get(accessKey);
  }

  displayName(accountId: string): string | undefined {
    return this.#names.get(accountId);
  }
}
