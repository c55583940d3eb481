/**
 * Tells those for whom something takes too long. All of them have the same time, so one timer serves them
 * all, and whoever is done in time costs an entry of a set.
 */
import type { Clock } from "../ports/clock.ts";

type Waiting = { readonly dueMs: number; readonly onLost: () => void };

export class Patience {
  readonly #clock: Pick<Clock, "monotonicMs" | "sleep">;
  readonly #ms: number;
  /** In the order in which they are due. */
  readonly #waiting = new Set<Waiting>();
  #isWatching = false;

  constructor(clock: Pick<Clock, "monotonicMs" | "sleep">, ms: number) {
    this.#clock = clock;
    this.#ms = ms;
  }

  /** `onLost` must not throw; it is not called any more once what is returned has been. */
  begin(onLost: () => void): () => void {
    const waiting = { dueMs: this.#clock.monotonicMs() + this.#ms, onLost };
    this.#waiting.add(waiting);
    if (!this.#isWatching) void this.#watch();
    return () => void this.#waiting.delete(waiting);
  }

  async #watch(): Promise<void> {
    this.#isWatching = true;
    for (const waiting of this.#waiting) {
      const leftMs = waiting.dueMs - this.#clock.monotonicMs();
      if (leftMs > 0) await this.#clock.sleep(leftMs);
      if (this.#waiting.delete(waiting)) waiting.onLost();
    }
    this.#isWatching = false;
  }
}
