/** The directory of index snapshots: names, which tell the log index, and what was left unfinished. */
import type { Disk } from "../ports/disk.ts";

export const SNAPSHOTS_NAME = "snapshots";
/** Behind the name of a file that is being written; nobody reads one, and a start removes it. */
export const UNFINISHED = ".new";

const NAME = /^(\d{16})\.snap$/;

export type SnapshotName = { readonly index: number; readonly path: string };

export function snapshotPath(directory: string, index: number): string {
  return `${directory}/${String(index).padStart(16, "0")}.snap`;
}

/** The newest first. */
export async function listSnapshots(disk: Disk, directory: string): Promise<readonly SnapshotName[]> {
  const indexes: number[] = [];
  for (const name of await disk.list(directory)) {
    const index = NAME.exec(name)?.[1];
    if (index !== undefined) indexes.push(Number(index));
  }
  return indexes.toSorted((a, b) => b - a).map((index) => ({ index, path: snapshotPath(directory, index) }));
}

/** What a crash left of files that had no name yet. */
export async function removeUnfinished(disk: Disk, directory: string): Promise<void> {
  for (const name of await disk.list(directory)) {
    if (name.endsWith(UNFINISHED)) await disk.remove(`${directory}/${name}`);
  }
}
