/**
 * Applies what the log has and the index has not, for as long as the log can be believed, and changes nothing
 * but the state. It goes on exactly where the state ends: the segment table knows that place and the chain
 * value there, so damage that lies before it does not matter, and no record passes for the next one that was
 * not written as the next one.
 */
import { CHAIN_START, sameChain } from "../segment/record.ts";
import type { ChainValue } from "../segment/record.ts";
import { cutsAfter } from "../segment/cut.ts";
import { SEGMENT_HEAD_BYTES, readSegmentHead } from "../segment/segment-head.ts";
import { systemErrorCode } from "../ports/disk.ts";
import type { Clock } from "../ports/clock.ts";
import type { DiskFile } from "../ports/disk.ts";
import type { SegmentTable } from "../state/segment-table.ts";
import type { SegmentFiles } from "../store/segment-files.ts";
import { scanSegment } from "../store/segment-scan.ts";
import type { ScannedRecord } from "../store/segment-scan.ts";
import type { OpenState } from "./open-state.ts";

export type ReplayWholeOptions = {
  readonly opened: OpenState;
  readonly files: SegmentFiles;
  readonly segmentBytesMax: number;
  readonly clock: Clock;
  /** The last entry to apply. */
  readonly through: number;
};

/** Why it ended, at the entry that would have been next. */
export type ReplayEnd = { readonly index: number; readonly segmentId: number; readonly offset: number } & (
  | { readonly kind: "nothingFollows" }
  | { readonly kind: "damaged"; readonly reason: string }
  /** The entry is whole, but could not be applied; half of it may have been. */
  | { readonly kind: "notApplied"; readonly reason: string }
  | { readonly kind: "through" }
);

type Place = {
  readonly segmentId: number;
  readonly offset: number;
  readonly index: number;
  readonly chain: ChainValue;
};

export async function replayWhole(options: ReplayWholeOptions): Promise<ReplayEnd> {
  let place = endOf(options.opened.state.segments);
  for (;;) {
    const ended = await replayFile(options, place);
    if (ended.kind !== "cut") return ended;
    place = ended.next;
  }
}

/** Where the next entry stands, as the state knows it. */
function endOf(segments: SegmentTable): Place {
  const last = segments.all.at(-1);
  if (last === undefined) {
    return { segmentId: 1, offset: SEGMENT_HEAD_BYTES, index: 1, chain: CHAIN_START };
  }
  const index = last.firstIndex + last.entries;
  const chain = { low: last.chainLow, high: last.chainHigh };
  if (last.cut) return { segmentId: last.id + 1, offset: SEGMENT_HEAD_BYTES, index, chain };
  return { segmentId: last.id, offset: last.bytes, index, chain };
}

type FileEnd = ReplayEnd | { readonly kind: "cut"; readonly next: Place };

async function replayFile(options: ReplayWholeOptions, place: Place): Promise<FileEnd> {
  const reached = { ...place };
  try {
    return await options.files.use(place.segmentId, (file) => replayRecords(options, file, reached));
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "ENOENT") return { ...reached, kind: "nothingFollows" };
    if (code === "EIO") return { ...reached, kind: "damaged", reason: "the disk cannot read it (EIO)" };
    throw error;
  }
}

/** `reached` goes along: it is where an error of the disk is met. */
async function replayRecords(
  options: ReplayWholeOptions,
  file: DiskFile,
  reached: { -readonly [Field in keyof Place]: Place[Field] },
): Promise<FileEnd> {
  const { index, applier } = options.opened;
  if (reached.offset === SEGMENT_HEAD_BYTES) {
    const wrong = await wrongHead(file, reached);
    if (wrong !== undefined) return { ...reached, offset: 0, ...wrong };
  }
  const scan = scanSegment(file, reached, await file.size());
  for (let count = 1; ; count++) {
    const step = await scan.next();
    if (step.done) {
      const { value: end } = step;
      return end.kind === "end"
        ? { ...reached, kind: "nothingFollows" }
        : { ...reached, kind: "damaged", reason: end.reason };
    }
    if (step.value.header.index > options.through) return { ...reached, kind: "through" };
    if (index.full) await index.flushedThrough(index.appliedIndex);
    const cut = cutsAfter(step.value.header.type, step.value.endOffset, options.segmentBytesMax);
    try {
      const { header, payload } = step.value;
      applier.applyRecord(
        header.type,
        payload,
        positionOf(step.value, { segmentId: reached.segmentId, cut }),
      );
    } catch (error) {
      return {
        ...reached,
        kind: "notApplied",
        reason: error instanceof Error ? error.message : String(error),
      };
    }
    reached.offset = step.value.endOffset;
    reached.index++;
    reached.chain = step.value.chain;
    if (cut) {
      const next = { ...reached, segmentId: reached.segmentId + 1, offset: SEGMENT_HEAD_BYTES };
      return { kind: "cut", next };
    }
    if (count % 64 === 0) await options.clock.yieldToOthers();
  }
}

async function wrongHead(
  file: DiskFile,
  place: Place,
): Promise<{ kind: "nothingFollows" } | { kind: "damaged"; reason: string } | undefined> {
  const bytes = Buffer.alloc(SEGMENT_HEAD_BYTES);
  const count = await file.read(bytes, 0);
  if (count === 0) return { kind: "nothingFollows" };
  const reading = readSegmentHead(bytes.subarray(0, count));
  if (reading.kind === "blank") return { kind: "damaged", reason: "the head is blank" };
  if (reading.kind === "unknownVersion") {
    return { kind: "damaged", reason: `its format version ${reading.version} is not known here` };
  }
  if (reading.kind === "damaged") return { kind: "damaged", reason: "the head is damaged" };
  const { head } = reading;
  const continues =
    head.id === place.segmentId && head.firstIndex === place.index && sameChain(head.chain, place.chain);
  return continues ? undefined : { kind: "damaged", reason: "it does not continue the segment before it" };
}

function positionOf(
  record: ScannedRecord,
  place: { readonly segmentId: number; readonly cut: boolean },
): Parameters<OpenState["applier"]["applyRecord"]>[2] {
  const { header, recordOffset, endOffset, headerBytes, chain } = record;
  return {
    ...place,
    index: header.index,
    recordOffset,
    payloadOffset: recordOffset + headerBytes.length,
    segmentBytes: endOffset,
    chain,
  };
}
