/**
 * One batch of records on its way to the disk: encoded in place, one contiguous run of bytes per segment it
 * touches. The buffer is reused by every second batch: while one is written the next one gathers.
 */
import { ByteWriter } from "../base/bytes.ts";
import { logIndex } from "../base/units.ts";
import type { LogIndex, Term } from "../base/units.ts";
import { RECORD_HEADER_BYTES, blockTableBytes, sealRecord } from "../segment/record.ts";
import type { RecordType } from "../segment/record.ts";
import { SEGMENT_HEAD_BYTES, writeSegmentHead } from "../segment/segment-head.ts";
import { segmentId } from "../base/units.ts";
import type { EntryPosition } from "../state/segment-table.ts";
import type { OpenSegment } from "./open-segment.ts";

/** A run of bytes of one segment. */
export type BatchPiece = {
  readonly segment: OpenSegment;
  readonly fileOffset: number;
  readonly start: number;
  end: number;
};

export class LogBatch {
  readonly writer = new ByteWriter(256 * 1024);
  readonly pieces: BatchPiece[] = [];
  entryCount = 0;
  lastIndex = 0;
  lastTerm = 0;

  clear(): void {
    this.writer.reset();
    this.pieces.length = 0;
    this.entryCount = 0;
  }

  /**
   * Encodes one entry behind the others. `encode` writes the payload and may not look at what it does not
   * write; returns where the entry will lie.
   */
  add(
    segment: OpenSegment,
    entry: { readonly type: RecordType; readonly index: LogIndex; readonly term: Term },
    encode: ((writer: ByteWriter, recordStart: number) => void) | undefined,
    segmentBytesMax: number,
  ): EntryPosition {
    const { writer } = this;
    const piece = this.#pieceOf(segment);
    const recordOffset = piece.fileOffset + (writer.length - piece.start);
    const start = writer.length;
    writer.reserve(RECORD_HEADER_BYTES);
    writer.length += RECORD_HEADER_BYTES;
    encode?.(writer, start);
    const payloadBytes = writer.length - start - RECORD_HEADER_BYTES;
    const tableBytes = blockTableBytes(payloadBytes);
    writer.reserve(tableBytes);
    writer.length += tableBytes;
    const chain = sealRecord(writer.buffer, start, payloadBytes, { ...entry, chain: segment.chain });
    const headerBytes = writer.buffer.subarray(start, start + RECORD_HEADER_BYTES);
    segment.grow({ type: entry.type, payloadBytes, headerBytes }, chain, segmentBytesMax);
    piece.end = writer.length;
    this.entryCount++;
    this.lastIndex = entry.index;
    this.lastTerm = entry.term;
    return {
      index: entry.index,
      segmentId: segment.id,
      recordOffset,
      payloadOffset: recordOffset + RECORD_HEADER_BYTES,
      segmentBytes: segment.bytes,
      cut: segment.cut,
      chain,
    };
  }

  /** The piece that goes to `segment`; a segment without records starts with its head. */
  #pieceOf(segment: OpenSegment): BatchPiece {
    const last = this.pieces.at(-1);
    if (last !== undefined && last.segment === segment) return last;
    const start = this.writer.length;
    const piece: BatchPiece = { segment, fileOffset: segment.bytes, start, end: start };
    if (segment.bytes === 0) {
      this.writer.reserve(SEGMENT_HEAD_BYTES);
      const { firstIndex, chain } = segment;
      const head = { id: segmentId(segment.id), firstIndex: logIndex(firstIndex), chain };
      writeSegmentHead(this.writer.buffer, start, head);
      this.writer.length += SEGMENT_HEAD_BYTES;
    }
    this.pieces.push(piece);
    return piece;
  }
}
