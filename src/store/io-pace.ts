/**
 * Keeps background reading and writing below a rate, so that it never takes the disk from those who wait for
 * an answer. Whoever spends bytes waits until they are earned.
 */
import type { Clock } from "../ports/clock.ts";

/** So much may be spent at once: below it a wait would be shorter than a timer is exact. */
const BURST_MS = 20;

export class IoPace {
  readonly #clock: Clock;
  readonly #bytesPerSecondMax: number;
  /** When everything that was spent is earned. */
  #earnedAtMs = 0;

  constructor(clock: Clock, options: { readonly bytesPerSecondMax: number }) {
    this.#clock = clock;
    this.#bytesPerSecondMax = options.bytesPerSecondMax;
  }

  /** Always lets others run; throws what `signal` was aborted with. */
  async spend(bytes: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.monotonicMs();
    this.#earnedAtMs = Math.max(this.#earnedAtMs, now) + (bytes / this.#bytesPerSecondMax) * 1000;
    const waitMs = this.#earnedAtMs - now;
    if (waitMs > BURST_MS) await this.#clock.sleep(waitMs, { signal });
    else await this.#clock.yieldToOthers();
    signal.throwIfAborted();
  }
}
