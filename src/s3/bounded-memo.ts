/**
 * A bounded map for things that are cheap to make again: signing keys, parsed scopes, verified presigned
 * requests.
 *
 * Two generations of at most half the bound each. A hit in the old one moves the entry to the young one; when
 * the young one is full it becomes the old one, and what was not touched since is gone. A hit costs one
 * lookup and reorders nothing, which is what the hot path wants; the price is that eviction is by halves.
 */

export class BoundedMemo<Value extends object> {
  readonly #halfMax: number;
  #young = new Map<string, Value>();
  #old = new Map<string, Value>();
  /**
   * Clients come in bursts: comparing with the last key is cheaper than hashing a new string of the same
   * text.
   */
  #lastKey: string | undefined;
  #last: Value | undefined;

  constructor(options: { readonly entriesMax: number }) {
    this.#halfMax = Math.max(1, Math.floor(options.entriesMax / 2));
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: string): Value | undefined {
    if (key === this.#lastKey) return this.#last;
    const value = this.#find(key);
    if (value !== undefined) this.#remember(key, value);
    return value;
  }

  #remember(key: string, value: Value | undefined): void {
    this.#lastKey = value === undefined ? undefined : key;
    this.#last = value;
  }

  #find(key: string): Value | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old === undefined) return undefined;
    this.#old.delete(key);
    this.set(key, old);
    return old;
  }

  set(key: string, value: Value): void {
    if (this.#young.size >= this.#halfMax && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#old.delete(key);
    this.#young.set(key, value);
    this.#remember(key, value);
  }

  delete(key: string): void {
    this.#young.delete(key);
    this.#old.delete(key);
    this.#remember(key, undefined);
  }
}
