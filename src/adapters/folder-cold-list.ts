/**
 * The keys below a folder, in the byte order of whole keys: a directory sorts as its name with a slash
 * behind it, between `a-` and `a0`. Directories that cannot hold a wanted key are not opened. Files that
 * vanish while it goes on are left out; names that are no cold keys are somebody else's.
 */
import type { Dirent } from "node:fs";
import * as fs from "node:fs/promises";
import type { ColdEntry } from "../ports/cold-store.ts";
import { isColdKey } from "../ports/cold-store.ts";
import { isAbsence } from "./folder-cold-errors.ts";

type Wanted = { readonly prefix: string; readonly after: string };

export async function* listFolder(root: string, wanted: Wanted, below = ""): AsyncIterable<ColdEntry> {
  for (const { key, isDirectory } of await namesIn(root, below)) {
    if (isDirectory) {
      if (mayHold(key, wanted)) yield* listFolder(root, wanted, key);
    } else if (key.startsWith(wanted.prefix) && key > wanted.after && isColdKey(key)) {
      const found = await absent(fs.stat(`${root}/${key}`));
      // The time at which the name came there, or later: a linked file is older than its being put.
      if (found !== undefined) yield { key, bytes: found.size, modifiedMs: found.ctimeMs };
    }
  }
}

/** Directories with a slash at their end. Characters of cold keys compare as their bytes do. */
async function namesIn(
  root: string,
  below: string,
): Promise<readonly { readonly key: string; readonly isDirectory: boolean }[]> {
  const found: readonly Dirent[] =
    (await absent(fs.readdir(`${root}/${below}`, { withFileTypes: true }))) ?? [];
  return found
    .filter((entry) => !entry.name.startsWith(".") && (entry.isFile() || entry.isDirectory()))
    .map((entry) => {
      const isDirectory = entry.isDirectory();
      return { key: `${below}${entry.name}${isDirectory ? "/" : ""}`, isDirectory };
    })
    .toSorted((one, other) => (one.key < other.key ? -1 : 1));
}

/** All keys in a directory begin with its name, so they stand together on one side of any other key. */
function mayHold(directory: string, { prefix, after }: Wanted): boolean {
  const isWanted = directory.startsWith(prefix) || prefix.startsWith(directory);
  return isWanted && (directory > after || after.startsWith(directory));
}

async function absent<Result>(work: Promise<Result>): Promise<Result | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}
