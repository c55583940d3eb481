/**
 * Applies committed entries in log order: effects into the overlay, cache told, results to whoever waits. It
 * never runs ahead of the commit index or the local disk (RULES.md R3), yields the event loop after 4 ms of
 * work, and waits for a flush when the overlay is full (R1).
 */
import { BusyError, UnavailableError } from "../base/errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { LogIndex } from "../base/units.ts";
import { logIndex } from "../base/units.ts";
import { RecordType } from "../segment/record.ts";
import type { StateIndex } from "../store/state-index.ts";
import { decodeChunk, decodeCommands } from "../state/command-codec.ts";
import type { CommandResult } from "../state/command.ts";
import { isHistoryKey, splitObjectKey } from "../state/keys.ts";
import { readsOf, readsOfHistory, readsOfObject } from "../state/reads.ts";
import type { EntryPosition } from "../state/segment-table.ts";
import type { StateMachine } from "../state/state-machine.ts";
import type { PendingEntry, PlacedEntry } from "./entry.ts";

const SLICE_MS = 4;
const FULL_INDEX_RETRY_MS = 250;

export type ApplierOptions = {
  readonly index: StateIndex;
  readonly state: StateMachine;
  readonly clock: Clock;
};

export class Applier {
  readonly #index: StateIndex;
  readonly #state: StateMachine;
  readonly #clock: Clock;
  #stopping = false;

  constructor(options: ApplierOptions) {
    this.#index = options.index;
    this.#state = options.state;
    this.#clock = options.clock;
  }

  get appliedIndex(): LogIndex {
    return logIndex(this.#index.appliedIndex);
  }

  /** Applies entries this node proposed, and answers their proposers. */
  async applyPlaced(placed: readonly PlacedEntry[]): Promise<void> {
    let sliceStart = this.#clock.monotonicMs();
    for (const { entry, position } of placed) {
      if (this.#index.full) await this.#waitForRoom(position.index - 1);
      const { slow } = this.#index;
      if (slow) await this.#prefetch(entry);
      const results = this.#applyEntry(entry, position);
      if (slow) this.#index.forgetPrefetched();
      this.#index.entryApplied(position.index);
      answer(entry, results);
      const now = this.#clock.monotonicMs();
      if (now - sliceStart < SLICE_MS) continue;
      await this.#clock.yieldToOthers();
      sliceStart = this.#clock.monotonicMs();
    }
  }

  /** As long as it takes: the entry is in the log, so it will be applied, and proposals wait behind it. */
  async #waitForRoom(index: number): Promise<void> {
    while (this.#index.full) {
      try {
        await this.#index.flushedThrough(index);
      } catch (error) {
        if (!(error instanceof BusyError)) throw error;
        if (this.#stopping) throw new UnavailableError("stopped while the index could not be written");
        await this.#clock.sleep(FULL_INDEX_RETRY_MS);
      }
    }
  }

  /** Waiting for an index that cannot be written ends. */
  stop(): void {
    this.#stopping = true;
  }

  #applyEntry(entry: PendingEntry, position: EntryPosition): readonly CommandResult[] {
    const { chunk, timeMs, bodyOffset } = entry;
    if (chunk !== undefined) return [this.#state.applyChunk({ timeMs, chunk, bodyOffset }, position)];
    if (entry.commands.length > 0) return this.#state.applyCommands(entry, position);
    this.#state.applyBlank(position);
    return [];
  }

  async #prefetch(entry: PendingEntry): Promise<void> {
    const wanted = entry.commands.flatMap(({ command }) => readsOf(command, this.#state.buckets));
    await this.#index.prefetch(wanted);
    const second = wanted.flatMap((rowKey) => {
      if (isHistoryKey(rowKey)) {
        const history = this.#index.get(rowKey);
        return history === undefined ? [] : readsOfHistory(rowKey, history);
      }
      const object = splitObjectKey(rowKey);
      const standing = object && this.#index.object(object.prefix, object.key);
      return standing === undefined ? [] : readsOfObject(standing);
    });
    await this.#index.prefetch(second);
  }

  /** Applies an entry as the log holds it, at replay. */
  applyRecord(type: RecordType, payload: Buffer, position: EntryPosition): void {
    if (type === RecordType.commands) this.#state.applyCommands(decodeCommands(payload), position);
    else if (type === RecordType.chunk) this.#state.applyChunk(decodeChunk(payload), position);
    else this.#state.applyBlank(position);
    this.#index.entryApplied(position.index);
  }
}

/** Each proposal gets the results of its own commands. */
function answer(entry: PendingEntry, results: readonly CommandResult[]): void {
  let at = 0;
  for (const proposal of entry.proposals) {
    const count = Math.max(1, proposal.commands.length);
    const own = results.length === count ? results : results.slice(at, at + count);
    proposal.resolve(own);
    at += count;
  }
}
