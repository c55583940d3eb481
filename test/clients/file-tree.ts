/** A folder of about a hundred files with odd names in subfolders, for clients that synchronise folders. */
import { mkdir, readFile, readdir, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ODD_FILE_NAMES } from "./odd-names.ts";
import { makeBytes, sha256 } from "./test-bodies.ts";

const FOLDERS = ["", "sub", "sub/deeper", "%2e%2e folder", "a b+c&d", "\u{1f986}"];
const PLAIN_FILES = 14;

/** Paths relative to the folder. */
export function treePaths(): readonly string[] {
  const odd = ODD_FILE_NAMES.map((name, at) => join(at % 2 === 0 ? "" : "sub", name));
  const plain = FOLDERS.flatMap((folder) =>
    Array.from({ length: PLAIN_FILES }, (_, at) => join(folder, `file-${at}.bin`)),
  );
  return [...odd, ...plain];
}

export async function makeTree(root: string): Promise<readonly string[]> {
  const paths = treePaths();
  // Files are older than their upload: a client that compares times has no reason to send one again.
  const anHourAgo = new Date(Date.now() - 3_600_000);
  for (const [at, path] of paths.entries()) {
    const full = join(root, path);
    await mkdir(dirname(full), { recursive: true });
    await writeFile(full, makeBytes((at * 997) % 30_000, path));
    await utimes(full, anHourAgo, anHourAgo);
  }
  return paths;
}

/** Digest of each file by its relative path: equal for equal trees. */
export async function readTree(root: string): Promise<Readonly<Record<string, string>>> {
  const digests: Record<string, string> = {};
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const full = join(entry.parentPath, entry.name);
    digests[full.slice(root.length + 1)] = sha256(await readFile(full));
  }
  return Object.fromEntries(Object.entries(digests).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
