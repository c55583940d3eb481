/** What a snapshot of the index may be made of. What it is read back as: test/crash/space-images.test.ts. */
import { describe, expect, test } from "vitest";
import { DamageError } from "../../src/base/errors.ts";
import type { IndexIterator } from "../../src/ports/index-store.ts";
import { keys } from "../../src/state/keys.ts";
import { rows } from "../../src/state/rows.ts";
import { sealRow } from "../../src/store/row-seal.ts";
import { scanSnapshot, writeSnapshot } from "../../src/store/snapshot-file.ts";
import { SimDisk } from "../sim/sim-disk.ts";

const spend = (): Promise<void> => Promise.resolve();

function segmentRow(id: number, droppedBefore?: number): readonly [string, Uint8Array] {
  const key = keys.segment(id);
  const run = { firstIndex: id * 10, bytes: 100, entries: 10, liveBytes: 50 };
  const end = { cut: true, chainLow: 1, chainHigh: 2 };
  const row = rows.segment.encode({
    ...run,
    ...end,
    ...(droppedBefore === undefined ? {} : { droppedBefore }),
  });
  return [key, Uint8Array.from(sealRow(key, row))];
}

function iterator(all: readonly (readonly [string, Uint8Array])[]): IndexIterator<Uint8Array> {
  let at = 0;
  return {
    next: async (limit) => all.slice(at, (at += limit)),
    seek: () => undefined,
    close: async () => undefined,
  };
}

async function idsOfSnapshot(all: readonly (readonly [string, Uint8Array])[]): Promise<readonly number[]> {
  const disk = new SimDisk();
  await disk.makeDirectory("d");
  await writeSnapshot(disk, "d/s", { source: { index: 99, rows: iterator(all) }, spend });
  return (await scanSnapshot(disk, "d/s", { spend })).segments.map(({ id }) => id);
}

describe("a snapshot", () => {
  test("may lack rows of segments that were dropped, as the next row says", async () => {
    expect(await idsOfSnapshot([segmentRow(3, 2), segmentRow(4), segmentRow(7, 2)])).toEqual([3, 4, 7]);
  });

  // Whoever has no row in it is deleted.
  test.each([
    ["first", [segmentRow(2), segmentRow(3)]],
    ["middle", [segmentRow(1), segmentRow(3)]],
    ["one behind dropped ones", [segmentRow(1), segmentRow(5, 2)]],
  ])("is not made where the row of a segment is lost: %s", async (_which, all) => {
    await expect(idsOfSnapshot(all)).rejects.toThrow(DamageError);
  });
});
