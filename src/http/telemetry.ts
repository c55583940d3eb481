/**
 * Figures that other rooms keep and the metrics page shows, as the edge reads them: plain numbers that only
 * grow, and histograms with cumulative counts. Whoever keeps them updates fields; nothing is called on a hot
 * path.
 */

/** Counts per bucket are not cumulative: `counts[i]` are the values in (bounds[i - 1], bounds[i]]. */
export type HistogramView = {
  readonly bounds: readonly number[];
  /** One longer than `bounds`: the last counts what is above all of them. */
  readonly counts: ArrayLike<number>;
  readonly sum: number;
};

export type Telemetry = {
  readonly cacheHits: number;
  readonly cacheMisses: number;
  readonly cacheEvictions: number;
  /** Bytes appended to the log. */
  readonly logBytesWritten: number;
  readonly logSyncs: number;
  readonly logSyncSeconds: HistogramView;
  readonly batchEntries: HistogramView;
  readonly batchBytes: HistogramView;
  readonly eventLoopDelaySeconds: {
    readonly p50: number;
    readonly p99: number;
    readonly max: number;
  };
};
