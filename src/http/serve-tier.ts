/**
 * `/-/tier/...`: how the cold tier is, and the actions of `thermocline tier`. Actions are POSTs without a
 * body whose terms are parameters; they may take hours and answer in lines: `{"progress":"..."}` now and
 * then, at the end `{"outcome":{...}}` or `{"failed":{...}}`. They go on only while somebody waits.
 */
import { UnavailableError } from "../base/errors.ts";
import { isColdError } from "../ports/cold-store.ts";
import { s3Error } from "../s3/errors.ts";
import type { TierActions, TierCall, TierDesk, TierOutcome } from "../service/tier-api.ts";
import { AdminQuery, refuseQuery } from "./admin-query.ts";
import { answerJson } from "./answer.ts";
import { LineAnswer } from "./answer-lines.ts";
import type { Exchange } from "./exchange.ts";
import { readWithoutBody } from "./read-document.ts";
import { toS3Error } from "./to-s3-error.ts";

type Action = {
  /** What was asked for, as people would say it. */
  readonly terms: string;
  readonly start: (actions: TierActions, call: TierCall) => Promise<TierOutcome>;
};

type TierPage = { readonly name: string; readonly read: (exchange: Exchange) => Action };

export function answerTierStatus(exchange: Exchange, { actions }: TierDesk): void {
  refuseQuery(exchange);
  answerJson(exchange, actions.status());
}

export const tierPages: readonly TierPage[] = [
  {
    name: "offload",
    read: (exchange) => {
      const all = new AdminQuery(exchange, ["all"]).flag("all");
      return {
        terms: all ? "of everything" : "of what the policy wants",
        start: (actions, call) => actions.offload({ all }, call),
      };
    },
  },
  {
    name: "recall",
    read: (exchange) => {
      const query = new AdminQuery(exchange, ["bucket", "prefix"]);
      const bucket = query.required("bucket");
      const prefix = query.text("prefix") ?? "";
      if (exchange.edge.service.buckets.find(bucket) === undefined) throw s3Error("NoSuchBucket");
      return {
        terms: `of ${bucket}/${prefix}`,
        start: (actions, call) => actions.recall({ bucket, prefix }, call),
      };
    },
  },
  {
    name: "audit",
    read: (exchange) => {
      const query = new AdminQuery(exchange, ["deep", "repair"]);
      const [deep, repair] = [query.flag("deep"), query.flag("repair")];
      return {
        terms: `${deep ? "of every byte" : "of names and lengths"}${repair ? ", with repairs" : ""}`,
        start: (actions, call) => actions.audit({ deep, repair }, call),
      };
    },
  },
  {
    name: "adopt",
    read: (exchange) => {
      refuseQuery(exchange);
      return { terms: "of all", start: (actions, call) => actions.adopt(call) };
    },
  },
];

export async function answerAction(exchange: Exchange, page: TierPage, tier: TierDesk): Promise<void> {
  const { edge } = exchange;
  const { terms, start } = page.read(exchange);
  await readWithoutBody(exchange);
  if (edge.isDraining) throw new UnavailableError("the server is stopping");
  const answer = new LineAnswer(exchange, new UnavailableError("nobody waits for it any more"));
  try {
    const wanted = { name: page.name, terms, start: (call: TierCall) => start(tier.actions, call) };
    const outcome = await edge.tierRuns.join(wanted, { signal: answer.gone, onProgress: answer.tell });
    answer.end({ kind: "done", outcome });
  } catch (error) {
    const told = toS3Error(exchange, withItsWords(error));
    if (answer.hasBegun) return answer.end({ kind: "failed", code: told.code, message: told.message });
    answer.drop();
    throw told;
  }
}

/** The bucket is this caller's own: what is wrong with it may be said, and how to mend it. */
function withItsWords(error: unknown): unknown {
  if (!isColdError(error)) return error;
  return s3Error("ServiceUnavailable", { message: error.message, cause: error });
}
