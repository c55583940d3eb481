/**
 * Promises of the mark's writer: a few milliseconds behind, never ahead, exact at the end, nothing left
 * lying.
 */
import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { logIndex } from "../../src/base/units.ts";
import { AckedWriter } from "../../src/replica/acked-writer.ts";
import { AckedFile } from "../../src/store/acked-file.ts";
import { SimDisk } from "../sim/sim-disk.ts";
import { ManualClock, settled } from "../store/manual-clock.ts";

type World = {
  readonly disk: SimDisk;
  readonly clock: ManualClock;
  readonly writer: AckedWriter;
  readonly abort: AbortController;
  readonly close: () => Promise<void>;
};

async function openWorld(): Promise<World> {
  const [disk, clock, abort] = [new SimDisk(), new ManualClock(), new AbortController()];
  const writer = new AckedWriter(await AckedFile.open(disk, "acked"), clock);
  const running = writer.run(abort.signal);
  const close = async (): Promise<void> => {
    abort.abort();
    await running;
    await writer.close();
  };
  return { disk, clock, writer, abort, close };
}

async function markOn(disk: SimDisk): Promise<number> {
  const file = await AckedFile.open(disk, "acked");
  await file.close();
  return file.index;
}

test("the mark follows at once after a pause, and every five milliseconds under load", async () => {
  const world = await openWorld();
  world.writer.acknowledged(logIndex(1));
  await settled();
  expect(await markOn(world.disk)).toBe(1);
  for (let index = 2; index <= 100; index++) world.writer.acknowledged(logIndex(index));
  await settled();
  expect(await markOn(world.disk)).toBe(1);
  await world.clock.advance(5);
  expect(await markOn(world.disk)).toBe(100);
  await world.close();
});

test("a clean stop leaves it exact", async () => {
  const world = await openWorld();
  world.writer.acknowledged(logIndex(1));
  await settled();
  world.writer.acknowledged(logIndex(7));
  await world.close();
  expect(await markOn(world.disk)).toBe(7);
});

test("a full disk only lets it lag", async () => {
  const world = await openWorld();
  world.disk.fault = (effect) => (effect === "write" ? "ENOSPC" : undefined);
  world.writer.acknowledged(logIndex(3));
  await world.clock.advance(20);
  expect(await markOn(world.disk)).toBe(0);
  world.disk.fault = () => undefined;
  await world.clock.advance(20);
  expect(await markOn(world.disk)).toBe(3);
  await world.close();
});

test("going idle a thousand times leaves no listener behind", async () => {
  const world = await openWorld();
  for (let index = 1; index <= 1000; index++) {
    world.writer.acknowledged(logIndex(index));
    await settled(2);
    await world.clock.advance(5);
  }
  expect(getEventListeners(world.abort.signal, "abort").length).toBeLessThan(20);
  await world.close();
});
