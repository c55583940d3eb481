/**
 * Which table files of a LevelDB directory are checked at a start: those that its manifest names. Beside them
 * there may be half a table, left by a compaction that a kill cut off: LevelDB writes it anew, and an index
 * that is sound must not be made again because of it.
 */
import { DamageError } from "../base/errors.ts";
import type { Disk } from "../ports/disk.ts";
import { readManifest } from "./level-manifest.ts";
import type { LevelManifest } from "./level-manifest.ts";
import { checkTableFiles } from "./level-tables.ts";

/** What is wrong with which file, or `undefined`. */
export async function checkTables(disk: Disk, directory: string): Promise<string | undefined> {
  let manifest: LevelManifest | undefined;
  try {
    manifest = await readManifest(disk, directory);
  } catch (error) {
    if (error instanceof DamageError) return error.message;
    throw error;
  }
  const tables = manifest?.tables;
  return await checkTableFiles(disk, directory, (table) => tables?.has(table) ?? true);
}
