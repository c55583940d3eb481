/** A cold tier that does what a test tells it to, and remembers what it was asked. */
import { NO_USAGE } from "../../src/offload/cost.ts";
import type { Usage } from "../../src/offload/cost.ts";
import { ColdMeter } from "../../src/offload/cold-meter.ts";
import { NO_FORECAST, reportOf } from "../offload/forecasts.ts";
import type {
  CostAnswer,
  CostQuestion,
  TierActions,
  TierCall,
  TierDesk,
  TierOutcome,
} from "../../src/service/tier-api.ts";

export type RunningAction = {
  readonly what: string;
  readonly terms: object;
  readonly call: TierCall;
  readonly finish: (outcome: TierOutcome) => void;
  readonly fail: (error: Error) => void;
};

export const DONE: TierOutcome = { ok: true, lines: ["nothing was left to do"], facts: { segments: 3 } };

export class FakeTier implements TierDesk {
  /** Actions that were begun, the last one last. */
  readonly begun: RunningAction[] = [];
  readonly questions: CostQuestion[] = [];
  readonly meter = new ColdMeter();
  /** What each action comes to at once; if there is nothing, it runs until the test ends it. */
  outcome: TierOutcome | Error | undefined;
  readClients: () => Usage = () => NO_USAGE;
  readonly actions: TierActions;

  constructor() {
    this.actions = {
      status: () => ({ place: "memory:cold", degraded: false }),
      offload: (terms, call) => this.#run("offload", terms, call),
      recall: (terms, call) => this.#run("recall", terms, call),
      audit: (terms, call) => this.#run("audit", terms, call),
      adopt: (call) => this.#run("adopt", {}, call),
      facts: () => Promise.reject(new Error("a fake has no segments")),
    };
  }

  get tallies(): ColdMeter["tallies"] {
    return this.meter.tallies;
  }

  get usage(): ColdMeter["usage"] {
    return this.meter.usage;
  }

  watchClients(read: () => Usage): void {
    this.readClients = read;
  }

  cost(asked: CostQuestion): Promise<CostAnswer> {
    this.questions.push(asked);
    return Promise.resolve({
      since: "2026-11-21T00:00:00.000Z",
      place: "memory:cold",
      ...reportOf(this.meter.usage, this.readClients()),
      forecast: { now: NO_FORECAST, changed: undefined },
    });
  }

  #run(what: string, terms: object, call: TierCall): Promise<TierOutcome> {
    const { promise, resolve, reject } = Promise.withResolvers<TierOutcome>();
    this.begun.push({ what, terms, call, finish: resolve, fail: reject });
    call.signal.addEventListener("abort", () => reject(call.signal.reason as Error));
    const { outcome } = this;
    if (outcome instanceof Error) reject(outcome);
    else if (outcome !== undefined) resolve(outcome);
    return promise;
  }
}
