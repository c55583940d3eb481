/**
 * Looks through the log without changing it, and lists every place that cannot be read as it was written:
 * sealed segments by head, trailer and the head of the next one, all others record by record, as a start does
 * it, but going on behind each damage. What a sealed segment holds is checked when it is read.
 */
import { systemErrorCode } from "../ports/disk.ts";
import type { Disk, DiskFile } from "../ports/disk.ts";
import { cutsAfter } from "../segment/cut.ts";
import { sameChain } from "../segment/record.ts";
import type { ChainValue } from "../segment/record.ts";
import { SEGMENT_HEAD_BYTES, readSegmentHead } from "../segment/segment-head.ts";
import type { SegmentHead } from "../segment/segment-head.ts";
import { segmentById } from "../state/segment-table.ts";
import type { SegmentEntry } from "../state/segment-table.ts";
import type { Floor } from "../store/floor-file.ts";
import { readTrailerOf } from "../store/log-recovery.ts";
import type { SegmentFiles } from "../store/segment-files.ts";
import { scanSegment } from "../store/segment-scan.ts";
import type { LogDamage } from "./salvage-report.ts";

export type SurveyOptions = {
  readonly disk: Disk;
  readonly files: SegmentFiles;
  readonly segmentBytesMax: number;
  /** Segments up to it are looked at when something in them is read. */
  readonly floor: Floor;
  /** What the state that is served knows of the segments. */
  readonly known: readonly SegmentEntry[];
  /** Entries up to this one were there for certain: acknowledged, or applied. */
  readonly promisedIndex: number;
};

export type LogSurvey = {
  readonly damages: readonly LogDamage[];
  /** The last entry that the log tells of, 0 for none. */
  readonly lastIndex: number;
  /** By segment; files without a byte are not in it. */
  readonly sizes: ReadonlyMap<number, number>;
};

type Sight =
  | { readonly kind: "missing" }
  | { readonly kind: "unreadable"; readonly size: number; readonly reason: string }
  | { readonly kind: "segment"; readonly size: number; readonly head: SegmentHead };

const WORDS = {
  blank: "its head is blank",
  damaged: "its head is damaged",
  unknownVersion: "its format is not known here",
} as const;

/** What is due next; unknown behind a damage. */
type Due = { readonly index: number; readonly chain: ChainValue } | undefined;

export async function surveyLog(options: SurveyOptions): Promise<LogSurvey> {
  const survey = new Survey(options);
  await survey.run();
  return survey;
}

class Survey implements LogSurvey {
  readonly damages: LogDamage[] = [];
  readonly sizes = new Map<number, number>();
  lastIndex = 0;
  readonly #options: SurveyOptions;
  #lastId = 0;

  constructor(options: SurveyOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { files, known, floor } = this.#options;
    for (const id of await files.list()) {
      if (id <= floor.segmentId) continue;
      const { size } = await this.#look(id);
      if (size > 0) this.sizes.set(id, size);
    }
    this.#lastId = Math.max(known.at(-1)?.id ?? 0, ...this.sizes.keys());
    let due: Due = { index: floor.lastIndex + 1, chain: floor.chain };
    for (let id = floor.segmentId + 1; id <= this.#lastId; id++) due = await this.#segment(id, due);
    this.lastIndex = Math.max(this.lastIndex, lastOf(known.at(-1)) ?? 0);
  }

  async #look(id: number): Promise<Sight & { readonly size: number }> {
    try {
      return await this.#options.files.use(id, async (file) => {
        const size = await file.size();
        const bytes = Buffer.alloc(Math.min(size, SEGMENT_HEAD_BYTES));
        const reading = readSegmentHead(bytes.subarray(0, await readOrZero(file, bytes)));
        if (reading.kind === "head") return { kind: "segment", size, head: reading.head };
        return { kind: "unreadable", size, reason: size === 0 ? "the file is empty" : WORDS[reading.kind] };
      });
    } catch (error) {
      if (systemErrorCode(error) !== "ENOENT") throw error;
      return { kind: "missing", size: 0 };
    }
  }

  async #segment(id: number, due: Due): Promise<Due> {
    const { files, known } = this.#options;
    const sight = await this.#look(id);
    const row = segmentById(known, id);
    if (sight.kind === "missing" && row?.cold !== undefined) {
      // It was given up for its copy: only the floor does not know that any more.
      return { index: row.firstIndex + row.entries, chain: { low: row.chainLow, high: row.chainHigh } };
    }
    if (sight.kind !== "segment") {
      const next = await this.#headOf(id + 1);
      const lastIndex = next === undefined ? lastOf(row) : next.firstIndex - 1;
      const firstIndex = row?.firstIndex ?? due?.index ?? 0;
      const reason = sight.kind === "missing" ? "the file is missing" : sight.reason;
      this.#damage({ id, offset: 0, firstIndex, lastIndex, reason });
      return next === undefined ? undefined : { index: next.firstIndex, chain: next.chain };
    }
    const { head, size } = sight;
    const follows = due === undefined || (head.firstIndex === due.index && sameChain(head.chain, due.chain));
    if (head.id !== id || !follows) {
      const reason = "it does not continue the segment before it";
      this.#damage({
        id,
        offset: 0,
        firstIndex: due?.index ?? head.firstIndex,
        lastIndex: undefined,
        reason,
      });
    }
    return await files.use(id, async (file) => {
      const sealed = await this.#sealedEnd(file, { id, size, head });
      if (sealed === undefined) return await this.#scan(file, { id, size, head });
      this.lastIndex = Math.max(this.lastIndex, sealed.index - 1);
      return sealed;
    });
  }

  async #headOf(id: number): Promise<SegmentHead | undefined> {
    const sight = await this.#look(id);
    return sight.kind === "segment" ? sight.head : undefined;
  }

  /** Where a sealed segment ends. The head of the next one, which continues from there, cannot be forged. */
  async #sealedEnd(
    file: DiskFile,
    found: { readonly id: number; readonly size: number; readonly head: SegmentHead },
  ): Promise<Due> {
    const trailer = await unlessUnreadable(readTrailerOf(file, found.size));
    const next = await this.#headOf(found.id + 1);
    if (trailer === undefined || next === undefined) return undefined;
    const { lastIndex, endChain } = trailer;
    const fits = trailer.firstIndex === found.head.firstIndex && next.firstIndex === lastIndex + 1;
    return fits && sameChain(next.chain, endChain) ? { index: lastIndex + 1, chain: endChain } : undefined;
  }

  async #scan(
    file: DiskFile,
    found: { readonly id: number; readonly size: number; readonly head: SegmentHead },
  ): Promise<Due> {
    const { id, size, head } = found;
    const reached = { index: head.firstIndex as number, chain: head.chain, offset: SEGMENT_HEAD_BYTES };
    let reason: string | undefined;
    try {
      const scan = scanSegment(file, reached, size);
      for (;;) {
        const step = await scan.next();
        if (step.done) {
          if (step.value.kind === "bad") ({ reason } = step.value);
          break;
        }
        const { header, endOffset, chain } = step.value;
        Object.assign(reached, { index: header.index + 1, chain, offset: endOffset });
        // Behind it stands a footer, whole or torn, which no read needs.
        if (cutsAfter(header.type, endOffset, this.#options.segmentBytesMax)) return this.#ended(reached);
      }
    } catch (error) {
      if (systemErrorCode(error) !== "EIO") throw error;
      reason = "the disk cannot read it (EIO)";
    }
    this.#judgeEnd(id, reached, reason);
    this.#ended(reached);
    return undefined;
  }

  #ended(reached: { readonly index: number; readonly chain: ChainValue }): Due {
    this.lastIndex = Math.max(this.lastIndex, reached.index - 1);
    return { index: reached.index, chain: reached.chain };
  }

  /** A segment that was not cut ends here: rightly so, in a torn tail, or by damage. */
  #judgeEnd(
    id: number,
    reached: { readonly index: number; readonly offset: number },
    reason: string | undefined,
  ): void {
    const { known, promisedIndex } = this.#options;
    const lastIndex = lastOf(segmentById(known, id));
    const isLast = id === this.#lastId;
    const promised = isLast ? promisedIndex : Number.POSITIVE_INFINITY;
    if (reached.index > promised) return;
    const { index: firstIndex, offset } = reached;
    const why = reason ?? "the file ends before it";
    this.#damage({ id, offset, firstIndex, lastIndex, reason: why });
  }

  #damage(found: Omit<LogDamage, "path" | "bytes"> & { readonly id: number }): void {
    const { id, ...damage } = found;
    const bytes = Math.max(0, (this.sizes.get(id) ?? 0) - damage.offset);
    this.damages.push({ path: this.#options.files.path(id), bytes, ...damage });
  }
}

function lastOf(row: SegmentEntry | undefined): number | undefined {
  return row === undefined ? undefined : row.firstIndex + row.entries - 1;
}

async function readOrZero(file: DiskFile, bytes: Buffer): Promise<number> {
  return (await unlessUnreadable(file.read(bytes, 0))) ?? 0;
}

async function unlessUnreadable<Result>(work: Promise<Result>): Promise<Result | undefined> {
  try {
    return await work;
  } catch (error) {
    // A sector that is gone: what it held is judged by what can still be read around it.
    if (systemErrorCode(error) !== "EIO") throw error;
    return undefined;
  }
}
