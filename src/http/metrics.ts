/**
 * The metrics page: a prom-client registry that reads the edge's own counters, the service's status and the
 * telemetry of the store when it is asked for, so that nothing is spent on metrics between two scrapes.
 */
import { Counter, Gauge, Registry } from "prom-client";
import type { NodeStatus } from "../service/api.ts";
import type { Edge } from "./edge.ts";
import { LATENCY_BOUNDS } from "./operation-counter.ts";
import type { HistogramView, Telemetry } from "./telemetry.ts";
import type { Reading } from "./reading.ts";
import { registerTier } from "./tier-metrics.ts";
import { tierCounters, tierGauges } from "./tier-readings.ts";

export type Metrics = {
  readonly contentType: string;
  page(): Promise<string>;
};

const PREFIX = "thermocline_";
const STATUS_CLASSES = [1, 2, 3, 4, 5] as const;

type LabelledHistogram = { readonly label: string; readonly view: HistogramView };

/**
 * prom-client's Histogram only observes, one value at a time; ours are counted elsewhere. So their lines are
 * written here, in the text format that all scrapers read.
 */
function histogramText(name: string, help: string, histograms: readonly LabelledHistogram[]): string {
  const full = PREFIX + name;
  const lines = [`# HELP ${full} ${help}`, `# TYPE ${full} histogram`];
  for (const { label, view } of histograms) {
    const separator = label === "" ? "" : ",";
    let count = 0;
    for (const [index, bound] of [...view.bounds, "+Inf"].entries()) {
      count += view.counts[index] ?? 0;
      lines.push(`${full}_bucket{${label}${separator}le="${bound}"} ${count}`);
    }
    const labels = label === "" ? "" : `{${label}}`;
    lines.push(`${full}_sum${labels} ${view.sum}`, `${full}_count${labels} ${count}`);
  }
  return `${lines.join("\n")}\n`;
}

function registerRequests(registry: Registry, edge: Edge): void {
  const requests: Counter = new Counter({
    name: `${PREFIX}http_requests_total`,
    help: "Requests by operation and class of status",
    labelNames: ["operation", "status"],
    registers: [registry],
    collect: () => {
      requests.reset();
      for (const { name, byStatusClass } of edge.counters.values()) {
        for (const statusClass of STATUS_CLASSES) {
          const count = byStatusClass[statusClass] ?? 0;
          if (count > 0) requests.inc({ operation: name, status: `${statusClass}xx` }, count);
        }
      }
    },
  });
}

function registerBodyBytes(registry: Registry, edge: Edge): void {
  const bytes: Counter = new Counter({
    name: `${PREFIX}http_body_bytes_total`,
    help: "Bytes of bodies by operation",
    labelNames: ["operation", "direction"],
    registers: [registry],
    collect: () => {
      bytes.reset();
      for (const { name, receivedBytes, sentBytes } of edge.counters.values()) {
        if (receivedBytes > 0) bytes.inc({ operation: name, direction: "received" }, receivedBytes);
        if (sentBytes > 0) bytes.inc({ operation: name, direction: "sent" }, sentBytes);
      }
    },
  });
}

function plain(view: HistogramView): readonly LabelledHistogram[] {
  return [{ label: "", view }];
}

function histogramsText(edge: Edge): string {
  const latencies = [...edge.counters.values()].map(({ name, latencyCounts, latencySum }) => ({
    label: `operation="${name}"`,
    view: { bounds: LATENCY_BOUNDS, counts: latencyCounts, sum: latencySum },
  }));
  const { telemetry } = edge.options;
  return [
    histogramText("http_request_duration_seconds", "Until the answer was complete", latencies),
    histogramText("write_batch_operations", "Operations per WriteBatch", plain(edge.batchSizes)),
    histogramText("get_objects_keys", "Keys per GetObjects", plain(edge.batchReadSizes)),
    histogramText(
      "log_sync_seconds",
      "Duration of a write and sync of the log",
      plain(telemetry.logSyncSeconds),
    ),
    histogramText("log_batch_entries", "Entries per write of the log", plain(telemetry.batchEntries)),
    histogramText("log_batch_bytes", "Bytes per write of the log", plain(telemetry.batchBytes)),
  ].join("\n");
}

function registerGauges(registry: Registry, readings: readonly Reading[]): void {
  for (const [name, help, read] of readings) {
    const gauge: Gauge = new Gauge({
      name: PREFIX + name,
      help,
      registers: [registry],
      collect: () => gauge.set(read()),
    });
  }
}

function registerCounters(registry: Registry, readings: readonly Reading[]): void {
  for (const [name, help, read] of readings) {
    const counter: Counter = new Counter({
      name: PREFIX + name,
      help,
      registers: [registry],
      collect: () => {
        counter.reset();
        counter.inc(read());
      },
    });
  }
}

function statusReadings(status: () => NodeStatus): readonly Reading[] {
  return [
    ["ready", "1 if this node serves", () => Number(status().ready)],
    ["raft_term", "Current term", () => status().term],
    ["commit_index", "Log index up to which entries are committed", () => status().commitIndex],
    ["applied_index", "Log index up to which entries are applied", () => status().appliedIndex],
    ["segments", "Segments of the log", () => status().segments],
    ["log_bytes", "Bytes that were ever written to the log", () => status().logBytes],
    ["segment_file_bytes", "Bytes of segments on disk", () => status().fileBytes],
    ["live_bytes", "Bytes in segments that some object still names", () => status().liveBytes],
    ["dead_bytes", "The other bytes of segments on disk", () => dead(status())],
    ["segment_live_ratio", "Live bytes by segment bytes", () => liveRatio(status())],
    ["log_floor_index", "The log is whole behind this entry", () => status().floorIndex],
    ["snapshot_index", "Last entry in the newest snapshot of the index", () => status().snapshotIndex],
    ["snapshot_bytes", "Size of the newest snapshot of the index", () => status().snapshotBytes],
    ["overlay_rows", "Applied rows that are not flushed to the index yet", () => status().overlayRows],
    ["cache_bytes", "Bytes in the object cache", () => status().cacheBytes],
    ["cache_entries", "Objects in the object cache", () => status().cacheEntries],
    ["disk_free_bytes", "Free bytes on the disk of the data directory", () => status().diskFreeBytes],
    ["clock_skew_seconds", "Wall clock ahead of the monotonic one since the start", () => skew(status())],
    ["writes_refused", "0 none, 1 bodies, 2 all but deletes, 3 all", () => refusal(status().writesRefused)],
    [
      "salvage",
      "1 if started with --salvage to read what is left",
      () => Number(status().salvage !== undefined),
    ],
  ];
}

function coldReadings(figures: () => NodeStatus["coldReads"]): readonly Reading[] {
  return [
    ["cold_read_requests_total", "Requests for bodies to the cold tier", () => figures()?.gets ?? 0],
    ["cold_read_bytes_total", "Bytes that they brought", () => figures()?.bytes ?? 0],
    [
      "cold_reads_coalesced_total",
      "Reads that shared another one's request",
      () => figures()?.coalesced ?? 0,
    ],
    ["cold_reads_missing_total", "Reads whose cold object is not there", () => figures()?.missing ?? 0],
    ["cold_reads_damaged_total", "Reads whose cold object is damaged", () => figures()?.damaged ?? 0],
    ["cold_reads_unavailable_total", "Reads that the cold tier refused", () => figures()?.unavailable ?? 0],
    ["mended_reads_total", "Damaged here, and read from the cold copy", () => figures()?.mended ?? 0],
  ];
}

function liveRatio({ liveBytes, fileBytes }: NodeStatus): number {
  return fileBytes === 0 ? 1 : liveBytes / fileBytes;
}

function dead({ liveBytes, fileBytes }: NodeStatus): number {
  return fileBytes - liveBytes;
}

function skew({ clockSkewMs }: NodeStatus): number {
  return clockSkewMs / 1000;
}

function refusal(refused: NodeStatus["writesRefused"]): number {
  return ["none", "bodies", "allButDeletes", "all"].indexOf(refused);
}

function registerTelemetry(registry: Registry, telemetry: Telemetry): void {
  registerCounters(registry, [
    ["cache_hits_total", "Reads answered from the object cache", () => telemetry.cacheHits],
    ["cache_misses_total", "Reads that went to the store", () => telemetry.cacheMisses],
    ["cache_evictions_total", "Objects pushed out of the cache", () => telemetry.cacheEvictions],
    ["log_written_bytes_total", "Bytes appended to the log", () => telemetry.logBytesWritten],
    ["log_syncs_total", "Syncs of the log", () => telemetry.logSyncs],
  ]);
  registerGauges(registry, [
    ["event_loop_delay_p50_seconds", "Median delay of the loop", () => telemetry.eventLoopDelaySeconds.p50],
    ["event_loop_delay_p99_seconds", "99th percentile", () => telemetry.eventLoopDelaySeconds.p99],
    ["event_loop_delay_max_seconds", "Longest delay", () => telemetry.eventLoopDelaySeconds.max],
  ]);
}

export function createMetrics(edge: Edge): Metrics {
  const registry = new Registry();
  // Asked once for each page: it adds up every segment there is.
  let known: NodeStatus | undefined;
  const status = (): NodeStatus => (known ??= edge.service.status());
  registerRequests(registry, edge);
  registerBodyBytes(registry, edge);
  registerGauges(registry, [
    ["http_requests_in_flight", "Requests without a complete answer", () => edge.inFlight],
    ["http_body_bytes_in_flight", "Credits taken for bodies", () => edge.credits.taken],
    ["http_connections", "Open connections", () => edge.connections],
    ...statusReadings(status),
  ]);
  registerCounters(registry, [
    ["damaged_reads_total", "Requests that met bytes at rest which are damaged", () => edge.damagedReads],
    ["reclaimed_bytes_total", "Bytes of segments given back", () => status().reclaimedBytes],
    ...coldReadings(() => status().coldReads),
  ]);
  registerTelemetry(registry, edge.options.telemetry);
  const { tier } = edge.options;
  if (tier !== undefined) registerTier(registry, tier);
  if (status().tier !== undefined) {
    const read = (): NonNullable<NodeStatus["tier"]> => status().tier as NonNullable<NodeStatus["tier"]>;
    registerGauges(registry, tierGauges(read));
    registerCounters(registry, tierCounters(read));
  }
  return {
    contentType: registry.contentType,
    page: async () => {
      known = undefined;
      return `${await registry.metrics()}\n${histogramsText(edge)}`;
    },
  };
}
