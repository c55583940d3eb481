/**
 * What the admin API asks of the cold tier: how it is, what it costs, and the actions of `thermocline tier`.
 * The tier is there only where a server has one; types are all that is known of it here, so a server without
 * one loads none of it.
 *
 * Actions may take hours. Each ends early, at a good place, with the reason of `signal` once that is aborted,
 * and may be asked for again: what was done is not done twice.
 */
import type { ColdTally } from "../offload/cold-meter.ts";
import type { CostReport, Prices, Usage, UsageByKind, UsageKind } from "../offload/cost.ts";
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
  /** That is followed now. */
  readonly policy: ForecastPolicy;
  /** What lies in the bucket, as far as it is known: of segments by the state, of the rest by a listing. */
  readonly storedBytes: { readonly [Kind in UsageKind]?: number };
};

/** What a dry run changes. */
export type PolicyChange = {
  readonly tierAfterMs?: number;
  readonly recoveryPointMs?: number | "off";
  readonly hotBytesMax?: { readonly percent: number } | { readonly bytes: number };
};

/** Dollars; what is left out is as the settings have it. */
export type PriceChange = {
  readonly thousandWrites?: number;
  readonly thousandReads?: number;
  readonly thousandDeletes?: number;
  readonly gibMonth?: number;
  readonly gibIn?: number;
  readonly gibOut?: number;
};

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
  cost(asked: { readonly policy: PolicyChange; readonly prices: PriceChange }): Promise<CostAnswer>;
  /** Where the requests of clients are counted; asked for with each figure. */
  watchClients(read: () => Usage): void;
  /** For metrics: since the start of the process. */
  readonly tallies: Iterable<ColdTally>;
  readonly usage: UsageByKind;
}
