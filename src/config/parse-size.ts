/**
 * Sizes as people write them: `64MiB`, `512KB`, `1GiB`, `4096`.
 *
 * Promises: the answer is a whole, safe number of bytes, or undefined; nothing is rounded. Binary units are
 * powers of 1024 (KiB MiB GiB TiB), decimal ones of 1000 (KB MB GB TB). A bare number is a count of bytes,
 * since the settings that take one say so in their names.
 */

const bytesByUnit: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["b", 1],
  ["kb", 1000],
  ["mb", 1000 ** 2],
  ["gb", 1000 ** 3],
  ["tb", 1000 ** 4],
  ["kib", 1024],
  ["mib", 1024 ** 2],
  ["gib", 1024 ** 3],
  ["tib", 1024 ** 4],
]);

/** A fraction is fine (`1.5GiB`) as long as whole bytes come out. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = bytesByUnit.get(match?.[2]?.toLowerCase() ?? "?");
  if (match === null || unit === undefined) return undefined;
  const bytes = Number(match[1]) * unit;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The shortest exact spelling: the largest binary unit that leaves a whole number. */
export function formatSize(bytes: number): string {
  for (const unit of ["TiB", "GiB", "MiB", "KiB"] as const) {
    const size = bytesByUnit.get(unit.toLowerCase()) ?? 1;
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${bytes}B`;
}
