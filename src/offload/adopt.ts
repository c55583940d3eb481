/**
 * `tier adopt`: after a restore the objects of the lineages before stay where they are, read-only, because
 * their nodes might still live. Whoever says that those are gone for good lets this lineage clear away what
 * it does not need of them (RULES.md R20): from then on the collector takes their prefixes for its own, with
 * the same order and the same grace. Nothing is copied, and nothing is deleted here.
 *
 * Refused while anybody else may have been restored from one of them: that one names their objects, too.
 */
import { unreachable } from "../base/assert.ts";
import { finishInSteps } from "../base/steps.ts";
import type { Clock } from "../ports/clock.ts";
import type { ColdStore } from "../ports/cold-store.ts";
import { NO_OBJECTS, objectsByLineage, parentOf } from "./bucket-contents.ts";
import { BucketSurvey } from "./bucket-survey.ts";
import { heirsOf } from "./garbage-plan.ts";
import type { TierNode } from "./tier-node.ts";
import { readLineage } from "./tier-rows.ts";
import type { TierRows } from "./tier-rows.ts";

export type AdoptParts = {
  readonly node: Pick<TierNode, "place" | "propose">;
  readonly index: TierRows;
  readonly store: ColdStore;
  readonly clock: Clock;
};

export type AdoptReport =
  | {
      readonly kind: "adopted";
      /** The newest first. */
      readonly lineages: readonly string[];
      readonly objects: number;
      readonly bytes: number;
    }
  /** This store was never restored from another one. */
  | { readonly kind: "noParent" }
  | { readonly kind: "refused"; readonly heirs: readonly string[] };

export async function adopt(
  { node, index, store, clock }: AdoptParts,
  { signal }: { readonly signal: AbortSignal },
): Promise<AdoptReport> {
  const { place } = node;
  const row = await readLineage(index);
  if (row?.lineage !== place.lineage) return { kind: "noParent" };
  const survey = await new BucketSurvey({ store, cluster: place.cluster, clock }).look(
    [place.lineage],
    signal,
  );
  const listed = new Map(survey.listing.map((object) => [object.key, object]));
  const lineages = await finishInSteps(objectsByLineage(place.cluster, listed), clock);
  const before: string[] = [];
  for (let next: string | undefined = row.parent; next !== undefined && !before.includes(next);) {
    before.push(next);
    next = parentOf(lineages.get(next) ?? NO_OBJECTS, survey.manifests);
  }
  const mine = [place.lineage, ...before];
  const seen = { lineages, readings: survey.manifests, listed };
  const heirs = await finishInSteps(heirsOf(place, mine, seen), clock);
  if (heirs.length > 0) return { kind: "refused", heirs };
  await node.propose({ kind: "adoptLineages", lineage: place.lineage, adopted: before });
  const theirs = survey.listing.filter(({ key }) => before.includes(key.split("/", 2)[1] ?? ""));
  const bytes = theirs.reduce((sum, object) => sum + object.bytes, 0);
  return { kind: "adopted", lineages: before, objects: theirs.length, bytes };
}

/** As the admin API and the command line show it. */
export function adoptOutcome(report: AdoptReport): {
  readonly ok: boolean;
  readonly lines: readonly string[];
  readonly facts: Readonly<Record<string, unknown>>;
} {
  return { ok: report.kind !== "refused", lines: linesOf(report), facts: { ...report } };
}

function linesOf(report: AdoptReport): readonly string[] {
  switch (report.kind) {
    case "adopted":
      return [
        `this store now clears away what it does not need of ${report.lineages.join(", ")}: ` +
          `${report.objects} objects, ${report.bytes} bytes are there`,
      ];
    case "noParent":
      return ["this store was not restored from another one: there is nothing to adopt"];
    case "refused":
      return [
        `nothing was adopted: ${report.heirs.join(", ")} may have been restored from the same objects. ` +
          "Once nobody needs them, delete what lies below their names in the bucket, and the notes " +
          "about them below lineages/",
      ];
    default:
      return unreachable(report);
  }
}
