/**
 * Which segment files a restore writes, from what the plan fetches: a sealed segment is one object, an open
 * one is made of tails. Segments below the floor are values, all others the log; where the log begins is
 * where the segment begins in which the snapshot ends.
 */
import { RefusedError } from "../base/errors.ts";

import type { ChainValue } from "../segment/record.ts";
import type { Floor } from "../store/floor-file.ts";
import { NO_FLOOR } from "../store/floor-file.ts";
import { parseColdKey } from "./cold-names.ts";
import type { EntryRange } from "./cold-names.ts";
import type { Manifest } from "./manifest.ts";
import type { RestoreFetch, RestorePlan } from "./restore-plan.ts";
import { startOf } from "./restore-sources.ts";

export type SegmentWork = EntryRange & {
  readonly id: number;
  /** Before its first record, if the manifest says so; else what comes before it does. */
  readonly chainBefore: ChainValue | undefined;
  /** One sealed segment, or tails in order. */
  readonly pieces: readonly RestoreFetch[];
};

export type LogWork = {
  readonly floor: Floor;
  /** Below the floor. */
  readonly values: readonly SegmentWork[];
  /** Above it, one behind the other. */
  readonly log: readonly SegmentWork[];
};

export function logWorkOf(plan: RestorePlan): LogWork {
  const { manifest, fill, replay } = plan;
  const floor = floorOf(manifest);
  const values = manifest.segments.flatMap(({ id, first, last, chainBefore }) => {
    const pieces = fill.filter((piece) => piece.first >= first && piece.last <= last);
    return pieces.length === 0 ? [] : [{ id, first, last, chainBefore, pieces }];
  });
  const groups = Map.groupBy(replay, segmentOf);
  const log = [...groups.values()].map((pieces, at) => {
    const [begin, end] = [pieces[0] as RestoreFetch, pieces.at(-1) as RestoreFetch];
    const id = floor.segmentId + at + 1;
    const chainBefore = at === 0 ? floor.chain : undefined;
    return { id, first: begin.first, last: end.last, chainBefore, pieces };
  });
  for (const work of log) requireTailsOf(work);
  return { floor, values, log };
}

/** The last segment in front of the first entry that is needed. */
export function floorOf(manifest: Manifest): Floor {
  const first = startOf(manifest);
  const { segments } = manifest;
  const begin = segments.find((segment) => segment.first === first);
  if (begin !== undefined) {
    const { id, chainBefore } = begin;
    return id === 1 ? NO_FLOOR : { segmentId: id - 1, lastIndex: first - 1, chain: chainBefore };
  }
  // The snapshot ends where the last segment ends.
  const last = segments.at(-1);
  if (last === undefined) return NO_FLOOR;
  return { segmentId: last.id, lastIndex: last.last, chain: last.chainAfter };
}

/** Where the segment begins in which this fetch lies: sealed ones begin one, tails say it by their key. */
function segmentOf({ key, first }: RestoreFetch): string {
  const name = parseColdKey(key)?.name;
  return name?.kind === "tail" ? `tail ${name.segment}` : `segment ${first}`;
}

function requireTailsOf({ id, pieces }: SegmentWork): void {
  for (const { key } of pieces) {
    const name = parseColdKey(key)?.name;
    if (name?.kind !== "tail" || name.segment === id) continue;
    throw new RefusedError(`${key} is a tail of segment ${name.segment} where segment ${id} is due`);
  }
}
