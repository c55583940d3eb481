/**
 * Crashes at each call of a port: records a scenario once, and checks what each of its crashes leaves, of a
 * process that dies and of a machine that loses its power. Crashes that leave the same are checked once.
 */
import { createHash } from "node:crypto";
import { DiskHistory } from "../sim/disk-history.ts";
import type { CrashChoices } from "../sim/disk-history.ts";
import type { SimDisk } from "../sim/sim-disk.ts";
import { SimRandom } from "../sim/sim-random.ts";
import { checkCrash } from "./tier-recovery.ts";
import type { TierCrash } from "./tier-recorder.ts";
import { recordScenario } from "./tier-life.ts";
import type { TierRecording, TierScenario } from "./tier-life.ts";

const CUTS: Readonly<Record<"killed" | "powerCut", CrashChoices>> = {
  killed: { effects: "all", tears: "whole", batches: "kept" },
  /** With all that was not stable. */
  powerCut: { effects: "none", tears: "whole", batches: "kept" },
};

export type TierCrashCounts = {
  readonly scenario: string;
  /** Of ports, and of each kind of them. */
  readonly calls: number;
  readonly kinds: ReadonlyMap<string, number>;
  /** On both sides of each call, in both ways. */
  readonly crashes: number;
  /** Of those, the ones that leave something else than all before them. */
  readonly distinct: number;
  readonly checked: number;
  readonly failures: readonly string[];
};

export type TierCrashOptions = {
  readonly seed: string;
  /**
   * Which of the crashes are checked after which nobody knows anything new, neither the bucket, nor the log,
   * nor whoever asked what is safe; all, if nothing is said.
   */
  readonly sample?: { readonly seed: string; readonly share: number };
};

const FAILURES_MAX = 5;

export async function runTierCrashes(
  scenario: TierScenario,
  { seed, sample }: TierCrashOptions,
): Promise<TierCrashCounts> {
  const recording = await recordScenario(scenario, seed);
  const images = distinctImages(recording);
  const random = new SimRandom(`sample ${sample?.seed}`);
  const failures: string[] = [];
  let checked = 0;
  let covered = 0;
  for (const { crash, disk, how } of images) {
    const isDrawn = random.chance(sample?.share ?? 1);
    const isMoreCovered = crash.claims.covered > covered;
    covered = crash.claims.covered;
    if (!isDrawn && !isMoreCovered && !isTurningPoint(crash, how)) continue;
    if (failures.length >= FAILURES_MAX) break;
    checked++;
    const wrong = await checkCrash(recording.past, crash, disk);
    const where = `${scenario.name} "${seed}", ${how} ${crash.side} call ${crash.call}, ${crash.name}`;
    failures.push(...wrong.slice(0, 2).map((sentence) => `${where}: ${sentence}`));
  }
  const kinds = new Map<string, number>();
  for (const name of recording.calls) kinds.set(kindOf(name), (kinds.get(kindOf(name)) ?? 0) + 1);
  return {
    scenario: scenario.name,
    calls: recording.calls.length,
    kinds,
    crashes: recording.crashes.length * Object.keys(CUTS).length,
    distinct: images.length,
    checked,
    failures,
  };
}

/** Where the bucket, the log or a directory has changed: what order matters for. */
function isTurningPoint({ name, side }: TierCrash, how: keyof typeof CUTS): boolean {
  const isEffect = /^(cold (put|putFile|putStream|delete)|log|disk (rename|remove)) /.test(name);
  return isEffect && side === "after" && how === "killed";
}

type Image = { readonly crash: TierCrash; readonly disk: SimDisk; readonly how: keyof typeof CUTS };

function distinctImages({ crashes, log }: TierRecording): readonly Image[] {
  const history = new DiskHistory(log);
  const seen = new Set<string>();
  const buckets = new Map<unknown, number>();
  const images: Image[] = [];
  for (const crash of crashes) {
    history.advanceTo(crash.position);
    const { covered, begun, answered } = crash.claims;
    const bucket = buckets.get(crash.bucket) ?? buckets.size;
    buckets.set(crash.bucket, bucket);
    for (const how of ["killed", "powerCut"] as const) {
      const { disk, batches } = history.image(CUTS[how], new SimRandom("cut"));
      const digest = digestOf(disk, `${bucket} ${covered} ${begun} ${answered} ${batches}`);
      if (seen.has(digest)) continue;
      seen.add(digest);
      images.push({ crash, disk, how });
    }
  }
  return images;
}

function digestOf(disk: SimDisk, rest: string): string {
  const hash = createHash("sha1").update(rest);
  for (const [path, bytes] of disk.files()) hash.update(`\0${path}\0${bytes.digest()}`);
  return hash.digest("base64");
}

/** `cold putFile segments`, `disk write log`, `log condemnCold`. */
function kindOf(name: string): string {
  const [port = "", what = "", path = ""] = name.split(" ");
  const folders = path.split("/");
  const folder = port === "disk" || folders[1] === "lineages" ? folders[1] : folders[2];
  return [port, what, folder ?? ""].join(" ").trim();
}

/** For people: a line for each scenario. */
export function tierCrashTable(all: readonly TierCrashCounts[]): string {
  const line = ({ scenario, calls, crashes, distinct, checked, failures }: TierCrashCounts): string =>
    [scenario, calls, crashes, distinct, checked, failures.length].join(" | ");
  const sum = (of: (counts: TierCrashCounts) => number): number => all.reduce((so, one) => so + of(one), 0);
  const total = {
    scenario: "all of them",
    calls: sum(({ calls }) => calls),
    kinds: new Map<string, number>(),
    crashes: sum(({ crashes }) => crashes),
    distinct: sum(({ distinct }) => distinct),
    checked: sum(({ checked }) => checked),
    failures: all.flatMap(({ failures }) => failures),
  };
  return [
    "| scenario | calls of ports | crashes | that differ | checked | failed |",
    "|---|---|---|---|---|---|",
    ...[...all, total].map((counts) => `| ${line(counts)} |`),
  ].join("\n");
}

/** What the enumeration met: `cold delete tail 3`. */
export function tierCallsTable(all: readonly TierCrashCounts[]): string {
  const kinds = new Map<string, number>();
  for (const counts of all)
    for (const [kind, count] of counts.kinds) kinds.set(kind, (kinds.get(kind) ?? 0) + count);
  const sorted = [...kinds].toSorted(([one], [other]) => (one < other ? -1 : 1));
  return sorted.map(([kind, count]) => `${kind} ${count}`).join(", ");
}
