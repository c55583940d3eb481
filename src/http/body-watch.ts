/**
 * Ends bodies that come too slowly. Problem: silence ends a connection, but a client that sends a byte now
 * and then is never silent, and holds the memory that was set aside for its body for as long as it likes. So
 * within each window of `windowMs` a body has to bring `bytesPerSecondMin` for every second of it, or end.
 *
 * The window is that of silence, which is the case of no bytes at all. Time in which we let the client wait
 * does not count, nor does time in which the process itself stood still. One look over all bodies at a time
 * costs less than a timer for each.
 */
import type { Clock } from "../ports/clock.ts";

const LOOKS_PER_WINDOW = 8;

/** A body on its way, as its reader keeps it. */
export class WatchedBody {
  readonly #onTooSlow: () => void;
  /** Bytes since the window began. */
  bytes = 0;
  windowStartMs: number;
  #pausedAtMs: number | undefined;

  constructor(nowMs: number, onTooSlow: () => void) {
    this.windowStartMs = nowMs;
    this.#onTooSlow = onTooSlow;
  }

  pause(nowMs: number): void {
    this.#pausedAtMs ??= nowMs;
  }

  resume(nowMs: number): void {
    if (this.#pausedAtMs !== undefined) this.windowStartMs += nowMs - this.#pausedAtMs;
    this.#pausedAtMs = undefined;
  }

  look(nowMs: number, window: { readonly ms: number; readonly bytesMin: number }): void {
    if (this.#pausedAtMs !== undefined || nowMs - this.windowStartMs < window.ms) return;
    if (this.bytes < window.bytesMin) return this.#onTooSlow();
    this.windowStartMs = nowMs;
    this.bytes = 0;
  }
}

export class BodyWatch {
  readonly #clock: Clock;
  readonly #window: { readonly ms: number; readonly bytesMin: number };
  readonly #bodies = new Set<WatchedBody>();
  #isLooking = false;

  constructor(clock: Clock, limits: { readonly windowMs: number; readonly bytesPerSecondMin: number }) {
    this.#clock = clock;
    this.#window = { ms: limits.windowMs, bytesMin: (limits.bytesPerSecondMin * limits.windowMs) / 1000 };
  }

  /** `onTooSlow` may be called until `end`. */
  begin(onTooSlow: () => void): WatchedBody {
    const body = new WatchedBody(this.#clock.monotonicMs(), onTooSlow);
    this.#bodies.add(body);
    if (!this.#isLooking) void this.#lookOn();
    return body;
  }

  end(body: WatchedBody): void {
    this.#bodies.delete(body);
  }

  /** For as long as there are bodies. */
  async #lookOn(): Promise<void> {
    this.#isLooking = true;
    const everyMs = this.#window.ms / LOOKS_PER_WINDOW;
    let dueMs = this.#clock.monotonicMs() + everyMs;
    while (this.#bodies.size > 0) {
      await this.#clock.sleep(everyMs);
      const nowMs = this.#clock.monotonicMs();
      const lateMs = Math.max(0, nowMs - dueMs);
      dueMs = nowMs + everyMs;
      for (const body of this.#bodies) {
        // Nothing was read while nothing ran, whatever the client sent.
        if (lateMs > everyMs) body.windowStartMs += lateMs;
        body.look(nowMs, this.#window);
      }
    }
    this.#isLooking = false;
  }
}
