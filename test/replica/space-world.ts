/** A machine whose node gives space back early: small segments, a snapshot every few of them. */
import type { SpaceSettings } from "../../src/replica/space-policy.ts";
import { verifyStore } from "../../src/replica/verify-store.ts";
import type { StorageNodeOptions } from "../../src/replica/storage-node.ts";
import type { FoundObject } from "../../src/service/api.ts";
import { StoreModel } from "../crash/object-model.ts";
import { RecordedClient } from "../crash/recorded-client.ts";
import { SimWorld } from "../crash/sim-world.ts";
import { OperationLog } from "../sim/disk-operation.ts";
import { inPlaceScratch } from "../sim/in-place-scratch.ts";
import { SimIndexStore } from "../sim/sim-index-store.ts";
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
  /** Of every node that is opened from now on. */
  options: Partial<StorageNodeOptions> = {};
  readonly #space: SpaceSettings;
  readonly #contents = new Map<string, Buffer>();

  readonly #segmentBytes: number;

  constructor(space: SpaceSettings, segmentBytes = SEGMENT_BYTES) {
    this.#space = space;
    this.#segmentBytes = segmentBytes;
  }

  openSoon(): Promise<SimStore> {
    const changes = { segmentBytes: this.#segmentBytes, space: this.#space, ...this.options };
    return openSimStore(this.machine, changes);
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

  async writeStreamed(
    store: SimStore,
    key: string,
    { size, chunkBytes }: { readonly size: number; readonly chunkBytes: number },
  ): Promise<Buffer> {
    const bytes = this.machine.bytes(size);
    const client = new RecordedClient(store.service, new StoreModel(), new OperationLog());
    await this.run(client.put({ bucket: "b", key, bytes, chunkBytes }));
    this.#contents.set(key, bytes);
    return bytes;
  }

  /** In chunks if it is large. */
  async overwriteOne(store: SimStore, key: string, size: number): Promise<void> {
    if (size <= 65_536) await this.write(store, key, size);
    else await this.writeStreamed(store, key, { size, chunkBytes: 65_536 });
  }

  async range(store: SimStore, key: string, start: number, end: number): Promise<Buffer> {
    const found = await this.run(this.find(store, key));
    if (found === undefined) throw new Error(`${key} is gone`);
    const pieces: Uint8Array[] = [];
    const { signal } = new AbortController();
    const read = async (): Promise<void> => {
      for await (const piece of store.service.objects.read(found, { start, end }, { signal })) {
        pieces.push(piece);
      }
    };
    await this.run(read());
    return Buffer.concat(pieces);
  }

  async find(store: SimStore, key: string): Promise<FoundObject | undefined> {
    return await store.service.objects.find(`b/${key}`);
  }

  contentOf(key: string): Buffer {
    return this.#contents.get(key) ?? Buffer.alloc(0);
  }

  async placeOf(path: string, bytes: Buffer): Promise<number> {
    return Buffer.from((await this.machine.disk.readFile(path)) ?? []).indexOf(bytes);
  }

  verify(): ReturnType<typeof verifyStore> {
    const { disk } = this.machine;
    const openIndexStore = (path: string) => SimIndexStore.open(disk, path);
    const makeScratch = () => Promise.resolve(inPlaceScratch(disk));
    return verifyStore({ disk, directory: SIM_DIRECTORY, openIndexStore, makeScratch });
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
