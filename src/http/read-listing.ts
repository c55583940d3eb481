/**
 * Reads one page of a listing: s3/listing.ts decides what it shows and where to read on, a cursor of the
 * service reads.
 *
 * How much to read at once: without a delimiter exactly the page. With one, a batch may be hidden by its
 * first common prefix and be read in vain, so batches start small and grow while entries are shown singly.
 */
import type { ListingEntry, ListingFold, ListingSeek } from "../s3/listing.ts";

const GROUP_BATCH_MIN = 16;

export type ListingCursor<Entry> = {
  next(limit: number): Promise<readonly Entry[]>;
  close(): Promise<void>;
};

/** Closes the cursor, which stands where the fold begins. */
export async function readListing<Entry extends ListingEntry>(
  fold: ListingFold<Entry>,
  cursor: ListingCursor<Entry>,
  options: {
    readonly hasGroups: boolean;
    /** Moves the cursor, unless it stands there already: behind the entry that was read last. */
    readonly moveTo: (seek: ListingSeek) => "moved" | "stands";
  },
): Promise<void> {
  let batchMax = options.hasGroups ? GROUP_BATCH_MIN : Number.POSITIVE_INFINITY;
  try {
    for (let seek = fold.seek, isFirst = true; seek !== undefined; seek = fold.seek, isFirst = false) {
      if (!isFirst) batchMax = options.moveTo(seek) === "moved" ? GROUP_BATCH_MIN : batchMax * 2;
      const batch = await cursor.next(Math.min(fold.wanted, batchMax));
      fold.consume(batch, { isExhausted: batch.length === 0 });
    }
  } finally {
    await cursor.close();
  }
}
