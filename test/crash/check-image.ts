/**
 * Opens a node on a crash image and holds it against the model: everything acknowledged is there with the
 * right bytes, what was under way is old or new, listings and counters agree, new writes are taken, and the
 * next start works too. Returns what is wrong.
 */
import { RefusedError } from "../../src/base/errors.ts";
import type { StorageNode } from "../../src/replica/storage-node.ts";
import { verifyStore } from "../../src/replica/verify-store.ts";
import type { Service } from "../../src/service/api.ts";
import { SimClock } from "../sim/sim-clock.ts";
import type { SimDisk } from "../sim/sim-disk.ts";
import { inPlaceScratch } from "../sim/in-place-scratch.ts";
import { SimRandom } from "../sim/sim-random.ts";
import { SimIndexStore } from "../sim/sim-index-store.ts";
import { SIM_DIRECTORY, openSimStore } from "../sim/sim-store.ts";
import { coldOf } from "./cold-recording.ts";
import { checkRows } from "./check-rows.ts";
import { compare } from "./compare.ts";
import { md5 } from "./recorded-client.ts";
import { readBody } from "./workload-client.ts";
import type { Recording } from "./workload.ts";

export type ImageCheck = {
  readonly wrong: readonly string[];
  /** Why the index was made anew, if it was. */
  readonly rebuilt: string | undefined;
  readonly replayed: number;
};

export async function checkImage(
  disk: SimDisk,
  recording: Recording,
  options: { readonly position: number; readonly writes: boolean; readonly verify?: boolean },
): Promise<ImageCheck> {
  const clock = new SimClock();
  const machine = { disk, clock, random: new SimRandom("image") };
  const { segmentBytes, model, space } = recording;
  const cold = recording.cold && coldOf(recording.cold, machine, options.position);
  const settings = { segmentBytes, ...(space && { space }), ...cold?.options };
  try {
    if (options.verify === true) {
      const damage = await clock.run(verify(disk));
      if (damage.length > 0) return { wrong: damage, rebuilt: undefined, replayed: 0 };
    }
    const store = await clock.run(openSimStore(machine, settings));
    const wrong = [...(await clock.run(compare(store.service, model, options.position)))];
    wrong.push(...(cold?.unproven(store.node) ?? []));
    wrong.push(...(await clock.run(checkRows(store.node))));
    if (recording.reaps === true && wrong.length === 0) {
      await clock.advance(REAPED_AFTER_MS);
      wrong.push(...(await clock.run(compare(store.service, model, options.position))));
      wrong.push(...(await clock.run(checkRows(store.node))), ...(await clock.run(unreaped(store.node))));
    }
    if (space !== undefined && wrong.length === 0) {
      await clock.advance(TIDIED_AFTER_MS);
      wrong.push(
        ...(await strangeFiles(disk)),
        ...(await clock.run(compare(store.service, model, options.position))),
      );
    }
    if (options.writes && wrong.length === 0) wrong.push(...(await clock.run(writeAnew(store.service))));
    await clock.run(store.node.close());
    wrong.push(...store.fatal.map((error) => `the node ended: ${String(error)}`));
    if (options.writes && wrong.length === 0) {
      const again = await clock.run(openSimStore(machine, settings));
      wrong.push(...(await clock.run(compare(again.service, model, options.position))));
      wrong.push(...(await clock.run(readAnew(again.service))));
      await clock.run(again.node.close());
      wrong.push(...again.fatal.map((error) => `the second node ended: ${String(error)}`));
    }
    return { wrong, rebuilt: store.node.indexRebuilt, replayed: store.node.replayedEntries };
  } catch (error) {
    const reason = error instanceof Error ? `${error.stack}` : String(error);
    return { wrong: [`thrown: ${reason}`], rebuilt: undefined, replayed: 0 };
  }
}

const TIDIED_AFTER_MS = 5000;

/** Files that nothing will ever delete, and more snapshots than there should be. */
async function strangeFiles(disk: SimDisk): Promise<readonly string[]> {
  const segments = await disk.list(`${SIM_DIRECTORY}/log`);
  const snapshots = await disk.list(`${SIM_DIRECTORY}/snapshots`);
  const strange = [
    ...segments.filter((name) => !/^\d{10}\.seg$/.test(name)),
    ...snapshots.filter((name) => !/^\d{16}\.snap$/.test(name)),
  ];
  // One that a crash kept from being dropped goes with the next that is made.
  if (snapshots.length > 3) strange.push(`${snapshots.length} snapshots`);
  return strange.map((name) => `${name} is still there`);
}

/** More than the time that the recorded clock went ahead, and the grace. */
const REAPED_AFTER_MS = 120_000;

/** What a reaper that was cut off left behind: the next one has to find it. */
async function unreaped(node: StorageNode): Promise<readonly string[]> {
  const iterator = await node.index.iterate({ from: "reap/", to: "reap0" });
  try {
    const rows = await iterator.next(10);
    return rows.map(([key]) => `${key} is still there`);
  } finally {
    await iterator.close();
  }
}

/** What a crash leaves is no damage, and `verify` must not call it so. */
async function verify(disk: SimDisk): Promise<readonly string[]> {
  try {
    const openIndexStore = (path: string) => SimIndexStore.open(disk, path);
    const makeScratch = () => Promise.resolve(inPlaceScratch(disk));
    const options = { disk, directory: SIM_DIRECTORY, openIndexStore, makeScratch };
    const { lines } = await verifyStore(options);
    return lines.filter((line) => line.startsWith("DAMAGED"));
  } catch (error) {
    // Of a first start that was cut off before it had said whose directory this is.
    if (error instanceof RefusedError) return [];
    throw error;
  }
}

const NEW_SIZES = [3, 3000, 150_000] as const;

/** A few writes of every kind, in a bucket of their own. */
async function writeAnew(service: Service): Promise<readonly string[]> {
  const made = await service.buckets.create({ name: "new-bucket", owner: "root", location: "" });
  if (made.kind !== "created") return [`a new bucket: ${made.kind}`];
  for (const size of NEW_SIZES) {
    const bytes = new SimRandom(`new ${size}`).bytes(size);
    const writer = service.objects.startBody();
    if (size > 65_536) {
      for (let at = 0; at < size; at += 70_000)
        await writer.write(Buffer.from(bytes.subarray(at, at + 70_000)));
    }
    const put = await service.objects.put({
      bucket: "new-bucket",
      key: `new-${size}`,
      etag: md5(bytes),
      attributes: { headers: [], metadata: [], checksum: undefined },
      body: size > 65_536 ? { kind: "written", writer } : { kind: "bytes", bytes: Buffer.from(bytes) },
      condition: { kind: "none" },
    });
    if (put.kind !== "put") return [`a new put: ${put.kind}`];
  }
  return await readAnew(service);
}

async function readAnew(service: Service): Promise<readonly string[]> {
  const wrong: string[] = [];
  for (const size of NEW_SIZES) {
    const found = await service.objects.find(`new-bucket/new-${size}`);
    const bytes = found === undefined ? undefined : await readBody(service, found);
    const equal = bytes?.equals(new SimRandom(`new ${size}`).bytes(size)) === true;
    if (!equal) wrong.push(`a new object of ${size} bytes is ${found === undefined ? "gone" : "wrong"}`);
  }
  return wrong;
}
