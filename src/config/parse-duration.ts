/**
 * Durations as people write them: `150ms`, `10s`, `5m`, `1h`, `7d`.
 *
 * Promises: the answer is a whole number of milliseconds, or undefined; nothing is rounded. A unit is
 * required, because a bare `10` reads as seconds to one and as milliseconds to another; only `0` needs none.
 */

const millisecondsByUnit: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  if (match === null) return undefined;
  const amount = Number(match[1]);
  if (match[2] === "") return amount === 0 ? 0 : undefined;
  const unit = millisecondsByUnit.get(match[2]?.toLowerCase() ?? "");
  if (unit === undefined) return undefined;
  const milliseconds = amount * unit;
  return Number.isSafeInteger(milliseconds) ? milliseconds : undefined;
}

/** The shortest exact spelling: the largest unit that leaves a whole number. */
export function formatDuration(milliseconds: number): string {
  for (const unit of ["d", "h", "m", "s"] as const) {
    const size = millisecondsByUnit.get(unit) ?? 1;
    if (milliseconds >= size && milliseconds % size === 0) return `${milliseconds / size}${unit}`;
  }
  return `${milliseconds}ms`;
}
