/**
 * Whether small reads may block the event loop. A read from the page cache costs 1-3 µs, a thread hop 8: so
 * reads are synchronous while they are cheap. Those above a millisecond hit a disk; when five of them, and a
 * twentieth of all, fall into one second, reads go through threads for the next ten (RULES.md R4, which says
 * one: a single slow read is as often a garbage collection, measured at some twenty of 1-3 ms a second under
 * load).
 */
import type { Clock } from "../ports/clock.ts";

const SLOW_MS = 1;
const WINDOW_MS = 1000;
const SLOW_READS_MIN = 5;
const SLOW_SHARE_MIN = 1 / 20;
const AVOID_FOR_MS = 10_000;

export class ReadPace {
  readonly #clock: Clock;
  #slowUntilMs = Number.NEGATIVE_INFINITY;
  #windowStartMs = Number.NEGATIVE_INFINITY;
  #reads = 0;
  #slowReads = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether reads should go through threads at present. */
  get slow(): boolean {
    return this.#slowUntilMs !== Number.NEGATIVE_INFINITY && this.#clock.monotonicMs() < this.#slowUntilMs;
  }

  /** The time before a synchronous read, to be given to `end`. */
  begin(): number {
    return this.#clock.monotonicMs();
  }

  end(startMs: number): void {
    const now = this.#clock.monotonicMs();
    this.#reads++;
    if (now - startMs > SLOW_MS) this.#noteSlow(now);
  }

  #noteSlow(now: number): void {
    if (now - this.#windowStartMs > WINDOW_MS) {
      this.#windowStartMs = now;
      this.#reads = 1;
      this.#slowReads = 0;
    }
    this.#slowReads++;
    if (this.#slowReads < SLOW_READS_MIN || this.#slowReads < this.#reads * SLOW_SHARE_MIN) return;
    this.#slowUntilMs = now + AVOID_FOR_MS;
  }
}
