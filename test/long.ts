/**
 * `npm run long -- NAME [--seed S] [--count N]`: the counts at their full size. Prints a line for
 * test/LONG-RUNS.md (date, commit, seed, count, result) and ends with 1 if anything failed. The test run does
 * a tenth of each, or more.
 */
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { flipTable, runBitFlips } from "./crash/bit-flips.ts";
import { runCrashImages } from "./crash/run-crash-images.ts";
import { runTierCrashes, tierCrashTable } from "./crash/tier-crashes.ts";
import { recordTier } from "./crash/tier-phases.ts";
import { tierScenarios } from "./crash/tier-scenarios.ts";
import { runKillNine } from "./crash/kill-nine.ts";
import { runCutLevelDirectories } from "./crash/level-directories.ts";
import { runColdObjects } from "./long/cold-objects.ts";
import { runMillionObjects } from "./long/million-objects.ts";
import { runModel } from "./model/run-model.ts";
import { checkOverwrite } from "./long/overwrite.ts";
import { runDrills } from "./offload/restore-drill.ts";

type Outcome = { readonly count: number; readonly failures: readonly string[]; readonly facts: unknown };

type Run = {
  readonly count: number;
  readonly run: (options: { readonly seed: string; readonly count: number }) => Promise<Outcome>;
};

const runs: Readonly<Record<string, Run>> = {
  "crash-images": {
    count: 50_000,
    run: async ({ seed, count }) => {
      const { failures, distinct, ...facts } = await runCrashImages({ seed, images: count });
      return { count: distinct, failures: failures.map((failure) => JSON.stringify(failure)), facts };
    },
  },
  "tier-images": {
    count: 20_000,
    run: async ({ seed, count }) => {
      const { failures, distinct, ...facts } = await runCrashImages({
        seed,
        images: count,
        record: recordTier,
      });
      return { count: distinct, failures: failures.map((failure) => JSON.stringify(failure)), facts };
    },
  },
  /** So many lives of each scenario, and each crash of them. */
  "tier-crashes": {
    count: 3,
    run: async ({ seed, count }) => {
      const failures: string[] = [];
      const facts = { calls: 0, crashes: 0, distinct: 0 };
      for (let round = 0; round < count; round++) {
        const all: Awaited<ReturnType<typeof runTierCrashes>>[] = [];
        for (const scenario of tierScenarios) {
          const counts = await runTierCrashes(scenario, { seed: `${seed}.${round}` });
          all.push(counts);
          failures.push(...counts.failures);
          facts.calls += counts.calls;
          facts.crashes += counts.crashes;
          facts.distinct += counts.distinct;
        }
        process.stdout.write(`${tierCrashTable(all)}\n`);
      }
      return { count, failures, facts };
    },
  },
  "level-directories": {
    count: 500,
    run: async ({ seed, count }) => {
      const { failures, tried, ...facts } = await runCutLevelDirectories({ seed, count });
      return { count: tried, failures: failures.map((failure) => JSON.stringify(failure)), facts };
    },
  },
  "bit-flips": {
    count: 2000,
    run: async ({ seed, count }) => {
      const counts = await runBitFlips({ seed, count });
      process.stdout.write(`${flipTable(counts)}\n`);
      const { failures, tried, table } = counts;
      return { count: tried, failures: failures.map((failure) => JSON.stringify(failure)), facts: table };
    },
  },
  "kill-nine": {
    count: 20,
    run: async ({ seed, count }) => {
      const { wrong, rounds, ...facts } = await runKillNine({ seed, rounds: count });
      return { count: rounds, failures: wrong, facts };
    },
  },
  model: {
    count: 5000,
    run: async ({ seed, count }) => {
      const report = (line: string): void => void process.stdout.write(`${line}\n`);
      report(`MODEL_SEED=${seed}`);
      const { failures, tried, tally, ...facts } = await runModel({ seed, runs: count, length: 100, report });
      report(tally.table().join("\n"));
      return { count: tried, failures: [...failures, ...tally.missing(count)], facts };
    },
  },
  "million-objects": {
    count: 1_000_000,
    run: async ({ count }) => {
      const { objects, ...facts } = await runMillionObjects({ objects: count });
      return { count: objects, failures: [], facts };
    },
  },
  "cold-objects": {
    count: 100_000,
    run: async ({ seed, count }) => {
      const { objects, failures, ...facts } = await runColdObjects({ seed, objects: count });
      return { count: objects, failures, facts };
    },
  },
  "restore-drills": {
    count: 30,
    run: async ({ seed, count }) => {
      const report = (result: object): void => void process.stdout.write(`${JSON.stringify(result)}\n`);
      const { rounds, failures, facts } = await runDrills({ seed, rounds: count, objects: 20_000, report });
      return { count: rounds, failures, facts };
    },
  },
  overwrite: {
    count: 100,
    run: async ({ count }) => {
      const { failures, ...facts } = await checkOverwrite(count);
      return { count, failures, facts };
    },
  },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: "string" }, count: { type: "string" } },
});
const [name = ""] = positionals;
const chosen = runs[name];
if (chosen === undefined) {
  process.stderr.write(`no long run is called "${name}"; there are ${Object.keys(runs).join(", ")}\n`);
  process.exit(2);
}
const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
const seed = values.seed ?? commit;
const start = performance.now();
const { count, failures, facts } = await chosen.run({ seed, count: Number(values.count ?? chosen.count) });
const seconds = ((performance.now() - start) / 1000).toFixed(0);
for (const failure of failures) process.stdout.write(`FAILED ${failure}\n`);
const day = new Date().toISOString().slice(0, 10);
const verdict = failures.length === 0 ? "all hold" : `${failures.length} FAILED`;
const cells = [day, commit, name, seed, count, `${seconds} s`, verdict, JSON.stringify(facts)];
process.stdout.write(`| ${cells.join(" | ")} |\n`);
process.exitCode = failures.length === 0 ? 0 : 1;
