/**
 * The leader's time (RULES.md R7). Log time, which every entry carries, goes on from where the log stands, at
 * the pace of the monotonic clock and of nothing else: it is time that leaders lived through, so an age
 * measured in it is never too high, whatever a wall clock does. Dates follow the wall clock at once, in both
 * directions, by entries that set them (state/dates.ts). Nothing that deletes looks at dates, so nobody has
 * to guess why a clock moved: whether it was wrong before, or is now, or whether the machine slept.
 */
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { StateMachine } from "../state/state-machine.ts";

/** So far dates may be from the wall clock before an entry is spent on it. */
const APART_MS_MAX = 100;
/** Within it a clock is put right; beyond it somebody should know. */
const JUMP_MS = 600_000;

/** Where the log stands when this node begins to lead. */
type LogTimeState = Pick<StateMachine, "logTimeMs" | "dates">;

export class LogClock {
  readonly #clock: Clock;
  readonly #logger: Logger;
  #startLogMs = 0;
  #startMonotonicMs = 0;
  #startWallMs = 0;
  /** As the last entry that sets the date says, applied or not. */
  #offsetMs = 0;
  #seenSkewMs = 0;

  constructor(parts: { readonly clock: Clock; readonly logger: Logger }) {
    this.#clock = parts.clock;
    this.#logger = parts.logger;
  }

  /** Once everything in the log is applied, and before the first entry of this leadership is stamped. */
  lead({ logTimeMs, dates }: LogTimeState): void {
    this.#startWallMs = this.#wallMs();
    this.#startMonotonicMs = this.#clock.monotonicMs();
    this.#offsetMs = dates.offsetMs;
    this.#seenSkewMs = 0;
    const isEmpty = logTimeMs === 0;
    // Any number would do for an empty log, but 0: it says that nothing was ever stamped.
    this.#startLogMs = isEmpty ? Math.max(1, this.#startWallMs) : logTimeMs;
    if (!isEmpty) this.#tellDistance(this.#startWallMs - dates.at(logTimeMs));
  }

  /** From the date of the last write. */
  #tellDistance(aheadMs: number): void {
    const logger = this.#logger;
    if (aheadMs > JUMP_MS) logger.info("the last write is long ago, or the wall clock is wrong", { aheadMs });
    if (aheadMs >= -JUMP_MS) return;
    logger.warn("the wall clock is behind the last write: it was wrong then or is now", { aheadMs });
  }

  /** Log time: whole milliseconds that never go back. */
  nowMs(): number {
    return this.#startLogMs + Math.floor(this.#clock.monotonicMs() - this.#startMonotonicMs);
  }

  /** A clock before 1970 cannot be written down. */
  #wallMs(): number {
    return Math.max(0, Math.floor(this.#clock.nowMs()));
  }

  /**
   * The date to be set by an entry before the one that is stamped `timeMs`; nearly always `undefined`.
   * Whoever asks appends that entry.
   */
  dateToSet(timeMs: number): number | undefined {
    const wallMs = this.#wallMs();
    if (Math.abs(wallMs - timeMs - this.#offsetMs) < APART_MS_MAX) return undefined;
    this.#offsetMs = wallMs - timeMs;
    return wallMs;
  }

  /** How far the wall clock has moved ahead of the monotonic one since this node began to lead. */
  get skewMs(): number {
    return this.#wallMs() - this.#startWallMs - (this.nowMs() - this.#startLogMs);
  }

  /** Tells of a jump of the wall clock since the last look, once. */
  look(): void {
    const { skewMs } = this;
    const byMs = skewMs - this.#seenSkewMs;
    this.#seenSkewMs = skewMs;
    if (Math.abs(byMs) <= JUMP_MS) return;
    this.#logger.warn("the wall clock jumped, or the machine slept: dates follow it, ages do not", {
      byMs,
      skewMs,
    });
  }
}
