/**
 * Work of the tier that goes on for as long as the node: what fails is tried again, later each time, because
 * buckets are down for seconds or for days and nothing hot waits for them. What a failure says is kept in the
 * health; only a broken invariant ends the node (promise P9).
 */
import { InvariantError } from "../base/assert.ts";
import { BusyError, UnavailableError } from "../base/errors.ts";
import type { Clock } from "../ports/clock.ts";
import { ColdUnavailableError, isColdError } from "../ports/cold-store.ts";
import type { Logger } from "../ports/logger.ts";
import type { TierHealth } from "./tier-health.ts";

const PAUSE_MS_MIN = 1000;
const PAUSE_MS_MAX = 60_000;

export type LoopParts = { readonly clock: Clock; readonly logger: Logger; readonly health: TierHealth };

export class TierLoop {
  readonly #name: string;
  readonly #parts: LoopParts;
  #failures = 0;

  constructor(name: string, parts: LoopParts) {
    this.#name = name;
    this.#parts = parts;
  }

  /** Until `signal`; `look` says how long nothing is to be done after it. */
  async run(look: () => Promise<number>, signal: AbortSignal): Promise<void> {
    const { clock, health } = this.#parts;
    while (!signal.aborted) {
      let pauseMs: number;
      try {
        pauseMs = await look();
        this.#failures = 0;
        health.worked("work");
      } catch (error) {
        // The node is stopping, or has failed and said so.
        if (signal.aborted || error instanceof UnavailableError) return;
        if (error instanceof InvariantError) throw error;
        pauseMs = this.#pauseAfter(error);
      }
      await clock.sleep(pauseMs, { signal });
    }
  }

  #pauseAfter(error: unknown): number {
    const { health, logger } = this.#parts;
    const pauseMs = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** this.#failures++);
    if (error instanceof ColdUnavailableError) return Math.max(pauseMs, error.retryAfterMs);
    // Whoever met it has told the health, or it is nobody's fault.
    if (isColdError(error) || error instanceof BusyError) return pauseMs;
    const reason = `${this.#name}: ${error instanceof Error ? error.message : String(error)}`;
    health.failed("work", reason);
    logger.warn("work for the cold tier failed; it will be tried again", { reason, pauseMs });
    return pauseMs;
  }
}
