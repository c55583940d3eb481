/**
 * A small value in two slots, each on a page of its own, so that a torn write or a lost sector hits one slot
 * at most and the other still tells the value before. The newest valid slot wins at open and heals the other
 * one.
 *
 *   slot: u32 magic, u48 sequence, u16 payload length, payload, u32 CRC32C of all that
 */
import { assert } from "../base/assert.ts";
import { crc32c } from "../base/crc.ts";
import type { Disk, DiskFile } from "../ports/disk.ts";

const SLOT_STRIDE = 4096;
const SLOT_BYTES = 512;
const MAGIC = 0x544c5354;
const HEAD_BYTES = 12;
const PAYLOAD_BYTES_MAX = SLOT_BYTES - HEAD_BYTES - 4;

type Slot = { readonly sequence: number; readonly payload: Buffer };

export type SlotFileState = "fresh" | "valid" | "bothSlotsBad";

export class SlotFile {
  readonly #file: DiskFile;
  #newest: Slot | undefined;
  #nextSlot = 0;
  readonly state: SlotFileState;

  private constructor(file: DiskFile, read: ReadSlots) {
    this.#file = file;
    this.#newest = read.newest;
    this.#nextSlot = read.nextSlot;
    this.state = read.state;
  }

  static async open(disk: Disk, path: string): Promise<SlotFile> {
    const file = await disk.open(path, "durable");
    try {
      return new SlotFile(file, await readSlots(file));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** What an existing file says, without touching it. */
  static async peek(
    disk: Disk,
    path: string,
  ): Promise<{ readonly state: SlotFileState; readonly payload: Buffer | undefined }> {
    const file = await disk.open(path, "read");
    try {
      const { state, newest } = await readSlots(file);
      return { state, payload: newest?.payload };
    } finally {
      await file.close();
    }
  }

  /** The newest stable value. */
  get payload(): Buffer | undefined {
    return this.#newest?.payload;
  }

  /** Stable in both slots when it returns: for values that must never go back. */
  async writeBoth(payload: Uint8Array): Promise<void> {
    await this.writeNext(payload);
    await this.writeNext(payload);
  }

  /** Stable in one slot when it returns: a damaged slot may lose this value, but not the one before. */
  async writeNext(payload: Uint8Array): Promise<void> {
    assert(payload.length <= PAYLOAD_BYTES_MAX, `${payload.length} bytes do not fit into a slot`);
    const sequence = (this.#newest?.sequence ?? 0) + 1;
    await this.#file.write(encodeSlot(sequence, payload), this.#nextSlot * SLOT_STRIDE);
    this.#newest = { sequence, payload: Buffer.from(payload) };
    this.#nextSlot = 1 - this.#nextSlot;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

type ReadSlots = {
  readonly newest: Slot | undefined;
  readonly nextSlot: number;
  readonly state: SlotFileState;
};

async function readSlots(file: DiskFile): Promise<ReadSlots> {
  const bytes = Buffer.alloc(2 * SLOT_STRIDE);
  const count = await file.read(bytes, 0);
  const a = readSlot(bytes, 0);
  const b = readSlot(bytes, SLOT_STRIDE);
  const newestIsB = b !== undefined && (a === undefined || b.sequence > a.sequence);
  const newest = newestIsB ? b : a;
  // A file that was created, but whose first write never became stable, is as good as none.
  const empty = count === 0 || bytes.every((byte) => byte === 0);
  const state = newest !== undefined ? "valid" : empty ? "fresh" : "bothSlotsBad";
  return { newest, nextSlot: newestIsB ? 0 : 1, state };
}

function encodeSlot(sequence: number, payload: Uint8Array): Buffer {
  const slot = Buffer.alloc(SLOT_BYTES);
  slot.writeUInt32LE(MAGIC, 0);
  slot.writeUIntLE(sequence, 4, 6);
  slot.writeUInt16LE(payload.length, 10);
  slot.set(payload, HEAD_BYTES);
  const end = HEAD_BYTES + payload.length;
  slot.writeUInt32LE(crc32c(slot.subarray(0, end)), end);
  return slot;
}

function readSlot(file: Buffer, offset: number): Slot | undefined {
  const slot = file.subarray(offset, offset + SLOT_BYTES);
  if (slot.readUInt32LE(0) !== MAGIC) return undefined;
  const end = HEAD_BYTES + slot.readUInt16LE(10);
  if (end + 4 > SLOT_BYTES || crc32c(slot.subarray(0, end)) !== slot.readUInt32LE(end)) return undefined;
  return { sequence: slot.readUIntLE(4, 6), payload: Buffer.from(slot.subarray(HEAD_BYTES, end)) };
}
