/**
 * Stores that are damaged on purpose and then only read: filled write by write, so that it is known which
 * entry of the log made what, and looked at before and after down to the times of the files.
 */
import { createHash } from "node:crypto";
import { cp, lstat, readFile, readdir, rm } from "node:fs/promises";
import { LevelIndexStore } from "../../src/adapters/level-index-store.ts";
import { ScratchDirectory } from "../../src/adapters/scratch-directory.ts";
import { systemClock } from "../../src/adapters/system-clock.ts";
import { systemRandom } from "../../src/adapters/system-random.ts";
import { DamageError, RefusedError } from "../../src/base/errors.ts";
import { openSalvage } from "../../src/replica/salvage-node.ts";
import type { SalvageNode, SalvageOptions } from "../../src/replica/salvage-node.ts";
import type { SalvageReport } from "../../src/replica/salvage-report.ts";
import { StoreService } from "../../src/service/store-service.ts";
import { patternBytes } from "../segment/records.ts";
import { bytesOf, find, listAll, put, remove } from "../service/service-world.ts";
import { flipBit, sizeOf } from "../store/bytes-of-files.ts";
import { nodeOptions, openStore, temporaryDirectory, testRoot } from "../support/open-store.ts";

export const SEGMENT_BYTES = 256 * 1024;

/** What one write left under its key, and the entry of the log that says so. */
type Step = { readonly entry: number; readonly key: string; readonly bytes: Buffer | undefined };

export type Filled = {
  readonly directory: string;
  /** Objects after this entry. */
  readonly objectsAt: (entry: number) => ReadonlyMap<string, Buffer>;
  /** The entry that made the object as it is at the end. */
  readonly entryOf: (key: string) => number;
  readonly lastEntry: number;
  /** A copy of the index as it was when half of the writes were done. */
  readonly olderIndex: string;
  readonly olderEntry: number;
};

const SIZES = [90, 3000, 20_000, 90_000, 40_000];

async function write(service: StoreService, at: number): Promise<Omit<Step, "entry">> {
  // Some keys are written again, and some of those go.
  const key = at % 7 === 6 ? `k${at - 3}` : `k${at}`;
  if (at % 14 === 13) {
    await remove(service, key);
    return { key, bytes: undefined };
  }
  const bytes = patternBytes((SIZES[at % SIZES.length] as number) + at, at + 1);
  await put(service, key, bytes);
  return { key, bytes };
}

const STEPS = 64;

/** Some segments of objects of every kind, by clean stops. */
export async function fill(directory: string): Promise<Filled> {
  const steps: Step[] = [];
  const olderIndex = `${directory}.older-index`;
  let olderEntry = 0;
  for (const half of [0, 1]) {
    {
      await using store = await openStore(directory, { segmentBytes: SEGMENT_BYTES });
      const { service } = store;
      if (half === 0) await service.buckets.create({ name: "b", owner: "root", location: "" });
      for (let at = (half * STEPS) / 2; at < ((half + 1) * STEPS) / 2; at++) {
        const written = await write(service, at);
        steps.push({ ...written, entry: service.status().appliedIndex });
      }
      if (half === 0) olderEntry = service.status().appliedIndex;
    }
    if (half === 0) await cp(`${directory}/index`, olderIndex, { recursive: true });
  }
  const lastEntry = steps.at(-1)?.entry ?? 0;
  const entryOf = (key: string): number => steps.findLast((step) => step.key === key)?.entry ?? 0;
  const objectsAt = (entry: number): ReadonlyMap<string, Buffer> => {
    const objects = new Map<string, Buffer>();
    for (const step of steps.filter((each) => each.entry <= entry)) {
      if (step.bytes === undefined) objects.delete(step.key);
      else objects.set(step.key, step.bytes);
    }
    return objects;
  };
  return { directory, objectsAt, entryOf, lastEntry, olderIndex, olderEntry };
}

export async function useOlderIndex({ directory, olderIndex }: Filled): Promise<void> {
  await rm(`${directory}/index`, { recursive: true });
  await cp(olderIndex, `${directory}/index`, { recursive: true });
}

/** Where in the log these bytes stand. */
export async function placeOf(
  directory: string,
  bytes: Buffer,
): Promise<{ readonly path: string; readonly offset: number }> {
  for (const name of (await readdir(`${directory}/log`)).toSorted()) {
    const path = `${directory}/log/${name}`;
    const offset = (await readFile(path)).indexOf(bytes.subarray(0, 64));
    if (offset >= 0) return { path, offset };
  }
  throw new Error("these bytes are not in the log");
}

/** A key whose body lies in the log, and the place of it. */
export async function flipIn(
  world: Filled,
  key: string,
): Promise<{ readonly path: string; readonly offset: number }> {
  const bytes = world.objectsAt(world.lastEntry).get(key) as Buffer;
  const place = await placeOf(world.directory, bytes);
  await flipBit(place.path, place.offset + 50);
  return place;
}

/** Keys of the objects whose bodies begin in a segment, in the order of their bytes. */
export async function keysIn(world: Filled, path: string): Promise<readonly string[]> {
  const inside: { readonly key: string; readonly offset: number }[] = [];
  for (const [key, bytes] of world.objectsAt(world.lastEntry)) {
    // Smaller ones are in their row.
    if (bytes.length <= 256) continue;
    const place = await placeOf(world.directory, bytes);
    if (place.path === path) inside.push({ key, offset: place.offset });
  }
  return inside.toSorted((a, b) => a.offset - b.offset).map(({ key }) => key);
}

export async function segmentsOf(directory: string): Promise<readonly string[]> {
  const names = (await readdir(`${directory}/log`)).toSorted();
  const paths = names.map((name) => `${directory}/log/${name}`);
  const sizes = await Promise.all(paths.map(sizeOf));
  return paths.filter((_, at) => (sizes[at] as number) > 0);
}

/** Every file and directory: what it is, its size, its times, its bytes. */
export async function snapshot(directory: string): Promise<readonly string[]> {
  const names = ["", ...(await readdir(directory, { recursive: true }))].toSorted();
  return await Promise.all(
    names.map(async (name) => {
      const { mode, size, mtimeNs, ctimeNs, ino } = await lstat(`${directory}/${name}`, { bigint: true });
      const isFile = (mode & 0o170000n) === 0o100000n;
      const bytes = isFile ? await readFile(`${directory}/${name}`) : Buffer.alloc(0);
      const digest = createHash("sha256").update(bytes).digest("hex");
      return `${name} ${mode.toString(8)} ${size} ${mtimeNs} ${ctimeNs} ${ino} ${digest}`;
    }),
  );
}

export function salvageOptions(directory: string, changes: Partial<SalvageOptions> = {}): SalvageOptions {
  const options = nodeOptions(directory, { segmentBytes: SEGMENT_BYTES });
  return { ...options, makeScratch: () => ScratchDirectory.make(options.disk, directory), ...changes };
}

/** What messages about damaged files offer. */
export const HINT = "start with --salvage to read what is left";

export type Salvaged = AsyncDisposable & {
  readonly node: SalvageNode;
  readonly report: SalvageReport;
  readonly service: StoreService;
};

export async function salvage(directory: string, changes: Partial<SalvageOptions> = {}): Promise<Salvaged> {
  const node = await openSalvage(salvageOptions(directory, changes));
  const service = new StoreService(node, { root: testRoot, clock: systemClock, random: systemRandom });
  return { node, report: node.salvage, service, [Symbol.asyncDispose]: () => node.close() };
}

/** What a start without the flag says. */
export async function refusalOf(directory: string): Promise<string> {
  try {
    await using store = await openStore(directory, { segmentBytes: SEGMENT_BYTES });
    return `opened with ${store.service.status().appliedIndex} entries`;
  } catch (error) {
    if (error instanceof RefusedError || error instanceof DamageError) return error.message;
    throw error;
  }
}

/** Reads and lists everything: what differs, or is damaged unexpectedly, in one sentence each. */
export async function differences(
  service: StoreService,
  objects: ReadonlyMap<string, Buffer>,
  damaged: ReadonlySet<string> = new Set(),
): Promise<readonly string[]> {
  const wrong: string[] = [];
  const listed = (await listAll(service)).map(({ key }) => key);
  const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
  const wanted = [...objects.keys()].toSorted(byBytes);
  if (listed.join() !== wanted.join()) wrong.push(`lists ${listed.join()} instead of ${wanted.join()}`);
  for (const [key, bytes] of objects) {
    const problem = await read(service, key).catch((error: unknown) => {
      if (!(error instanceof DamageError)) throw error;
      return "damaged" as const;
    });
    if (problem === "damaged" ? damaged.has(key) : problem?.equals(bytes) === true && !damaged.has(key))
      continue;
    wrong.push(`${key} is ${problem === "damaged" || problem === undefined ? problem : "not what was put"}`);
  }
  return wrong;
}

async function read(service: StoreService, key: string): Promise<Buffer | undefined> {
  const found = await find(service, key);
  return found === undefined ? undefined : await bytesOf(service, found);
}

export type World = AsyncDisposable & Filled;

/** A filled store in a directory of its own. */
export async function filledWorld(): Promise<World> {
  const temporary = await temporaryDirectory();
  const filled = await fill(`${temporary.path}/data`);
  return { ...filled, [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose]() };
}

/** Garbage in place of a row: what a flipped bit makes of it is caught by the same check. */
export async function spoilRow(directory: string, key: string): Promise<void> {
  const store = await LevelIndexStore.open(`${directory}/index`);
  const batch = store.batch();
  batch.put(key, Buffer.from("garbage"));
  await batch.write();
  await store.close();
}
