/**
 * A seeded workload over the real node and service on a recording disk: a few clients, each with names of its
 * own, put, overwrite, delete and upload; sessions end by a clean stop or by the death of the process, and
 * the next one goes on in the same directory. What comes out is the disk's history and the model of what was
 * acknowledged when.
 */
import type { SpaceSettings } from "../../src/replica/space-policy.ts";
import type { Service } from "../../src/service/api.ts";
import { OperationLog } from "../sim/disk-operation.ts";
import { SimClock } from "../sim/sim-clock.ts";
import { SimDisk } from "../sim/sim-disk.ts";
import { SimRandom } from "../sim/sim-random.ts";
import { openSimStore } from "../sim/sim-store.ts";
import type { SimMachine, SimStore } from "../sim/sim-store.ts";
import { isSameVersion, seenVersion } from "./compare-versions.ts";
import type { ColdRecording } from "./cold-recording.ts";
import { StoreModel, isOf } from "./object-model.ts";
import { RecordedClient } from "./recorded-client.ts";
import { VersionedClient } from "./versioned-client.ts";
import { WorkloadClient } from "./workload-client.ts";

export type Recording = {
  readonly seed: string;
  readonly segmentBytes: number;
  readonly log: OperationLog;
  readonly model: StoreModel;
  /** How early space was given back, if not as in production; the image goes on like that. */
  readonly space?: SpaceSettings;
  /** What it had in the cold tier, if it had one. */
  readonly cold?: ColdRecording;
  /** Positions of the log at which it is to be cut, one as often as the other; all, if nothing is said. */
  readonly range?: { readonly start: number; readonly end: number };
  /** Whether something in it was damaged, beside what crashes do. */
  readonly rotten?: boolean;
  /** Whether what has no reference left is to be gone some time after the start. */
  readonly reaps?: boolean;
};

const CLIENTS = 4;
const SESSIONS = 3;
/** What the clock may show beside the time that passed: minutes, days or decades off. */
const WALL_OFFSETS_MS = [0, 300_000, -300_000, 7e8, -7e8, 1e12, -1e12];

export type RecordedMachine = {
  readonly machine: SimMachine;
  readonly recording: Recording;
  readonly random: SimRandom;
};

/** An empty disk under record, before anything was done. */
export function newRecording(seed: string): RecordedMachine {
  const random = new SimRandom(`workload ${seed}`);
  const clock = new SimClock();
  const log = new OperationLog();
  const latencies = random.fork("latency");
  const disk = new SimDisk({ log, latency: () => clock.sleep(latencies.fraction() * 3) });
  const machine: SimMachine = { disk, clock, random: random.fork("ids") };
  const segmentBytes = random.pick([8, 32, 64, 256]) * 1024;
  const recording: Recording = { seed, segmentBytes, log, model: new StoreModel() };
  // In some runs the disk seems slow, so that reads go through the asynchronous ways.
  if (random.chance(0.3)) clock.lookMs = () => (latencies.chance(0.05) ? 6 : 0);
  return { machine, recording, random };
}

export async function recordWorkload(seed: string): Promise<Recording> {
  const { machine, recording, random } = newRecording(seed);
  for (let session = 0; session < SESSIONS; session++) {
    await runSession(machine, recording, { random: random.fork(`session ${session}`), session });
  }
  return recording;
}

export async function runSession(
  machine: SimMachine,
  recording: Recording,
  { random, session }: { readonly random: SimRandom; readonly session: number },
): Promise<void> {
  const { clock, disk } = machine;
  const { segmentBytes, model, log } = recording;
  clock.wallOffsetMs = new SimRandom(`wall ${recording.seed} ${session}`).pick(WALL_OFFSETS_MS);
  const overlayRowsMax = random.pick([40, 65_536]);
  const store = await clock.run(openSimStore(machine, { segmentBytes, overlayRowsMax }));
  await clock.run(observeAll(store.service, model, log));
  const clients = Array.from({ length: CLIENTS }, (_, id) => {
    const name = `client ${session}.${id}`;
    return new WorkloadClient(id, new RecordedClient(store.service, model, log), {
      random: random.fork(name),
      clock,
      service: store.service,
      model,
      name: `${recording.seed} ${name}`,
    });
  });
  const name = `${recording.seed} versions ${session}`;
  const versioned = new VersionedClient({
    random: new SimRandom(name),
    calls: new RecordedClient(store.service, model, log),
    service: store.service,
    model,
    log,
    name,
  });
  const runs = clients.map((client) => client.run(random.between(4, 24)));
  const work = Promise.all([...runs, versioned.run(12)]);
  if (random.chance(0.5)) {
    await clock.run(work);
    if (random.chance(0.5)) await clock.advance(random.between(0, 15_000));
    await clock.run(store.node.close());
  } else {
    work.catch(() => undefined);
    await clock.advance(random.pick([3, 30, 300, 3000]) * random.fraction());
    clock.forgetSleepers();
    await disk.kill();
  }
  failOnFatal(store, recording);
}

export function failOnFatal({ fatal }: SimStore, { seed }: Recording): void {
  if (fatal.length > 0) throw new Error(`workload ${seed}: the node ended`, { cause: fatal[0] });
}

/** After a start everything is read once: what was seen must stay. */
export async function observeAll(service: Service, model: StoreModel, log: OperationLog): Promise<void> {
  for (const [name, history] of model.buckets.all) {
    history.observed(log.length, service.buckets.find(name) === undefined ? undefined : "exists");
  }
  for (const [path, history] of model.objects.all) {
    const found = await service.objects.find(path);
    const allowed = history.allowedAt(log.length);
    const seen = allowed.find((state) => (state === undefined ? found === undefined : isOf(found, state)));
    if (seen?.etag !== found?.etag) throw new Error(`${path} shows ${found?.etag} after a restart`);
    history.observed(log.length, seen);
  }
  for (const [path, history] of model.versions.all) {
    const seen = await seenVersion(service, path);
    const fits = history.allowedAt(log.length).some((state) => isSameVersion(state, seen));
    if (!fits) throw new Error(`version ${path} shows ${seen?.etag} after a restart`);
    history.observed(log.length, seen);
  }
  for (const upload of model.uploads.values()) {
    const found = await service.uploads.find(upload);
    upload.open.observed(log.length, found === undefined ? undefined : "open");
    if (found === undefined) continue;
    const { parts } = await service.uploads.listParts({ ...upload, after: 0, limit: 10_000 });
    for (const [partNumber, history] of upload.parts.all) {
      const part = parts.find((candidate) => candidate.partNumber === partNumber);
      history.observed(log.length, part === undefined ? undefined : { etag: part.etag, size: part.size });
    }
  }
}
