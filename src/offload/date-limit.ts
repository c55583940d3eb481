/**
 * Where a restore to a point in time ends: before the first entry behind the manifest that is younger. Dates
 * are told as apply tells them, from the snapshot's row on, through every entry that sets one.
 */
import { RecordType } from "../segment/record.ts";
import { decodeChunk, decodeCommands } from "../state/command-codec.ts";
import { Dates } from "../state/dates.ts";
import { keys } from "../state/keys.ts";
import { rows } from "../state/rows.ts";

export type DateLimitOptions = {
  /** Entries up to this one belong to the manifest, whatever their dates. */
  readonly fromIndex: number;
  /** Entries up to this one are in the snapshot. */
  readonly appliedIndex: number;
  readonly untilMs: number;
  /** Rows of the snapshot about time, by key. */
  readonly rows: ReadonlyMap<string, Uint8Array>;
};

export type LoggedEntry = {
  readonly index: number;
  readonly type: RecordType;
  readonly payload: Buffer;
};

/** Keys of the rows that are needed. */
export const TIME_ROWS: readonly string[] = [keys.meta("logTime"), keys.meta("dates")];

export class DateLimit {
  readonly #options: DateLimitOptions;
  readonly #dates: Dates;
  #logTimeMs = 0;

  constructor(options: DateLimitOptions) {
    this.#options = options;
    const time = options.rows.get(keys.meta("logTime"));
    if (time !== undefined) this.#logTimeMs = rows.counter.decode(time).value;
    const kept = new Map(options.rows);
    this.#dates = new Dates({
      get: (key: string) => kept.get(key),
      put: (key: string, value: Uint8Array) => void kept.set(key, value),
    });
  }

  /** Whether this entry, and with it all that follow, is not to be applied. Told of each, in order. */
  isBeyond(entry: LoggedEntry): boolean {
    const { appliedIndex, fromIndex, untilMs } = this.#options;
    if (entry.index <= appliedIndex) return false;
    this.#pass(entry);
    return entry.index > fromIndex && this.#dates.at(this.#logTimeMs) > untilMs;
  }

  #pass({ type, payload }: LoggedEntry): void {
    if (type === RecordType.chunk) this.#advance(decodeChunk(payload).timeMs);
    if (type !== RecordType.commands) return;
    const { timeMs, commands } = decodeCommands(payload);
    this.#advance(timeMs);
    for (const { command } of commands) {
      if (command.kind === "setDate") this.#dates.set(this.#logTimeMs, command.dateMs);
    }
  }

  #advance(timeMs: number): void {
    this.#logTimeMs = Math.max(this.#logTimeMs, timeMs);
  }
}
