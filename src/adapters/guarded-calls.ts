/**
 * Calls over a network that may fail: never more at a time than there are sockets, each attempt with a
 * deadline, attempts that may help repeated after a pause with jitter, none made while the circuit is open.
 * An attempt holds its slot only while it runs, so a pause blocks nobody; and since there is a slot for each
 * socket, no request waits inside the HTTP agent, where waiting would count as its own time.
 */
import { Semaphore } from "../base/semaphore.ts";
import type { Clock } from "../ports/clock.ts";
import { ColdUnavailableError } from "../ports/cold-store.ts";
import type { Random } from "../ports/random.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";

/** What a failed attempt means; `error` is what the caller gets if it was the last one. */
export type Verdict = {
  readonly error: Error;
  readonly mayHelpToRepeat: boolean;
  /** Whether the other side answered for itself, as "slow down" does; unknown if it is not to blame. */
  readonly place: "alive" | "failed" | "unknown";
  /** What the other side asked us to wait, if it did. */
  readonly waitMs?: number;
};

type GuardSettings = {
  readonly concurrencyMax: number;
  /** Calls that wait for a slot; further ones are turned away at once. */
  readonly waitingMax: number;
  readonly attemptsMax: number;
  readonly pauseMsMin: number;
  readonly pauseMsMax: number;
  readonly failuresMax: number;
  readonly openMsMin: number;
  readonly openMsMax: number;
};

export const defaultGuard: Omit<GuardSettings, "concurrencyMax"> = {
  waitingMax: 4096,
  attemptsMax: 4,
  pauseMsMin: 100,
  pauseMsMax: 5_000,
  failuresMax: 8,
  openMsMin: 1_000,
  openMsMax: 30_000,
};

type GuardOptions = {
  readonly place: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly settings: GuardSettings;
};

export type GuardedCall = {
  /** Of one attempt. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly attemptsMax?: number;
  readonly judge: (error: unknown) => Verdict;
};

export class GuardedCalls {
  readonly #options: GuardOptions;
  readonly #breaker: CircuitBreaker;
  readonly #slots: Semaphore;
  readonly #closing = new AbortController();
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(options: GuardOptions) {
    this.#options = options;
    this.#breaker = new CircuitBreaker(options.clock, options.settings);
    this.#slots = new Semaphore(options.settings.concurrencyMax);
  }

  /** Aborted by `close`, with the error that callers get. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  async run<Result>(work: (signal: AbortSignal) => Promise<Result>, call: GuardedCall): Promise<Result> {
    this.#throwIfEnded(call.signal);
    if (this.#underWay.size >= this.#options.settings.concurrencyMax + this.#options.settings.waitingMax) {
      throw this.#unavailable("too many requests wait for it", this.#options.settings.openMsMin);
    }
    const running = this.#repeat(work, call);
    this.#underWay.add(running);
    try {
      return await running;
    } finally {
      this.#underWay.delete(running);
    }
  }

  /** Ends what is under way; resolves when the last attempt has let go. */
  async close(): Promise<void> {
    this.#closing.abort(this.#unavailable("the store was closed", 0));
    await Promise.allSettled(this.#underWay);
  }

  async #repeat<Result>(work: (signal: AbortSignal) => Promise<Result>, call: GuardedCall): Promise<Result> {
    const { clock, settings } = this.#options;
    const closing = this.#closing.signal;
    const signal = call.signal === undefined ? closing : AbortSignal.any([closing, call.signal]);
    const attemptsMax = call.attemptsMax ?? settings.attemptsMax;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#slots.run(() => this.#attempt(work, { ...call, signal }));
      } catch (error) {
        this.#throwIfEnded(call.signal);
        if (!(error instanceof FailedAttempt)) throw error;
        const { verdict } = error;
        if (!verdict.mayHelpToRepeat || attempt >= attemptsMax) throw verdict.error;
        await clock.sleep(this.#pauseMs(attempt, verdict), { signal });
        this.#throwIfEnded(call.signal);
      }
    }
  }

  async #attempt<Result>(
    work: (signal: AbortSignal) => Promise<Result>,
    { timeoutMs, signal, judge }: GuardedCall & { readonly signal: AbortSignal },
  ): Promise<Result> {
    signal.throwIfAborted();
    const passage = this.#breaker.enter();
    if (passage.kind === "open") {
      throw this.#unavailable("it did not answer and is not asked again yet", passage.retryAfterMs);
    }
    try {
      const result = await withDeadline(work, { timeoutMs, signal });
      passage.settle("alive");
      return result;
    } catch (error) {
      if (signal.aborted) {
        passage.settle("unknown");
        throw error;
      }
      const verdict = judge(error);
      passage.settle(verdict.place);
      throw new FailedAttempt(verdict);
    }
  }

  /** Whoever asked hears why it ended: their own reason, or that the store was closed. */
  #throwIfEnded(callers: AbortSignal | undefined): void {
    callers?.throwIfAborted();
    this.#closing.signal.throwIfAborted();
  }

  /** Full jitter, any time up to the bound: callers that failed together do not come back together. */
  #pauseMs(attempt: number, verdict: Verdict): number {
    const { random, settings } = this.#options;
    const boundMs = Math.min(settings.pauseMsMin * 2 ** attempt, settings.pauseMsMax);
    const fraction = Buffer.from(random.bytes(4)).readUInt32LE() / 2 ** 32;
    return Math.max(boundMs * fraction, Math.min(verdict.waitMs ?? 0, settings.pauseMsMax));
  }

  #unavailable(what: string, retryAfterMs: number): ColdUnavailableError {
    return new ColdUnavailableError(`cold tier ${this.#options.place}: ${what}`, { retryAfterMs });
  }
}

/**
 * Nothing of it outlives the work: AbortSignal.timeout would keep a timer, and all that hangs on its signal,
 * for a minute behind each of a thousand requests a second.
 */
async function withDeadline<Result>(
  work: (signal: AbortSignal) => Promise<Result>,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<Result> {
  const ended = new AbortController();
  const pass = (): void => ended.abort(signal.reason);
  const timer = setTimeout(() => {
    ended.abort(new DOMException(`no answer within ${timeoutMs} ms`, "TimeoutError"));
  }, timeoutMs);
  timer.unref();
  signal.addEventListener("abort", pass, { once: true });
  try {
    return await work(ended.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", pass);
  }
}

/** Carries the verdict from the attempt to the loop around it. */
class FailedAttempt extends Error {
  readonly verdict: Verdict;

  constructor(verdict: Verdict) {
    super(verdict.error.message);
    this.verdict = verdict;
  }
}
