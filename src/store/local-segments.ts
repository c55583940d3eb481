/**
 * What a node tells the cold tier about its own files, and lets it do with them. Rooms on one floor do not
 * know each other: the replica keeps these promises, the offload code relies on them. All of it is this
 * node's own business and needs no entry; the state alone says where verified copies are. A node that closes
 * waits for changes that are under way, and rejects what comes then with UnavailableError.
 */
import type { SnapshotInfo } from "./snapshot-file.ts";

export type LocalFile = {
  readonly path: string;
  /** Of the file: for a verbatim one with its footer. */
  readonly bytes: number;
  /** As it was sealed, or rewritten without its dead bytes. */
  readonly kind: "verbatim" | "packed";
};

export interface LocalSegments {
  /** Segments that end here or before are values; above it the log is whole on this disk. */
  readonly floorIndex: number;
  /** Of all segment files here. */
  readonly fileBytes: number;
  /** Of the file of this segment; 0 if there is none. */
  bytesOf(id: number): number;

  /**
   * Lends the file of a sealed segment: all its entries committed and stable, its footer written. Nobody
   * rewrites, frees or deletes it until `work` is done. `undefined` if there is no such file here.
   */
  withFile<Result>(id: number, work: (file: LocalFile) => Promise<Result>): Promise<Result | undefined>;

  /**
   * Deletes the file of a segment below the floor whose row names a verified copy, once its readers are done;
   * from then on it is read from there. False, and nothing happens, where one of these is not so (P5).
   */
  free(id: number): Promise<boolean>;

  /**
   * Brings a segment back. `fetch` writes the whole file at the path that it is given, and has verified it; a
   * crash before the end leaves nothing. False if the segment is here, or has no row or no copy any more.
   */
  recall(id: number, fetch: (path: string) => Promise<void>): Promise<boolean>;

  /**
   * The same for one that is here below the floor and damaged: its file stays as it is, and is read, until
   * the other one is whole and takes its name. False, and nothing happens, where `free` would say so.
   */
  replace(id: number, fetch: (path: string) => Promise<void>): Promise<boolean>;

  /**
   * Lends the newest verified snapshot of the index, one of `minIndex` or later: makes one if there is none.
   * Its file stays until `work` is done. Rejects with BusyError if there is no room for one now.
   */
  withSnapshot<Result>(minIndex: number, work: (snapshot: SnapshotInfo) => Promise<Result>): Promise<Result>;

  /**
   * Brings the floor up to this sealed segment, as far as the bucket allows: makes the snapshots that it has
   * to stay behind. Rejects with BusyError if there is no room for one now.
   */
  raiseFloor(id: number): Promise<void>;

  /** Bytes of a segment above the floor, the open one among them: as many as there are in this range. */
  readLog(id: number, range: { readonly start: number; readonly end: number }): Promise<Buffer>;

  /**
   * Ends the open segment with a seal entry, if it holds any entry; resolves with the id of the last sealed
   * segment, once its footer is written.
   */
  seal(): Promise<number>;
}

/** What the cold tier says to the node: asked at each look, never waited for. */
export interface TierView {
  /**
   * The floor stays below the first segment that is not in the bucket as it was sealed, while the bucket has
   * to follow the log (`recoveryPoint`): 0 for none, Infinity where it need not.
   */
  readonly uploadedThroughSegment: number;
}
