/** Figures of the cold tier over starts: when they are written, and what damage and failures do. */
import { describe, expect, test } from "vitest";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { ColdMeter } from "../../src/offload/cold-meter.ts";
import { CostLedger } from "../../src/offload/cost-ledger.ts";
import { NO_USAGE } from "../../src/offload/cost.ts";
import type { Usage } from "../../src/offload/cost.ts";
import type { ColdRequest } from "../../src/ports/cold-store.ts";
import { SlotFile } from "../../src/store/slot-file.ts";
import { FailingDisk, systemError } from "../store/failing-disk.ts";
import { ManualClock } from "../store/manual-clock.ts";
import { temporaryDirectory } from "../support/open-store.ts";
import { flipBit } from "../store/bytes-of-files.ts";

const START_MS = 1_700_000_000_000;
const put = (bytes: number): ColdRequest => ({
  operation: "put",
  key: "c/l/tail/x",
  status: 200,
  sentBytes: bytes,
  receivedBytes: 0,
});

class World {
  readonly clock = new ManualClock(START_MS);
  readonly warnings: string[] = [];
  meter = new ColdMeter();
  readonly path: string;
  readonly disk = new FailingDisk();

  constructor(directory: string) {
    this.path = `${directory}/usage`;
  }

  /** As a start does. */
  async open(): Promise<CostLedger> {
    this.meter = new ColdMeter();
    const warn = (message: string): void => void this.warnings.push(message);
    const logger = { debug: warn, info: warn, warn, error: warn };
    const { disk, path, clock, meter } = this;
    return await CostLedger.open({ disk, path, clock, logger, meter });
  }
}

async function opened(directory: string): Promise<{ readonly world: World; readonly ledger: CostLedger }> {
  const world = new World(directory);
  return { world, ledger: await world.open() };
}

describe("the ledger", () => {
  test("adds up all starts, and tells since when", async () => {
    await using directory = await temporaryDirectory();
    const world = new World(directory.path);
    for (const start of [1, 2, 3]) {
      const ledger = await world.open();
      ledger.watchClients(() => ({ ...NO_USAGE, puts: 100, bytesIn: 5, storedBytes: 7 }));
      world.meter.count(put(10));
      world.meter.count({ ...put(0), operation: "list", key: "" });
      const { sinceMs, cold, clients } = ledger.totals;
      expect(sinceMs).toBe(START_MS);
      expect(cold.tail).toEqual({ ...NO_USAGE, puts: start, bytesIn: 10 * start });
      expect(cold.other.lists).toBe(start);
      // What is stored is not added up: it is what is there now.
      expect(clients).toEqual({ ...NO_USAGE, puts: 100 * start, bytesIn: 5 * start, storedBytes: 7 });
      await ledger.close();
    }
    expect(world.warnings).toEqual([]);
  });

  test("keeps every field of every row", async () => {
    await using directory = await temporaryDirectory();
    const world = new World(directory.path);
    const first = await world.open();
    const row = (from: number): Usage => ({
      puts: from,
      gets: from + 1,
      heads: from + 2,
      lists: from + 3,
      deletes: from + 4,
      bytesIn: 2 ** 52 + from,
      bytesOut: from + 0.5,
      storedBytes: 0,
    });
    const kinds = ["segment", "packed", "snapshot", "tail", "manifest", "other"] as const;
    for (const [at, kind] of kinds.entries()) Object.assign(world.meter.usage[kind], row(100 * at));
    first.watchClients(() => row(1000));
    const { totals } = first;
    await first.close();
    const second = await world.open();
    expect(second.totals).toEqual(totals);
    expect(totals.cold.other).toEqual(row(500));
    await second.close();
  });

  test("is written once a minute and at the end, and not when nothing was counted", async () => {
    await using directory = await temporaryDirectory();
    const { world, ledger } = await opened(directory.path);
    const { written } = world.disk;
    const pass = async (ms: number): Promise<void> => {
      await world.clock.advance(ms);
      await new Promise((resolve) => setTimeout(resolve, 30));
    };
    world.meter.count(put(1));
    await pass(59_000);
    expect(written.length).toBe(0);
    await pass(2_000);
    expect(written.length).toBe(1);
    await pass(600_000);
    expect(written.length).toBe(1);
    world.meter.count(put(1));
    await ledger.close();
    expect(written.map(({ position }) => position)).toEqual([4096, 0]);
    const { ledger: next } = await opened(directory.path);
    expect(next.totals.cold.tail.puts).toBe(2);
    await next.close();
  });

  test("on a disk that fails goes on in memory, says so once, and leaves what was there", async () => {
    await using directory = await temporaryDirectory();
    const { world, ledger } = await opened(directory.path);
    world.meter.count(put(1));
    await world.clock.advance(60_000);
    await expect.poll(() => world.disk.written.length).toBe(1);
    world.disk.before = ({ kind }) => {
      if (kind === "write") throw systemError("EIO");
    };
    for (let minute = 0; minute < 3; minute++) {
      world.meter.count(put(1));
      await world.clock.advance(60_000);
    }
    expect(ledger.totals.cold.tail.puts).toBe(4);
    world.disk.before = () => undefined;
    await ledger.close();
    expect(world.warnings).toEqual(["figures of the cold tier are not kept any more"]);
    const { ledger: next } = await opened(directory.path);
    expect(next.totals.cold.tail.puts).toBe(1);
    await next.close();
  });

  test("that cannot be read begins anew, and says so", async () => {
    await using directory = await temporaryDirectory();
    const world = new World(directory.path);
    const first = await world.open();
    world.meter.count(put(1));
    await first.close();
    await flipBit(world.path, 100);
    await flipBit(world.path, 4096 + 100);
    world.clock.moveWall(5000);
    const second = await world.open();
    expect(second.totals.cold.tail.puts).toBe(0);
    expect(second.totals.sinceMs).toBe(START_MS + 5000);
    expect(world.warnings.length).toBe(1);
    world.meter.count(put(1));
    await second.close();
    const third = await world.open();
    expect(third.totals.cold.tail.puts).toBe(1);
    await third.close();
  });

  test("of another release is not guessed at", async () => {
    await using directory = await temporaryDirectory();
    const world = new World(directory.path);
    const file = await SlotFile.open(new NodeDisk(), world.path);
    await file.writeNext(Buffer.alloc(401, 2));
    await file.close();
    const ledger = await world.open();
    expect(ledger.totals.cold.tail).toEqual(NO_USAGE);
    expect(world.warnings.length).toBe(1);
    await ledger.close();
  });
});
