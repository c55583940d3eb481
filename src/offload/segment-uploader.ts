/**
 * Brings one sealed segment into the bucket: put → verified → told to the log → applied. A crash or a failure
 * anywhere leaves at most an object that nobody names, and the next attempt puts the same bytes under the
 * same key again. Nothing here frees anything.
 *
 * A file goes as it lies on this disk: verbatim under its one key, or, where its dead bytes were dropped, as
 * packed under a key of this attempt. Every record of a verbatim one is held against its checksums before:
 * damage on this disk must not be called a verified copy.
 */
import type { Clock } from "../ports/clock.ts";
import type { ColdStore } from "../ports/cold-store.ts";
import type { Disk } from "../ports/disk.ts";
import type { ColdCopy } from "../state/rows.ts";
import type { SegmentEntry } from "../state/segment-table.ts";
import type { LocalFile } from "../store/local-segments.ts";
import { coldKey } from "./cold-names.ts";
import type { ColdName } from "./cold-names.ts";
import type { InFlight } from "./in-flight.ts";
import { checkSound } from "./sound-file.ts";
import type { SoundFile } from "./sound-file.ts";
import { chainBeforeAt, chainBehind, lastOf } from "./tier-node.ts";
import type { TierNode } from "./tier-node.ts";
import type { TierHealth } from "./tier-health.ts";
import type { TierPace } from "./tier-pace.ts";
import { END_BYTES, verifyCopy, verifyRequests } from "./verify-copy.ts";
import type { VerifyMode } from "./verify-copy.ts";

export type UploaderParts = {
  readonly node: TierNode;
  readonly store: ColdStore;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly pace: TierPace;
  readonly inFlight: InFlight;
  readonly verify: VerifyMode;
  /** Whether the bucket follows the log: then the recovery point waits for each segment. */
  readonly isFollowed: boolean;
  readonly health?: Pick<TierHealth, "kept"> | undefined;
};

export type UploadHow = {
  readonly signal: AbortSignal;
  /** Although it has a copy: that one is lost, or not what it was. */
  readonly isAgain?: boolean;
  readonly mayPut?: Promise<void> | undefined;
  readonly onPut?: (() => void) | undefined;
};

export type UploadOutcome =
  | { readonly kind: "uploaded"; readonly copy: ColdCopy }
  /** It has a copy, or is gone: nothing was to be done. */
  | { readonly kind: "nothing" };

export class SegmentUploader {
  readonly #parts: UploaderParts;
  #attempts = 0;

  constructor(parts: UploaderParts) {
    this.#parts = parts;
  }

  /**
   * Nothing goes out before `mayPut`; `onPut` is called when the bytes are there, verified or not. Rejects
   * with errors of the port, and with DamageError for a file that is not what was sealed.
   */
  async upload(id: number, how: UploadHow): Promise<UploadOutcome> {
    const { node, inFlight } = this.#parts;
    const segment = node.segments.byId(id);
    if (segment === undefined || !segment.cut) return { kind: "nothing" };
    if (segment.cold !== undefined && how.isAgain !== true) return { kind: "nothing" };
    const { firstIndex, entries } = segment;
    const held = new Set<string>();
    try {
      const copy = await node.local.withFile(id, async (file) => {
        const name = this.#nameOf(segment, file);
        const key = coldKey(node.place, name);
        held.add(key);
        inFlight.begin(key);
        return await this.#put(key, { segment, file }, how);
      });
      if (copy === undefined) return { kind: "nothing" };
      const result = await node.propose({
        kind: "segmentOffloaded",
        segmentId: id,
        firstIndex,
        entries,
        copy,
      });
      return result.kind === "done" ? { kind: "uploaded", copy } : { kind: "nothing" };
    } finally {
      // Not before the entry is applied: until then nothing else says that the object is needed.
      for (const key of held) inFlight.end(key);
    }
  }

  #nameOf(segment: SegmentEntry, { kind }: LocalFile): ColdName {
    if (kind === "verbatim") return { kind: "segment", first: segment.firstIndex, last: lastOf(segment) };
    // No attempt may write over the object of another one: its bytes may be others.
    const incarnation = `${this.#parts.node.incarnation}-${++this.#attempts}`;
    return { kind: "packed", id: segment.id, incarnation };
  }

  async #put(
    key: string,
    { segment, file }: { readonly segment: SegmentEntry; readonly file: LocalFile },
    { signal, mayPut, onPut }: UploadHow,
  ): Promise<ColdCopy> {
    const { store, clock, pace, health, verify: mode } = this.#parts;
    const { end, sha256 } = await this.#soundFile(segment, file, signal);
    const requests = 1 + verifyRequests(mode, file.bytes);
    await pace.spend({ bytes: file.bytes, requests, urgent: this.#parts.isFollowed }, signal);
    if (mayPut !== undefined) await orAborted(mayPut, signal);
    const kind = file.kind === "verbatim" ? "segment" : "packed";
    // Of the bytes that were checked: should others go out, the endpoint refuses them.
    const stored = await store.putFile(key, file.path, { kind, sha256, signal });
    onPut?.();
    await verifyCopy(store, { ...stored, key, end }, { mode, clock, signal, health });
    return { kind: file.kind, key, bytes: stored.bytes, sha256: stored.sha256 };
  }

  async #soundFile(segment: SegmentEntry, file: LocalFile, signal: AbortSignal): Promise<SoundFile> {
    const { node, disk, clock } = this.#parts;
    const { all } = node.segments;
    const facts = {
      id: segment.id,
      first: segment.firstIndex,
      last: lastOf(segment),
      chainBefore: chainBeforeAt(all, all.indexOf(segment)),
      chainAfter: chainBehind(segment),
    };
    return await checkSound(disk, file, { facts, endBytes: END_BYTES, clock, signal });
  }
}

async function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<void>();
  const stop = (): void => aborted.resolve();
  signal.addEventListener("abort", stop, { once: true });
  await Promise.race([work, aborted.promise]);
  signal.removeEventListener("abort", stop);
  signal.throwIfAborted();
}
