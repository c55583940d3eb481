/**
 * The applied state over an opened index, with what reads it and what applies to it: the same for a node in
 * operation and for one that only reads.
 */
import type { Clock } from "../ports/clock.ts";
import type { ColdStore } from "../ports/cold-store.ts";
import type { IndexStore } from "../ports/index-store.ts";
import type { Logger } from "../ports/logger.ts";
import { ColdReads } from "../store/cold-reads.ts";
import { ObjectCache } from "../store/object-cache.ts";
import { ObjectReader } from "../store/object-reader.ts";
import type { OpenedIndex } from "../store/open-index.ts";
import { ReadPace } from "../store/read-pace.ts";
import { ReadPins } from "../store/read-pins.ts";
import { RecordReader } from "../store/record-reader.ts";
import type { ReadWatch } from "../store/record-reader.ts";
import type { SegmentFiles } from "../store/segment-files.ts";
import { StateIndex } from "../store/state-index.ts";
import { ranges } from "../state/keys.ts";
import { StateMachine } from "../state/state-machine.ts";
import { Applier } from "./applier.ts";

export type StateOptions = {
  readonly cacheBytesMax: number;
  readonly overlayRowsMax: number;
  readonly overlayBytesMax: number;
  readonly iteratorsMax: number;
  /** Threads of the pool that reads may hold. */
  readonly readThreadsMax: number;
  /** Where segments are read from that are not here, or damaged. */
  readonly cold?: ColdStore | undefined;
  /** Requests to it that reads may have under way. */
  readonly coldReadsMax?: number | undefined;
  readonly watch?: ReadWatch | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
};

export type OpenState = {
  readonly index: StateIndex;
  readonly state: StateMachine;
  readonly cache: ObjectCache;
  readonly reader: ObjectReader;
  readonly pins: ReadPins;
  readonly applier: Applier;
};

/** Throws DamageError for a row that it needs itself. Nothing is flushed before `index.run`. */
export async function openState(
  options: StateOptions,
  parts: {
    readonly opened: OpenedIndex;
    readonly files: SegmentFiles;
    readonly reopen: (old: IndexStore) => Promise<IndexStore>;
  },
): Promise<OpenState> {
  const { clock, logger } = options;
  const { opened, files, reopen } = parts;
  const pace = new ReadPace(clock);
  const index = new StateIndex({
    pace,
    store: opened.store,
    reopen,
    clock,
    logger,
    appliedIndex: opened.appliedIndex,
    flushNumber: opened.flushNumber,
    rowsMax: options.overlayRowsMax,
    bytesMax: options.overlayBytesMax,
    iteratorsMax: options.iteratorsMax,
  });
  const cache = new ObjectCache({ bytesMax: options.cacheBytesMax });
  const state = new StateMachine(index, cache);
  await loadSegments(index, state);
  const pins = new ReadPins();
  const { cold, coldReadsMax: getsMax, watch, readThreadsMax: readsMax } = options;
  const coldReads = cold && new ColdReads(cold, { clock, getsMax });
  const records = new RecordReader(files, state.segments, { readsMax, cold: coldReads, watch });
  const reader = new ObjectReader({ index, cache, buckets: state.buckets, records, pace, pins });
  return { index, state, cache, reader, pins, applier: new Applier({ index, state, clock }) };
}

async function loadSegments(index: StateIndex, state: StateMachine): Promise<void> {
  const iterator = await index.iterate(ranges.segments);
  try {
    for (;;) {
      const page = await iterator.next(1000);
      if (page.length === 0) return;
      for (const [key, value] of page) state.segments.load(key, value);
    }
  } finally {
    await iterator.close();
  }
}
