/** What the applied state says about the cold tier, beside its segments: rows that are read when needed. */
import { keys, ranges } from "../state/keys.ts";
import { rows } from "../state/rows.ts";
import type { CondemnedRow, LineageRow } from "../state/rows.ts";
import type { StateIndex } from "../store/state-index.ts";

export type TierRows = Pick<StateIndex, "iterate" | "getLater">;

const PAGE_ROWS = 500;

/** Every object that is to be deleted, by its key. */
export async function readCondemned(index: TierRows): Promise<ReadonlyMap<string, CondemnedRow>> {
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
export async function readLineage(index: TierRows): Promise<LineageRow | undefined> {
  const row = await index.getLater(keys.meta("lineage"));
  return row === undefined ? undefined : rows.lineage.decode(row);
}

/** Lineages whose objects this one may clear away beside its own. */
export async function adoptedBy(index: TierRows, lineage: string): Promise<readonly string[]> {
  const row = await readLineage(index);
  return row?.lineage === lineage ? (row.adopted ?? []) : [];
}

/** Of the last entry: what a start would go on from. */
export async function readLogTime(index: TierRows): Promise<number> {
  const row = await index.getLater(keys.meta("logTime"));
  return row === undefined ? 0 : rows.counter.decode(row).value;
}
