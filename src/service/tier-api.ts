/**
 * What the admin API asks of the cold tier: how it is, what it costs, and the actions of `thermocline tier`.
 * The tier is there only where a server has one; types are all that is known of it here, so a server without
 * one loads none of it.
 *
 * Actions may take hours. Each ends early, at a good place, with the reason of `signal` once that is aborted,
 * and may be asked for again: what was done is not done twice.
 */
import type { ColdTally } from "../offload/cold-meter.ts";
import type { CostReport, PriceChange, Prices, Usage, UsageByKind, UsageKind } from "../offload/cost.ts";
import type { Forecast, ForecastFacts, ForecastPolicy } from "../offload/policy-forecast.ts";

export type TierCall = {
  readonly signal: AbortSignal;
  /** One line for people, now and then: `3 of 17 segments uploaded`. */
  readonly onProgress: (line: string) => void;
};

export type TierOutcome = {
  /** False: something is not as it should be, and was not mended. */
  readonly ok: boolean;
  /** For people. */
  readonly lines: readonly string[];
  /** For programs: plain JSON. */
  readonly facts: Readonly<Record<string, unknown>>;
};

export interface TierActions {
  /** Plain JSON. */
  status(): Readonly<Record<string, unknown>>;
  /**
   * `all`: seals the open segment, and resolves when everything is uploaded, verified, in a manifest and
   * freed. Without it: what the policy wants now.
   */
  offload(asked: { readonly all: boolean }, call: TierCall): Promise<TierOutcome>;
  /** Brings back every segment with something of these keys in it. An empty prefix is the whole bucket. */
  recall(asked: RecallTarget, call: TierCall): Promise<TierOutcome>;
  /** Compares bucket and state; `deep` reads every object; `repair` mends what can be mended. */
  audit(asked: AuditTerms, call: TierCall): Promise<TierOutcome>;
  /** Takes over what a restore left with its parent, so that the parent's prefix is not needed any more. */
  adopt(call: TierCall): Promise<TierOutcome>;
  /** As of now, for `cost`. */
  facts(): Promise<TierFacts>;
}

export type RecallTarget = { readonly bucket: string; readonly prefix: string };
export type AuditTerms = { readonly deep: boolean; readonly repair: boolean };

export type TierFacts = ForecastFacts & {
  /** The policy that these changes would make of the one that is followed now. */
  readonly policyWith: (change: PolicyChange) => ForecastPolicy;
  /** What lies in the bucket, as far as it is known: of segments by the state, of the rest by a listing. */
  readonly storedBytes: { readonly [Kind in UsageKind]?: number };
};

/** What a dry run changes, as the settings of these names. */
export type PolicyChange = {
  readonly tierAfterMs?: number;
  readonly recoveryPointMs?: number | "off";
  readonly hotBytesMax?:
    | { readonly kind: "percent"; readonly percent: number }
    | { readonly kind: "bytes"; readonly bytes: number };
};

/** What is left out is as it is. */
export type CostQuestion = { readonly policy: PolicyChange; readonly prices: PriceChange };

export type CostAnswer = {
  /** Since when it was counted, over starts of the server: ISO 8601. */
  readonly since: string;
  readonly place: string;
  readonly prices: Prices;
  readonly report: CostReport;
  /** What the policy would do next, and cost; of both the present one and the changed one. */
  readonly forecast: { readonly now: Forecast; readonly changed: Forecast | undefined };
};

/** What a server with a cold tier hands to its edge. */
export interface TierDesk {
  readonly actions: TierActions;
  cost(asked: CostQuestion): Promise<CostAnswer>;
  /** Where requests of clients are counted since the start; read with each figure. */
  watchClients(read: () => Usage): void;
  /** For metrics: since the start of the process. */
  readonly tallies: Iterable<ColdTally>;
  readonly usage: UsageByKind;
}
