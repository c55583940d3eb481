/**
 * Keeps what the tier does below two rates: bytes a second, which others on the line and on the event loop
 * want too, and requests a minute, which are money. What was done is paid for before the next thing is begun,
 * so a single large object goes at the speed of the line.
 */
import { assert } from "../base/assert.ts";
import type { Clock } from "../ports/clock.ts";

export type TierBudget = { readonly bytesPerSecondMax: number; readonly requestsPerMinuteMax: number };

/** So much of a minute's requests may be made at once, at least one. */
const BURST_SHARE = 1 / 6;
const MINUTE_MS = 60_000;

export class TierPace {
  readonly #clock: Clock;
  readonly #budget: TierBudget;
  /** When everything that was spent is earned. */
  #bytesEarnedAtMs = 0;
  #requestsEarnedAtMs = 0;

  constructor(clock: Clock, budget: TierBudget) {
    assert(budget.bytesPerSecondMax > 0 && budget.requestsPerMinuteMax > 0, "a tier that may do nothing");
    this.#clock = clock;
    this.#budget = budget;
  }

  /** To be waited for before so much is done. Throws what `signal` was aborted with. */
  async spend(
    cost: { readonly bytes: number; readonly requests: number },
    signal: AbortSignal,
  ): Promise<void> {
    const { bytesPerSecondMax, requestsPerMinuteMax } = this.#budget;
    const requestMs = MINUTE_MS / requestsPerMinuteMax;
    const burstMs = Math.max(requestMs, MINUTE_MS * BURST_SHARE);
    const nowMs = this.#clock.monotonicMs();
    // Taken at once, so that two who come together wait one after the other.
    const bytesAtMs = Math.max(nowMs, this.#bytesEarnedAtMs);
    this.#bytesEarnedAtMs = bytesAtMs + (cost.bytes / bytesPerSecondMax) * 1000;
    const requestsAtMs = Math.max(nowMs - burstMs, this.#requestsEarnedAtMs) + cost.requests * requestMs;
    this.#requestsEarnedAtMs = requestsAtMs;
    const waitMs = Math.max(bytesAtMs, requestsAtMs) - nowMs;
    if (waitMs > 0) await this.#clock.sleep(waitMs, { signal });
    signal.throwIfAborted();
  }
}
