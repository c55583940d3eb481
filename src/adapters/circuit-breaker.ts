/**
 * Knows when asking is useless: after some failures in a row nobody is let through for a while, then one
 * caller, whose outcome decides. So a place that is down costs its callers nothing, and gets no storm of
 * requests when it comes back. What a failure is, the caller says.
 */
import type { Clock } from "../ports/clock.ts";

type BreakerSettings = {
  /** In a row, until it opens. */
  readonly failuresMax: number;
  /** How long it stays open at first; twice as long after each probe that fails. */
  readonly openMsMin: number;
  readonly openMsMax: number;
};

/** `unknown`: the caller gave up, which says nothing about the place. */
type Outcome = "alive" | "failed" | "unknown";

export type Passage =
  | { readonly kind: "pass"; readonly settle: (outcome: Outcome) => void }
  | { readonly kind: "open"; readonly retryAfterMs: number };

export class CircuitBreaker {
  readonly #clock: Clock;
  readonly #settings: BreakerSettings;
  #failures = 0;
  #openMs = 0;
  /** Of the monotonic clock; meaningful while `#openMs > 0`. */
  #shutUntilMs = 0;
  #isProbing = false;

  constructor(clock: Clock, settings: BreakerSettings) {
    this.#clock = clock;
    this.#settings = settings;
  }

  enter(): Passage {
    if (this.#openMs === 0) return { kind: "pass", settle: (outcome) => this.#settle(outcome) };
    const waitMs = this.#shutUntilMs - this.#clock.monotonicMs();
    if (waitMs > 0) return { kind: "open", retryAfterMs: Math.ceil(waitMs) };
    if (this.#isProbing) return { kind: "open", retryAfterMs: this.#settings.openMsMin };
    this.#isProbing = true;
    return { kind: "pass", settle: (outcome) => this.#settleProbe(outcome) };
  }

  #settle(outcome: Outcome): void {
    if (outcome === "alive") this.#close();
    if (outcome !== "failed") return;
    this.#failures++;
    // Those that were under way when it opened fail too; they must not prolong it.
    if (this.#openMs === 0 && this.#failures >= this.#settings.failuresMax) {
      this.#open(this.#settings.openMsMin);
    }
  }

  #settleProbe(outcome: Outcome): void {
    this.#isProbing = false;
    if (outcome === "alive") this.#close();
    if (outcome === "failed" && this.#openMs > 0) {
      this.#open(Math.min(this.#openMs * 2, this.#settings.openMsMax));
    }
  }

  #open(ms: number): void {
    this.#openMs = ms;
    this.#shutUntilMs = this.#clock.monotonicMs() + ms;
  }

  #close(): void {
    this.#failures = 0;
    this.#openMs = 0;
  }
}
