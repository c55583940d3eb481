/**
 * `thermocline verify`: holds a whole data directory against its own checksums, offline. It takes the
 * directory's lock, so that nothing moves meanwhile, and repairs nothing, nor writes anything into the
 * directory: the index is opened as a shadow. It says what is damaged and what the next start will do about
 * it.
 */
import { DamageError, RefusedError } from "../base/errors.ts";
import { isOutOfSpace, systemErrorCode } from "../ports/disk.ts";
import type { Disk } from "../ports/disk.ts";
import type { IndexStore } from "../ports/index-store.ts";
import type { Scratch } from "../ports/scratch.ts";
import { AckedFile } from "../store/acked-file.ts";
import { NO_FLOOR, readFloor } from "../store/floor-file.ts";
import type { Floor } from "../store/floor-file.ts";
import { readRing } from "../store/flush-ring.ts";
import { checkTables } from "../store/check-tables.ts";
import { SegmentFiles } from "../store/segment-files.ts";
import { scanSnapshot } from "../store/snapshot-file.ts";
import { SNAPSHOTS_NAME, listSnapshots } from "../store/snapshot-files.ts";
import { VoteFile } from "../store/vote-file.ts";
import { readNodeFile, refuseNewer } from "./node-file.ts";
import { takeReadersLock } from "./readers-lock.ts";
import { verifyIndex } from "./verify-index.ts";
import { verifyLog } from "./verify-log.ts";

export type VerifyOptions = {
  readonly disk: Disk;
  readonly directory: string;
  readonly openIndexStore: (path: string) => Promise<IndexStore>;
  /** Taken away again at the end. */
  readonly makeScratch: () => Promise<Scratch>;
};

export type VerifyReport = { readonly ok: boolean; readonly lines: readonly string[] };

/** Throws RefusedError if the directory is in use or no data directory. */
export async function verifyStore(options: VerifyOptions): Promise<VerifyReport> {
  const { disk, directory } = options;
  const node = await readNodeFile(disk, directory);
  refuseNewer(node, directory);
  const scratch = await options.makeScratch();
  const undo = [() => scratch.remove()];
  try {
    const { lock, note } = await takeReadersLock(scratch, directory);
    if (lock !== undefined) undo.unshift(() => lock.release());
    const lines = [`node ${node.nodeId} of cluster ${node.clusterId}, data format ${node.format}`];
    if (note !== undefined) lines.push(note);
    const log = await verifyMarks(options, lines);
    const problems = [...log.problems, ...(await verifyRows(options, { log, scratch }, lines))];
    lines.push(...problems.map((problem) => `DAMAGED ${problem}`));
    lines.push(problems.length === 0 ? "everything matches" : `${problems.length} problems`);
    return { ok: problems.length === 0, lines };
  } finally {
    for (const step of undo) await step();
  }
}

type LogFindings = {
  readonly entries: number;
  readonly floor: Floor;
  /** The newest sound one; 0 for none. */
  readonly snapshotIndex: number;
  readonly problems: readonly string[];
};

async function verifyMarks(options: VerifyOptions, lines: string[]): Promise<LogFindings> {
  const { disk, directory } = options;
  const problems: string[] = [];
  const missing: string[] = [];
  const found = { problems, missing };
  const vote = await read(found, () => VoteFile.peek(disk, `${directory}/vote`));
  const votedTerm = vote?.term ?? 0;
  const ackedIndex = await read(found, () => AckedFile.peek(disk, `${directory}/acked`));
  const floor = (await read(found, () => readFloor(disk, directory))) ?? NO_FLOOR;
  const log = await verifyLog(disk, `${directory}/log`, { ackedIndex, floor });
  // Without entries their files are only what a first start had no time for.
  if (log.entries > 0) problems.push(...missing);
  lines.push(
    `log: ${log.entries} entries in ${log.segments} segments, ${log.bytes} bytes, ` +
      `acknowledged up to ${ackedIndex ?? "an unknown one"}, voted in term ${votedTerm}`,
  );
  if (log.lastTerm > votedTerm) {
    problems.push(`the log reaches term ${log.lastTerm}, the vote only ${votedTerm}: the start refuses that`);
  }
  if (log.tornBytes > 0) {
    lines.push(`a torn tail of ${log.tornBytes} bytes will be dropped at the next start`);
  }
  const snapshots = await verifySnapshots(options, lines);
  problems.push(...snapshots.problems);
  if (floor.segmentId > 0) {
    lines.push(`the log begins behind entry ${floor.lastIndex}; a snapshot has what came before`);
  }
  const { snapshotIndex } = snapshots;
  return { entries: log.entries, floor, snapshotIndex, problems: [...problems, ...log.problems] };
}

async function verifySnapshots(
  options: VerifyOptions,
  lines: string[],
): Promise<{ readonly snapshotIndex: number; readonly problems: readonly string[] }> {
  const { disk, directory } = options;
  const problems: string[] = [];
  let snapshotIndex = 0;
  for (const { path } of await listSnapshots(disk, `${directory}/${SNAPSHOTS_NAME}`)) {
    try {
      const { index, rowCount } = await scanSnapshot(disk, path, { spend: () => Promise.resolve() });
      snapshotIndex = Math.max(snapshotIndex, index);
      lines.push(`snapshot of the index up to entry ${index}: ${rowCount} rows`);
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      problems.push(error.message);
    }
  }
  return { snapshotIndex, problems };
}

/** What a file says: one that is missing or damaged is told, and the rest is looked at all the same. */
async function read<Value>(
  found: { readonly problems: string[]; readonly missing: string[] },
  peek: () => Promise<Value>,
): Promise<Value | undefined> {
  try {
    return await peek();
  } catch (error) {
    if (error instanceof RefusedError) found.problems.push(error.message);
    else if (systemErrorCode(error) === "ENOENT") found.missing.push((error as Error).message);
    else throw error;
    return undefined;
  }
}

async function verifyRows(
  options: VerifyOptions,
  { log, scratch }: { readonly log: LogFindings; readonly scratch: Scratch },
  lines: string[],
): Promise<readonly string[]> {
  const { disk, directory } = options;
  const { entries: logEntries, floor, snapshotIndex } = log;
  const source = floor.segmentId === 0 ? "the log" : "a snapshot and the log";
  const hint = `the next start makes the index again from ${source}`;
  const table = await checkTables(disk, `${directory}/index`);
  if (table !== undefined) return [`index: ${table}; ${hint}`];
  let store: IndexStore;
  try {
    store = await options.openIndexStore(await scratch.shadowIndex(`${directory}/index`));
  } catch (error) {
    if (isOutOfSpace(error)) throw error;
    return [`index: it does not open (${String(error)}); ${hint}`];
  }
  const files = new SegmentFiles(disk, `${directory}/log`);
  try {
    const ring = await readRing(store);
    if (ring.kind === "broken") return [`index: ${ring.reason}; ${hint}`];
    const applied = ring.kind === "empty" ? 0 : ring.newest.after;
    if (applied < floor.lastIndex) {
      const what = `it ends at ${applied}, the log begins behind ${floor.lastIndex}`;
      if (snapshotIndex < floor.lastIndex) return [`index: ${what}, and no snapshot reaches that`];
      lines.push(`index: ${what}; ${hint}`);
      return [];
    }
    if (applied > logEntries) {
      return [`index: applied up to ${applied}, but the log ends at ${logEntries}: the start refuses that`];
    }
    const report = await verifyIndex(store, files, { behind: applied < logEntries, floor });
    lines.push(
      `index: ${report.rows} rows, ${report.objects} objects, ${report.bodiesRead} bodies read, ` +
        `applied up to ${applied}`,
    );
    if (report.coldSegments > 0) {
      lines.push(
        `${report.coldSegments} segments with ${report.coldBytes} live bytes lie in the cold tier only: ` +
          "nothing here tells whether their copies are sound",
      );
    }
    if (report.bodiesGone > 0) {
      lines.push(`${report.bodiesGone} bodies are gone; the next start tells whether anything needs them`);
    }
    return report.problems.map((problem) => `index: ${problem}`);
  } catch (error) {
    if (error instanceof DamageError) return [`index: ${error.message}; ${hint}`];
    throw error;
  } finally {
    await files.close();
    await store.close();
  }
}
