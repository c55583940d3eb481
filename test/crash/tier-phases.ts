/**
 * Recordings of segments on their way to the cold tier and back, beside a load that overwrites: sealed, put,
 * told to the log, freed, recalled, rewritten, deleted, with floors that wait for the bucket or not.
 */
import { BusyError, UnavailableError } from "../../src/base/errors.ts";
import type { StorageNode } from "../../src/replica/storage-node.ts";
import type { SegmentEntry } from "../../src/state/segment-table.ts";
import { scanSnapshot } from "../../src/store/snapshot-file.ts";
import { SimColdStore } from "../sim/sim-cold-store.ts";
import { SimRandom } from "../sim/sim-random.ts";
import type { SimStore } from "../sim/sim-store.ts";
import { tierOf } from "./cold-recording.ts";
import type { ColdRecording } from "./cold-recording.ts";
import { crashSpace, die, end, openWith, overwriteThings } from "./phases.ts";
import { RecordedClient } from "./recorded-client.ts";
import { newRecording, observeAll } from "./workload.ts";
import type { RecordedMachine, Recording } from "./workload.ts";

const SEGMENT_BYTES = 8 * 1024;

type TierRun = {
  readonly recorded: RecordedMachine;
  readonly store: SimColdStore;
  readonly cold: ColdRecording;
};

function newTierRun(seed: string, follows: boolean): TierRun {
  const recorded = newRecording(seed);
  const { disk, clock } = recorded.machine;
  return {
    recorded,
    store: new SimColdStore({ disk, clock }),
    cold: { puts: [], follows, freed: 0, recalled: 0 },
  };
}

/** Puts the file, and has the log know: what the offloader does. */
async function offload({ recorded, store, cold }: TierRun, node: StorageNode, id: number): Promise<void> {
  const { log } = recorded.recording;
  const row = node.state.segments.byId(id);
  const key = `c/l/segments/${id}-${log.length}.seg`;
  const copy = await node.local.withFile(id, async ({ path, kind }) => {
    const stored = await store.putFile(key, path, { kind: kind === "packed" ? "packed" : "segment" });
    const object = store.objects.get(key);
    if (object !== undefined) cold.puts.push({ position: log.length, key, object });
    return { kind, key, ...stored };
  });
  if (copy === undefined || row === undefined) return;
  const { firstIndex, entries } = row;
  await node.replica.propose({ kind: "segmentOffloaded", segmentId: id, firstIndex, entries, copy });
}

async function recall(
  { recorded, store, cold }: TierRun,
  node: StorageNode,
  row: SegmentEntry,
): Promise<void> {
  const isBack = await node.local.recall(row.id, async (path) => {
    const bytes = await store.get(row.cold?.key ?? "");
    const file = await recorded.machine.disk.open(path, "write");
    const half = Math.ceil(bytes.length / 2);
    await file.write(bytes.subarray(0, half), 0);
    await file.write(bytes.subarray(half), half);
    await file.close();
  });
  if (isBack) cold.recalled++;
}

async function step(run: TierRun, node: StorageNode, random: SimRandom): Promise<void> {
  const { all } = node.state.segments;
  const known = all.filter(({ cut }) => cut);
  const here = known.filter(({ id }) => node.local.bytesOf(id) > 0);
  const gone = known.filter(({ id, cold }) => node.local.bytesOf(id) === 0 && cold !== undefined);
  const fresh = here.filter(({ cold }) => cold === undefined);
  const what = random.below(12);
  const pick = (from: readonly SegmentEntry[]): SegmentEntry | undefined =>
    from.length === 0 ? undefined : random.pick(from);
  if (what < 5) {
    // In order, as long as the floor waits for it.
    const row = run.cold.follows ? fresh[0] : pick(fresh);
    if (row !== undefined) await offload(run, node, row.id);
  } else if (what < 9) {
    const row = pick(here.filter(({ cold }) => cold !== undefined));
    if (row !== undefined && (await node.local.free(row.id))) run.cold.freed++;
  } else if (what === 9) {
    const row = pick(gone);
    if (row !== undefined) await recall(run, node, row);
  } else if (what === 10) await node.local.seal();
  else {
    const { disk } = run.recorded.machine;
    const spend = (): Promise<void> => Promise.resolve();
    await node.local.withSnapshot(1, ({ path }) => scanSnapshot(disk, path, { spend }));
  }
}

async function settleSegments(run: TierRun, { node }: SimStore, until: () => boolean): Promise<void> {
  const { machine, random } = run.recorded;
  const choices = random.fork("tier");
  while (!until()) {
    await machine.clock.sleep(choices.between(10, 400));
    try {
      await step(run, node, choices);
    } catch (error) {
      if (!(error instanceof BusyError || error instanceof UnavailableError)) throw error;
    }
  }
}

/** A few sessions, each ended by a stop or by the death of the process. */
export async function recordTier(seed: string): Promise<Recording> {
  const run = newTierRun(seed, new SimRandom(`follows ${seed}`).chance(0.5));
  const { recorded, cold } = run;
  const { machine, recording, random } = recorded;
  const { clock } = machine;
  const space = crashSpace(SEGMENT_BYTES, random.pick([0, 50, 90]));
  const sessions = random.between(1, 3);
  let start = 0;
  for (let session = 0; session < sessions; session++) {
    let store: SimStore | undefined;
    const tier = tierOf(cold, () => store?.node);
    store = await openWith(recorded, { segmentBytes: SEGMENT_BYTES, space, tier, cold: run.store });
    await clock.run(observeAll(store.service, recording.model, recording.log));
    if (session === sessions - 1) start = recording.log.length;
    let isDone = false;
    const settling = settleSegments(run, store, () => isDone);
    await clock.run(overwriteThings(recorded, store, session));
    await clock.run(overwriteThings(recorded, store, session + 10));
    await clock.advance(random.between(0, 4000));
    if (session < sessions - 1 && random.chance(0.5)) {
      settling.catch(() => undefined);
      await die(machine);
      continue;
    }
    isDone = true;
    await clock.run(settling);
    await end(machine, recording, store);
  }
  const range = { start, end: recording.log.length };
  return { ...recording, segmentBytes: SEGMENT_BYTES, space, cold, range };
}

/** Segments with an object each that nobody overwrites. */
async function keepInEach({ recorded }: TierRun, { service, node }: SimStore, count: number): Promise<void> {
  const { model, log, seed } = recorded.recording;
  const client = new RecordedClient(service, model, log);
  for (let at = 0; at < count; at++) {
    const bytes = new SimRandom(`${seed} kept ${at}`).bytes(900);
    await client.put({ bucket: "bucket", key: `kept-${at}`, bytes, chunkBytes: at % 2 === 0 ? 0 : 400 });
    await node.local.seal();
  }
}

/** One of each step, the one after the other, and nothing beside them but what the node does by itself. */
export async function recordEachStep(seed: string, follows: boolean): Promise<Recording> {
  const run = newTierRun(seed, follows);
  const { recorded, cold } = run;
  const { machine, recording } = recorded;
  const { clock } = machine;
  const space = crashSpace(SEGMENT_BYTES, 0);
  let store: SimStore | undefined;
  const tier = tierOf(cold, () => store?.node);
  store = await openWith(recorded, { segmentBytes: SEGMENT_BYTES, space, tier, cold: run.store });
  const { node } = store;
  const { segments } = node.state;
  await clock.run(overwriteThings(recorded, store, 0));
  await clock.run(keepInEach(run, store, 4));
  const start = recording.log.length;
  const sealed = (): readonly SegmentEntry[] => segments.all.filter(({ cut }) => cut);
  for (const { id } of sealed()) await clock.run(offload(run, node, id));
  await clock.run(node.local.seal());
  await clock.run(offload(run, node, sealed().at(-1)?.id ?? 0));
  await clock.run(node.local.withSnapshot(node.replica.appliedIndex, () => Promise.resolve()));
  await clock.run(overwriteThings(recorded, store, 1));
  await clock.run(node.local.withSnapshot(node.replica.appliedIndex, () => Promise.resolve()));
  const freed: SegmentEntry[] = [];
  for (const row of sealed()) if (await clock.run(node.local.free(row.id))) freed.push(row);
  for (const row of freed) await clock.run(recall(run, node, row));
  for (const row of freed.slice(1)) await clock.run(node.local.free(row.id));
  if (freed.length < 4) throw new Error(`only ${freed.length} segments were freed`);
  const range = { start, end: recording.log.length };
  await end(machine, recording, store);
  return { ...recording, segmentBytes: SEGMENT_BYTES, space, cold, range };
}
