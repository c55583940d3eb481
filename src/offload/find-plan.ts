/**
 * From a bucket to a plan: finds the cluster in it, and reads of it what the plan asks for until nothing is
 * asked any more. What a fetch finds damaged later is told to the same reader, and the plan is made again.
 */
import { RefusedError } from "../base/errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { ColdStore } from "../ports/cold-store.ts";
import type { ListedObject } from "./bucket-contents.ts";
import { coldPrefix, isNamePart, parseColdKey } from "./cold-names.ts";
import { BucketReader } from "./read-bucket.ts";
import { planRestore } from "./restore-plan.ts";
import type { RestorePlan, RestoreRefusal, RestoreWish } from "./restore-plan.ts";
import { startOf } from "./restore-sources.ts";

/** Each round reads something that was not read before; far more than any bucket needs. */
const ROUNDS_MAX = 10_000;

export type BucketParts = { readonly store: ColdStore; readonly clock: Clock };

/** Lists everything. Refuses a bucket without a manifest, or with those of several clusters. */
export async function openBucket(
  { store, clock }: BucketParts,
  wanted: { readonly cluster?: string | undefined } = {},
): Promise<BucketReader> {
  if (wanted.cluster !== undefined && !isNamePart(wanted.cluster)) {
    throw new RefusedError(`${wanted.cluster} is not the name of a cluster`);
  }
  const prefix = wanted.cluster === undefined ? "" : coldPrefix({ cluster: wanted.cluster });
  const listed = new Map<string, ListedObject>();
  const clusters = new Set<string>();
  for await (const { key, bytes } of store.list(prefix)) {
    listed.set(key, { key, bytes });
    const parsed = parseColdKey(key);
    if (parsed?.name.kind === "manifest") clusters.add(parsed.place.cluster);
  }
  const [cluster, ...others] = [...clusters].toSorted();
  if (cluster === undefined) throw new RefusedError(`${store.place} holds ${nothingOf(listed.size)}`);
  if (others.length > 0) {
    throw new RefusedError(
      `${store.place} holds several clusters: say which with --cluster (${[cluster, ...others].join(", ")})`,
    );
  }
  return new BucketReader({ store, clock, cluster, listed });
}

function nothingOf(objects: number): string {
  const found = objects === 0 ? "no objects" : `${objects} objects and no manifest`;
  return `${found}: nothing can be restored from it. Is it the right bucket and prefix?`;
}

export async function findPlan(
  reader: BucketReader,
  wish: RestoreWish,
): Promise<RestorePlan | RestoreRefusal> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const plan = planRestore(reader.contents, wish);
    const firstEntry = plan.kind === "plan" ? startOf(plan.manifest) : 0;
    if (!(await reader.readAsked(firstEntry))) return plan;
  }
  throw new RefusedError("the plan asks for more and more of the bucket and comes to no end");
}
