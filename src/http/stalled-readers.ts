/**
 * Readers that wait for their client to take what was written. Problem: each holds the credits of a piece for
 * as long as it likes, and a few hundred of them hold all there are, so that everybody else is told to slow
 * down. Nobody is hurt while there are enough; once a request would be refused, those that have taken nothing
 * for long enough make room, the one that waits longest first. A piece is a megabyte at most, so a client
 * that is merely slow is safe at a few ten kilobytes per second.
 */
import type { Clock } from "../ports/clock.ts";

export type Stall = { readonly sinceMs: number; readonly cut: () => void };

export class StalledReaders {
  readonly #clock: Clock;
  readonly #safeMs: number;
  /** In the order in which they began to wait. */
  readonly #waiting = new Set<Stall>();

  constructor(clock: Clock, options: { readonly safeMs: number }) {
    this.#clock = clock;
    this.#safeMs = options.safeMs;
  }

  /** `cut` ends the reader and gives back what it holds; it may be called until `end`. */
  begin(cut: () => void): Stall {
    const stall = { sinceMs: this.#clock.monotonicMs(), cut };
    this.#waiting.add(stall);
    return stall;
  }

  end(stall: Stall): void {
    this.#waiting.delete(stall);
  }

  /** Until there is room, or nobody is left who has waited for so long. */
  makeRoom(isEnough: () => boolean): void {
    const latestMs = this.#clock.monotonicMs() - this.#safeMs;
    for (const stall of this.#waiting) {
      if (stall.sinceMs > latestMs || isEnough()) return;
      this.#waiting.delete(stall);
      stall.cut();
    }
  }
}
