/** Planted bugs of what goes into the bucket: uploads, tails, restore points, and what relies on them. */
import type { Mutant } from "./mutant.ts";

const uploads = ["test/offload/offloader.test.ts"];
const following = ["test/offload/log-follower.test.ts"];
const lineages = ["test/offload/lineage-watch.test.ts"];
const residence = ["test/offload/residence.test.ts"];
const faults = ["test/offload/tier-faults.test.ts"];
const everything = ["test/offload/offload-all.test.ts"];

export const offloadMutants: readonly Mutant[] = [
  {
    name: "told-before-verified",
    what: "a segment that the bucket never kept counts as copied, and leaves the disk",
    file: "src/offload/segment-uploader.ts",
    find: "    await verifyCopy(store, { ...stored, key, end }, { mode, clock, signal, health });\n",
    replace:
      "    if (end.length < 0) await verifyCopy(store, { ...stored, key, end }, { mode, clock, signal });\n",
    killedBy: uploads,
  },
  {
    name: "head-believed",
    what: "an object that has the right length and other bytes counts as a copy",
    file: "src/offload/verify-copy.ts",
    find: "  if (Buffer.compare(found, end) !== 0) {",
    replace: "  if (found.length > end.length) {",
    killedBy: uploads,
  },
  {
    name: "damaged-file-uploaded",
    what: "damage on this disk is given away as a verified copy",
    file: "src/offload/sound-file.ts",
    find: '    if (file.kind === "verbatim") await checkVerbatim(opened, size, facts, breathe);',
    replace: "    if (size < 0) await checkVerbatim(opened, size, facts, breathe);",
    killedBy: uploads,
  },
  {
    name: "uploads-out-of-order",
    what: "a restore takes the gap before the segment that came first for damage",
    file: "src/offload/offloader.ts",
    find: "const mayPut = this.#parts.inOrder ? before : undefined;",
    replace: "const mayPut = this.#parts.inOrder && id < 0 ? before : undefined;",
    killedBy: uploads,
  },
  {
    name: "tail-behind-a-gap",
    what: "a restore refuses, because there is a tail behind entries that are not there yet",
    file: "src/offload/log-follower.ts",
    find: "if (end === undefined || this.#coverage.covered < end.firstIndex - 1) return;",
    replace: "if (end === undefined) return;",
    killedBy: following,
  },
  {
    name: "tail-unverified",
    what: "the recovery point is kept by tails that the bucket lost",
    file: "src/offload/tail-writer.ts",
    find: "      await verifyCopy(store, copy, { mode, clock, signal, health });\n",
    replace: "      if (mode.length === 0) await verifyCopy(store, copy, { mode, clock, signal, health });\n",
    killedBy: faults,
  },
  {
    name: "tails-for-ever",
    what: "each second of a busy store leaves an object in the bucket",
    file: "src/offload/tail-writer.ts",
    find: "    if (due.length === 0) return;\n",
    replace: "    if (due.length >= 0) return;\n",
    killedBy: following,
  },
  {
    name: "manifest-before-its-tails",
    what: "a manifest says that entries are in the bucket that are not",
    file: "src/offload/manifest-writer.ts",
    find: "    if (draft.open !== undefined) await tails.extend(draft.open.end, signal);\n",
    replace: "    if (draft.open === null) await tails.extend(draft.open, signal);\n",
    killedBy: following,
  },
  {
    name: "snapshot-in-the-bucket-unverified",
    what: "the only restore point stands on a snapshot that is not there",
    file: "src/offload/snapshot-uploader.ts",
    find: "    await verifyCopy(store, { ...stored, key, end }, { mode, clock, signal, health });\n",
    replace:
      "    if (end.length < 0) await verifyCopy(store, { ...stored, key, end }, { mode, clock, signal });\n",
    killedBy: following,
  },
  {
    name: "manifest-not-read-back",
    what: "the floor moves, and old restore points go, on the word of a manifest that was not kept",
    file: "src/offload/manifest-writer.ts",
    find: '{ mode: "full", clock, signal, health });\n',
    replace: '{ mode: "full", clock, signal, health }).catch(() => undefined);\n',
    killedBy: following,
  },
  {
    name: "end-not-told",
    what: "a restore refuses, because segments between those that cooled were never uploaded",
    file: "src/offload/manifest-writer.ts",
    find: "      ...(isFollowed ? {} : { isEnd: true }),\n",
    replace: "      ...(isFollowed || index >= 0 ? {} : { isEnd: true }),\n",
    killedBy: following,
  },
  {
    name: "restore-point-on-what-went",
    what: "once something died that an old snapshot shows, no restore point is made any more",
    file: "src/offload/manifest-writer.ts",
    find: "    if (found !== undefined) return found;\n",
    replace: "    if (found !== undefined || minIndex >= 0) return found;\n",
    killedBy: following,
  },
  {
    name: "uploads-under-a-newer-lineage",
    what: "an old disk that comes back after a restore goes on writing into the bucket",
    file: "src/offload/tier-works.ts",
    find: "const mayWrite = (): boolean => isReached() && lineage.mayWrite;",
    replace: "const mayWrite = (): boolean => isReached();",
    killedBy: lineages,
  },
  {
    name: "heir-by-its-note-only",
    what: "an old disk does not find out about a restore whose note was deleted",
    file: "src/offload/lineage-watch.ts",
    find: "noted?.lineage ?? (await this.#findChild(signal))",
    replace: "noted?.lineage ?? (signal.aborted ? await this.#findChild(signal) : undefined)",
    killedBy: lineages,
  },
  {
    name: "floor-past-the-bucket",
    what: "the log leaves the disk while the bucket has not followed it",
    file: "src/offload/tier-front.ts",
    find: "    return this.#uploadedThrough();",
    replace: "    return Math.max(Infinity, this.#uploadedThrough());",
    killedBy: residence,
  },
  {
    name: "recall-unverified",
    what: "a damaged copy becomes the file of a segment",
    file: "src/offload/fetch-copy.ts",
    find: "  if (found === sha256) return;",
    replace: "  if (found.length === sha256.length) return;",
    killedBy: residence,
  },
  {
    name: "pins-forgotten",
    what: "what is to stay on the disk leaves it",
    file: "src/offload/pins.ts",
    find: "    return lastOf(segment) > this.#lookedIndex || this.#ids.has(segment.id);",
    replace: "    return lastOf(segment) > this.#lookedIndex && this.#ids.has(segment.id);",
    killedBy: everything,
  },
  {
    name: "recovery-point-made-up",
    what: "the tier has been down for an hour, and says that nothing would be lost",
    file: "src/offload/coverage.ts",
    find: "    return last.index <= this.#covered ? 0 :",
    replace: "    return last.index >= this.#covered ? 0 :",
    killedBy: faults,
  },
  {
    name: "chain-of-another-gap",
    what: "the segment behind a gap counts as damaged once something older goes",
    file: "src/state/segment-table.ts",
    find: "if (segment.droppedBefore === undefined) segment.chainBefore = { low, high };",
    replace: "segment.chainBefore = { low, high };",
    killedBy: ["test/state/apply-cold.test.ts"],
  },
];
