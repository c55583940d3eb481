/** A bucket as tests need it: objects come and go, and what they hold follows from their history. */
import { coldKey, parseColdKey } from "../../src/offload/cold-names.ts";
import type { ColdName } from "../../src/offload/cold-names.ts";
import type {
  BucketContents,
  SegmentEndsReading,
  TailViewReading,
} from "../../src/offload/bucket-contents.ts";
import type { ManifestReading } from "../../src/offload/manifest-format.ts";
import type { Manifest } from "../../src/offload/manifest.ts";
import { CLUSTER, at, chainOf, firstOf, lastOf, objectOf, segmentAt } from "./manifests.ts";

type Whose = { readonly lineage?: string; readonly history?: string };

export class ColdWorld {
  readonly objects = new Map<string, number>();
  readonly manifests = new Map<string, ManifestReading>();
  readonly tails = new Map<string, TailViewReading>();
  readonly ends = new Map<string, SegmentEndsReading>();

  get contents(): BucketContents & { readonly manifests: ReadonlyMap<string, ManifestReading> } {
    const listing = [...this.objects].map(([key, bytes]) => ({ key, bytes }));
    return {
      cluster: CLUSTER,
      listing,
      manifests: this.manifests,
      tails: this.tails,
      segmentEnds: this.ends,
    };
  }

  put(name: ColdName, lineage = "aa"): string {
    const { key, bytes } = objectOf(at(lineage), name);
    this.objects.set(key, bytes);
    return key;
  }

  segment(id: number, { lineage = "aa", history = "log" }: Whose = {}, last = lastOf(id)): string {
    const first = firstOf(id);
    const key = this.put({ kind: "segment", first, last }, lineage);
    const chains = { chainBefore: chainOf(history, first - 1), chainAfter: chainOf(history, last) };
    this.ends.set(key, { kind: "ends", first, last, ...chains });
    return key;
  }

  tail(first: number, last: number, { lineage = "aa", history = "log" }: Whose = {}): string {
    const segmentId = segmentAt(first);
    const key = this.put({ kind: "tail", segment: segmentId, first, last }, lineage);
    const chainBefore = (index: number) => chainOf(history, index - 1);
    this.tails.set(key, { kind: "tail", tail: { lineage, segmentId, first, last, chainBefore } });
    return key;
  }

  /** With everything that it names, unless that is not wanted. */
  manifest(manifest: Manifest, { alone = false }: { readonly alone?: boolean } = {}): string {
    const { lineage, index, term, incarnation } = manifest;
    const key = coldKey(at(lineage), { kind: "manifest", index, term, incarnation });
    this.objects.set(key, 500);
    this.manifests.set(key, { kind: "manifest", manifest });
    if (alone) return key;
    for (const part of manifest.snapshot?.parts ?? []) this.objects.set(part.key, part.bytes);
    for (const { copy } of manifest.segments) if (copy !== undefined) this.objects.set(copy.key, copy.bytes);
    return key;
  }

  remove(...keys: readonly string[]): void {
    for (const key of keys) {
      this.objects.delete(key);
      this.manifests.delete(key);
    }
  }

  keysOf(kind: ColdName["kind"]): readonly string[] {
    return [...this.objects.keys()].filter((key) => parseColdKey(key)?.name.kind === kind);
  }
}
