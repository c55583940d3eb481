/** What `thermocline restore` says to people. */
import { unreachable } from "../base/assert.ts";
import { formatDuration } from "../config/parse-duration.ts";
import type { PlanFacts, RestoreProgress, RestoreReport, RestoredFacts } from "../offload/restore-report.ts";
import { formatTable } from "./format-table.ts";

export function reportLines(report: RestoreReport): readonly string[] {
  switch (report.kind) {
    case "planned":
      return [...planLines(report), "Nothing was done: this was a dry run."];
    case "restored":
      return [...planLines(report), ...restoredLines(report.restored)];
    case "finished":
      return [`${report.dataDir} was restored already: start a server on it.`];
    case "refused":
      return [
        `thermocline: ${report.message}`,
        ...report.problems.map((problem) => `  ${problem}`),
        ...(report.reason === "gap" || report.reason === "noSoundManifest"
          ? ["--accept-gap restores what is there; --to restores an earlier state."]
          : []),
      ];
    default:
      return unreachable(report);
  }
}

function planLines(facts: PlanFacts): readonly string[] {
  const { manifest, fetch, cold, lost, accepted, warnings, passedOver } = facts;
  const table = formatTable(
    ["from", facts.from],
    [
      ["cluster", facts.cluster],
      ["lineage", facts.lineage],
      ["manifest", manifest.key],
      ["  of", `${manifest.time}, entry ${manifest.entry}`],
      ["snapshot", facts.snapshotEntry === 0 ? "none, the log is whole" : `of entry ${facts.snapshotEntry}`],
      [
        "log",
        `up to entry ${facts.lastEntry}${facts.until === undefined ? "" : `, not beyond ${facts.until}`}`,
      ],
      ["to fetch", `${fetch.objects} objects, ${formatBytes(fetch.bytes)}`],
      ["stays there", `${cold.objects} objects, ${formatBytes(cold.bytes)}`],
      ["lost", lost.length === 0 ? "nothing" : rangesText(lost)],
    ],
  );
  return [
    ...table.trimEnd().split("\n"),
    ...accepted.map((problem) => `accepted: ${problem}`),
    ...warnings.map((problem) => `warning: ${problem}`),
    ...passedOver.map(({ manifest: key, problems }) => `passed over: ${key} (${problems.join("; ")})`),
  ];
}

function restoredLines({ dataDir, lineage, lastEntry, time, lostBodies }: RestoredFacts): readonly string[] {
  return [
    `Restored to ${dataDir}: everything up to entry ${lastEntry}, written about ${time}.`,
    ...(lostBodies.length === 0
      ? []
      : [`But for bodies that came with ${rangesText(lostBodies)}: reading those answers an error.`]),
    `It goes on as lineage ${lineage}: start a server on it with the same cold tier.`,
    "Whatever else still runs on the old lineage stops uploading then, and should be shut down.",
  ];
}

function rangesText(ranges: PlanFacts["lost"]): string {
  return ranges.map(({ first, last }) => `entries ${first} to ${last}`).join(", ");
}

export function progressLine({
  bytes,
  totalBytes,
  objects,
  totalObjects,
  secondsLeft,
}: RestoreProgress): string {
  const left = secondsLeft === undefined ? "" : `, ${formatDuration(secondsLeft * 1000)} left`;
  return (
    `restore: ${objects} of ${totalObjects} objects, ` +
    `${formatBytes(bytes)} of ${formatBytes(totalBytes)}${left}`
  );
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** To be read, not to be parsed: one digit behind the point. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let at = 0;
  while (value >= 1024 && at < UNITS.length - 1) {
    value /= 1024;
    at++;
  }
  return `${at === 0 ? value : value.toFixed(1)} ${UNITS[at]}`;
}
