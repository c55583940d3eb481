/**
 * <data>/floor: the last segment below the Raft floor (RULES.md R16). Segments above it are the log: all of
 * them are there, chained, and a start without one refuses. Those up to it are values: any set of them may be
 * there, deleted or rewritten. Stable before the first of them is touched; it never goes back.
 */
import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { RefusedError } from "../base/errors.ts";
import { systemErrorCode } from "../ports/disk.ts";
import type { Disk } from "../ports/disk.ts";
import { CHAIN_START } from "../segment/record.ts";
import type { ChainValue } from "../segment/record.ts";
import { SlotFile } from "./slot-file.ts";

export type Floor = {
  readonly segmentId: number;
  /** The last entry of that segment, and the chain value behind it. */
  readonly lastIndex: number;
  readonly chain: ChainValue;
};

/** The whole log is there. */
export const NO_FLOOR: Floor = { segmentId: 0, lastIndex: 0, chain: CHAIN_START };

export const FLOOR_NAME = "floor";

export async function readFloor(disk: Disk, directory: string): Promise<Floor> {
  const path = `${directory}/${FLOOR_NAME}`;
  try {
    const { state, payload } = await SlotFile.peek(disk, path);
    if (state === "bothSlotsBad") throw damaged(path);
    return payload === undefined ? NO_FLOOR : decodeFloor(payload);
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return NO_FLOOR;
    throw error;
  }
}

/** Stable in both slots when it returns: one that went back would ask for segments that are gone. */
export async function writeFloor(disk: Disk, directory: string, floor: Floor): Promise<void> {
  const slots = await SlotFile.open(disk, `${directory}/${FLOOR_NAME}`);
  try {
    if (slots.state === "bothSlotsBad") throw damaged(`${directory}/${FLOOR_NAME}`);
    await slots.writeBoth(encodeFloor(floor));
  } finally {
    await slots.close();
  }
  // Without it a power cut could forget the file's name after a segment below the floor was deleted.
  await disk.syncDirectory(directory);
}

function encodeFloor({ segmentId, lastIndex, chain }: Floor): Uint8Array {
  const writer = new ByteWriter(32);
  writer.varint(segmentId);
  writer.varint(lastIndex);
  writer.u32(chain.low);
  writer.u32(chain.high);
  return writer.take();
}

function decodeFloor(payload: Buffer): Floor {
  const reader = new ByteReader(payload);
  const place = { segmentId: reader.varint(), lastIndex: reader.varint() };
  return { ...place, chain: { low: reader.u32(), high: reader.u32() } };
}

function damaged(path: string): RefusedError {
  return new RefusedError(
    `both slots of ${path} are damaged: which segments the log must have cannot be told. ` +
      "Restore the file from the copy that the log is from",
  );
}
