/**
 * Where the snapshot is whole, but records of the segment in which it ends are in no object any more, and
 * that was accepted: nobody can go on behind a record that is gone, so the segment ends with the snapshot.
 * Its row says so from now on, and that its bytes are missing; the log begins anew behind it, as it does
 * behind every segment.
 */
import type { Clock } from "../ports/clock.ts";
import type { Disk } from "../ports/disk.ts";
import { Dates } from "../state/dates.ts";
import { keys } from "../state/keys.ts";
import { rows } from "../state/rows.ts";
import type { Floor } from "../store/floor-file.ts";
import { openRow, sealRow } from "../store/row-seal.ts";
import { scanSnapshot, writeSnapshot } from "../store/snapshot-file.ts";
import type { SnapshotInfo } from "../store/snapshot-file.ts";
import { UNFINISHED } from "../store/snapshot-files.ts";
import type { RestorePlan } from "./restore-plan.ts";

type Row = readonly [key: string, stored: Uint8Array];

/** Whether the log that can be brought ends before the snapshot does. */
export function endsBeforeSnapshot({ replay, applyFrom }: RestorePlan, { lastIndex }: Floor): boolean {
  return Math.max(lastIndex, replay.at(-1)?.last ?? 0) < applyFrom - 1;
}

/** Writes the snapshot anew, with the last segment ended; the floor behind it, and what is lost with it. */
export async function endAtSnapshot(
  parts: { readonly disk: Disk; readonly clock: Clock },
  snapshot: SnapshotInfo,
  timeRows: ReadonlyMap<string, Uint8Array>,
): Promise<{ readonly floor: Floor; readonly first: number }> {
  const { disk, clock } = parts;
  const { path, index, segments } = snapshot;
  const last = segments.at(-1);
  if (last === undefined) throw new Error(`the snapshot of entry ${index} has no segment`);
  const ended = endOf(timeRows);
  const changed = keys.segment(last.id);
  const spend = (): Promise<void> => clock.yieldToOthers();
  const relay = new Relay();
  const visit = (block: Iterable<Row>): Promise<void> =>
    relay.give([...block].map((row) => (row[0] === changed ? endedRow(row, ended) : row)));
  const reading = scanSnapshot(disk, path, { visit, spend }).then(
    () => relay.end(),
    (error: unknown) => relay.fail(error),
  );
  await writeSnapshot(disk, path + UNFINISHED, { source: { index, rows: relay }, spend });
  await reading;
  await scanSnapshot(disk, path + UNFINISHED, { spend });
  await disk.rename(path + UNFINISHED, path);
  const floor = { segmentId: last.id, lastIndex: index, chain: last.chain };
  return { floor, first: last.firstIndex };
}

function endOf(timeRows: ReadonlyMap<string, Uint8Array>): {
  readonly timeMs: number;
  readonly dateMs: number;
} {
  const time = timeRows.get(keys.meta("logTime"));
  const timeMs = time === undefined ? 0 : rows.counter.decode(time).value;
  const dates = new Dates({ get: (key) => timeRows.get(key), put: () => undefined });
  return { timeMs, dateMs: dates.at(timeMs) };
}

function endedRow([key, stored]: Row, ended: { readonly timeMs: number; readonly dateMs: number }): Row {
  const row = rows.segment.decode(openRow(key, stored));
  return [key, Buffer.from(sealRow(key, rows.segment.encode({ ...row, cut: true, ended })))];
}

/** Rows from one who gives blocks to one who asks for pages; a block at a time is in memory. */
class Relay {
  #block: readonly Row[] = [];
  #isEnded = false;
  #failure: { readonly error: unknown } | undefined;
  #wanted = Promise.withResolvers<void>();
  #given = Promise.withResolvers<void>();

  /** Returns when the block before it was taken. */
  async give(block: readonly Row[]): Promise<void> {
    await this.#wanted.promise;
    this.#wanted = Promise.withResolvers();
    this.#block = block;
    this.#given.resolve();
  }

  end(): void {
    this.#isEnded = true;
    this.#given.resolve();
  }

  fail(error: unknown): void {
    this.#failure = { error };
    this.end();
  }

  async next(): Promise<readonly Row[]> {
    if (!this.#isEnded) {
      this.#given = Promise.withResolvers();
      this.#wanted.resolve();
      await this.#given.promise;
    }
    if (this.#failure !== undefined) throw this.#failure.error;
    const block = this.#block;
    this.#block = [];
    return block;
  }
}
