/**
 * Commands about the cold tier: the one fact that the state knows of it, where a verified copy of a segment
 * lies, and which of its objects nobody needs any more (RULES.md R21). Which node still has a segment of its
 * own is not in here: that is each node's own business.
 */
import type { ColdCopy } from "./rows.ts";

/** The copy was put, and verified, before this was proposed (promise P5). */
export type SegmentOffloaded = {
  readonly kind: "segmentOffloaded";
  readonly segmentId: number;
  /** What the proposer saw: of another segment under that id there is no copy. */
  readonly firstIndex: number;
  readonly entries: number;
  readonly copy: ColdCopy;
};

/** Objects of the cold tier that nothing names: from this entry on their grace runs, in log time. */
export type CondemnCold = { readonly kind: "condemnCold"; readonly keys: readonly string[] };

/** They were deleted, or are needed after all. */
export type PardonCold = { readonly kind: "pardonCold"; readonly keys: readonly string[] };

/**
 * The state goes on from a restore, under another name and in another place (RULES.md R20). What the parent
 * wrote up to `cutIndex` is shared with it.
 */
export type BeginLineage = {
  readonly kind: "beginLineage";
  readonly lineage: string;
  readonly parent: string;
  readonly cutIndex: number;
};

/**
 * From now on `lineage` clears away what lineages before it have left in the bucket: somebody has said that
 * their nodes are gone for good. Nothing happens if the state has gone on under another name since.
 */
export type AdoptLineages = {
  readonly kind: "adoptLineages";
  readonly lineage: string;
  /** The newest first. */
  readonly adopted: readonly string[];
};

export type ColdCommand = SegmentOffloaded | CondemnCold | PardonCold | BeginLineage | AdoptLineages;
