/**
 * Body bytes in memory, over all requests (RULES.md R15). Credits are taken before a socket is read and
 * given back when the request ends, so memory is bounded whatever clients send; a request that gets none is
 * told to slow down instead of being queued, because a queue would hold its socket and its client would time
 * out.
 */
import { s3Error } from "../s3/errors.ts";

export class Credits {
  readonly #max: number;
  #taken = 0;

  constructor(options: { readonly bytesMax: number }) {
    this.#max = options.bytesMax;
  }

  get taken(): number {
    return this.#taken;
  }

  has(bytes: number): boolean {
    return this.#taken + bytes <= this.#max;
  }

  /** Throws SlowDown if not all of it is left. */
  take(bytes: number): void {
    if (!this.has(bytes)) throw s3Error("SlowDown");
    this.#taken += bytes;
  }

  give(bytes: number): void {
    this.#taken -= bytes;
  }
}
