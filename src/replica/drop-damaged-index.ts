/**
 * Takes away the index that was put aside because it could not be believed: once what was made in its place
 * is in LevelDB and synced, also one that an earlier process had no time for. An index can be as large as all
 * else but the bodies, so it must not stay; why it was not believed is in the log of the start.
 */
import { BusyError, UnavailableError } from "../base/errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Disk } from "../ports/disk.ts";
import type { Logger } from "../ports/logger.ts";
import { asideOf } from "../store/open-index.ts";
import type { StateIndex } from "../store/state-index.ts";

const RETRY_MS = 10_000;

export async function dropDamagedIndex(
  options: {
    readonly disk: Disk;
    readonly directory: string;
    readonly index: StateIndex;
    readonly clock: Clock;
    readonly logger: Logger;
  },
  signal: AbortSignal,
): Promise<void> {
  const { disk, directory, index, clock, logger } = options;
  const aside = asideOf(`${directory}/index`);
  if (!(await disk.list(directory)).includes(aside.slice(directory.length + 1))) return;
  while (!signal.aborted) {
    try {
      await index.flushedThrough(index.appliedIndex);
      await disk.removeDirectory(aside);
      logger.info("the index that could not be believed was removed: there is a new one", { path: aside });
      return;
    } catch (error) {
      if (signal.aborted || error instanceof UnavailableError) return;
      if (!(error instanceof BusyError)) throw error;
      await clock.sleep(RETRY_MS, { signal });
    }
  }
}
