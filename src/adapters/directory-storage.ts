/** What a data directory lies on: the real disk, and LevelDB for the index. */
import type { Disk } from "../ports/disk.ts";
import type { IndexStore } from "../ports/index-store.ts";
import { LevelIndexStore } from "./level-index-store.ts";
import { NodeDisk } from "./node-disk.ts";

export function directoryStorage(): {
  readonly disk: Disk;
  readonly openIndexStore: (path: string) => Promise<IndexStore>;
} {
  return { disk: new NodeDisk(), openIndexStore: (path) => LevelIndexStore.open(path) };
}
