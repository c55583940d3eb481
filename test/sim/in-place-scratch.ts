/** Reads a simulated directory where it lies: its index is not written to by being opened. */
import type { Disk } from "../../src/ports/disk.ts";
import type { Scratch } from "../../src/ports/scratch.ts";

export function inPlaceScratch(disk: Disk): Scratch {
  return {
    path: "scratch",
    lock: async (directory) => {
      const lock = await disk.lock(`${directory}/lock`);
      return lock === undefined ? { kind: "busy" } : { kind: "held", lock };
    },
    shadowIndex: (directory) => Promise.resolve(directory),
    emptyDirectory: () => Promise.resolve("scratch/empty"),
    remove: () => Promise.resolve(),
  };
}
