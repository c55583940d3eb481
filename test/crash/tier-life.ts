/**
 * The life of a process with a cold tier, recorded for its crashes: a load that is uploaded and stated to be
 * safe, and from `begin` on whatever a scenario does, with a client that goes on writing. And the words that
 * scenarios are written in.
 */
import type { ColdTierSettings } from "../../src/offload/tier-settings.ts";
import { load } from "../offload/restore-load.ts";
import { MINUTE_MS, tierSettings } from "../offload/tier-world.ts";
import { OperationLog } from "../sim/disk-operation.ts";
import { SimClock } from "../sim/sim-clock.ts";
import { SimDisk } from "../sim/sim-disk.ts";
import { SimRandom } from "../sim/sim-random.ts";
import { BUSY, BusyClient, contentsOf } from "./tier-contents.ts";
import { SEGMENT_BYTES, endProcess, startProcess } from "./tier-process.ts";
import type { TierMachine, TierProcess } from "./tier-process.ts";
import { restoreOnto } from "./tier-recovery.ts";
import type { TierPast } from "./tier-recovery.ts";
import { TierRecorder } from "./tier-recorder.ts";
import type { TierCrash } from "./tier-recorder.ts";

export const HOUR_MS = 60 * MINUTE_MS;
export const { signal } = new AbortController();

export type TierRun = {
  readonly machine: TierMachine;
  readonly store: TierProcess;
  readonly random: SimRandom;
  readonly client: BusyClient;
  /** What is there now has to be there after each crash. */
  readonly settled: () => void;
  /** From now on each call counts. */
  readonly begin: () => Promise<void>;
};

export type TierScenario = {
  readonly name: string;
  readonly changes: Partial<ColdTierSettings>;
  /** Of the load before it. */
  readonly steps: number;
  /** Calls that have to be among those that were cut. */
  readonly expected: readonly string[];
  /** On a machine that lost its disk: the first process is gone, and the next one begins with a restore. */
  readonly isRestored?: true;
  readonly live: (run: TierRun) => Promise<void>;
};

export type TierRecording = {
  readonly past: TierPast;
  readonly log: OperationLog;
  readonly calls: readonly string[];
  readonly crashes: readonly TierCrash[];
};

export async function recordScenario(scenario: TierScenario, seed: string): Promise<TierRecording> {
  const recording = new ScenarioRecording(scenario, seed);
  return await recording.make();
}

class ScenarioRecording {
  readonly #scenario: TierScenario;
  readonly #seed: string;
  readonly #random: SimRandom;
  readonly #settings: ColdTierSettings;
  readonly #client = new BusyClient();
  #log = new OperationLog();
  #machine: TierMachine;
  #store: TierProcess | undefined;
  #recorder: TierRecorder;
  #past: TierPast | undefined;
  #index = 0;
  #covered = 0;

  constructor(scenario: TierScenario, seed: string) {
    this.#scenario = scenario;
    this.#seed = seed;
    this.#random = new SimRandom(`${scenario.name} ${seed}`);
    this.#settings = tierSettings({
      restoreWindowMs: HOUR_MS,
      graceMs: HOUR_MS,
      snapshot: { entriesMin: 20, logBytes: 4 * SEGMENT_BYTES },
      ...scenario.changes,
    });
    const clock = new SimClock();
    const objects = new Map();
    this.#machine = { disk: this.#newDisk(clock), clock, random: this.#random.fork("machine"), objects };
    this.#recorder = this.#newRecorder();
  }

  #newDisk(clock: SimClock): SimDisk {
    const latencies = this.#random.fork("latency");
    return new SimDisk({ log: this.#log, latency: () => clock.sleep(latencies.fraction() * 2) });
  }

  #newRecorder(): TierRecorder {
    const client = this.#client;
    const claims = () => ({
      covered: Math.max(this.#covered, this.#store?.tier.status.coveredIndex ?? 0),
      begun: client.writes.length,
      answered: client.answered,
    });
    return new TierRecorder({ log: this.#log, machine: this.#machine, claims });
  }

  async make(): Promise<TierRecording> {
    const { steps, live, isRestored, name } = this.#scenario;
    const { clock } = this.#machine;
    await this.#start();
    const store = this.#running();
    await clock.run(store.service.buckets.create({ name: BUSY, owner: "root", location: "" }));
    await clock.run(load(store, { seed: `${name} ${this.#seed}`, steps }));
    // Until nothing is reaped any more.
    await clock.advance(MINUTE_MS);
    this.#settled();
    if (isRestored) await this.#loseDisk();
    await live(this.#run());
    this.#recorder.stop();
    await clock.run(endProcess(this.#running()));
    if (this.#past === undefined) throw new Error(`${name} never began`);
    const { calls, crashes } = this.#recorder;
    return { past: this.#past, log: this.#log, calls, crashes };
  }

  async #start(): Promise<void> {
    const { clock } = this.#machine;
    this.#store = await clock.run(startProcess(this.#machine, this.#settings, { ports: this.#recorder }));
  }

  #running(): TierProcess {
    if (this.#store === undefined) throw new Error("there is no process");
    return this.#store;
  }

  #settled(): void {
    this.#index = this.#running().node.replica.appliedIndex;
  }

  async #begin(): Promise<void> {
    const store = this.#running();
    const { clock } = this.#machine;
    const { coveredIndex } = store.tier.status;
    const [index, { name }] = [this.#index, this.#scenario];
    if (coveredIndex < index) throw new Error(`${name}: covered is ${coveredIndex} of ${index}`);
    const contents = await clock.run(contentsOf(store));
    const isRestored = this.#scenario.isRestored === true;
    this.#past = { settings: this.#settings, contents, index, client: this.#client, isRestored };
    this.#covered = coveredIndex;
    this.#recorder.start();
  }

  /** The bucket is all that is left; from here on each call counts, the restore's first. */
  async #loseDisk(): Promise<void> {
    const { clock } = this.#machine;
    await writeSegments(this.#run(), 2);
    await until(this.#run(), () => isUploaded(this.#run()) && isCovered(this.#run()));
    await this.#begin();
    this.#recorder.stop();
    await clock.run(endProcess(this.#running()));
    this.#store = undefined;
    this.#log = new OperationLog();
    this.#machine = { ...this.#machine, disk: this.#newDisk(clock) };
    this.#recorder = this.#newRecorder();
    this.#recorder.start();
    await clock.run(restoreOnto(this.#machine, this.#recorder));
    await this.#start();
  }

  #run(): TierRun {
    return {
      machine: this.#machine,
      store: this.#running(),
      random: this.#random,
      client: this.#client,
      settled: () => this.#settled(),
      begin: () => this.#begin(),
    };
  }
}

export async function until(
  { machine }: TierRun,
  what: () => boolean,
  limitMs = 10 * MINUTE_MS,
): Promise<void> {
  for (let waitedMs = 0; !what(); waitedMs += 100) {
    if (waitedMs > limitMs) throw new Error(`not so after ${limitMs} ms: ${what.toString()}`);
    await machine.clock.advance(100);
  }
}

export function sealed({ store }: TierRun): TierProcess["node"]["state"]["segments"]["all"] {
  return store.node.state.segments.all.filter(({ cut }) => cut);
}

export function isUploaded(run: TierRun): boolean {
  return sealed(run).every(({ cold }) => cold !== undefined);
}

export function isCovered({ store }: TierRun): boolean {
  return store.tier.status.coveredIndex >= store.node.replica.appliedIndex;
}

export async function write(run: TierRun, count: number): Promise<void> {
  const { machine, store, random, client } = run;
  for (let at = 0; at < count; at++) await machine.clock.run(client.write(store, random));
}

export async function writeSegments(run: TierRun, count: number): Promise<void> {
  const wanted = sealed(run).length + count;
  for (let at = 0; sealed(run).length < wanted && at < 1000; at++) await write(run, 1);
}

export async function offloadAll({ machine, store }: TierRun): Promise<void> {
  await machine.clock.run(store.tier.offloadAll({ signal, onProgress: () => undefined }));
}

/** Time goes on at once; then everybody looks around. */
export async function later({ machine }: TierRun, ms: number): Promise<void> {
  machine.clock.skip(ms);
  await machine.clock.advance(5000);
}
