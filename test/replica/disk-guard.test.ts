/** Promises about a disk that fills up: water marks, the reserve, and the way back by itself. */
import { describe, expect, test } from "vitest";
import { BusyError } from "../../src/base/errors.ts";
import { DiskGuard } from "../../src/replica/disk-guard.ts";
import { FailingDisk, systemError } from "../store/failing-disk.ts";
import { ManualClock, until } from "../store/manual-clock.ts";
import { silentLogger, temporaryDirectory } from "../support/open-store.ts";
import { newMachine, openNodeWithBucket, putCommand, watch } from "./node-world.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

type World = AsyncDisposable & {
  readonly disk: FailingDisk;
  readonly clock: ManualClock;
  readonly guard: DiskGuard;
  readonly names: () => Promise<readonly string[]>;
  readonly directory: string;
};

async function openGuard(): Promise<World> {
  const directory = await temporaryDirectory();
  const [disk, clock] = [new FailingDisk(), new ManualClock()];
  const segmentBytesMax = MIB;
  const guard = new DiskGuard({
    disk,
    directory: directory.path,
    segmentBytesMax,
    clock,
    logger: silentLogger,
  });
  const abort = new AbortController();
  const running = guard.run(abort.signal);
  const close = async (): Promise<void> => {
    abort.abort();
    await running;
    await directory[Symbol.asyncDispose]();
  };
  const names = (): Promise<readonly string[]> => disk.list(directory.path);
  return { disk, clock, guard, names, directory: directory.path, [Symbol.asyncDispose]: close };
}

describe("water marks", () => {
  test.each([
    ["small", 10 * GIB, 2.1 * GIB, "none"],
    ["small", 10 * GIB, 1.9 * GIB, "bodies"],
    ["small", 10 * GIB, 0.9 * GIB, "allButDeletes"],
    ["large", 1000 * GIB, 5 * GIB, "none"],
    ["large", 1000 * GIB, 3.9 * GIB, "bodies"],
    ["large", 1000 * GIB, 0.9 * GIB, "allButDeletes"],
  ] as const)("of a %s disk of %d bytes with %d free: %s", async (_, totalBytes, freeBytes, refusal) => {
    await using world = await openGuard();
    world.disk.freeBytes = { freeBytes, totalBytes };
    await world.guard.check();
    expect([world.guard.refusal, world.guard.freeBytes]).toEqual([refusal, freeBytes]);
  });

  test("are looked at by themselves, in both directions, and a look that fails is not the last", async () => {
    await using world = await openGuard();
    world.disk.freeBytes = { freeBytes: 0.5 * GIB, totalBytes: 100 * GIB };
    // Time that passes before the loop sleeps does not wake it.
    await until(() => world.clock.sleepers > 0);
    await world.clock.advance(1000);
    await until(() => world.guard.refusal === "allButDeletes");
    await until(() => world.clock.sleepers > 0);
    world.disk.before = ({ kind }) => {
      if (kind === "space") throw new Error("no answer");
    };
    await world.clock.advance(3000);
    world.disk.before = () => undefined;
    world.disk.freeBytes = { freeBytes: 50 * GIB, totalBytes: 100 * GIB };
    await until(() => world.clock.sleepers > 0);
    await world.clock.advance(1000);
    await until(() => world.guard.refusal === "none");
  });
});

describe("the reserve", () => {
  test("is taken when there is room, given up once, and taken again when there is room again", async () => {
    await using world = await openGuard();
    const roomy = { freeBytes: 50 * GIB, totalBytes: 100 * GIB };
    world.disk.freeBytes = roomy;
    const takeIt = async (): Promise<void> => {
      await world.clock.advance(12_000);
      // The loop sleeps again once the zeros are on the disk.
      await until(() => world.clock.sleepers > 0);
      await world.clock.advance(1000);
      await until(() => world.clock.sleepers > 0);
    };
    await takeIt();
    expect(await world.names()).toContain("reserve");
    world.disk.freeBytes = { freeBytes: 0, totalBytes: 100 * GIB };
    expect(await world.guard.releaseReserve()).toBe(true);
    expect(await world.guard.releaseReserve()).toBe(false);
    expect([world.guard.refusal, (await world.names()).includes("reserve")]).toEqual([
      "allButDeletes",
      false,
    ]);
    world.disk.freeBytes = roomy;
    await takeIt();
    expect(await world.names()).toContain("reserve");
  });

  test("that is given up while it is taken is taken again later", async () => {
    await using world = await openGuard();
    world.disk.freeBytes = { freeBytes: 50 * GIB, totalBytes: 100 * GIB };
    const gate = Promise.withResolvers<void>();
    let waiting = false;
    world.disk.before = async ({ kind }) => {
      if (kind !== "sync") return;
      waiting = true;
      await gate.promise;
    };
    await world.clock.advance(12_000);
    await until(() => waiting);
    expect(await world.guard.releaseReserve()).toBe(true);
    gate.resolve();
    for (let look = 0; look < 3; look++) {
      await until(() => world.clock.sleepers > 0);
      await world.clock.advance(1000);
    }
    await until(() => world.clock.sleepers > 0);
    expect(await world.names()).toContain("reserve");
  });

  test("that does not fit is tried again, and until it fits the marks are not believed", async () => {
    await using world = await openGuard();
    world.disk.freeBytes = { freeBytes: 50 * GIB, totalBytes: 100 * GIB };
    await world.guard.releaseReserve();
    await world.guard.check();
    expect(world.guard.refusal).toBe("allButDeletes");
    let tries = 0;
    world.disk.before = ({ kind }) => {
      if (kind !== "write") return;
      tries++;
      throw systemError("EDQUOT");
    };
    for (let look = 0; look < 60; look++) {
      await until(() => world.clock.sleepers > 0);
      await world.clock.advance(1000);
    }
    await until(() => world.clock.sleepers > 0);
    expect(world.guard.refusal).toBe("allButDeletes");
    // Not at every look: each one writes all that there is room for.
    expect(tries).toBeGreaterThan(5);
    expect(tries).toBeLessThan(12);
    expect(await world.names()).not.toContain("reserve");
    world.disk.before = () => undefined;
    for (let look = 0; look < 12; look++) {
      await world.clock.advance(1000);
      await until(() => world.clock.sleepers > 0);
    }
    expect([world.guard.refusal, (await world.names()).includes("reserve")]).toEqual(["none", true]);
  });

  test("of an earlier process is given up too, though this one never had room to take it", async () => {
    await using world = await openGuard();
    const file = await world.disk.open(`${world.directory}/reserve`, "write");
    await file.write(Buffer.alloc(1000), 0);
    await file.close();
    world.disk.freeBytes = { freeBytes: 0, totalBytes: 100 * GIB };
    expect(await world.guard.releaseReserve()).toBe(true);
    expect(await world.names()).not.toContain("reserve");
  });
});

describe("a full disk", () => {
  test("refuses bodies at the first mark, all but deletes at the second, and reads go on", async () => {
    await using world = await openNodeWithBucket();
    const { replica } = world.node;
    await replica.propose(putCommand("k"));
    const used = world.disk.usedBytes;
    const withFree = async (share: number): Promise<void> => {
      world.disk.capacityBytes = Math.ceil(used / (1 - share));
      await world.clock.advance(1000);
    };
    await withFree(0.15);
    await expect(replica.propose(putCommand("x"))).rejects.toThrow(BusyError);
    expect((await replica.propose({ kind: "createBucket", name: "c", owner: "o", location: "" })).kind).toBe(
      "done",
    );
    await withFree(0.05);
    await expect(
      replica.propose({ kind: "createBucket", name: "d", owner: "o", location: "" }),
    ).rejects.toThrow(BusyError);
    expect(world.service.objects.find("b/k")).toMatchObject({ size: 1 });
    expect((await replica.propose({ kind: "deleteBucket", name: "c" })).kind).toBe("done");
    world.disk.capacityBytes = undefined;
    await world.clock.advance(1000);
    expect((await replica.propose(putCommand("x"))).kind).toBe("objectPut");
  });

  test("met by the log: the batch under way waits and succeeds, others are refused", async () => {
    const machine = newMachine();
    await using world = await openNodeWithBucket(machine);
    const { replica } = world.node;
    let full = true;
    world.disk.fault = (effect) => (full && effect === "write" ? "ENOSPC" : undefined);
    const underWay = watch(replica.propose(putCommand("a")));
    await world.clock.advance(1000);
    expect(underWay.state()).toBe("pending");
    await expect(replica.propose(putCommand("b"))).rejects.toThrow(BusyError);
    await expect(replica.propose({ kind: "deleteBucket", name: "b" })).rejects.toThrow(BusyError);
    expect(world.service.objects.find("b/a")).toBeUndefined();
    full = false;
    await world.clock.advance(2000);
    expect(underWay.state()).toBe("resolved");
    expect(world.service.objects.find("b/a")).toMatchObject({ size: 1 });
    expect((await replica.propose(putCommand("b"))).kind).toBe("objectPut");
    expect(world.fatal).toEqual([]);
  });

  test("met by the index alone: writes wait once the overlay is full, and go on by themselves", async () => {
    await using world = await openNodeWithBucket(newMachine(), { overlayRowsMax: 64 });
    const { replica, index } = world.node;
    let full = true;
    world.disk.fault = (effect) => (full && effect === "batch" ? "ENOSPC" : undefined);
    const puts = Array.from({ length: 200 }, (_, at) => watch(replica.propose(putCommand(`k${at}`))));
    for (let at = 0; at < 200; at++) puts.push(watch(replica.propose(putCommand(`m${at}`))));
    await world.clock.advance(3000);
    puts.push(watch(replica.propose(putCommand("z"))));
    expect(index.failing).toContain("ENOSPC");
    expect(world.fatal).toEqual([]);
    full = false;
    await world.clock.advance(5000);
    expect(puts.map(({ state }) => state())).not.toContain("pending");
    expect(index.failing).toBeUndefined();
    expect((await replica.propose(putCommand("after"))).kind).toBe("objectPut");
  });
});
