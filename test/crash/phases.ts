/**
 * Recordings of moments that the general workload seldom meets, with the range of the log to be cut: the
 * first start, an index that is made anew, the steps of the reaper, space that comes back.
 */
import { markKey } from "../../src/store/flush-ring.ts";
import type { SpaceSettings } from "../../src/replica/space-policy.ts";
import type { StorageNodeOptions } from "../../src/replica/storage-node.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import { SimRandom } from "../sim/sim-random.ts";
import { SIM_DIRECTORY, openSimStore } from "../sim/sim-store.ts";
import type { SimMachine, SimStore } from "../sim/sim-store.ts";
import { spaceSettings } from "../support/open-store.ts";
import { RecordedClient } from "./recorded-client.ts";
import { failOnFatal, newRecording, observeAll, runSession } from "./workload.ts";
import type { RecordedMachine, Recording } from "./workload.ts";

export async function end(machine: SimMachine, recording: Recording, store: SimStore): Promise<void> {
  await machine.clock.run(store.node.close());
  failOnFatal(store, recording);
}

export async function die({ clock, disk }: SimMachine): Promise<void> {
  clock.forgetSleepers();
  await disk.kill();
}

/** From the empty disk to the first few writes; in some runs the first process dies on the way. */
export async function recordFirstStart(seed: string): Promise<Recording> {
  const { machine, recording, random } = newRecording(seed);
  const { clock } = machine;
  const { segmentBytes, model, log } = recording;
  if (random.chance(0.5)) {
    openSimStore(machine, { segmentBytes }).catch(() => undefined);
    await clock.advance(random.between(0, 40));
    await die(machine);
  }
  const store = await clock.run(openSimStore(machine, { segmentBytes }));
  const client = new RecordedClient(store.service, model, log);
  await clock.run(client.createBucket("bucket"));
  for (const key of ["a", "b"]) {
    const bytes = new SimRandom(`${seed} ${key}`).bytes(random.pick([10, 3000, 20_000]));
    await clock.run(client.put({ bucket: "bucket", key, bytes }));
  }
  await end(machine, recording, store);
  return recording;
}

/** An index that cannot be believed, put aside and made from the log; some processes die over it. */
export async function recordRebuild(seed: string): Promise<Recording> {
  const { machine, recording, random } = newRecording(seed);
  const { clock, disk } = machine;
  for (const session of [0, 1]) {
    await runSession(machine, recording, { random: random.fork(`session ${session}`), session });
  }
  const start = recording.log.length;
  // A mark of the ring is rotten.
  disk.damageIndex(`${SIM_DIRECTORY}/index`, new Map([[markKey(1), Buffer.from("rot")]]));
  const options = { segmentBytes: recording.segmentBytes, overlayRowsMax: random.pick([6, 12, 40]) };
  for (let death = random.below(3); death > 0; death--) {
    openSimStore(machine, options).catch(() => undefined);
    await clock.advance(random.between(0, 200));
    await die(machine);
  }
  const store = await clock.run(openSimStore(machine, options));
  await clock.run(observeAll(store.service, recording.model, recording.log));
  const range = { start, end: recording.log.length };
  await end(machine, recording, store);
  return { ...recording, range, rotten: true };
}

/** Bodies of several pages, uploads of several steps, and everything of them dropped. */
export async function recordReaping(seed: string): Promise<Recording> {
  const recorded = newRecording(seed);
  const { machine, recording, random } = recorded;
  const { clock } = machine;
  const options = { segmentBytes: recording.segmentBytes, overlayRowsMax: random.pick([40, 65_536]) };
  const first = await openWith(recorded, options);
  await clock.run(dropThings(recorded, first));
  const start = recording.log.length;
  // The reaper looks once a second, and leaves readers one.
  await clock.advance(random.between(1000, 2200));
  if (random.chance(0.5)) {
    await die(machine);
    const second = await openWith(recorded, options);
    await clock.run(observeAll(second.service, recording.model, recording.log));
    await clock.advance(20_000);
    const range = { start, end: recording.log.length };
    await end(machine, recording, second);
    return { ...recording, range, reaps: true };
  }
  await clock.advance(20_000);
  const range = { start, end: recording.log.length };
  await end(machine, recording, first);
  return { ...recording, range, reaps: true };
}

/** Objects overwritten until space comes back: snapshots, the floor, segments deleted and rewritten. */
export async function recordSpace(seed: string): Promise<Recording> {
  const recorded = newRecording(seed);
  const { machine, recording, random } = recorded;
  const { clock } = machine;
  const segmentBytes = 8 * 1024;
  const space = crashSpace(segmentBytes, random.pick([0, 50, 90]));
  const options = { segmentBytes, space, overlayRowsMax: random.pick([40, 65_536]) };
  const sessions = random.between(1, 3);
  let start = 0;
  for (let session = 0; session < sessions; session++) {
    const store = await openWith(recorded, options);
    await clock.run(observeAll(store.service, recording.model, recording.log));
    await clock.run(overwriteThings(recorded, store, session));
    if (session === sessions - 1) start = recording.log.length;
    await clock.run(overwriteThings(recorded, store, session + 10));
    await clock.advance(random.between(0, 4000));
    if (session < sessions - 1 && random.chance(0.5)) await die(machine);
    else await end(machine, recording, store);
  }
  return { ...recording, segmentBytes, space, range: { start, end: recording.log.length } };
}

/** A snapshot every few segments, and each piece of its work soon after the other. */
export function crashSpace(segmentBytes: number, livePercentMin: number): SpaceSettings {
  return spaceSettings({
    snapshotEntriesMin: 10,
    entriesKept: 3,
    snapshotLogBytes: 4 * segmentBytes,
    livePercentMin,
  });
}

export async function overwriteThings(
  { machine, recording, random }: RecordedMachine,
  { service }: SimStore,
  session: number,
): Promise<void> {
  const { model, log, seed } = recording;
  const client = new RecordedClient(service, model, log);
  const bucket = "bucket";
  if (model.buckets.of(bucket).current !== "exists") await client.createBucket(bucket);
  for (let at = 0; at < 50; at++) {
    const key = random.chance(0.1) ? `rare-${at}` : `key-${random.below(6)}`;
    const bytes = new SimRandom(`${seed} ${session} ${at}`).bytes(random.pick([200, 900, 2000]));
    const chunkBytes = random.chance(0.2) ? 700 : 0;
    if (random.chance(0.1)) await client.delete(bucket, key);
    else await client.put({ bucket, key, bytes, chunkBytes });
    if (at % 12 === 0) await machine.clock.sleep(1100);
  }
  await machine.clock.sleep(random.pick([1000, 12_000]));
}

export async function openWith(
  { machine }: RecordedMachine,
  options: Partial<StorageNodeOptions>,
): Promise<SimStore> {
  return await machine.clock.run(openSimStore(machine, options));
}

async function dropThings({ recording, random }: RecordedMachine, { service }: SimStore): Promise<void> {
  const { model, log, seed } = recording;
  const client = new RecordedClient(service, model, log);
  const bucket = "bucket";
  let bodies = 0;
  const object = (key: string, size: number, chunkBytes = 0) => {
    const bytes = new SimRandom(`${seed} ${bodies++}`).bytes(size);
    return { bucket, key, bytes, chunkBytes };
  };
  const uploadOf = async (key: string, parts: number): Promise<string> => {
    const uploadId = await client.createUpload(bucket, key, NO_ATTRIBUTES);
    const numbers = Array.from({ length: parts }, (_, at) => at + 2);
    // Each with a body of another kind: in the row, in its record, in chunks of its own.
    const put = (number: number) =>
      client.putPart(
        uploadId,
        number,
        object(key, [10, 300, 900][number % 3] as number, number % 3 === 2 ? 500 : 0),
      );
    await Promise.all(numbers.map(put));
    return uploadId;
  };
  await client.createBucket(bucket);
  for (const key of ["pages", "small", "kept"]) {
    await client.put(
      object(key, key === "pages" ? 270 * 90 : random.between(1, 3000), key === "pages" ? 90 : 700),
    );
  }
  const aborted = await uploadOf("aborted", 105);
  const completed = await uploadOf("completed", 105);
  const whole = object("completed", random.between(1, 5000), 1000);
  await client.putPart(completed, 1, whole);
  await client.complete(completed, [1], { ...whole, chunkBytes: 0 });
  const abandoned = await client.body(object("abandoned", 2000, 700));
  if (abandoned.kind === "written") abandoned.writer.abort();
  await client.abort(aborted);
  await client.delete(bucket, "pages");
  await client.put(object("small", 5));
  if (random.chance(0.5)) await client.delete(bucket, "completed");
}
