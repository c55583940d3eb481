/**
 * Keeps what the tier does below two rates: bytes a second, which others on the line and on the event loop
 * want too, and requests a minute, which are money. What was done is paid for before the next thing is begun,
 * so a single large object goes at the speed of the line.
 *
 * What keeps the recovery point is urgent, tails and the segments between them: a snapshot of gigabytes that
 * was begun before must not hold it back. It waits for its like alone, and everything else waits for it.
 */
import { assert } from "../base/assert.ts";
import type { Clock } from "../ports/clock.ts";

export type TierBudget = { readonly bytesPerSecondMax: number; readonly requestsPerMinuteMax: number };

export type TierCost = { readonly bytes: number; readonly requests: number; readonly urgent?: boolean };

/** So much of a minute's requests may be made at once, at least one. */
const BURST_SHARE = 1 / 6;
const MINUTE_MS = 60_000;

export class TierPace {
  readonly #clock: Clock;
  readonly #byteMs: number;
  readonly #requestMs: number;
  /** Of everything. */
  readonly #all: Lane;
  readonly #urgent: Lane;

  constructor(clock: Clock, { bytesPerSecondMax, requestsPerMinuteMax }: TierBudget) {
    assert(bytesPerSecondMax > 0 && requestsPerMinuteMax > 0, "a tier that may do nothing");
    this.#clock = clock;
    this.#byteMs = 1000 / bytesPerSecondMax;
    this.#requestMs = MINUTE_MS / requestsPerMinuteMax;
    const burstMs = Math.max(this.#requestMs, MINUTE_MS * BURST_SHARE);
    this.#all = new Lane(burstMs);
    this.#urgent = new Lane(burstMs);
  }

  /** To be waited for before so much is done. Throws what `signal` was aborted with. */
  async spend({ bytes, requests, urgent = false }: TierCost, signal: AbortSignal): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const times = { nowMs, bytesMs: bytes * this.#byteMs, requestsMs: requests * this.#requestMs };
    // Taken at once, so that two who come together wait one after the other.
    const allMs = this.#all.book(times);
    const waitMs = urgent ? this.#urgent.book(times) : allMs;
    if (waitMs > 0) await this.#clock.sleep(waitMs, { signal });
    signal.throwIfAborted();
  }
}

/** When everything that was spent is earned. */
class Lane {
  readonly #burstMs: number;
  #bytesAtMs = 0;
  #requestsAtMs = -Infinity;

  constructor(burstMs: number) {
    this.#burstMs = burstMs;
  }

  /** How long whoever spends this has to wait before. */
  book(spent: { readonly nowMs: number; readonly bytesMs: number; readonly requestsMs: number }): number {
    const { nowMs, bytesMs, requestsMs } = spent;
    const startMs = Math.max(nowMs, this.#bytesAtMs);
    this.#bytesAtMs = startMs + bytesMs;
    this.#requestsAtMs = Math.max(nowMs - this.#burstMs, this.#requestsAtMs) + requestsMs;
    return Math.max(startMs, this.#requestsAtMs) - nowMs;
  }
}
