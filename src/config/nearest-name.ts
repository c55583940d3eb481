/**
 * "Did you mean": the known name that is nearest to a mistyped one.
 *
 * Distance is the least number of letters to insert, drop, replace or swap with their neighbour, case aside.
 * A name further away than a third of its length is no help and is not offered.
 */

export function nearestName(wanted: string, known: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let least = Math.max(2, Math.floor(wanted.length / 3)) + 1;
  for (const name of known) {
    const distance = editDistance(wanted.toLowerCase(), name.toLowerCase());
    if (distance < least) [nearest, least] = [name, distance];
  }
  return nearest;
}

/** `; did you mean X?`, or nothing. */
export function didYouMean(wanted: string, known: readonly string[]): string {
  const name = nearestName(wanted, known);
  return name === undefined ? "" : `; did you mean ${name}?`;
}

/** Optimal string alignment, by rows: `before` and `above` are the two rows over the one being filled. */
export function editDistance(from: string, to: string): number {
  let before: number[] = [];
  let above = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1];
      const replaced = (above[j - 1] ?? 0) + (same ? 0 : 1);
      let best = Math.min(replaced, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      if (swapped) best = Math.min(best, (before[j - 2] ?? 0) + 1);
      row.push(best);
    }
    [before, above] = [above, row];
  }
  return above[to.length] ?? 0;
}
