/** The answer of `/-/cost` for people: requests by kind, the same one by one, and policies side by side. */
import type { Usage } from "../offload/cost.ts";
import type { Forecast } from "../offload/policy-forecast.ts";
import type { CostAnswer } from "../service/tier-api.ts";
import { formatTable } from "./format-table.ts";

type Priced = Usage & { readonly requests: number };
type Moved = Forecast["uploads"];

const HEADER = ["", "PUT", "GET", "HEAD", "LIST", "DELETE", "SENT", "RECEIVED", "STORED", "REQUESTS"];

export function costTable({ since, place, prices, report, forecast }: CostAnswer): string {
  const kinds = Object.entries(report.byKind).filter(([, usage]) => !isNothing(usage));
  const rows = [
    ...kinds.map(([kind, usage]) => rowOf(kind, usage)),
    rowOf("total", report.total),
    rowOf("one by one", report.oneByOne),
  ];
  const { total, oneByOne } = report;
  return [
    formatTable(["COLD TIER", place], [["counted since", since]]),
    `prices: ${prices.name}\n\n`,
    formatTable(HEADER, rows),
    "\n",
    `requests: ${timesLine(report.timesCheaper)}\n`,
    transferLine(total.transfer, oneByOne.transfer),
    `storage, a month: ${paidLine(total.storagePerMonth, oneByOne.storagePerMonth)}\n\n`,
    forecastTable(forecast),
  ].join("");
}

function isNothing(usage: Usage): boolean {
  const { puts, gets, heads, lists, deletes, storedBytes } = usage;
  return puts + gets + heads + lists + deletes + storedBytes === 0;
}

function rowOf(name: string, usage: Priced): readonly string[] {
  const { puts, gets, heads, lists, deletes, bytesIn, bytesOut, storedBytes, requests } = usage;
  const counts = [puts, gets, heads, lists, deletes].map(grouped);
  return [
    name,
    ...counts,
    bytesText(bytesIn),
    bytesText(bytesOut),
    bytesText(storedBytes),
    dollars(requests),
  ];
}

/** Absent where nothing was asked of the bucket yet: there is nothing to divide by. */
function timesLine(times: number | undefined): string {
  if (times === undefined) return "none so far";
  if (times >= 1) return `${grouped(roundedDown(times))} times cheaper than one by one`;
  return `${dollarRatio(1 / times)} times what one by one would have cost`;
}

function roundedDown(times: number): number {
  return times < 100 ? Math.floor(times * 10) / 10 : Math.floor(times);
}

function dollarRatio(times: number): string {
  return Number.isFinite(times) ? grouped(Math.ceil(times * 10) / 10) : "many";
}

function transferLine(paid: number, oneByOne: number): string {
  return paid + oneByOne === 0 ? "" : `transfer: ${paidLine(paid, oneByOne)}\n`;
}

function paidLine(paid: number, oneByOne: number): string {
  return `${dollars(paid)}; one by one ${dollars(oneByOne)}`;
}

const LINES: readonly (readonly [name: string, of: (forecast: Forecast) => string])[] = [
  ["uploads", ({ uploads }) => movedText(uploads)],
  ["packs", ({ packs }) => movedText(packs)],
  ["frees", ({ frees }) => movedText(frees)],
  ["recalls", ({ recalls }) => movedText(recalls)],
  ["on this disk then", ({ hotBytes }) => bytesText(hotBytes)],
  ["in the bucket then", ({ coldBytes }) => bytesText(coldBytes)],
  ["requests for that", ({ dollarsNow }) => dollars(dollarsNow)],
  ["tails a month, at most", ({ tailsPerMonthMax }) => grouped(tailsPerMonthMax)],
  ["lists a month", ({ listsPerMonth }) => grouped(listsPerMonth)],
  ["cold reads a month", ({ coldReadsPerMonth }) => grouped(Math.round(coldReadsPerMonth))],
  ["a month, if busy", ({ dollarsPerMonth }) => dollars(dollarsPerMonth)],
];

function forecastTable({ now, changed }: CostAnswer["forecast"]): string {
  const policies = changed === undefined ? [now] : [now, changed];
  const header = ["WHAT THE POLICY DOES NEXT", "NOW", ...(changed === undefined ? [] : ["CHANGED"])];
  return formatTable(
    header,
    LINES.map(([name, of]) => [name, ...policies.map(of)]),
  );
}

function movedText({ segments, bytes }: Moved): string {
  if (segments === 0) return "none";
  return `${grouped(segments)} segment${segments === 1 ? "" : "s"}, ${bytesText(bytes)}`;
}

function grouped(count: number): string {
  return count.toLocaleString("en-US", { maximumFractionDigits: 1 });
}

/** Small sums matter here: a request is millionths of a dollar. */
function dollars(sum: number): string {
  if (sum === 0) return "$0";
  if (sum >= 1)
    return `$${sum.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  const places = Math.min(12, Math.max(2, 2 - Math.floor(Math.log10(sum))));
  return `$${sum.toFixed(places)}`;
}

function bytesText(bytes: number): string {
  let value = bytes;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (value < 1024) return `${grouped(value)} ${unit}`;
    value /= 1024;
  }
  return `${grouped(value)} TiB`;
}
