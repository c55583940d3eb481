/**
 * A disk and an index in memory, empty, on one account of bytes; and how a store gives them back early: in
 * small segments, and with nothing kept for a crash that nobody could start after.
 */
import type { Disk } from "../ports/disk.ts";
import type { IndexStore } from "../ports/index-store.ts";
import { MEMORY_CAUTION } from "../replica/space-policy.ts";
import type { Caution } from "../replica/space-policy.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { MemoryIndex } from "./memory-index-store.ts";
import { MemorySpace } from "./memory-space.ts";

const SEGMENT_BYTES = 4 * 1024 * 1024;

export function memoryStorage(options: { readonly bytesMax: number }): {
  readonly disk: Disk;
  readonly openIndexStore: () => Promise<IndexStore>;
  readonly segmentBytes: number;
  readonly caution: Caution;
} {
  const space = new MemorySpace(options);
  const index = new MemoryIndex(space);
  return {
    disk: new MemoryDisk(space),
    openIndexStore: () => index.open(),
    segmentBytes: SEGMENT_BYTES,
    caution: MEMORY_CAUTION,
  };
}
