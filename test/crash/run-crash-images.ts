/**
 * Crash images: records workloads, cuts their disk histories at chosen places in chosen ways, and checks what
 * each cut leaves (RAFT-CASES.md, L4). Images are counted once per content. A failure names the workload's
 * seed and the image, which `checkOneImage` repeats alone.
 */
import { createHash } from "node:crypto";
import { DiskHistory } from "../sim/disk-history.ts";
import type { CrashChoices } from "../sim/disk-history.ts";
import type { SimDisk } from "../sim/sim-disk.ts";
import { SimRandom } from "../sim/sim-random.ts";
import { checkImage } from "./check-image.ts";
import { recordWorkload } from "./workload.ts";
import type { Recording } from "./workload.ts";

export type CrashImage = {
  readonly workload: string;
  readonly position: number;
  readonly choices: CrashChoices;
  readonly variant: number;
};

export type CrashImageCounts = {
  /** Images of different content. */
  distinct: number;
  tried: number;
  workloads: number;
  acknowledgedChanges: number;
  /** Images whose index had to be made anew, and those in which part of the log was applied again. */
  rebuilt: number;
  replayed: number;
  /** Images after which new writes and a second start were tried. */
  continued: number;
  readonly byChoice: Record<string, number>;
  readonly failures: { readonly image: CrashImage; readonly wrong: readonly string[] }[];
};

const IMAGES_PER_WORKLOAD = 250;
const FAILURES_MAX = 5;

export type CrashImageOptions = {
  readonly seed: number | string;
  /** How many distinct images to check. */
  readonly images: number;
  /** What is recorded; the general workload, if nothing is said. */
  readonly record?: (seed: string) => Promise<Recording>;
  readonly onProgress?: (counts: CrashImageCounts) => void;
};

export async function runCrashImages(options: CrashImageOptions): Promise<CrashImageCounts> {
  const counts = noCounts();
  const seen = new Set<string>();
  while (counts.distinct < options.images && counts.failures.length < FAILURES_MAX) {
    const recording = await (options.record ?? recordWorkload)(`${options.seed}.${counts.workloads++}`);
    counts.acknowledgedChanges += acknowledged(recording);
    await checkWorkload(recording, { counts, seen, images: options.images });
    options.onProgress?.(counts);
  }
  return counts;
}

function noCounts(): CrashImageCounts {
  return {
    distinct: 0,
    tried: 0,
    workloads: 0,
    acknowledgedChanges: 0,
    rebuilt: 0,
    replayed: 0,
    continued: 0,
    byChoice: {},
    failures: [],
  };
}

function acknowledged({ model }: Recording): number {
  let count = 0;
  for (const { all } of [model.buckets, model.objects]) {
    for (const { changes } of all.values()) {
      count += changes.filter((change) => change.acknowledged !== undefined).length;
    }
  }
  return count;
}

type Progress = {
  readonly counts: CrashImageCounts;
  readonly seen: Set<string>;
  readonly images: number;
};

async function checkWorkload(recording: Recording, { counts, seen, images }: Progress): Promise<void> {
  const plan = new SimRandom(`plan ${recording.seed}`);
  const { range, log } = recording;
  const place = (variant: number): number =>
    range === undefined
      ? plan.below(log.length + 1)
      : range.start + (variant % (range.end - range.start + 1));
  const planned = Array.from({ length: IMAGES_PER_WORKLOAD }, (_, variant) => ({
    workload: recording.seed,
    position: place(variant),
    choices: choose(plan),
    variant,
  }));
  const sorted = planned.toSorted((a, b) => a.position - b.position);
  const history = new DiskHistory(recording.log);
  await checkImages(recording, history, { images: sorted, counts, seen, imagesMax: images });
}

/** In the order of their positions. */
async function checkImages(
  recording: Recording,
  history: DiskHistory,
  work: {
    readonly images: readonly CrashImage[];
    readonly counts: CrashImageCounts;
    readonly seen: Set<string>;
    readonly imagesMax: number;
  },
): Promise<void> {
  const { counts, seen } = work;
  for (const image of work.images) {
    if (counts.distinct >= work.imagesMax || counts.failures.length >= FAILURES_MAX) return;
    counts.tried++;
    const { disk, batches } = build(history, image);
    const digest = digestOf(disk, `${recording.seed} ${batches}`);
    if (seen.has(digest)) continue;
    seen.add(digest);
    counts.distinct++;
    const name = `${image.choices.effects} ${image.choices.tears} ${image.choices.batches}`;
    counts.byChoice[name] = (counts.byChoice[name] ?? 0) + 1;
    const writes = image.variant % 3 === 0;
    if (writes) counts.continued++;
    const rotten = image.choices.batches === "lostMiddle" || recording.rotten === true;
    const verify = image.variant % 5 === 0 && !rotten;
    const checked = await checkImage(disk, recording, { position: image.position, writes, verify });
    const { wrong, rebuilt, replayed } = checked;
    if (rebuilt !== undefined) counts.rebuilt++;
    if (replayed > 0) counts.replayed++;
    if (wrong.length > 0) counts.failures.push({ image, wrong });
  }
}

/** Every place of the range, each cut in some ways: for recordings that are short. */
export async function checkEveryCut(
  recording: Recording,
  { variants }: { readonly variants: number },
): Promise<CrashImageCounts> {
  const counts = noCounts();
  const seen = new Set<string>();
  const plan = new SimRandom(`every ${recording.seed}`);
  const history = new DiskHistory(recording.log);
  const { start, end } = recording.range ?? { start: 0, end: recording.log.length };
  const images: CrashImage[] = [];
  for (let position = start; position <= end; position++) {
    for (let at = 0; at < variants; at++) {
      const choices = choose(plan);
      images.push({ workload: recording.seed, position, choices, variant: images.length });
    }
  }
  await checkImages(recording, history, { images, counts, seen, imagesMax: Infinity });
  return counts;
}

function choose(random: SimRandom): CrashChoices {
  return {
    effects: random.pick(["all", "none", "some", "some"]),
    tears: random.pick(["whole", "prefix", "sectors"]),
    batches: random.pick(["kept", "kept", "lostEnd", "lostMiddle"]),
  };
}

function build(
  history: DiskHistory,
  { workload, position, choices, variant }: CrashImage,
): ReturnType<DiskHistory["image"]> {
  history.advanceTo(position);
  return history.image(choices, new SimRandom(`image ${workload} ${variant}`));
}

/** Equal for images of equal content. */
function digestOf(disk: SimDisk, index: string): string {
  const hash = createHash("sha1");
  for (const [path, bytes] of disk.files()) hash.update(`${path}\0${bytes.digest()}\0`);
  hash.update(index);
  return hash.digest("base64");
}

/** Repeats one image, for looking into a failure. */
export async function checkOneImage(
  image: CrashImage,
  record: NonNullable<CrashImageOptions["record"]> = recordWorkload,
): Promise<readonly string[]> {
  const recording = await record(image.workload);
  const { disk } = build(new DiskHistory(recording.log), image);
  return (await checkImage(disk, recording, { ...image, writes: true })).wrong;
}
