/**
 * Request ids: 16 characters that look like AWS's. Half is random per process, half counts, so an id costs no
 * randomness, is unique within a process for 2^40 requests and tells the order of two requests in a log.
 */
import type { Random } from "../ports/random.ts";

const COUNTER_DIGITS = 8;

export class RequestIds {
  /** Says which process answered, in the place of AWS's host id. */
  readonly hostId: string;
  readonly #prefix: string;
  #count = 0;

  constructor(random: Random) {
    const bytes = Buffer.from(random.bytes(36));
    this.#prefix = bytes.toString("hex", 0, 4).toUpperCase();
    this.hostId = bytes.toString("base64", 4);
  }

  next(): string {
    const count = (++this.#count).toString(32).toUpperCase();
    return this.#prefix + "00000000".slice(0, COUNTER_DIGITS - count.length) + count;
  }
}
