/** What a restore tells whoever called it: how far it is, what it did or would do, or why it does not. */
import { formatIsoDate } from "../s3/dates.ts";
import type { EntryRange } from "./cold-names.ts";
import type { RestoreResult } from "./restore.ts";
import { problemText } from "./restore-outline.ts";
import type { RestoreOutline } from "./restore-outline.ts";
import type { RestorePlan, RestoreRefusal } from "./restore-plan.ts";

export type RestoreProgress = {
  readonly bytes: number;
  readonly totalBytes: number;
  readonly objects: number;
  readonly totalObjects: number;
  /** At the pace so far; `undefined` while nobody can tell. */
  readonly secondsLeft: number | undefined;
};

export type RestoreReport =
  | ({ readonly kind: "planned" } & PlanFacts)
  | ({ readonly kind: "restored"; readonly restored: RestoredFacts } & PlanFacts)
  /** An earlier call had done everything. */
  | { readonly kind: "finished"; readonly dataDir: string }
  | {
      readonly kind: "refused";
      readonly reason: RestoreRefusal["reason"];
      readonly message: string;
      readonly problems: readonly string[];
    };

export type PlanFacts = {
  readonly from: string;
  readonly cluster: string;
  readonly lineage: string;
  readonly manifest: { readonly key: string; readonly time: string; readonly entry: number };
  /** Entry of the index snapshot that it begins with; 0 for none. */
  readonly snapshotEntry: number;
  /** The last entry that the bucket has; of a restore to a time it may be an earlier one. */
  readonly lastEntry: number;
  readonly until: string | undefined;
  readonly fetch: { readonly objects: number; readonly bytes: number };
  /** Bodies that stay in the bucket and are read from there. */
  readonly cold: { readonly objects: number; readonly bytes: number };
  readonly lost: readonly EntryRange[];
  /** What is missing and was accepted. */
  readonly accepted: readonly string[];
  readonly warnings: readonly string[];
  readonly passedOver: readonly { readonly manifest: string; readonly problems: readonly string[] }[];
};

export type RestoredFacts = {
  readonly dataDir: string;
  readonly lineage: string;
  readonly lastEntry: number;
  readonly time: string;
  /** What these entries brought cannot be read. */
  readonly lostBodies: readonly EntryRange[];
};

export function planFacts(plan: RestorePlan, outline: RestoreOutline): PlanFacts {
  const { manifest, manifestKey, recoveryPoint, untilDateMs, lost, accepted, warnings, passedOver } = plan;
  return {
    from: outline.from,
    cluster: outline.cluster,
    lineage: manifest.lineage,
    manifest: { key: manifestKey, time: timeOf(manifest.dateMs), entry: manifest.index },
    snapshotEntry: manifest.snapshot?.index ?? 0,
    lastEntry: recoveryPoint.index,
    until: untilDateMs === undefined ? undefined : formatIsoDate(untilDateMs),
    fetch: { objects: outline.fetchObjects, bytes: outline.fetchBytes },
    cold: { objects: outline.coldObjects, bytes: outline.coldBytes },
    lost,
    accepted: accepted.map(problemText),
    warnings: warnings.map(problemText),
    passedOver: passedOver.map(({ key, problems }) => ({
      manifest: key,
      problems: problems.map(problemText),
    })),
  };
}

export function refusedReport({ reason, message, problems, passedOver }: RestoreRefusal): RestoreReport {
  const all = [...problems, ...passedOver.flatMap((over) => over.problems)];
  return { kind: "refused", reason, message, problems: [...new Set(all.map(problemText))] };
}

export function restoredReport(result: RestoreResult, dataDir: string): RestoreReport {
  if (result.kind === "finished") return { kind: "finished", dataDir };
  const { plan, outline, identity, recoveryPoint, lostBodies } = result;
  const { index: lastEntry, dateMs } = recoveryPoint;
  const restored = { dataDir, lineage: identity.lineage, lastEntry, time: timeOf(dateMs), lostBodies };
  return { kind: "restored", restored, ...planFacts(plan, outline) };
}

/** A store that never heard what time it is has none to tell. */
function timeOf(dateMs: number): string {
  return dateMs > 0 ? formatIsoDate(dateMs) : "unknown";
}
