/**
 * What has to hold after a crash of a process with a cold tier, of which disk and bucket are left:
 *
 *  1. the next process shows everything that was acknowledged, and its rows agree with each other;
 *  2. without the disk, a restore from the bucket leads at least to where it was said to, with the contents
 *     of that entry;
 *     That is so at once, and a moment later, when the next process has said where it would lead to;
 *  3. once everything was uploaded again and all graces are over, nothing lies in the bucket that no rule
 *     names, nothing that is named is missing, nothing unfinished lies on the disk;
 *  4. and what was acknowledged is still there, also for a restore from that bucket.
 */
import type { ColdTierSettings } from "../../src/offload/tier-settings.ts";
import { restore } from "../../src/offload/restore.ts";
import type { RestoreResult } from "../../src/offload/restore.ts";
import { writeRestoredNode } from "../../src/replica/node-file.ts";
import { readCondemned } from "../../src/offload/tier-rows.ts";
import { wrongCopies } from "../offload/check-copies.ts";
import { coldPort, diskPort } from "../offload/port-crashes.ts";
import type { PortCalls } from "../offload/port-crashes.ts";
import { SimDisk } from "../sim/sim-disk.ts";
import { SIM_DIRECTORY } from "../sim/sim-store.ts";
import { checkRows } from "./check-rows.ts";
import { judgeBucket } from "./tier-bucket.ts";
import { contentsOf } from "./tier-contents.ts";
import type { BusyClient, Contents } from "./tier-contents.ts";
import { bucketOf, endProcess, machineWith, noCalls, startProcess } from "./tier-process.ts";
import type { TierMachine, TierProcess } from "./tier-process.ts";
import type { TierCrash } from "./tier-recorder.ts";

const HOUR_MS = 3_600_000;
const { signal } = new AbortController();

/** What was there before anything was recorded. */
export type TierPast = {
  readonly settings: ColdTierSettings;
  readonly contents: Contents;
  /** The last entry of it. */
  readonly index: number;
  readonly client: BusyClient;
  /** Who comes next goes on with a restore, and takes the place of the lineage before. */
  readonly isRestored: boolean;
};

export async function checkCrash(
  past: TierPast,
  crash: TierCrash,
  disk: SimDisk,
): Promise<readonly string[]> {
  const machine = machineWith(disk, crash.bucket, crash.elapsedMs);
  const left = new Map(crash.bucket);
  try {
    if (past.isRestored && !(await disk.list(SIM_DIRECTORY)).includes("node.json")) {
      await machine.clock.run(restoreOnto(machine));
    }
    const store = await machine.clock.run(startProcess(machine, past.settings));
    const wrong = [...(await machine.clock.run(checkLive(past, crash, store)))];
    wrong.push(...(await checkRestored(past, crash, machineWith(new SimDisk(), left, crash.elapsedMs))));
    if (wrong.length === 0) wrong.push(...(await checkSecond(past, crash, { machine, store })));
    if (wrong.length === 0) wrong.push(...(await settle(past, crash, { machine, store })));
    await machine.clock.run(endProcess(store));
    return [...wrong, ...store.fatal.map((error) => `the process ended: ${String(error)}`)];
  } catch (error) {
    return [`thrown: ${error instanceof Error ? error.stack : String(error)}`];
  }
}

async function checkLive(
  past: TierPast,
  { claims }: TierCrash,
  store: TierProcess,
): Promise<readonly string[]> {
  return [
    ...difference(past.contents, await contentsOf(store)),
    ...(await past.client.check(store, claims)),
    ...(await checkRows(store.node)),
  ];
}

function difference(wanted: Contents, found: Contents): readonly string[] {
  if (wanted.rows === found.rows && JSON.stringify(wanted.objects) === JSON.stringify(found.objects))
    return [];
  const gone = wanted.keys.filter((key) => !found.keys.includes(key));
  const come = found.keys.filter((key) => !wanted.keys.includes(key));
  const others = Object.entries(wanted.objects).filter(
    ([key, digest]) => (found.objects as Record<string, string>)[key] !== digest,
  );
  return [
    `contents differ: gone ${JSON.stringify(gone)}, new ${JSON.stringify(come)}, ` +
      `other bytes ${JSON.stringify(others.map(([key]) => key))}`,
  ];
}

export function restoreOnto(machine: TierMachine, ports: PortCalls = noCalls): Promise<RestoreResult> {
  const { clock, random } = machine;
  const disk = diskPort(machine.disk, ports);
  return restore({
    store: coldPort(bucketOf(machine), ports),
    disk,
    clock,
    random,
    directory: SIM_DIRECTORY,
    nodeId: "n1",
    wish: { target: { kind: "newest" }, acceptGap: false },
    tell: () => undefined,
    commit: (node) => writeRestoredNode(disk, SIM_DIRECTORY, node),
  });
}

/** On a machine that has a fresh disk and what is left of the bucket. */
async function checkRestored(
  past: TierPast,
  { claims }: TierCrash,
  machine: TierMachine,
): Promise<readonly string[]> {
  const { clock } = machine;
  const result = await clock.run(restoreOnto(machine));
  if (result.kind !== "restored") return [`a restore is ${result.kind}`];
  const { index } = result.recoveryPoint;
  if (index < claims.covered) {
    return [`a restore leads to entry ${index}, ${claims.covered} was said to be safe`];
  }
  const store = await clock.run(startProcess(machine, past.settings));
  const wrong = [
    ...difference(past.contents, await clock.run(contentsOf(store))),
    ...(await clock.run(past.client.check(store, { ...claims, index }))),
    ...(await clock.run(checkRows(store.node))),
    ...store.fatal.map(String),
  ];
  await clock.run(endProcess(store));
  return wrong.map((sentence) => `restored to entry ${index}: ${sentence}`);
}

const SECOND_CRASH_MS = 1500;

/** What the next process says is safe has to be, although what it found was the work of another one. */
async function checkSecond(
  past: TierPast,
  crash: TierCrash,
  { machine, store }: { readonly machine: TierMachine; readonly store: TierProcess },
): Promise<readonly string[]> {
  const { clock, objects } = machine;
  await clock.advance(SECOND_CRASH_MS);
  const covered = Math.max(crash.claims.covered, store.tier.status.coveredIndex);
  const another = machineWith(new SimDisk(), objects, clock.monotonicMs());
  const wrong = await checkRestored(past, { ...crash, claims: { ...crash.claims, covered } }, another);
  return wrong.map((sentence) => `after a second crash: ${sentence}`);
}

const ROUNDS_MAX = 8;

/** Everything goes into the bucket, time goes on until nothing changes any more; then it is looked at. */
async function settle(
  past: TierPast,
  crash: TierCrash,
  { machine, store }: { readonly machine: TierMachine; readonly store: TierProcess },
): Promise<readonly string[]> {
  const { clock, disk } = machine;
  const { tier, node } = store;
  const wait = async (ms: number): Promise<void> => {
    clock.skip(ms);
    await clock.advance(5000);
  };
  await clock.advance(35_000);
  const adopted = past.isRestored ? await clock.run(tier.adopt({ signal })) : undefined;
  const before = adopted?.kind === "adopted" ? adopted.lineages : [];
  if (past.isRestored && before.length === 0) return [`nothing was adopted: ${JSON.stringify(adopted)}`];
  for (let more = 0; more < 2; more++) {
    await clock.run(tier.offloadAll({ signal, onProgress: () => undefined }));
    await clock.advance(2000);
  }
  let last = "";
  for (let round = 0; ; round++) {
    if (round === ROUNDS_MAX) return [`it never settles: ${last}`];
    await wait(HOUR_MS / 10);
    await wait(round < 3 ? 25 * HOUR_MS : HOUR_MS / 10);
    const now = JSON.stringify(
      [...machine.objects.keys()].filter((key) => !key.includes("/tail/")).toSorted(),
    );
    const condemned = await clock.run(readCondemned(node.index));
    if (now === last && condemned.size === 0) break;
    last = now;
  }
  const segments = node.state.segments.all;
  const { cluster, lineage } = tier.place;
  const wrong = [
    ...judgeBucket({
      bucket: machine.objects,
      cluster,
      lineages: [lineage, ...before],
      segments,
      windowStartMs: node.logClock.nowMs() - past.settings.restoreWindowMs,
    }),
    ...(await strangeFiles(disk)),
    ...segments.flatMap(({ id, cut, liveBytes }) =>
      cut && liveBytes === 0 && node.local.bytesOf(id) === 0 ? [`segment ${id} is empty and has a row`] : [],
    ),
    ...(await clock.run(wrongCopies(store, machine.objects))),
    ...(await clock.run(checkLive(past, crash, store))),
  ];
  const written = past.client.writes.slice(0, crash.claims.answered).map(({ index = 0 }) => index);
  const covered = Math.max(crash.claims.covered, tier.status.coveredIndex, ...written);
  const claims = { ...crash.claims, covered };
  const again = machineWith(new SimDisk(), machine.objects, clock.monotonicMs());
  wrong.push(...(await checkRestored(past, { ...crash, claims }, again)));
  return wrong.map((sentence) => `in the end: ${sentence}`);
}

async function strangeFiles(disk: SimDisk): Promise<readonly string[]> {
  const names = await disk.list(`${SIM_DIRECTORY}/log`);
  return names.filter((name) => !/^\d{10}\.seg$/.test(name)).map((name) => `log/${name} is still there`);
}
