/**
 * A batch: all of its steps or none. Every condition is decided first, in order, each against the state as
 * the steps before it will leave it; only when all hold is anything written, and from then on nothing can
 * refuse. Copies are of what stood there before the batch, so their sources are taken before the first write.
 */
import { assert, unreachable } from "../base/assert.ts";
import type { ApplyContext } from "./apply-context.ts";
import { takeSource, writeCopy } from "./apply-copy.ts";
import type { Place, Taken } from "./apply-copy.ts";
import { applyDeleteObject, applyDeleteVersion, applyPutObject, refusalOf } from "./apply-object.ts";
import { bytesOfStep } from "./batch-codec.ts";
import type { BucketEntry } from "./bucket-table.ts";
import type {
  Batch,
  BatchRefusal,
  BatchStep,
  CheckObject,
  Command,
  CommandResult,
  CopyObject,
} from "./command.ts";
import { sourceVersion } from "./standing-object.ts";
import type { StoredObject } from "./stored-object.ts";
import { versionNameText } from "./version-id.ts";
import { VersionsAhead } from "./versions-ahead.ts";
import type { Found } from "./versions-ahead.ts";

/** What the steps so far will leave. */
interface Ahead {
  find(bucket: BucketEntry, key: string): Found;
  leave(bucket: BucketEntry, step: Exclude<BatchStep, CheckObject>): void;
}

type Decision =
  | { readonly kind: "go"; readonly sources: ReadonlyMap<BatchStep, StoredObject> }
  | { readonly kind: "batchRefused"; readonly at: number; readonly reason: BatchRefusal };

/** How many objects a command may give birth to: each has a number of its own within the entry. */
export function birthsOf(command: Command): number {
  return command.kind === "batch" ? command.steps.length : 1;
}

export function applyCheckObject(
  context: ApplyContext,
  { bucket, key, condition }: CheckObject,
): CommandResult {
  const found = context.buckets.find(bucket);
  if (found === undefined) return { kind: "noSuchBucket" };
  return refusalOf(condition, context.view.object(found.objectPrefix, key)) ?? { kind: "done" };
}

export function applyBatch(context: ApplyContext, { steps }: Batch, start: Place): CommandResult {
  const decision = decide(context, steps);
  if (decision.kind === "batchRefused") return decision;
  const places = placesOf(steps, start);
  const taken = new Map<BatchStep, Taken>();
  for (const [at, step] of steps.entries()) {
    const source = decision.sources.get(step);
    if (step.kind !== "copyObject" || source === undefined) continue;
    const part = takeSource(context, step, source, places[at] as Place);
    assert(part !== undefined, "a step of a batch has a staged body");
    taken.set(step, part);
  }
  const apply = (step: BatchStep, at: number): CommandResult =>
    applyStep(context, step, places[at] as Place, taken.get(step));
  return { kind: "batchDone", results: steps.map(apply) };
}

function decide(context: ApplyContext, steps: readonly BatchStep[]): Decision {
  const ahead = aheadOf(context, steps);
  const sources = new Map<BatchStep, StoredObject>();
  for (const [at, step] of steps.entries()) {
    const bucket = context.buckets.find(step.bucket);
    if (bucket === undefined) return refused(at, "noSuchBucket");
    if (step.kind === "copyObject") {
      const source = sourceVersion(context, step.source);
      if (source === undefined) return refused(at, "sourceChanged");
      sources.set(step, source);
    }
    const { condition } = step;
    const refusal =
      condition.kind === "none" ? undefined : refusalOf(condition, ahead.find(bucket, step.key));
    if (refusal !== undefined) return refused(at, refusal.kind);
    if (step.kind !== "checkObject") ahead.leave(bucket, step);
  }
  return { kind: "go", sources };
}

function refused(at: number, reason: BatchRefusal): Decision {
  return { kind: "batchRefused", at, reason };
}

function aheadOf(context: ApplyContext, steps: readonly BatchStep[]): Ahead {
  if (steps.every(({ condition }) => condition.kind === "none")) return NOBODY_ASKS;
  const namesVersions = steps.some(({ kind }) => kind === "deleteVersion");
  return namesVersions ? versionsAhead(context) : objectsAhead(context);
}

const NOBODY_ASKS: Ahead = { find: () => undefined, leave: () => undefined };

/** Of a batch that names no version: what is current is all there is to know. */
function objectsAhead({ view }: ApplyContext): Ahead {
  const left = new Map<string, Found>();
  return {
    find: (bucket, key) => {
      const rowKey = bucket.objectPrefix + key;
      return left.has(rowKey) ? left.get(rowKey) : view.object(bucket.objectPrefix, key);
    },
    leave: (bucket, step) => left.set(bucket.objectPrefix + step.key, "etag" in step ? step : undefined),
  };
}

function versionsAhead({ view }: ApplyContext): Ahead {
  const left = new Map<string, VersionsAhead>();
  const at = (bucket: BucketEntry, key: string): VersionsAhead => {
    const rowKey = bucket.objectPrefix + key;
    const versions = left.get(rowKey) ?? new VersionsAhead({ view, bucket, key });
    left.set(rowKey, versions);
    return versions;
  };
  return {
    find: (bucket, key) => at(bucket, key).current,
    leave: (bucket, step) => {
      const versions = at(bucket, step.key);
      if (step.kind === "deleteVersion") versions.remove(versionNameText(step.version));
      else versions.put("etag" in step ? { etag: step.etag } : undefined);
    },
  };
}

/** Bodies stand behind one another. */
function placesOf(steps: readonly BatchStep[], start: Place): readonly Place[] {
  let { bodyOffset } = start;
  return steps.map((step, at) => {
    const place = { sub: start.sub + at, bodyOffset };
    bodyOffset += bytesOfStep(step)?.bytes.length ?? 0;
    return place;
  });
}

function applyStep(
  context: ApplyContext,
  step: BatchStep,
  place: Place,
  taken: Taken | undefined,
): CommandResult {
  switch (step.kind) {
    case "putObject":
      return mustBe("objectPut", applyPutObject(context, step, place));
    case "copyObject":
      return applyTaken(context, step, place, taken);
    case "deleteObject": {
      const result = applyDeleteObject(context, step, place.sub);
      return result.kind === "versionDeleted" ? result : mustBe("done", result);
    }
    case "deleteVersion": {
      const result = applyDeleteVersion(context, step);
      return result.kind === "versionDeleted" ? result : mustBe("done", result);
    }
    case "checkObject":
      return { kind: "done" };
    default:
      return unreachable(step);
  }
}

function applyTaken(
  context: ApplyContext,
  command: CopyObject,
  place: Place,
  taken: Taken | undefined,
): CommandResult {
  const bucket = context.buckets.find(command.bucket);
  assert(bucket !== undefined && taken !== undefined, "a copy that was decided has lost what it is made of");
  const old = context.view.object(bucket.objectPrefix, command.key);
  return writeCopy(context, command, { bucket, old, place }, taken);
}

/** Half a batch must not stay. */
function mustBe(kind: CommandResult["kind"], result: CommandResult): CommandResult {
  assert(result.kind === kind, `a step of a batch that was decided answered ${result.kind}`);
  return result;
}
