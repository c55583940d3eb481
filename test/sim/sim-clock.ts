/**
 * The Clock port in virtual time. Time stands still while anything can run and jumps to the next sleeper when
 * nothing can, so an hour takes milliseconds and always takes the same course. Whoever owns the clock drives
 * it with `run`; everything simulated must wait for this clock or for microtasks, never for the real system.
 */
import type { Clock } from "../../src/ports/clock.ts";

type Sleeper = { readonly dueMs: number; readonly order: number; readonly wake: () => void };

/** 2026-01-01: a fixed date, so that runs do not depend on the day they are made. */
const START_MS = 1_767_225_600_000;

export class SimClock implements Clock {
  /** Sorted, the next one last. */
  readonly #sleepers: Sleeper[] = [];
  #elapsedMs = 0;
  #order = 0;
  /** What users' clocks show beside the time that passed; may be set to anything. */
  wallOffsetMs = 0;
  /**
   * How long looking at the clock takes: with some milliseconds the code under test believes in a slow disk.
   */
  lookMs: () => number = () => 0;

  nowMs(): number {
    return Math.floor(START_MS + this.#elapsedMs + this.wallOffsetMs);
  }

  monotonicMs(): number {
    this.#elapsedMs += this.lookMs();
    return this.#elapsedMs;
  }

  sleep(ms: number, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) {
        resolve();
        return;
      }
      const sleeper = this.#add(ms, () => {
        signal?.removeEventListener("abort", stop);
        resolve();
      });
      const stop = (): void => {
        const at = this.#sleepers.indexOf(sleeper);
        if (at >= 0) this.#sleepers.splice(at, 1);
        resolve();
      };
      signal?.addEventListener("abort", stop, { once: true });
    });
  }

  yieldToOthers(): Promise<void> {
    return this.sleep(0);
  }

  #add(ms: number, wake: () => void): Sleeper {
    const sleeper = { dueMs: this.#elapsedMs + Math.max(0, ms), order: this.#order++, wake };
    let low = 0;
    let high = this.#sleepers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      // Of those that are due at the same time the first comer wakes first, so it stands behind the others.
      if ((this.#sleepers[middle] as Sleeper).dueMs > sleeper.dueMs) low = middle + 1;
      else high = middle;
    }
    this.#sleepers.splice(low, 0, sleeper);
    return sleeper;
  }

  /** Lets `ms` pass. */
  async advance(ms: number): Promise<void> {
    let due = false;
    this.#add(ms, () => (due = true));
    while (!due) {
      await settled();
      this.#wakeNext(Number.POSITIVE_INFINITY);
    }
    await settled();
  }

  /** So much passes at once, as for a machine that was asleep: whoever was due meanwhile wakes late. */
  skip(ms: number): void {
    this.#elapsedMs += ms;
  }

  /** Whoever sleeps now never wakes: their process is dead. */
  forgetSleepers(): void {
    this.#sleepers.length = 0;
  }

  /** Lets time pass until `work` is done; fails when that takes more than `limitMs` of virtual time. */
  async run<Result>(work: Promise<Result>, limitMs = 3_600_000): Promise<Result> {
    const endMs = this.#elapsedMs + limitMs;
    let done = false;
    const finish = (): void => void (done = true);
    work.then(finish, finish);
    for (;;) {
      await settled();
      if (done) return await work;
      this.#wakeNext(endMs);
    }
  }

  #wakeNext(endMs: number): void {
    const next = this.#sleepers.pop();
    if (next === undefined) throw new Error("everything waits and nobody sleeps: this would hang for ever");
    if (next.dueMs > endMs) throw new Error(`not done at ${endMs} ms of virtual time`);
    this.#elapsedMs = Math.max(this.#elapsedMs, next.dueMs);
    next.wake();
  }
}

/** All microtasks have run, those that they queued included. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
