/** Planted bugs of what gives space back: snapshots, the floor, segments deleted and rewritten. */
import type { Mutant } from "./mutant.ts";

const keeper = ["test/replica/space-keeper.test.ts"];
const policy = ["test/replica/space-policy.test.ts", ...keeper];
const images = ["test/crash/space-images.test.ts"];

export const space: readonly Mutant[] = [
  {
    name: "snapshot-not-read-back",
    what: "segments are deleted on the word of a snapshot that cannot be read",
    file: "src/replica/space-keeper.ts",
    find: "const info = await scanSnapshot(disk, unfinished, { spend });",
    replace: "const info = await readSnapshotInfo(disk, unfinished);",
    killedBy: keeper,
  },
  {
    name: "snapshot-named-before-its-sync",
    what: "a power cut leaves the names of snapshots without their bytes, and no log to do without them",
    file: "src/store/snapshot-file.ts",
    find: "not the bytes.\n    await this.#file.sync();\n",
    replace: "not the bytes.\n",
    killedBy: images,
  },
  {
    name: "floor-by-the-newest-snapshot",
    what: "one damaged snapshot and a damaged index are the end of the store",
    file: "src/replica/space-keeper.ts",
    find: "const older = this.#snapshots[SNAPSHOTS_KEPT - 1];",
    replace: "const older = this.#snapshots[0];",
    killedBy: keeper,
  },
  {
    name: "floor-above-the-snapshot",
    what: "entries that no snapshot has are given up with the log",
    file: "src/replica/space-policy.ts",
    find: "const highest = Math.min(older.index - entriesKept, log.stableIndex - 1);",
    replace: "const highest = log.stableIndex - 1;",
    killedBy: policy,
  },
  {
    name: "floor-not-written",
    what: "after a start the deleted segments count as lost",
    file: "src/replica/space-keeper.ts",
    find: "    await writeFloor(disk, directory, floor);\n",
    replace: "",
    killedBy: keeper,
  },
  {
    name: "live-segment-deleted",
    what: "a segment goes with the few objects that are still in it",
    file: "src/replica/space-keeper.ts",
    find: "if (bytes === undefined || liveBytes > 0 || id === this.#rewritingId) continue;",
    replace: "if (bytes === undefined || liveBytes > bytes / 8 || id === this.#rewritingId) continue;",
    killedBy: keeper,
  },
  {
    name: "live-record-dropped",
    what: "rewriting a segment loses the bodies of parts, versions or chunks that nobody thought of",
    file: "src/state/named-bytes.ts",
    find: "unpackExtents(extents).map((extent)",
    replace: "unpackExtents(extents).slice(1).map((extent)",
    killedBy: ["test/state/named-bytes.test.ts", ...keeper],
  },
  {
    name: "sums-not-compared",
    what: "a kind of row that the rewriting does not know loses its bytes",
    file: "src/replica/space-keeper.ts",
    find: "if (counted?.id === id && counted.liveBytes === liveBytes) {",
    replace: "if (counted?.id === id) {",
    killedBy: keeper,
  },
  {
    name: "packed-segment-named-before-its-sync",
    what: "a power cut leaves a rewritten segment without its bytes",
    file: "src/store/pack-segment.ts",
    find: "not the bytes.\n    await file.sync();\n",
    replace: "not the bytes.\n",
    killedBy: images,
  },
  {
    name: "rotten-piece-copied",
    what: "damage gets a place in a new segment, and a copy that was sound is thrown away with the old one",
    file: "src/store/pack-segment.ts",
    find: "if (count !== length || !isSound(bytes, named)) {",
    replace: "if (count !== length) {",
    killedBy: keeper,
  },
  {
    name: "row-not-looked-up-again",
    what: "a read that was overtaken by an overwrite and a deletion of its segment reports damage",
    file: "src/store/object-reader.ts",
    find: "if (!isGone(error) || this.#cache.generation(path) === generation) throw error;",
    replace: "if (error !== undefined) throw error;",
    killedBy: ["test/replica/gone-segment.test.ts"],
  },
  {
    name: "unfinished-files-stay",
    what: "each crash in the middle leaves a file that nothing will ever delete",
    file: "src/replica/space-keeper.ts",
    find: "    await removeUnfinished(disk, files.directory);\n",
    replace: "",
    killedBy: images,
  },
];
