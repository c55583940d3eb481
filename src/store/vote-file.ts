/**
 * The vote: term and candidate, the one thing of Raft that must never go back (section 5.2). Both slots are
 * stable before a vote is released (RULES.md R8); two bad slots mean that this node may have voted for
 * somebody it no longer remembers, and it refuses to take part.
 */
import { OR_SALVAGE, RefusedError } from "../base/errors.ts";
import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { term } from "../base/units.ts";
import type { Term } from "../base/units.ts";
import type { Disk } from "../ports/disk.ts";
import { SlotFile } from "./slot-file.ts";

export type Vote = { readonly term: Term; readonly votedFor: string | undefined };

export class VoteFile {
  readonly #slots: SlotFile;
  readonly vote: Vote;

  private constructor(slots: SlotFile, vote: Vote) {
    this.#slots = slots;
    this.vote = vote;
  }

  /** Opens and heals. A fresh file holds term 0 and no vote. */
  static async open(disk: Disk, path: string): Promise<VoteFile> {
    const slots = await SlotFile.open(disk, path);
    if (slots.state === "bothSlotsBad") {
      await slots.close();
      throw bothSlotsBad(path);
    }
    const { payload } = slots;
    if (payload === undefined) return new VoteFile(slots, { term: term(0), votedFor: undefined });
    try {
      await slots.writeNext(payload);
    } catch (error) {
      await slots.close();
      throw error;
    }
    return new VoteFile(slots, decodeVote(payload));
  }

  /** What an existing file says, without healing it. */
  static async peek(disk: Disk, path: string): Promise<Vote> {
    const { state, payload } = await SlotFile.peek(disk, path);
    if (state === "bothSlotsBad") throw bothSlotsBad(path);
    return payload === undefined ? { term: term(0), votedFor: undefined } : decodeVote(payload);
  }

  /** Stable twice when it returns. */
  async write(vote: Vote): Promise<void> {
    const writer = new ByteWriter(64);
    writer.varint(vote.term);
    writer.text(vote.votedFor ?? "");
    await this.#slots.writeBoth(writer.take());
  }

  async close(): Promise<void> {
    await this.#slots.close();
  }
}

function decodeVote(payload: Buffer): Vote {
  const reader = new ByteReader(payload);
  return { term: term(reader.varint()), votedFor: reader.text() || undefined };
}

function bothSlotsBad(path: string): RefusedError {
  return new RefusedError(
    `both slots of ${path} are damaged: this node may have voted and forgotten it. ` +
      `Restore the file from a backup of this very moment, or rejoin as a new node, ${OR_SALVAGE}`,
  );
}
