/** Planted bugs of the disk and the index in memory. */
import type { Mutant } from "./mutant.ts";

const account = ["test/adapters/memory-disk.test.ts"];
const contract = ["test/contract/adapters.test.ts"];
const sorted = ["test/adapters/sorted-rows.test.ts"];

export const memoryMutants: readonly Mutant[] = [
  {
    name: "memory-of-files-kept",
    what: "a store in memory fills up with files that were deleted long ago",
    file: "src/adapters/memory-disk.ts",
    find: "if (this.#users === 0) this.truncate(0);",
    replace: "",
    killedBy: account,
  },
  {
    name: "memory-of-replaced-files-kept",
    what: "each file that another one takes the name of counts for ever",
    file: "src/adapters/memory-disk.ts",
    find: "this.#files.get(target)?.release();",
    replace: "",
    killedBy: account,
  },
  {
    name: "memory-of-rows-kept",
    what: "rows that were overwritten or deleted count for ever",
    file: "src/adapters/memory-index-store.ts",
    find: "bytesOf(key, value) - bytesOf(key, before)",
    replace: "bytesOf(key, value)",
    killedBy: account,
  },
  {
    name: "memory-without-a-bound",
    what: "a store in memory takes all there is and ends its process",
    file: "src/adapters/memory-space.ts",
    find: "if (bytes > this.freeBytes) throw",
    replace: "if (bytes > Number.MAX_VALUE) throw",
    killedBy: account,
  },
  {
    name: "memory-refused-and-longer",
    what: "a write that finds no room makes its file longer all the same",
    file: "src/adapters/memory-disk.ts",
    find: "if (pages > 0) this.#space.take(pages * PAGE_BYTES);",
    replace:
      "if (pages > 0) {\n" +
      "      this.#size = size;\n" +
      "      this.#space.take(pages * PAGE_BYTES);\n" +
      "    }",
    killedBy: account,
  },
  {
    name: "memory-shows-what-was-cut-off",
    what: "bytes behind the end of a file come back when it grows again",
    file: "src/adapters/memory-disk.ts",
    find: "this.#pages[Math.floor(size / PAGE_BYTES)]?.fill(0, size % PAGE_BYTES);",
    replace: "",
    killedBy: contract,
  },
  {
    name: "memory-row-shared-with-its-writer",
    what: "a row changes when its writer uses its buffer again",
    file: "src/adapters/memory-index-store.ts",
    find: "void rows.set(key, Uint8Array.from(value))",
    replace: "void rows.set(key, value)",
    killedBy: contract,
  },
  {
    name: "snapshot-in-memory-moves",
    what: "a listing in memory sees what is written after it began",
    file: "src/adapters/sorted-rows.ts",
    find: "if (block?.generation === this.#generation) return block;",
    replace: "if (block !== undefined) return block;",
    killedBy: [...sorted, ...contract],
  },
];
