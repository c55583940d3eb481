/**
 * Answers what the cold tier costs: the figures of the ledger times prices, beside what clients would have
 * paid one by one, and what a policy would do next. The tier's actions go through it as they are.
 */
import { finishInSteps } from "../base/steps.ts";
import type { ColdMeter, ColdTally } from "../offload/cold-meter.ts";
import { S3_STANDARD_US_EAST_1, costReport, pricesWith } from "../offload/cost.ts";
import type { PriceChange, Usage, UsageByKind, UsageKind } from "../offload/cost.ts";
import type { CostLedger } from "../offload/cost-ledger.ts";
import { forecastPolicy } from "../offload/policy-forecast.ts";
import type { Clock } from "../ports/clock.ts";
import { formatIsoDate } from "../s3/dates.ts";
import type { CostAnswer, CostQuestion, PolicyChange, TierActions, TierDesk, TierFacts } from "./tier-api.ts";

type DeskOptions = {
  readonly actions: TierActions;
  readonly ledger: CostLedger;
  readonly meter: ColdMeter;
  /** Of the cold store. */
  readonly place: string;
  /** Of the settings. */
  readonly prices: PriceChange;
  readonly clock: Clock;
};

export class CostDesk implements TierDesk {
  readonly actions: TierActions;
  readonly #options: DeskOptions;

  constructor(options: DeskOptions) {
    this.actions = options.actions;
    this.#options = options;
  }

  get tallies(): Iterable<ColdTally> {
    return this.#options.meter.tallies;
  }

  get usage(): UsageByKind {
    return this.#options.meter.usage;
  }

  watchClients(read: () => Usage): void {
    this.#options.ledger.watchClients(read);
  }

  /** Nothing is counted for later after this. */
  async close(): Promise<void> {
    await this.#options.ledger.close();
  }

  async cost(asked: CostQuestion): Promise<CostAnswer> {
    const { ledger, place, clock } = this.#options;
    const prices = pricesWith(S3_STANDARD_US_EAST_1, { ...this.#options.prices, ...asked.prices });
    const facts = await this.actions.facts();
    const { sinceMs, cold, clients } = ledger.totals;
    const forecast = async (change: PolicyChange): Promise<CostAnswer["forecast"]["now"]> =>
      await finishInSteps(forecastPolicy(facts, facts.policyWith(change), prices), clock);
    const isChanged = Object.keys(asked.policy).length > 0;
    return {
      since: formatIsoDate(sinceMs),
      place,
      prices,
      report: costReport(withStored(cold, facts), clients, prices),
      forecast: { now: await forecast({}), changed: isChanged ? await forecast(asked.policy) : undefined },
    };
  }
}

function withStored(cold: UsageByKind, { storedBytes }: TierFacts): UsageByKind {
  const of = (kind: UsageKind): Usage => ({ ...cold[kind], storedBytes: storedBytes[kind] ?? 0 });
  return {
    segment: of("segment"),
    packed: of("packed"),
    snapshot: of("snapshot"),
    tail: of("tail"),
    manifest: of("manifest"),
    other: of("other"),
  };
}
