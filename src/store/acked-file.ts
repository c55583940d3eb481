/**
 * The mark up to which records were acknowledged (RULES.md R10). At open it separates a torn tail, which is
 * dropped, from a damaged acknowledged record, which is never dropped. Written off the acknowledgement path
 * and at most a few milliseconds behind; exact after a clean stop.
 */
import { RefusedError } from "../base/errors.ts";
import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { logIndex } from "../base/units.ts";
import type { LogIndex } from "../base/units.ts";
import type { Disk } from "../ports/disk.ts";
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
    return new AckedFile(slots, decodeMark(slots.payload));
  }

  /** What an existing file says, without touching it. */
  static async peek(disk: Disk, path: string): Promise<LogIndex> {
    const { state, payload } = await SlotFile.peek(disk, path);
    if (state === "bothSlotsBad") throw bothSlotsBad(path);
    return decodeMark(payload);
  }

  /** The newest stable mark. */
  get index(): LogIndex {
    return this.#index;
  }

  async write(index: LogIndex): Promise<void> {
    const writer = new ByteWriter(16);
    writer.varint(index);
    await this.#slots.writeNext(writer.take());
    this.#index = index;
  }

  async close(): Promise<void> {
    await this.#slots.close();
  }
}

function decodeMark(payload: Buffer | undefined): LogIndex {
  return logIndex(payload === undefined ? 0 : new ByteReader(payload).varint());
}

function bothSlotsBad(path: string): RefusedError {
  return new RefusedError(
    `both slots of ${path} are damaged: what was acknowledged cannot be told from a torn tail. ` +
      `Run "thermocline verify"; if it finds no damage, remove the file`,
  );
}
