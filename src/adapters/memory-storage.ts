/** A disk and an index in memory, empty, on one account of bytes. */
import type { Disk } from "../ports/disk.ts";
import type { IndexStore } from "../ports/index-store.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { MemoryIndex } from "./memory-index-store.ts";
import { MemorySpace } from "./memory-space.ts";

export function memoryStorage(options: { readonly bytesMax: number }): {
  readonly disk: Disk;
  readonly openIndexStore: () => Promise<IndexStore>;
} {
  const space = new MemorySpace(options);
  const index = new MemoryIndex(space);
  return { disk: new MemoryDisk(space), openIndexStore: () => index.open() };
}
