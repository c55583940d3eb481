/**
 * `GET /-/cost`: what the cold tier costs, and with parameters what it would under other prices or another
 * policy. Durations are milliseconds, sizes bytes, prices dollars.
 */
import type { PriceChange } from "../offload/cost.ts";
import { invalidArgument } from "../s3/errors.ts";
import type { CostQuestion, PolicyChange, TierDesk } from "../service/tier-api.ts";
import { AdminQuery } from "./admin-query.ts";
import { answerJson } from "./answer.ts";
import type { Exchange } from "./exchange.ts";

const PRICES = [
  "thousandWrites",
  "thousandReads",
  "thousandDeletes",
  "gibMonth",
  "gibIn",
  "gibOut",
] as const satisfies readonly (keyof PriceChange)[];
const POLICY = ["tierAfterMs", "recoveryPointMs", "hotBytesMax", "hotPercentMax"] as const;

export async function answerCost(exchange: Exchange, tier: TierDesk): Promise<void> {
  const query = new AdminQuery(exchange, [...PRICES, ...POLICY]);
  const asked: CostQuestion = { policy: policyIn(query), prices: pricesIn(query) };
  answerJson(exchange, await tier.cost(asked));
}

function pricesIn(query: AdminQuery): PriceChange {
  const given = PRICES.map((name) => [name, query.number(name)] as const);
  return Object.fromEntries(given.filter(([, price]) => price !== undefined));
}

function policyIn(query: AdminQuery): PolicyChange {
  const tierAfterMs = query.number("tierAfterMs");
  const isOff = query.text("recoveryPointMs") === "off";
  const recoveryPointMs = isOff ? "off" : query.number("recoveryPointMs");
  if (recoveryPointMs === 0) throw invalidArgument("Must be off or above 0", "recoveryPointMs", "0");
  const bytes = query.number("hotBytesMax");
  const percent = query.number("hotPercentMax");
  if (bytes !== undefined && percent !== undefined) {
    throw invalidArgument("Not beside hotBytesMax", "hotPercentMax", String(percent));
  }
  if (percent !== undefined && percent > 100) {
    throw invalidArgument("Must be 100 or less", "hotPercentMax", String(percent));
  }
  return {
    ...(tierAfterMs === undefined ? {} : { tierAfterMs }),
    ...(recoveryPointMs === undefined ? {} : { recoveryPointMs }),
    ...(bytes === undefined ? {} : { hotBytesMax: { kind: "bytes", bytes } }),
    ...(percent === undefined ? {} : { hotBytesMax: { kind: "percent", percent } }),
  };
}
