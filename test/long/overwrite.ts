/**
 * One set of objects overwritten again and again, as fast as the store takes it, with what the data directory
 * takes on the disk looked at all the while. At the end every object is read and compared.
 */
import { readdir, stat } from "node:fs/promises";
import { hash } from "node:crypto";
import type { StorageNodeOptions } from "../../src/replica/storage-node.ts";
import type { StoreService } from "../../src/service/store-service.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import { readBody } from "../crash/workload-client.ts";
import { openStore, temporaryDirectory } from "../support/open-store.ts";

export type OverwriteOptions = {
  readonly setBytes: number;
  readonly times: number;
  /** Bodies above 64 KiB go in chunks. */
  readonly sizes: readonly number[];
  readonly node?: Partial<StorageNodeOptions>;
};

export type OverwriteResult = {
  readonly writtenBytes: number;
  readonly diskBytesMost: number;
  readonly diskBytesAtEnd: number;
  readonly reclaimedBytes: number;
  readonly wrong: readonly string[];
};

const AT_ONCE = 16;
const LOOK_EVERY_MS = 100;
const SMALL_BYTES_MAX = 64 * 1024;
const CHUNK_BYTES = 1024 * 1024;

type Place = { readonly key: string; readonly size: number };

function placesOf({ setBytes, sizes }: OverwriteOptions): readonly Place[] {
  const places: Place[] = [];
  for (let bytes = 0; bytes < setBytes;) {
    const size = sizes[places.length % sizes.length] as number;
    places.push({ key: `object/${places.length}`, size });
    bytes += size;
  }
  return places;
}

/** Never the same twice for a key. */
function bodyOf({ key, size }: Place, round: number): Buffer {
  return Buffer.alloc(size, `${key} in round ${round};`);
}

async function put(service: StoreService, place: Place, round: number): Promise<void> {
  const bytes = bodyOf(place, round);
  const common = { bucket: "bucket", key: place.key, etag: hash("md5", bytes), attributes: NO_ATTRIBUTES };
  const condition = { kind: "none" } as const;
  if (bytes.length <= SMALL_BYTES_MAX) {
    await service.objects.put({ ...common, body: { kind: "bytes", bytes }, condition });
    return;
  }
  const writer = service.objects.startBody();
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    await writer.write(bytes.subarray(at, at + CHUNK_BYTES));
  }
  await service.objects.put({ ...common, body: { kind: "written", writer }, condition });
}

/** Every second round in order, the others in an order of their own. */
function* orderOf(count: number, round: number): Generator<number> {
  // Prime to every count that is no multiple of it.
  const step = round % 2 === 0 ? 1 : 7919;
  for (let at = 0, index = round; at < count; at++, index += step) yield index % count;
}

async function writeRound(service: StoreService, places: readonly Place[], round: number): Promise<void> {
  const order = orderOf(places.length, round);
  const work = async (): Promise<void> => {
    for (const index of order) await put(service, places[index] as Place, round);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

async function bytesIn(directory: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory()) bytes += await bytesIn(path);
    else
      bytes += await stat(path).then(
        ({ size }) => size,
        () => 0,
      );
  }
  return bytes;
}

async function watch(directory: string, signal: AbortSignal): Promise<number> {
  let most = 0;
  while (!signal.aborted) {
    most = Math.max(most, await bytesIn(directory));
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  return most;
}

export async function runOverwrite(options: OverwriteOptions): Promise<OverwriteResult> {
  const places = placesOf(options);
  if (places.length % 7919 === 0) throw new Error("choose another number of objects");
  await using directory = await temporaryDirectory();
  const data = `${directory.path}/data`;
  await using store = await openStore(data, options.node);
  const { service, node } = store;
  await service.buckets.create({ name: "bucket", owner: "root", location: "" });
  const stop = new AbortController();
  const watching = watch(data, stop.signal);
  let writtenBytes = 0;
  for (let round = 0; round < options.times; round++) {
    await writeRound(service, places, round);
    for (const { size } of places) writtenBytes += size;
  }
  stop.abort();
  const diskBytesMost = await watching;
  const wrong: string[] = [];
  for (const place of places) {
    const found = await service.objects.find(`bucket/${place.key}`);
    const bytes = found === undefined ? undefined : await readBody(service, found);
    if (bytes?.equals(bodyOf(place, options.times - 1)) !== true) wrong.push(place.key);
  }
  const { reclaimedBytes } = node.space.status;
  return { writtenBytes, diskBytesMost, diskBytesAtEnd: await bytesIn(data), reclaimedBytes, wrong };
}

const MIB = 1024 * 1024;

/** One gibibyte with the settings of production: the disk stays below three. */
export async function checkOverwrite(
  times: number,
): Promise<Omit<OverwriteResult, "wrong"> & { readonly failures: readonly string[] }> {
  // In the record and in chunks. Those in chunks are freed a second later, for their readers.
  const sizes = [4000, 16_000, 64_000, 64_000, 300_000, 1_500_000, 6_000_000];
  const { wrong, ...result } = await runOverwrite({ setBytes: 1024 * MIB, times, sizes });
  const failures = wrong.map((key) => `${key} is not what was written last`);
  if (result.diskBytesMost >= 3 * 1024 * MIB) failures.push(`the disk took ${result.diskBytesMost} bytes`);
  return { ...result, failures };
}
