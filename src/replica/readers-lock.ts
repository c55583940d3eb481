/**
 * The lock of a data directory for somebody who reads it and leaves no trace in it. Where it cannot be taken
 * without writing, that is told, and reading goes on: a copy of a directory has no lock, and nobody who uses
 * it.
 */
import { RefusedError } from "../base/errors.ts";
import type { DirectoryLock } from "../ports/disk.ts";
import type { Scratch } from "../ports/scratch.ts";

/** Throws RefusedError if another process has it. */
export async function takeReadersLock(
  scratch: Scratch,
  directory: string,
): Promise<{ readonly lock?: DirectoryLock; readonly note?: string }> {
  const taken = await scratch.lock(directory);
  if (taken.kind === "busy") {
    throw new RefusedError(`another process uses ${directory}: stop it first, it may still write`);
  }
  if (taken.kind === "held") return { lock: taken.lock };
  return {
    note: `the directory could not be locked (${taken.reason}): start no other server on it meanwhile`,
  };
}
