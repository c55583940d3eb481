/**
 * The mark up to which records were acknowledged (RULES.md R10). At open it separates a torn tail, which is
 * dropped, from a damaged acknowledged record, which is never dropped. Written off the acknowledgement path
 * and at most a few milliseconds behind; exact after a clean stop. A first start writes a mark before the log
 * gets its first byte, so a log without one has lost it: then every record counts as acknowledged.
 */
import { OR_SALVAGE, RefusedError } from "../base/errors.ts";
import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { logIndex } from "../base/units.ts";
import type { LogIndex } from "../base/units.ts";
import type { Disk } from "../ports/disk.ts";
import type { SegmentFiles } from "./segment-files.ts";
import { SlotFile } from "./slot-file.ts";

export class AckedFile {
  readonly #slots: SlotFile;
  #index: LogIndex;

  private constructor(slots: SlotFile, index: LogIndex) {
    this.#slots = slots;
    this.#index = index;
  }

  static async open(disk: Disk, path: string): Promise<AckedFile> {
    const slots = await SlotFile.open(disk, path);
    if (slots.state === "bothSlotsBad") {
      await slots.close();
      throw bothSlotsBad(path);
    }
    return new AckedFile(slots, decodeMark(slots.payload) ?? logIndex(0));
  }

  /**
   * To be asked before `open`, which makes the file. An empty file is somebody's word that the log is whole;
   * that a file is gone is nobody's.
   */
  static async refuseMissing(
    disk: Disk,
    place: { readonly path: string; readonly log: SegmentFiles },
  ): Promise<void> {
    const { path, log } = place;
    if ((await disk.readFile(path)) !== undefined || !(await log.hasBytes())) return;
    throw new RefusedError(
      `${path} is missing, but ${log.directory} holds entries: which of them were acknowledged cannot be ` +
        `told. Restore it from the copy that the log is from. If there is none: ${ADVICE}`,
    );
  }

  /** What an existing file says, without touching it; `undefined`: nothing. */
  static async peek(disk: Disk, path: string): Promise<LogIndex | undefined> {
    const { state, payload } = await SlotFile.peek(disk, path);
    if (state === "bothSlotsBad") throw bothSlotsBad(path);
    return decodeMark(payload);
  }

  /** Whether it has told nothing yet. */
  get isEmpty(): boolean {
    return this.#slots.payload === undefined;
  }

  /** The newest stable mark. */
  get index(): LogIndex {
    return this.#index;
  }

  async write(index: LogIndex): Promise<void> {
    await this.#slots.writeNext(encodeMark(index));
    this.#index = index;
  }

  /** The first mark, in both slots: the file has its blocks then, and one damaged slot is no loss. */
  async begin(index: LogIndex): Promise<void> {
    await this.#slots.writeBoth(encodeMark(index));
    this.#index = index;
  }

  async close(): Promise<void> {
    await this.#slots.close();
  }
}

function encodeMark(index: LogIndex): Uint8Array {
  const writer = new ByteWriter(16);
  writer.varint(index);
  return writer.take();
}

function decodeMark(payload: Buffer | undefined): LogIndex | undefined {
  return payload === undefined ? undefined : logIndex(new ByteReader(payload).varint());
}

const ADVICE =
  'run "thermocline verify"; if it finds nothing else, put an empty file there: then every entry counts as ' +
  `acknowledged, and a start that cannot read one of them refuses; ${OR_SALVAGE}`;

function bothSlotsBad(path: string): RefusedError {
  return new RefusedError(
    `both slots of ${path} are damaged: what was acknowledged cannot be told from a torn tail. ` +
      `Restore the file from the copy that the log is from. If there is none: ${ADVICE}`,
  );
}
