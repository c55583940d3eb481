/** The lives of processes with a cold tier that are cut at each call of a port. */
import { MINUTE_MS } from "../offload/tier-world.ts";
import { put } from "../service/service-world.ts";
import {
  HOUR_MS,
  isCovered,
  isUploaded,
  later,
  offloadAll,
  sealed,
  signal,
  until,
  write,
  writeSegments,
} from "./tier-life.ts";
import type { TierRun, TierScenario } from "./tier-life.ts";

const upload: TierScenario = {
  name: "upload, verify, tell",
  changes: {},
  steps: 60,
  expected: ["cold putFile segments", "cold head segments", "log segmentOffloaded", "index write"],
  live: async (run) => {
    await until(run, () => isUploaded(run) && isCovered(run));
    await run.begin();
    await writeSegments(run, 2);
    await until(run, () => isUploaded(run));
  },
};

const tails: TierScenario = {
  name: "tails",
  changes: { recoveryPointMs: 2000 },
  steps: 50,
  expected: ["cold put tail", "cold delete tail", "cold putFile segments"],
  live: async (run) => {
    await until(run, () => isUploaded(run) && isCovered(run));
    await run.begin();
    for (let round = 0; round < 6; round++) {
      await write(run, 1);
      await until(run, () => isCovered(run));
    }
    await writeSegments(run, 1);
    await until(run, () => isUploaded(run) && isCovered(run));
    await run.machine.clock.advance(70_000);
  },
};

const residence: TierScenario = {
  name: "freeing and recall",
  changes: {},
  steps: 60,
  expected: ["disk remove log", "cold get segments", "disk rename log", "disk syncDirectory log"],
  live: async (run) => {
    const { machine, store } = run;
    await writeSegments(run, 2);
    await offloadAll(run);
    run.settled();
    await until(run, () => isCovered(run));
    await run.begin();
    const gone = sealed(run).filter(
      ({ id, liveBytes }) => liveBytes > 0 && store.node.local.bytesOf(id) === 0,
    );
    const ids = gone.slice(0, 4).map(({ id }) => id);
    const recalled = await machine.clock.run(store.tier.recall(ids, { signal }));
    if (recalled !== ids.length || recalled < 2) throw new Error(`${recalled} segments came back`);
    await later(run, 5 * HOUR_MS);
    await until(run, () => ids.every((id) => store.node.local.bytesOf(id) === 0));
  },
};

const snapshots: TierScenario = {
  name: "snapshot and manifest",
  changes: {},
  steps: 40,
  expected: ["cold putFile snapshots", "cold put manifest", "cold get manifest", "disk rename snapshots"],
  live: async (run) => {
    await until(run, () => isUploaded(run) && isCovered(run));
    const { restorePointIndex } = run.store.tier.status;
    await run.begin();
    for (let round = 0; run.store.tier.status.restorePointIndex === restorePointIndex; round++) {
      if (round > 20) throw new Error("there is no new restore point");
      await writeSegments(run, 1);
      await run.machine.clock.advance(2000);
    }
  },
};

/** While its client goes on writing. */
const all: TierScenario["live"] = async (run) => {
  const { machine, store, random, client } = run;
  await offloadAll(run);
  run.settled();
  await offloadAll(run);
  await run.begin();
  const writing = async (): Promise<void> => {
    for (let at = 0; at < 15; at++) {
      await client.write(store, random);
      await machine.clock.sleep(random.below(12));
    }
  };
  await machine.clock.run(
    Promise.all([writing(), store.tier.offloadAll({ signal, onProgress: () => undefined })]),
  );
  await offloadAll(run);
};

const allFollowed: TierScenario = {
  name: "offload all, followed",
  changes: {},
  steps: 40,
  expected: ["cold putFile segments", "cold putFile snapshots", "cold put manifest", "disk remove log"],
  live: all,
};

const allByAge: TierScenario = {
  ...allFollowed,
  name: "offload all, by age",
  // Nothing goes there by itself.
  changes: { recoveryPointMs: undefined, afterMs: 1000 * HOUR_MS },
};

/** An upload, a snapshot and a tail whose process died long ago. */
function plantLeftOvers({ machine, store }: TierRun): void {
  const { cluster, lineage } = store.tier.place;
  const [some] = machine.objects.values();
  if (some === undefined) throw new Error("the bucket is empty");
  const digits = (value: number): string => String(value).padStart(16, "0");
  for (const name of [
    `packed/${digits(1)}-n1.0000zz.seg`,
    `snapshots/${digits(7)}-${digits(1)}-n1.0000zz/${digits(1)}`,
    `tail/${digits(1)}/${digits(1)}-${digits(2)}`,
  ]) {
    machine.objects.set(`${cluster}/${lineage}/${name}`, some);
  }
}

const garbage: TierScenario = {
  name: "garbage",
  changes: {},
  steps: 50,
  expected: ["log condemnCold", "log pardonCold", "cold delete segments", "cold delete manifest"],
  live: async (run) => {
    const { machine, store } = run;
    const { service } = store;
    const doomed = Array.from({ length: 40 }, (_, at) => `doomed-${at}`);
    for (const key of doomed) await machine.clock.run(put(service, key, run.random.bytes(1000)));
    await writeSegments(run, 1);
    await offloadAll(run);
    await machine.clock.run(service.objects.deleteMany("b", doomed));
    await machine.clock.advance(40_000);
    plantLeftOvers(run);
    run.settled();
    await until(run, () => isCovered(run));
    await run.begin();
    await offloadAll(run);
    await write(run, 2);
    await offloadAll(run);
    for (const waitMs of [2 * HOUR_MS, 6 * MINUTE_MS, 2 * HOUR_MS, 25 * HOUR_MS]) await later(run, waitMs);
  },
};

const packing: TierScenario = {
  name: "packing",
  changes: {},
  steps: 60,
  expected: ["cold put packed", "cold get segments", "log segmentOffloaded", "cold delete segments"],
  live: async (run) => {
    const { machine, store } = run;
    await until(run, () => isUploaded(run) && isCovered(run));
    const doomed = Array.from({ length: 40 }, (_, at) => `key-${at}`).filter((_, at) => at % 4 > 0);
    await machine.clock.run(store.service.objects.deleteMany("b", doomed));
    for (let more = 0; more < 2; more++) {
      await writeSegments(run, 1);
      await offloadAll(run);
    }
    await machine.clock.advance(MINUTE_MS);
    run.settled();
    await until(run, () => isCovered(run));
    await run.begin();
    const before = store.tier.status.packedSegments;
    const packed = (): number => store.tier.status.packedSegments - before;
    await later(run, 2 * HOUR_MS);
    // Of some loads one segment alone is sparse.
    for (let round = 0; packed() < 2 && (packed() < 1 || round < 4); round++) {
      if (round > 20) throw new Error("nothing was packed");
      await later(run, 10 * MINUTE_MS);
    }
    for (let more = 0; more < 2; more++) {
      await write(run, 2);
      await offloadAll(run);
    }
    for (const waitMs of [2 * HOUR_MS, 6 * MINUTE_MS, 2 * HOUR_MS]) await later(run, waitMs);
  },
};

const restored: TierScenario = {
  name: "restore, first start, adopt",
  changes: {},
  steps: 50,
  isRestored: true,
  expected: [
    "cold get segments",
    "disk write log",
    "disk rename node.json.new",
    "cold put lineages",
    "cold put manifest",
    "log adoptLineages",
    "cold delete manifest",
  ],
  live: async (run) => {
    await write(run, 2);
    await run.machine.clock.advance(20_000);
    await run.machine.clock.run(run.store.tier.adopt({ signal }));
    for (let more = 0; more < 2; more++) {
      await write(run, 2);
      await offloadAll(run);
    }
    for (const waitMs of [2 * HOUR_MS, 6 * MINUTE_MS, 2 * HOUR_MS]) await later(run, waitMs);
  },
};

export const tierScenarios: readonly TierScenario[] = [
  upload,
  tails,
  residence,
  snapshots,
  allFollowed,
  allByAge,
  garbage,
  packing,
  restored,
];
