/**
 * A clock that a test moves: sleepers wake in the order of their times, each followed by a turn of the event
 * loop so that what they do is done before the next one wakes.
 */
import { setImmediate } from "node:timers/promises";
import type { Clock } from "../../src/ports/clock.ts";

type Sleeper = { readonly atMs: number; readonly wake: () => void };

export class ManualClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  #sleepers: Sleeper[] = [];

  constructor(wallMs = 1_700_000_000_000) {
    this.#wallMs = wallMs;
  }

  nowMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  sleep(ms: number, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) {
        resolve();
        return;
      }
      const stop = (): void => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        resolve();
      };
      const wake = (): void => {
        signal?.removeEventListener("abort", stop);
        resolve();
      };
      const sleeper = { atMs: this.#monotonicMs + ms, wake };
      this.#sleepers.push(sleeper);
      signal?.addEventListener("abort", stop, { once: true });
    });
  }

  async yieldToOthers(): Promise<void> {
    await setImmediate();
  }

  get sleepers(): number {
    return this.#sleepers.length;
  }

  /** Somebody sets the clock, or the machine slept: only the wall clock moves. */
  moveWall(ms: number): void {
    this.#wallMs += ms;
  }

  /** Time passes and nobody notices yet. */
  advanceNow(ms: number): void {
    this.#monotonicMs += ms;
    this.#wallMs += ms;
  }

  /** Time passes; whoever slept until then wakes, one after the other. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonicMs + ms;
    await settled();
    for (;;) {
      const next = this.#sleepers.toSorted((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > end) break;
      this.advanceNow(Math.max(0, next.atMs - this.#monotonicMs));
      this.#sleepers = this.#sleepers.filter((other) => other !== next);
      next.wake();
      await settled();
    }
    this.advanceNow(end - this.#monotonicMs);
  }
}

/** Some turns of the event loop: what can happen without waiting for a disk has happened. */
export async function settled(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await setImmediate();
}

/** Turns until something is true that real threads bring about; fails after `turns`. */
export async function until(condition: () => boolean, turns = 50_000): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    if (condition()) return;
    await setImmediate();
  }
  throw new Error("it did not come true");
}
