/**
 * `thermocline cost`: what the cold tier costs, beside the same objects one by one, and what another policy
 * would do.
 *
 * The figures and prices are the running server's. Settings that stand on this very command line are what is
 * tried out: `--tier-after`, `--recovery-point`, `--hot-bytes-max` and `--cost-...`; nothing is changed.
 */
import { endWith } from "../admin-answer.ts";
import { adminRequest } from "../admin-request.ts";
import { exitCodes } from "../cli-context.ts";
import { outputOption } from "../command.ts";
import type { Command } from "../command.ts";
import { costTable } from "../cost-table.ts";
import { load } from "../load.ts";
import type { LoadedConfig } from "../../config/load-config.ts";
import type { CostAnswer } from "../../service/tier-api.ts";

/** A plan over a million segments takes the server a second or two. */
const DEADLINE_MS = 30_000;

export const cost: Command = {
  name: "cost",
  summary: "what the cold tier costs, and would cost under another policy",
  details: [
    "With --tier-after, --recovery-point, --hot-bytes-max or --cost-... it shows what would come of them;",
    "nothing is changed. Prices are list prices unless the server's settings say otherwise.",
  ].join("\n"),
  options: [outputOption],
  takesSettings: true,
  run: async (context, call) => {
    const loaded = load(context, { argv: call.argv, command: "status" });
    const question = { path: "/-/cost", query: queryOf(loaded), deadlineMs: DEADLINE_MS };
    const answer = await adminRequest(loaded.config, question);
    const asJson = call.options.get("output") === "json";
    return endWith(context, answer, (body) => {
      context.write(asJson ? `${JSON.stringify(body, undefined, 2)}\n` : costTable(body as CostAnswer));
      return exitCodes.done;
    });
  },
};

/** What a file or the environment says is for the server to know. */
function queryOf({ config, origins }: LoadedConfig): Readonly<Record<string, string>> {
  const isTried = (name: string): boolean => origins.get(name)?.origin.kind === "flag";
  const query: Record<string, string> = {};
  if (isTried("tier.after")) query["tierAfterMs"] = String(config.tier.after);
  if (isTried("recoveryPoint")) query["recoveryPointMs"] = String(config.recoveryPoint);
  if (isTried("hotBytesMax")) {
    const { hotBytesMax: most } = config;
    if (most.kind === "percent") query["hotPercentMax"] = String(most.percent);
    else query["hotBytesMax"] = String(most.bytes);
  }
  for (const [name, price] of Object.entries(config.cost)) {
    if (isTried(`cost.${name}`) && price !== undefined) query[name] = price.toFixed(12);
  }
  return query;
}
