/**
 * What the loops of the cold tier see of the applied state, and how they change it: by entries only. A node
 * gives it to them; tests give one of their own.
 */
import type { Command, CommandResult } from "../state/command.ts";
import { keys, ranges } from "../state/keys.ts";
import { rows } from "../state/rows.ts";
import type { CondemnedRow, LineageRow } from "../state/rows.ts";
import type { SegmentEntry } from "../state/segment-table.ts";
import type { StateIndex } from "../store/state-index.ts";

export type TierState = {
  readonly index: Pick<StateIndex, "iterate" | "getLater">;
  readonly machine: {
    readonly segments: {
      readonly all: readonly SegmentEntry[];
      byId(id: number): SegmentEntry | undefined;
    };
    /** Of the last entry. */
    readonly logTimeMs: number;
  };
  /** Log time, now. */
  readonly logNowMs: () => number;
  readonly propose: (command: Command) => Promise<CommandResult>;
};

const PAGE_ROWS = 500;

/** Every object that is to be deleted, by its key. */
export async function readCondemned({
  index,
}: Pick<TierState, "index">): Promise<ReadonlyMap<string, CondemnedRow>> {
  const condemned = new Map<string, CondemnedRow>();
  const iterator = await index.iterate(ranges.condemned);
  try {
    for (;;) {
      const page = await iterator.next(PAGE_ROWS);
      if (page.length === 0) return condemned;
      for (const [key, row] of page) {
        condemned.set(key.slice(ranges.condemned.from.length), rows.condemned.decode(row));
      }
    }
  } finally {
    await iterator.close();
  }
}

/** What this state was restored from; `undefined` where nothing ever was. */
export async function readLineage({ index }: Pick<TierState, "index">): Promise<LineageRow | undefined> {
  const row = await index.getLater(keys.meta("lineage"));
  return row === undefined ? undefined : rows.lineage.decode(row);
}
