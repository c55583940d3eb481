/**
 * Brings the log of a restore: values below the floor, then one segment behind the other from the floor on,
 * each of which has to continue the one before it.
 */
import { RefusedError } from "../base/errors.ts";
import type { ChainValue } from "../segment/record.ts";
import { DateLimit } from "./date-limit.ts";
import type { RestorePlan } from "./restore-plan.ts";
import { writeSegment } from "./restore-segment.ts";
import type { SegmentParts, WrittenSegment } from "./restore-segment.ts";
import type { LogWork } from "./restore-segments.ts";

export type FetchedLog = {
  /** Ids of all files, below the floor too. */
  readonly ids: readonly number[];
  readonly lastIndex: number;
  readonly lastTerm: number;
  readonly logTimeMs: number;
  /** SHA-256 of objects that were fetched as a whole, by their keys. */
  readonly digests: ReadonlyMap<string, string>;
};

export async function fetchLog(
  parts: Omit<SegmentParts, "segmentBytes" | "dateLimit">,
  from: {
    readonly plan: RestorePlan;
    readonly work: LogWork;
    readonly timeRows: ReadonlyMap<string, Uint8Array>;
  },
): Promise<FetchedLog> {
  const { plan, work, timeRows } = from;
  const { segmentBytes, index: fromIndex } = plan.manifest;
  await parts.disk.makeDirectory(parts.files.directory);
  const ids: number[] = [];
  for (const value of work.values) {
    await writeSegment({ ...parts, segmentBytes }, value);
    ids.push(value.id);
  }
  const dateLimit =
    plan.untilDateMs === undefined
      ? undefined
      : new DateLimit({
          fromIndex,
          appliedIndex: plan.applyFrom - 1,
          untilMs: plan.untilDateMs,
          rows: timeRows,
        });
  const digests = new Map<string, string>();
  let chain: ChainValue = work.floor.chain;
  let last: WrittenSegment | undefined;
  let logTimeMs = 0;
  for (const segment of work.log) {
    requireContinued(last, segment.first);
    const done = await writeSegment(
      { ...parts, segmentBytes, dateLimit },
      { ...segment, chainBefore: chain },
    );
    const [piece] = segment.pieces;
    if (done.sha256 !== undefined && piece !== undefined) digests.set(piece.key, done.sha256);
    ids.push(done.id);
    chain = done.chain;
    logTimeMs = Math.max(logTimeMs, done.logTimeMs);
    last = { ...done, lastTerm: Math.max(done.lastTerm, last?.lastTerm ?? 0) };
    if (done.lastIndex < segment.last) break;
  }
  const lastIndex = last?.lastIndex ?? work.floor.lastIndex;
  requireReached(plan, lastIndex);
  return { ids, lastIndex, lastTerm: last?.lastTerm ?? 0, logTimeMs, digests };
}

/** The rule that cuts a segment sees entries only, so it cut this log where it had been cut before. */
function requireContinued(before: WrittenSegment | undefined, first: number): void {
  if (before === undefined || (before.cut && before.lastIndex === first - 1)) return;
  throw new RefusedError(
    `segment ${before.id} ends with entry ${before.lastIndex} and is ${before.cut ? "" : "not "}cut there, ` +
      `but another one begins with entry ${first}: this is not one log`,
  );
}

function requireReached(
  { recoveryPoint, applyFrom, untilDateMs, manifest }: RestorePlan,
  last: number,
): void {
  const due = untilDateMs === undefined ? recoveryPoint.index : Math.min(manifest.index, recoveryPoint.index);
  if (last >= due) return;
  throw new RefusedError(
    `entries ${last + 1} to ${Math.max(applyFrom - 1, due)} are in the snapshot, but their records, which ` +
      "the log has to go on from, are in no object any more. Restore to an older manifest (--to)",
  );
}
