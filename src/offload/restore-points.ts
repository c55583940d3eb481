/**
 * The restore points of this lineage that the bucket holds, as far as this node has to know: the newest one
 * that is whole, found once after a start, and then the ones that it writes itself.
 */
import { finishInSteps } from "../base/steps.ts";
import type { Clock } from "../ports/clock.ts";
import { ColdDamagedError, ColdMissingError } from "../ports/cold-store.ts";
import type { ColdStore } from "../ports/cold-store.ts";
import { coldPrefix, parseColdKey } from "./cold-names.ts";
import type { ColdPlace } from "./cold-names.ts";
import { decodeManifest } from "./manifest-format.ts";
import type { Manifest } from "./manifest.ts";

export type RestorePoint = {
  readonly key: string;
  /** A restore from it leads at least to this entry. */
  readonly index: number;
  /** 0 if the log is there from its first entry on. */
  readonly snapshotIndex: number;
  readonly snapshotBytes: number;
  /** Whether the bucket holds what came later, too. */
  readonly isFollowed: boolean;
};

export function restorePointOf(key: string, manifest: Manifest): RestorePoint {
  const { index, snapshot, isEnd } = manifest;
  const snapshotBytes = (snapshot?.parts ?? []).reduce((sum, { bytes }) => sum + bytes, 0);
  const snapshotIndex = snapshot?.index ?? 0;
  return { key, index, snapshotIndex, snapshotBytes, isFollowed: isEnd !== true };
}

/** The newest one that can be read and whose snapshot is there. Rejects with errors of the port. */
export async function findRestorePoint(
  { store, clock, place }: { readonly store: ColdStore; readonly clock: Clock; readonly place: ColdPlace },
  signal: AbortSignal,
): Promise<RestorePoint | undefined> {
  const keys: string[] = [];
  for await (const { key } of store.list(coldPrefix(place, "manifest"), { signal })) {
    if (parseColdKey(key)?.name.kind === "manifest") keys.push(key);
  }
  for (const key of keys.toReversed()) {
    try {
      const bytes = Buffer.from(await store.get(key, { signal }));
      const reading = await finishInSteps(decodeManifest(bytes), clock);
      if (reading.kind !== "manifest") continue;
      if (await hasSnapshot(store, reading.manifest, signal)) return restorePointOf(key, reading.manifest);
    } catch (error) {
      const isOfThisOne = error instanceof ColdMissingError || error instanceof ColdDamagedError;
      if (!isOfThisOne) throw error;
    }
  }
  return undefined;
}

async function hasSnapshot(store: ColdStore, { snapshot }: Manifest, signal: AbortSignal): Promise<boolean> {
  for (const { key, bytes } of snapshot?.parts ?? []) {
    if ((await store.head(key, { signal }))?.bytes !== bytes) return false;
  }
  return true;
}
