/**
 * Reads committed entries back from the log after a start and applies those the index does not have. Bytes
 * are verified by the scan; damage inside a sealed segment shows here and stops the start, because a hole in
 * the history would silently change everything after it.
 */
import { DamageError, OR_SALVAGE } from "../base/errors.ts";
import type { Clock } from "../ports/clock.ts";
import { cutsAfter } from "../segment/cut.ts";
import { readSegmentHead, SEGMENT_HEAD_BYTES } from "../segment/segment-head.ts";
import type { RecoveredLog } from "../store/log-recovery.ts";
import type { SegmentFiles } from "../store/segment-files.ts";
import { scanSegment } from "../store/segment-scan.ts";
import type { ScannedRecord } from "../store/segment-scan.ts";
import type { StateIndex } from "../store/state-index.ts";
import type { Applier } from "./applier.ts";

export type ReplayOptions = {
  readonly recovered: RecoveredLog;
  readonly files: SegmentFiles;
  readonly segmentBytesMax: number;
  readonly index: StateIndex;
  readonly applier: Applier;
  readonly clock: Clock;
  /** The last entry to apply. */
  readonly through: number;
};

/** Returns how many entries were applied. */
export async function replay(options: ReplayOptions): Promise<number> {
  const { recovered, index, through } = options;
  let count = 0;
  const unsealed = recovered.unsealed.map(({ id, firstIndex, lastIndex, bytes }) => ({
    id,
    firstIndex,
    lastIndex,
    bytes,
  }));
  // A segment whose footer was lost is unsealed again, and may stand between sealed ones.
  for (const segment of [...recovered.sealed, ...unsealed].toSorted((a, b) => a.id - b.id)) {
    // The open segment holds more than is to be applied: the entry that opened the new term.
    if (Math.min(segment.lastIndex, through) <= index.appliedIndex || segment.firstIndex > through) continue;
    count += await replaySegment(options, segment);
  }
  if (index.appliedIndex < through) {
    throw new DamageError(
      `the log could be replayed to entry ${index.appliedIndex} only, not to ${through}. ` +
        `Restore its files, ${OR_SALVAGE}`,
    );
  }
  return count;
}

async function replaySegment(
  options: ReplayOptions,
  segment: { readonly id: number; readonly bytes: number; readonly firstIndex: number },
): Promise<number> {
  return await options.files.use(segment.id, async (file) => {
    const head = Buffer.alloc(SEGMENT_HEAD_BYTES);
    await file.read(head, 0);
    const reading = readSegmentHead(head);
    if (reading.kind !== "head") {
      throw new DamageError(
        `the head of ${options.files.path(segment.id)} is damaged. Restore the file, ${OR_SALVAGE}`,
      );
    }
    const start = { index: segment.firstIndex, chain: reading.head.chain };
    const scan = scanSegment(file, start, segment.bytes);
    let count = 0;
    for (;;) {
      const step = await scan.next();
      if (step.done) {
        if (step.value.kind === "end") return count;
        throw new DamageError(
          `entry ${step.value.index} in ${options.files.path(segment.id)} is damaged: ` +
            `${step.value.reason}. Restore the file, ${OR_SALVAGE}`,
        );
      }
      if (step.value.header.index > options.through) return count;
      if (step.value.header.index <= options.index.appliedIndex) continue;
      if (options.index.full) await options.index.flushedThrough(options.index.appliedIndex);
      applyScanned(options, segment.id, step.value);
      if (++count % 64 === 0) await options.clock.yieldToOthers();
    }
  });
}

function applyScanned(options: ReplayOptions, segmentId: number, record: ScannedRecord): void {
  const { header, payload, recordOffset, endOffset, chain } = record;
  options.applier.applyRecord(header.type, payload, {
    index: header.index,
    segmentId,
    recordOffset,
    payloadOffset: recordOffset + (record.headerBytes.length satisfies number),
    segmentBytes: endOffset,
    cut: cutsAfter(header.type, endOffset, options.segmentBytesMax),
    chain,
  });
}
