/**
 * An entry between proposal and answer: what the log holds of it, decoded already on the node that proposed
 * it, and who waits for which results.
 */
import type { ByteWriter } from "../base/bytes.ts";
import { RECORD_HEADER_BYTES, RecordType } from "../segment/record.ts";
import { encodeChunk, encodeCommand } from "../state/command-codec.ts";
import type { PlacedCommand } from "../state/command-codec.ts";
import type { Chunk, Command } from "../state/command.ts";
import type { EntryPosition } from "../state/segment-table.ts";
import type { Proposal } from "./proposal-queue.ts";

type Placed = { readonly command: Command; bodyOffset: number };

export type PendingEntry = {
  readonly timeMs: number;
  readonly type: RecordType;
  readonly commands: readonly PlacedCommand[];
  readonly chunk: Chunk | undefined;
  /** Where the chunk's bytes start in the payload. */
  bodyOffset: number;
  readonly proposals: readonly Proposal[];
};

/** A pending entry that has its place in the log. */
export type PlacedEntry = { readonly entry: PendingEntry; readonly position: EntryPosition };

export function pendingEntry(proposals: readonly Proposal[], timeMs: number): PendingEntry {
  const chunk = proposals[0]?.chunk;
  const commands: Placed[] = [];
  for (const proposal of proposals) {
    for (const command of proposal.commands) commands.push({ command, bodyOffset: 0 });
  }
  const type = chunk === undefined ? RecordType.commands : RecordType.chunk;
  return { timeMs, type, commands, chunk, bodyOffset: 0, proposals };
}

/** The end of the open segment: nothing but its type is in it. */
export function sealEntry(proposals: readonly Proposal[]): PendingEntry {
  return { ...BLANK, type: RecordType.seal, proposals };
}

/** The entry that opens a term. */
export const BLANK: PendingEntry = {
  timeMs: 0,
  type: RecordType.noop,
  commands: [],
  chunk: undefined,
  bodyOffset: 0,
  proposals: [],
};

/** An entry of the leader's own, with one command; nobody waits for it. */
export function ownEntry(command: Command, timeMs: number): PendingEntry {
  const commands = [{ command, bodyOffset: 0 }];
  return { timeMs, type: RecordType.commands, commands, chunk: undefined, bodyOffset: 0, proposals: [] };
}

/** Encodes the payload and notes where bodies land in it. */
export function encodeEntry(writer: ByteWriter, entry: PendingEntry, recordStart: number): void {
  if (entry.type === RecordType.seal) return;
  const payloadStart = recordStart + RECORD_HEADER_BYTES;
  if (entry.chunk !== undefined) {
    entry.bodyOffset = encodeChunk(writer, entry.chunk, entry.timeMs) - payloadStart;
    return;
  }
  writer.varint(entry.timeMs);
  writer.varint(entry.commands.length);
  for (const placed of entry.commands as readonly Placed[]) {
    const bodyAt = encodeCommand(writer, placed.command);
    placed.bodyOffset = bodyAt === 0 ? 0 : bodyAt - payloadStart;
  }
}
