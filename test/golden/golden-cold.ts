/** Fixed values of what the state says about the cold tier, for golden-bytes.ts. */
import type { Command } from "../../src/state/command.ts";
import { rows } from "../../src/state/rows.ts";

const packedCopy = {
  kind: "packed",
  key: "c/l/packed/0000000000061000-n1.7.seg",
  bytes: 30_000_000,
  sha256: "ab".repeat(32),
} as const;

export const coldCommands: Readonly<Record<string, Command>> = {
  segmentOffloaded: {
    kind: "segmentOffloaded",
    segmentId: 61_000,
    firstIndex: 1_000_000,
    entries: 300,
    copy: packedCopy,
  },
  condemnCold: { kind: "condemnCold", keys: [packedCopy.key, "c/l/tail/1/1-2"] },
  pardonCold: { kind: "pardonCold", keys: [packedCopy.key] },
  beginLineage: { kind: "beginLineage", lineage: "l2", parent: "l1", cutIndex: 1_000_000 },
  adoptLineages: { kind: "adoptLineages", lineage: "l2", adopted: ["l1", "l0"] },
};

export const coldRows = {
  offloadedSegment: rows.segment.encode({
    firstIndex: 1_000_000,
    bytes: 67_108_864,
    entries: 300,
    liveBytes: 29_000_000,
    cut: true,
    chainLow: 0x01020304,
    chainHigh: 0xf1f2f3f4,
    droppedBefore: 3,
    chainBefore: { low: 1, high: 2 },
    ended: { timeMs: 1_700_000_000_000, dateMs: 1_700_000_000_500 },
    cold: packedCopy,
  }),
  condemned: rows.condemned.encode({ sinceMs: 1_700_000_000_000, wasNamed: true }),
  lineage: rows.lineage.encode({ lineage: "l2", parent: "l1", cutIndex: 1_000_000 }),
  lineageWithAdopted: rows.lineage.encode({
    lineage: "l2",
    parent: "l1",
    cutIndex: 1_000_000,
    adopted: ["l1", "l0"],
  }),
} as const;
