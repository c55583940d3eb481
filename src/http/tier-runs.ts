/**
 * Actions of the tier that are under way. Who asks for the very same one meanwhile waits for it too; who asks
 * for another one of its kind is told to wait. One that nobody waits for any more is ended: what was done
 * stays done, and whoever asks again goes on from there.
 */
import { s3Error } from "../s3/errors.ts";
import type { TierCall, TierOutcome } from "../service/tier-api.ts";

type Wanted = {
  /** Of these, one runs at a time. */
  readonly name: string;
  /** Which of them: equal ones are one. */
  readonly terms: string;
  readonly start: (call: TierCall) => Promise<TierOutcome>;
};

type Run = {
  readonly terms: string;
  readonly outcome: Promise<TierOutcome>;
  readonly listeners: Set<(line: string) => void>;
  readonly ended: AbortController;
};

export class TierRuns {
  readonly #runs = new Map<string, Run>();

  /**
   * Rejects as the action does, or with the reason of `signal`. Throws OperationAborted while another one of
   * its kind is under way.
   */
  async join(wanted: Wanted, { signal, onProgress }: TierCall): Promise<TierOutcome> {
    signal.throwIfAborted();
    const run = this.#running(wanted) ?? this.#begin(wanted);
    run.listeners.add(onProgress);
    const left = Promise.withResolvers<never>();
    const leave = (): void => {
      run.listeners.delete(onProgress);
      if (run.listeners.size === 0) run.ended.abort(signal.reason);
      left.reject(signal.reason);
    };
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([run.outcome, left.promise]);
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  /** All of them: the server is stopping. */
  endAll(reason: Error): void {
    for (const { ended } of this.#runs.values()) ended.abort(reason);
  }

  #running({ name, terms }: Wanted): Run | undefined {
    const run = this.#runs.get(name);
    if (run === undefined || (run.terms === terms && !run.ended.signal.aborted)) return run;
    const how = run.ended.signal.aborted ? "one is just ending" : `another one is under way (${run.terms})`;
    const message = `${name}: ${how}; ask again when it is over`;
    throw s3Error("OperationAborted", { message });
  }

  #begin({ name, terms, start }: Wanted): Run {
    const listeners = new Set<(line: string) => void>();
    const ended = new AbortController();
    const onProgress = (line: string): void => {
      for (const listen of listeners) listen(line);
    };
    const outcome = start({ signal: ended.signal, onProgress }).finally(() => this.#runs.delete(name));
    const run = { terms, outcome, listeners, ended };
    this.#runs.set(name, run);
    return run;
  }
}
