/**
 * The log on disk: consecutive records in segment files, appended a batch at a time with one write in flight.
 * A batch is stable when `write` returns. Who calls: the replica's loop, and nobody else writes here. Files
 * are made ahead, so that a cut waits for nothing; footers are written in the background once the replica
 * says that a cut segment is committed (RULES.md R10).
 */
import { assert } from "../base/assert.ts";
import type { ByteWriter } from "../base/bytes.ts";
import { logIndex, term } from "../base/units.ts";
import type { LogIndex, Term } from "../base/units.ts";
import { isOutOfSpace } from "../ports/disk.ts";
import type { Disk, DiskFile } from "../ports/disk.ts";
import type { RecordType } from "../segment/record.ts";
import type { EntryPosition } from "../state/segment-table.ts";
import { LogBatch } from "./log-batch.ts";
import type { RecoveredLog } from "./log-recovery.ts";
import { OpenSegment } from "./open-segment.ts";
import type { SegmentFiles } from "./segment-files.ts";

export type LogOptions = {
  readonly disk: Disk;
  readonly files: SegmentFiles;
  readonly segmentBytesMax: number;
  readonly recovered: RecoveredLog;
};

export class Log {
  readonly #disk: Disk;
  readonly #files: SegmentFiles;
  readonly #segmentBytesMax: number;
  /** Where the next entry goes. */
  #tail: OpenSegment;
  /** Cut, in order, waiting for their footers. */
  readonly #cut: OpenSegment[] = [];
  #firstUnsealedId: number;
  #gathering = new LogBatch();
  #spare = new LogBatch();
  #writing: LogBatch | undefined;
  #writtenPieces = 0;
  #ahead: { readonly id: number; readonly file: Promise<DiskFile> } | undefined;
  #lastIndex: LogIndex;
  #stableIndex: LogIndex;
  #stableTerm: Term;
  #sealing: Promise<void> = Promise.resolve();

  constructor(options: LogOptions) {
    this.#disk = options.disk;
    this.#files = options.files;
    this.#segmentBytesMax = options.segmentBytesMax;
    const { recovered } = options;
    this.#lastIndex = recovered.lastIndex;
    this.#stableIndex = recovered.lastIndex;
    this.#stableTerm = recovered.lastTerm;
    const last = recovered.unsealed.at(-1);
    this.#cut.push(...recovered.unsealed.filter((segment) => segment.cut));
    // A cut segment whose footer was lost may stand before sealed ones: the newest of both kinds counts.
    const id = Math.max(last?.id ?? 0, recovered.sealed.at(-1)?.id ?? 0, recovered.floor.segmentId);
    const { lastIndex, endChain: chain } = recovered;
    this.#tail = last !== undefined && !last.cut ? last : this.#segmentAfter({ id, lastIndex, chain });
    this.#firstUnsealedId = this.#cut[0]?.id ?? this.#tail.id;
  }

  /** End of the log, batches that are not stable yet included. */
  get lastIndex(): LogIndex {
    return this.#lastIndex;
  }

  get stableIndex(): LogIndex {
    return this.#stableIndex;
  }

  get stableTerm(): Term {
    return this.#stableTerm;
  }

  /** All segments before this one have their footers. */
  get firstUnsealedId(): number {
    return this.#firstUnsealedId;
  }

  /** Of the segment that the next entry goes to; 0 if that one begins it. */
  get openEntries(): number {
    return this.#tail.cut ? 0 : this.#tail.lastIndex - this.#tail.firstIndex + 1;
  }

  get writing(): boolean {
    return this.#writing !== undefined;
  }

  get gatheredEntries(): number {
    return this.#gathering.entryCount;
  }

  get gatheredBytes(): number {
    return this.#gathering.writer.length;
  }

  /** Adds an entry to the batch that gathers. */
  add(
    entry: { readonly type: RecordType; readonly index: LogIndex; readonly term: Term },
    encode?: (writer: ByteWriter, recordStart: number) => void,
  ): EntryPosition {
    assert(entry.index === this.#lastIndex + 1, `entry ${entry.index} after ${this.#lastIndex}`);
    if (this.#tail.cut) this.#tail = this.#segmentAfter(this.#tail);
    const position = this.#gathering.add(this.#tail, entry, encode, this.#segmentBytesMax);
    this.#lastIndex = entry.index;
    if (this.#tail.cut) this.#cut.push(this.#tail);
    return position;
  }

  #segmentAfter(before: {
    readonly id: number;
    readonly lastIndex: number;
    readonly chain: { readonly low: number; readonly high: number };
  }): OpenSegment {
    const { id, lastIndex, chain } = before;
    return new OpenSegment({ id: id + 1, firstIndex: lastIndex + 1, chain });
  }

  /**
   * Makes the gathered batch stable. After an error that leaves the disk sound (a full disk) it may be called
   * again and goes on where it stopped; any other error must end the process (promise P7).
   */
  async write(): Promise<void> {
    if (this.#writing === undefined) {
      this.#writing = this.#gathering;
      this.#gathering = this.#spare;
      this.#gathering.clear();
      this.#writtenPieces = 0;
    }
    const batch = this.#writing;
    while (this.#writtenPieces < batch.pieces.length) {
      const piece = batch.pieces[this.#writtenPieces] as LogBatch["pieces"][number];
      // A segment is stable as a whole before the next one gets its first byte: a tear is always at the end.
      piece.segment.file ??= await this.#openForWriting(piece.segment.id);
      const bytes = batch.writer.buffer.subarray(piece.start, piece.end);
      await piece.segment.file.write(bytes, piece.fileOffset);
      this.#writtenPieces++;
    }
    this.#stableIndex = logIndex(batch.lastIndex);
    this.#stableTerm = term(batch.lastTerm);
    this.#spare = batch;
    this.#writing = undefined;
  }

  async #openForWriting(id: number): Promise<DiskFile> {
    const ahead = this.#ahead?.id === id ? this.#ahead.file : this.#create(id);
    this.#ahead = undefined;
    const file = await ahead;
    this.#prepare(id + 1);
    return file;
  }

  async #create(id: number): Promise<DiskFile> {
    const file = await this.#disk.open(this.#files.path(id), "durable");
    try {
      // Without it a power cut could forget the name of a file that holds acknowledged records.
      await this.#disk.syncDirectory(this.#files.directory);
    } catch (error) {
      await file.close();
      throw error;
    }
    return file;
  }

  #prepare(id: number): void {
    const file = this.#create(id);
    this.#ahead = { id, file };
    // A full disk shows when the file is needed: it is made again then. Any other failure is kept until
    // then and ends the node: a second sync of the directory would succeed and prove nothing (promise P7).
    file.catch((error: unknown) => {
      if (isOutOfSpace(error) && this.#ahead?.id === id) this.#ahead = undefined;
    });
  }

  /** Writes the footers of cut segments that end at or before `committed`, one after the other. */
  sealThrough(committed: LogIndex): Promise<void> {
    const ready = this.#cut.filter((segment) => segment.lastIndex <= Math.min(committed, this.#stableIndex));
    if (ready.length === 0) return this.#sealing;
    this.#cut.splice(0, ready.length);
    this.#sealing = this.#sealing.then(() => this.#sealAll(ready));
    return this.#sealing;
  }

  async #sealAll(segments: readonly OpenSegment[]): Promise<void> {
    for (const [at, segment] of segments.entries()) {
      try {
        segment.file ??= await this.#create(segment.id);
        await segment.file.write(segment.footer(), segment.bytes);
      } catch (error) {
        this.#cut.unshift(...segments.slice(at));
        if (!isOutOfSpace(error)) throw error;
        // Nothing is lost without a footer: the next call tries again.
        return;
      }
      await segment.file.close();
      this.#firstUnsealedId = Math.min(this.#cut[0]?.id ?? Infinity, segment.id + 1);
    }
  }

  async close(): Promise<void> {
    // Who asked for the footers was told if they failed.
    await this.#sealing.catch(() => undefined);
    const ahead = await this.#ahead?.file.catch(() => undefined);
    await ahead?.close();
    await this.#tail.file?.close();
    for (const segment of this.#cut) await segment.file?.close();
  }
}
