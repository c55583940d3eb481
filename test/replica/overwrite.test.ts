/**
 * Overwriting a set a hundred times keeps the disk below three times the set: a hundredth of `npm run long --
 * overwrite`, every bound of it a hundredth too, and the rate of writing with them, in simulated time.
 */
import { expect, test } from "vitest";
import { spaceSettings } from "../support/open-store.ts";
import { SpaceWorld } from "./space-world.ts";

const MIB = 1024 * 1024;
const SET_BYTES = 10 * MIB;
/** In the row, in the record, in chunks. */
const SIZES = [200, 1000, 16_000, 60_000, 200_000];
const BYTES_PER_MS = 1000;

test("overwriting 10 MiB a hundred times keeps the disk below 30 MiB", { timeout: 240_000 }, async () => {
  const space = spaceSettings({ snapshotEntriesMin: 50, entriesKept: 10, snapshotLogBytes: 10 * MIB });
  const world = new SpaceWorld(space, 640 * 1024);
  const store = await world.openWithBucket();
  const { clock, disk, random } = world.machine;
  const count = Math.ceil((SET_BYTES * SIZES.length) / SIZES.reduce((sum, size) => sum + size, 0));
  let written = 0;
  let most = 0;
  for (let round = 0; round < 100; round++) {
    for (let at = 0; at < count; at++) {
      const number = round % 2 === 0 ? at : random.below(count);
      const size = SIZES[number % SIZES.length] as number;
      await world.overwriteOne(store, `key-${number}`, size);
      written += size;
      await clock.advance(size / BYTES_PER_MS);
      if (at % 8 === 0) most = Math.max(most, disk.usedBytes);
    }
  }
  expect(written).toBeGreaterThan(900 * MIB);
  expect(most).toBeLessThan(30 * MIB);
  expect(await world.wrong(store)).toEqual([]);
  expect(store.fatal).toEqual([]);
  await world.close(store);
});
