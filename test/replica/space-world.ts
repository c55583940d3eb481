/** A machine whose node gives space back early: small segments, a snapshot every few of them. */
import type { SpaceSettings } from "../../src/replica/space-policy.ts";
import { SimWorld } from "../crash/sim-world.ts";
import { SIM_DIRECTORY, openSimStore } from "../sim/sim-store.ts";
import type { SimStore } from "../sim/sim-store.ts";
import { spaceSettings } from "../support/open-store.ts";

export const SEGMENT_BYTES = 16 * 1024;

export function smallSpace(changes: Partial<SpaceSettings> = {}): SpaceSettings {
  return spaceSettings({
    snapshotEntriesMin: 20,
    entriesKept: 5,
    snapshotLogBytes: 4 * SEGMENT_BYTES,
    ...changes,
  });
}

export function openWorld(changes: Partial<SpaceSettings> = {}): SpaceWorld {
  return new SpaceWorld(smallSpace(changes));
}

export class SpaceWorld {
  readonly machine = new SimWorld();
  readonly #space: SpaceSettings;
  readonly #contents = new Map<string, Buffer>();

  constructor(space: SpaceSettings) {
    this.#space = space;
  }

  openSoon(): Promise<SimStore> {
    return openSimStore(this.machine, { segmentBytes: SEGMENT_BYTES, space: this.#space });
  }

  open(): Promise<SimStore> {
    return this.machine.clock.run(this.openSoon());
  }

  async openWithBucket(): Promise<SimStore> {
    const store = await this.open();
    const bucket = { name: "b", owner: "root", location: "" };
    await this.machine.clock.run(store.service.buckets.create(bucket));
    return store;
  }

  /** With a floor, and segments deleted below it. */
  async filled(): Promise<SimStore> {
    const store = await this.openWithBucket();
    await this.overwrite(store, 40, 20);
    return store;
  }

  run<Result>(work: Promise<Result>): Promise<Result> {
    return this.machine.clock.run(work);
  }

  close(store: SimStore): Promise<void> {
    return this.machine.close(store);
  }

  outcome(work: Promise<unknown>): Promise<unknown> {
    return this.machine.outcome(work);
  }

  async write(store: SimStore, key: string, size = 1000): Promise<void> {
    const bytes = this.machine.bytes(size);
    const outcome = await this.machine.clock.run(this.machine.put(store, key, bytes));
    if (outcome !== "put") throw new Error(`${key}: ${outcome}`);
    this.#contents.set(key, bytes);
  }

  /** Overwrites `keys` objects, one after the other, `times` times. */
  async overwrite(store: SimStore, keys: number, times: number): Promise<void> {
    for (let at = 0; at < keys * times; at++) {
      await this.write(store, `key-${at % keys}`);
      if (at % 16 === 0) await this.machine.clock.advance(1100);
    }
    await this.machine.clock.advance(5000);
  }

  /** Keys whose objects are not what was written last. */
  async wrong(store: SimStore): Promise<readonly string[]> {
    store.node.cache.clear();
    const wrong: string[] = [];
    for (const [key, bytes] of this.#contents) {
      if ((await this.machine.get(store, key))?.equals(bytes) !== true) wrong.push(key);
    }
    return wrong;
  }

  async names(directory: "log" | "snapshots" | "."): Promise<readonly string[]> {
    const path = directory === "." ? SIM_DIRECTORY : `${SIM_DIRECTORY}/${directory}`;
    return [...(await this.machine.disk.list(path))].toSorted();
  }
}
