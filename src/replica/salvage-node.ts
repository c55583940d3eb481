/**
 * A data directory that is only read (`--salvage`, RULES.md R10 and the table of damage): serves everything
 * in it that is still whole and writes nothing into it, not even a lock or an incarnation. It has no vote, no
 * log to append to and no housekeeping; what it needs to write, it writes into a scratch directory.
 */
import { BusyError, OR_SALVAGE, RefusedError } from "../base/errors.ts";
import { logIndex } from "../base/units.ts";
import { systemErrorCode } from "../ports/disk.ts";
import type { Scratch } from "../ports/scratch.ts";
import { AckedFile } from "../store/acked-file.ts";
import { NO_FLOOR, readFloor } from "../store/floor-file.ts";
import type { Floor } from "../store/floor-file.ts";
import { SegmentFiles } from "../store/segment-files.ts";
import { VoteFile } from "../store/vote-file.ts";
import { markGivenUp } from "./missing-values.ts";
import { readNodeFile, refuseOther } from "./node-file.ts";
import { ReadOnlyLog } from "./read-only-log.ts";
import { takeReadersLock } from "./readers-lock.ts";
import type { LostEntries, LogDamage, SalvageReport } from "./salvage-report.ts";
import { salvageState } from "./salvage-state.ts";
import type { SalvagedState, SalvageStateOptions } from "./salvage-state.ts";
import type { ServingNode } from "./serving-node.ts";
import { surveyLog } from "./survey-log.ts";
import type { LogSurvey } from "./survey-log.ts";

export type SalvageOptions = SalvageStateOptions & {
  readonly nodeId: string;
  /** Where node.json cannot tell. */
  readonly segmentBytes: number;
  readonly makeScratch: () => Promise<Scratch>;
};

export type SalvageNode = ServingNode & { readonly salvage: SalvageReport };

/** What the small files say, as far as they can be read; `notes` tells the rest. */
type Facts = {
  readonly segmentBytesMax: number;
  readonly ackedIndex: number | undefined;
  readonly floor: Floor;
  readonly term: number;
  readonly notes: readonly string[];
};

/** Throws RefusedError where there is nothing to read, or somebody writes. */
export async function openSalvage(options: SalvageOptions): Promise<SalvageNode> {
  const { disk, directory } = options;
  const facts = await readFacts(options);
  const scratch = await options.makeScratch();
  const undo: (() => Promise<void>)[] = [() => scratch.remove()];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0)) await step();
  };
  try {
    const { lock, note } = await takeReadersLock(scratch, directory);
    if (lock !== undefined) undo.unshift(() => lock.release());
    const files = new SegmentFiles(disk, `${directory}/log`);
    undo.unshift(() => files.close());
    const { segmentBytesMax, floor } = facts;
    const floorIndex = floor.lastIndex;
    const state = await salvageState(options, { scratch, files, segmentBytesMax, floorIndex });
    undo.unshift(() => state.close());
    const { index, state: machine } = state.opened;
    // Whatever the floor says, should it be lost: what has a copy is read from there.
    await markGivenUp(files, machine.segments, { segmentId: Infinity });
    const survey = await surveyLog({
      disk,
      files,
      segmentBytesMax,
      floor,
      known: machine.segments.all,
      promisedIndex: Math.max(facts.ackedIndex ?? 0, index.appliedIndex),
    });
    const notes = [...facts.notes, ...(note === undefined ? [] : [note]), ...state.notes];
    const salvage = reportOf(directory, { facts: { ...facts, notes }, state, survey, files });
    const parts = await servingParts(options, { facts, state });
    return { ...parts, salvage, close, stopWriting: () => Promise.resolve() };
  } catch (error) {
    await close();
    const isFull = error instanceof BusyError || systemErrorCode(error) === "ENOSPC";
    throw isFull ? noRoom(scratch, error) : error;
  }
}

function noRoom(scratch: Scratch, cause: unknown): RefusedError {
  return new RefusedError(
    `there is no room in ${scratch.path} for the state that can be read: set TMPDIR to another directory`,
    { cause },
  );
}

const NOTHING_GIVEN_BACK = { snapshotIndex: 0, snapshotBytes: 0, fileBytes: 0, reclaimedBytes: 0 };

async function servingParts(
  options: SalvageOptions,
  { facts, state }: { readonly facts: Facts; readonly state: SalvagedState },
): Promise<Omit<ServingNode, "salvage" | "stopWriting" | "close">> {
  const { nodeId, disk, directory } = options;
  const { index, state: machine, cache, reader } = state.opened;
  const { freeBytes } = await disk.space(directory);
  return {
    node: { nodeId },
    incarnation: `${nodeId}.salvage`,
    replica: new ReadOnlyLog({ appliedIndex: logIndex(index.appliedIndex), term: facts.term }),
    index,
    state: machine,
    cache,
    reader,
    // Nothing is written that would have a date.
    logClock: { skewMs: 0 },
    guard: { refusal: "all", freeBytes },
    space: { status: { ...NOTHING_GIVEN_BACK, floorIndex: facts.floor.lastIndex } },
  };
}

/** A reader needs no vote: it takes part in nothing. The mark only tells what was promised. */
async function readFacts(options: SalvageOptions): Promise<Facts> {
  const { disk, directory } = options;
  const notes: string[] = [];
  const hasLog = (await new SegmentFiles(disk, `${directory}/log`).list()).length > 0;
  const names = await disk.list(directory);
  if (!hasLog && !names.includes("node.json")) {
    throw new RefusedError(`${directory} is no data directory: it has neither node.json nor a log`);
  }
  const node = await told(notes, () => readNodeFile(disk, directory));
  if (node !== undefined) refuseOther(node, options);
  else notes.push(`segments are taken to be cut at ${options.segmentBytes} bytes, as node.json cannot tell`);
  const vote = await told(notes, () => VoteFile.peek(disk, `${directory}/vote`));
  const ackedIndex = await told(notes, () => AckedFile.peek(disk, `${directory}/acked`));
  if (ackedIndex === undefined) {
    notes.push("up to where writes were acknowledged is not known: all that can be read is served");
  }
  const floor = (await told(notes, () => readFloor(disk, directory))) ?? NO_FLOOR;
  const segmentBytesMax = node?.segmentBytes ?? options.segmentBytes;
  return { segmentBytesMax, ackedIndex, floor, term: vote?.term ?? 0, notes };
}

async function told<Result>(notes: string[], read: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await read();
  } catch (error) {
    const code = systemErrorCode(error);
    const isDamage = error instanceof RefusedError || code === "ENOENT" || code === "EIO";
    if (!isDamage) throw error;
    // Who reads it has already done that.
    notes.push((error as Error).message.replace(OR_SALVAGE, "").replace(/[,;] $/, ""));
    return undefined;
  }
}

type Findings = {
  readonly facts: Facts;
  readonly state: SalvagedState;
  readonly survey: LogSurvey;
  readonly files: SegmentFiles;
};

function reportOf(directory: string, found: Findings): SalvageReport {
  const { facts, state, survey } = found;
  const notes = [...facts.notes];
  const { appliedIndex } = state.opened.index;
  const damages = [...survey.damages];
  const lost = lostOf(found);
  const stop = damageAt(found, lost);
  if (
    stop !== undefined &&
    !damages.some(({ path, offset }) => path === stop.path && offset === stop.offset)
  ) {
    damages.push(stop);
  }
  if (lost === undefined && state.end.kind === "damaged") {
    notes.push(`a torn tail follows entry ${appliedIndex}, of which nobody was told: it is not served`);
  }
  if (lost !== undefined && state.end.kind === "nothingFollows" && damages.length === 0) {
    notes.push(`the log ends after entry ${appliedIndex}: segment files behind it are missing`);
  }
  damages.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : a.offset - b.offset));
  return { directory, appliedIndex, source: state.source, damages, lost, notes };
}

/** What follows the end of the replay and cannot be shown to be a torn tail. */
function lostOf({ facts, state, survey }: Findings): LostEntries | undefined {
  const { end } = state;
  const behind = [...survey.sizes].filter(([id]) => id > end.segmentId).map(([, size]) => size);
  const here = Math.max(0, (survey.sizes.get(end.segmentId) ?? 0) - end.offset);
  const bytes = behind.reduce((sum, size) => sum + size, here);
  const known = Math.max(facts.ackedIndex ?? 0, survey.lastIndex);
  const firstIndex = state.opened.index.appliedIndex + 1;
  if (known >= firstIndex) return { firstIndex, lastIndex: known, bytes };
  if (behind.length > 0) return { firstIndex, lastIndex: undefined, bytes };
  const doubtful = end.kind === "damaged" && facts.ackedIndex === undefined;
  return doubtful ? { firstIndex, lastIndex: undefined, bytes } : undefined;
}

/** The end of the replay as a place of damage, if it is one. */
function damageAt({ state, survey, files }: Findings, lost: LostEntries | undefined): LogDamage | undefined {
  const { end } = state;
  if (end.kind !== "damaged" || lost === undefined) return undefined;
  const { offset, index: firstIndex, reason } = end;
  const bytes = Math.max(0, (survey.sizes.get(end.segmentId) ?? 0) - offset);
  return { path: files.path(end.segmentId), offset, bytes, firstIndex, lastIndex: undefined, reason };
}
