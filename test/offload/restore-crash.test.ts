/** A restore, and the first start after it, die anywhere: called again they come to the same end. */
import { describe, expect, test } from "vitest";
import { ColdUnavailableError } from "../../src/ports/cold-store.ts";
import { StorageNode } from "../../src/replica/storage-node.ts";
import { RESTORED_NAME, RESTORING_NAME } from "../../src/store/restored-file.ts";
import { DiskHistory } from "../sim/disk-history.ts";
import type { CrashChoices } from "../sim/disk-history.ts";
import { OperationLog } from "../sim/disk-operation.ts";
import { FailingColdStore } from "../sim/failing-cold-store.ts";
import { SimDisk } from "../sim/sim-disk.ts";
import { SimRandom } from "../sim/sim-random.ts";
import { SIM_DIRECTORY } from "../sim/sim-store.ts";
import { contentsOf } from "./restore-load.ts";
import { RestoreWorld, lineageRow, placeOf } from "./restore-world.ts";

const CUTS: readonly CrashChoices[] = [
  // A process that died, and three that lost power.
  { effects: "all", tears: "whole", batches: "kept" },
  { effects: "none", tears: "whole", batches: "kept" },
  { effects: "some", tears: "sectors", batches: "kept" },
  { effects: "some", tears: "prefix", batches: "kept" },
];

/** What was recorded of a restore onto this disk. */
async function recorded(world: RestoreWorld): Promise<OperationLog> {
  const log = new OperationLog();
  const latency = (): Promise<void> => world.machine.clock.sleep(world.machine.latencyMs);
  await world.restore(new SimDisk({ log, latency }));
  return log;
}

async function expectWhole(world: RestoreWorld, disk: SimDisk, contents: unknown): Promise<void> {
  const store = await world.open(disk);
  await world.begin(store, disk);
  expect(lineageRow(store.node)?.lineage).toBe(placeOf(store.node).lineage);
  expect(await world.run(contentsOf(store))).toEqual(contents);
  expect(store.fatal).toEqual([]);
  await world.close(store);
}

describe("a restore that is cut", () => {
  test("at any operation of the disk goes on when it is called again", async () => {
    const world = new RestoreWorld();
    const contents = await world.lost();
    const log = await recorded(world);
    const bucket = new Map(world.objects);
    const random = new SimRandom("cuts");
    const history = new DiskHistory(log);
    let [tried, finished] = [0, 0];
    for (let position = 0; position <= log.length; position++) {
      history.advanceTo(position);
      for (const choices of CUTS) {
        const { disk } = history.image(choices, random);
        const names = await disk.list(SIM_DIRECTORY);
        if (names.includes("node.json")) finished++;
        else await expectNoStart(world, disk);
        const isTold = names.includes("node.json") && !names.includes(RESTORING_NAME);
        if (!isTold) await world.restore(disk);
        expect(await disk.list(SIM_DIRECTORY)).not.toContain(RESTORING_NAME);
        await expectWhole(world, disk, contents);
        // The next one meets the bucket as the first one did.
        world.objects.clear();
        for (const [key, object] of bucket) world.objects.set(key, object);
        tried++;
      }
    }
    console.info(
      `restore: ${log.length} operations of the disk, ${tried} cuts, ${finished} of them finished`,
    );
    expect(tried).toBeGreaterThan(400);
    expect(finished).toBeGreaterThan(0);
  }, 600_000);
});

/** A start of what is unfinished is refused, and changes nothing. */
async function expectNoStart(world: RestoreWorld, disk: SimDisk): Promise<void> {
  const names = await disk.list(SIM_DIRECTORY);
  // Nothing of it is stable yet: an empty directory starts as one.
  if (!names.includes(RESTORING_NAME)) {
    expect(names.filter((name) => !name.startsWith(RESTORING_NAME) && name !== "lock")).toEqual([]);
    return;
  }
  await expect(world.open(disk)).rejects.toThrow("unfinished restore");
}

describe("a first start that is cut", () => {
  test("at any operation of the disk or call of the bucket is done again, with the same end", async () => {
    const world = new RestoreWorld();
    const contents = await world.lost();
    const image = await recorded(world);
    const bucket = new Map(world.objects);
    let calls = 0;
    for (let at = 1; ; at++) {
      world.objects.clear();
      for (const [key, object] of bucket) world.objects.set(key, object);
      const { disk } = restoredImage(image);
      const died = await firstStartUntil(world, disk, at);
      if (!died) break;
      calls = at;
      await expectWhole(world, disk, contents);
      const manifests = world.keysOf("manifest").filter((key) => !bucket.has(key));
      expect(manifests.length).toBeGreaterThan(0);
      expect(await disk.list(SIM_DIRECTORY)).not.toContain(RESTORED_NAME);
    }
    console.info(`first start: died at each of ${calls} calls of ports`);
    expect(calls).toBeGreaterThan(40);
  }, 600_000);
});

function restoredImage(log: OperationLog): { readonly disk: SimDisk } {
  const history = new DiskHistory(log);
  history.advanceTo(log.length);
  return history.image({ effects: "all", tears: "whole", batches: "kept" }, new SimRandom("image"));
}

/** Dies at the given call of disk or bucket, counted from the start; false if it came to its end before. */
async function firstStartUntil(world: RestoreWorld, disk: SimDisk, at: number): Promise<boolean> {
  const { clock } = world.machine;
  const death = Promise.withResolvers<"died">();
  let calls = 0;
  const count = (): void => {
    if (++calls !== at) return;
    void disk.kill();
    death.resolve("died");
  };
  disk.fault = () => {
    count();
    return undefined;
  };
  const cold = new Proxy(world.coldOn(disk), {
    get: (store, name) => {
      const member: unknown = Reflect.get(store, name, store);
      if (typeof member !== "function") return member;
      return (...given: unknown[]) => {
        count();
        return calls >= at ? new Promise(() => undefined) : (member.apply(store, given) as unknown);
      };
    },
  });
  const live = async (): Promise<"ended"> => {
    const store = await world.openSoon(disk, { cold });
    await world.beginSoon(store, disk, { cold });
    await store.node.close();
    return "ended";
  };
  const living = live();
  living.catch(() => undefined);
  const outcome = await world.run(Promise.race([living, death.promise]));
  await settleDeath(clock);
  disk.fault = () => undefined;
  return outcome === "died";
}

/** Nothing of the dead process runs on. */
async function settleDeath(clock: RestoreWorld["machine"]["clock"]): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  clock.forgetSleepers();
}

test("a first start without its bucket serves nobody, and the next one does", async () => {
  const world = new RestoreWorld();
  const contents = await world.lost();
  const disk = world.newDisk();
  await world.restore(disk);
  const { clock } = world.machine;
  const cold = new FailingColdStore(world.coldOn(disk), { clock, random: new SimRandom("down") });
  cold.isDown = true;
  const store = await world.open(disk, { cold });
  const before = [...world.objects.keys()];
  await expect(world.run(world.beginSoon(store, disk, { cold }))).rejects.toThrow(ColdUnavailableError);
  expect([...world.objects.keys()]).toEqual(before);
  expect(lineageRow(store.node)).toBeUndefined();
  await world.close(store);
  await expectWhole(world, disk, contents);
});

test("a node that is restored takes part as itself only when it was started", async () => {
  const world = new RestoreWorld();
  await world.lost();
  const disk = world.newDisk();
  await world.restore(disk);
  // Finished is finished: another call does not do it again over a store that goes on.
  expect(await world.restore(disk).catch((error: unknown) => String(error))).toContain("is not empty");
  const store = await world.open(disk);
  expect(store.node).toBeInstanceOf(StorageNode);
  expect(placeOf(store.node).lineage).toBe(store.node.restored?.lineage);
  await world.close(store);
});
