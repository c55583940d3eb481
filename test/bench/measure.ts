/**
 * Small helpers of the benches: medians, CPU time of another process, rows of the table. Figures are CPU µs
 * per request or ratios to a control that ran in the same minute; a lone rate on a shared machine says
 * little.
 */
import { readFileSync } from "node:fs";

export type BenchRow = {
  readonly name: string;
  readonly ours: string;
  /** What it is held against, in the same minute. */
  readonly control: string;
  readonly ratio: string;
  /** CPU µs of the server per request, all threads. */
  readonly cpu: string;
  readonly target: string;
  readonly met: boolean | undefined;
};

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/** User and system time of a process with all its threads, in µs; the kernel counts in 10 ms steps. */
export function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

export function perSecond(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)}M/s`;
  return value >= 1e4 ? `${(value / 1e3).toFixed(0)}k/s` : `${value.toFixed(0)}/s`;
}

export function row(
  name: string,
  parts: Partial<Omit<BenchRow, "name">> & { readonly ours: string },
): BenchRow {
  const none = { control: "", ratio: "", cpu: "", target: "", met: undefined };
  return { name, ...none, ...parts };
}

export function printTable(rows: readonly BenchRow[]): void {
  const cells = rows.map(({ name, ours, control, ratio, cpu, target, met }) => [
    name,
    ours,
    control,
    ratio,
    cpu,
    target,
    met === undefined ? "" : met ? "met" : "MISSED",
  ]);
  const all = [["bench", "ours", "control", "ratio", "cpu µs/req", "target", ""], ...cells];
  const widths = all[0]?.map((_, at) => Math.max(...all.map((line) => line[at]?.length ?? 0))) ?? [];
  for (const line of all) {
    process.stdout.write(
      `${line
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd()}\n`,
    );
  }
}
