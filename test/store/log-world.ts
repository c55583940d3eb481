/** A log in a directory of its own, with entries whose payload is text; what the tests of the log share. */
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { logIndex, term } from "../../src/base/units.ts";
import type { Disk } from "../../src/ports/disk.ts";
import { RecordType } from "../../src/segment/record.ts";
import { SEGMENT_HEAD_BYTES, readSegmentHead } from "../../src/segment/segment-head.ts";
import type { EntryPosition } from "../../src/state/segment-table.ts";
import { Log } from "../../src/store/log.ts";
import { recoverLog } from "../../src/store/log-recovery.ts";
import type { RecoveredLog } from "../../src/store/log-recovery.ts";
import { SegmentFiles } from "../../src/store/segment-files.ts";
import { scanSegment } from "../../src/store/segment-scan.ts";
import { silentLogger } from "../support/open-store.ts";

export const SEGMENT_BYTES = 2048;

export type LogOptions = {
  readonly directory: string;
  readonly disk?: Disk;
  readonly ackedIndex?: number;
  readonly segmentBytesMax?: number;
};

export type OpenLog = AsyncDisposable & {
  readonly log: Log;
  readonly files: SegmentFiles;
  readonly recovered: RecoveredLog;
};

export async function openLog(options: LogOptions): Promise<OpenLog> {
  const disk = options.disk ?? new NodeDisk();
  const segmentBytesMax = options.segmentBytesMax ?? SEGMENT_BYTES;
  const files = new SegmentFiles(disk, options.directory);
  const ackedIndex = logIndex(options.ackedIndex ?? 0);
  const recovered = await recoverLog({ disk, files, segmentBytesMax, ackedIndex, logger: silentLogger });
  const log = new Log({ disk, files, segmentBytesMax, recovered });
  const close = async (): Promise<void> => {
    await log.close();
    await files.close();
  };
  return { log, files, recovered, [Symbol.asyncDispose]: close };
}

/** Adds one entry to the batch that gathers; "seal" makes a seal entry. */
export function addEntry(log: Log, payload: string | Uint8Array, ofTerm = 1): EntryPosition {
  const type = payload === "seal" ? RecordType.seal : RecordType.commands;
  const index = logIndex(log.lastIndex + 1);
  return log.add({ type, index, term: term(ofTerm) }, (writer) => {
    if (typeof payload === "string") writer.ascii(payload);
    else writer.bytes(payload);
  });
}

export async function writeEntries(log: Log, payloads: readonly (string | Uint8Array)[]): Promise<void> {
  for (const payload of payloads) addEntry(log, payload);
  await log.write();
}

/** A log of `payloads` in batches of one, sealed as far as it is cut, closed. */
export async function makeLog(
  options: LogOptions,
  payloads: readonly (string | Uint8Array)[],
): Promise<void> {
  await using opened = await openLog(options);
  for (const payload of payloads) await writeEntries(opened.log, [payload]);
  await opened.log.sealThrough(opened.log.lastIndex);
}

/** Payloads of about 300 bytes that tell which they are: seven fill a segment. */
export function numbered(count: number, from = 1): readonly string[] {
  return Array.from({ length: count }, (_, at) => `${from + at}:`.padEnd(300, "abcdefghij"));
}

/** Every payload that the log holds, in order, as text; checked record by record. */
export async function payloadsIn(opened: OpenLog): Promise<readonly string[]> {
  const payloads: string[] = [];
  const segments = [...opened.recovered.sealed, ...opened.recovered.unsealed].toSorted((a, b) => a.id - b.id);
  for (const { id, firstIndex, bytes } of segments) {
    await opened.files.use(id, async (file) => {
      const head = Buffer.alloc(SEGMENT_HEAD_BYTES);
      await file.read(head, 0);
      const reading = readSegmentHead(head);
      if (reading.kind !== "head") throw new Error(`segment ${id} has no head`);
      const scan = scanSegment(file, { index: firstIndex, chain: reading.head.chain }, bytes);
      for (;;) {
        const step = await scan.next();
        if (!step.done) payloads.push(step.value.payload.toString("latin1"));
        else if (step.value.kind === "bad") throw new Error(step.value.reason);
        else return;
      }
    });
  }
  return payloads;
}
