/**
 * A cold store beside a recorded disk. It survives every crash: at each position of the log it holds what was
 * put before that, and no more, so a node that relied on a copy too early is found out.
 */
import type { StorageNode, StorageNodeOptions } from "../../src/replica/storage-node.ts";
import type { SegmentTable } from "../../src/state/segment-table.ts";
import type { TierView } from "../../src/store/local-segments.ts";
import { SimColdStore } from "../sim/sim-cold-store.ts";
import type { SimColdObject } from "../sim/sim-cold-store.ts";
import type { SimMachine } from "../sim/sim-store.ts";

export type ColdRecording = {
  /** Each with the position of the log at which it was whole. */
  readonly puts: { readonly position: number; readonly key: string; readonly object: SimColdObject }[];
  /** Whether the floor waits for the bucket. */
  readonly follows: boolean;
  /** So that it is known what was cut. */
  freed: number;
  recalled: number;
};

/** The last segment up to which every one is in the bucket as it was sealed. */
export function uploadedThrough({ all }: SegmentTable): number {
  let last = 0;
  for (const { id, cold } of all) {
    if (cold?.kind !== "verbatim") break;
    last = id;
  }
  return last;
}

/** Of a node that opens somewhat later. */
export function tierOf(recording: ColdRecording, node: () => StorageNode | undefined): TierView {
  return {
    get uploadedThroughSegment() {
      const segments = node()?.state.segments;
      if (!recording.follows) return Infinity;
      return segments === undefined ? 0 : uploadedThrough(segments);
    },
  };
}

export type ImageCold = {
  readonly options: Partial<StorageNodeOptions>;
  /** Copies that the state names and the cold tier has not (promise P5). */
  readonly unproven: (node: StorageNode) => readonly string[];
};

export function coldOf(recording: ColdRecording, { disk, clock }: SimMachine, position: number): ImageCold {
  const put = recording.puts.filter((each) => each.position <= position);
  const objects = new Map(put.map(({ key, object }) => [key, object]));
  const cold = new SimColdStore({ disk, clock, objects });
  const unproven = (node: StorageNode): readonly string[] =>
    node.state.segments.all
      .filter((row) => row.cold !== undefined && objects.get(row.cold.key)?.sha256 !== row.cold.sha256)
      .map(({ id }) => `segment ${id} has a copy that nobody put`);
  // Nothing is offloaded any more: the floor stays where it is, or need not wait.
  const tier = { uploadedThroughSegment: recording.follows ? 0 : Infinity };
  return { options: { cold, tier }, unproven };
}
