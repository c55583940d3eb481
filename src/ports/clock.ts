/**
 * Time, as the core may see it: a wall clock for what users read, a monotonic one for durations, and waiting.
 * The simulator drives all three.
 */
export interface Clock {
  /** Milliseconds since 1970, UTC. May jump in both directions. */
  nowMs(): number;
  /** Milliseconds since an arbitrary start; never goes back or jumps. May stand while the machine sleeps. */
  monotonicMs(): number;
  /**
   * Resolves after `ms`, or at once when `signal` aborts (it never rejects). Does not keep the process alive.
   */
  sleep(ms: number, options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Lets other work of the event loop run. */
  yieldToOthers(): Promise<void>;
}
