/**
 * Whether small reads may block the event loop. A read from the page cache costs 1-3 µs, a thread hop 8: so
 * reads are synchronous while they are cheap. One that took longer than a millisecond hit a disk, and misses go
 * through threads for the next ten seconds (RULES.md R4). It takes two within a second: a single one is as often
 * a garbage collection or a neighbour on the machine.
 */
import type { Clock } from "../ports/clock.ts";

const SLOW_MS = 1;
const AVOID_FOR_MS = 10_000;
const TWICE_WITHIN_MS = 1000;

export class ReadPace {
  readonly #clock: Clock;
  #slowUntilMs = Number.NEGATIVE_INFINITY;
  #slowAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The time, to be given to `measured` after a synchronous read; `undefined`: read in a thread. */
  begin(): number | undefined {
    const now = this.#clock.monotonicMs();
    return now < this.#slowUntilMs ? undefined : now;
  }

  measured(startMs: number): void {
    const now = this.#clock.monotonicMs();
    if (now - startMs <= SLOW_MS) return;
    if (now - this.#slowAtMs < TWICE_WITHIN_MS) this.#slowUntilMs = now + AVOID_FOR_MS;
    this.#slowAtMs = now;
  }
}
