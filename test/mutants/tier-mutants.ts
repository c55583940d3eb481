/** Planted bugs of the cold tier: what is deleted there, and when. */
import type { Mutant } from "./mutant.ts";

const collector = ["test/offload/collector.test.ts"];
const packer = ["test/offload/packer.test.ts"];
const plan = ["test/offload/garbage-plan.test.ts", ...collector];

export const tierMutants: readonly Mutant[] = [
  {
    name: "cold-grace-ignored",
    what: "an object of the cold tier goes under a restore that has just read its manifest",
    file: "src/offload/garbage-plan.ts",
    find: "else if (logTimeMs - since >= (wasNamed ? graceMs : orphanGraceMs)) deleteObjects.push(key);",
    replace: "else if (logTimeMs >= since) deleteObjects.push(key);",
    killedBy: plan,
  },
  {
    name: "cold-object-before-its-manifest",
    what: "a crash leaves a manifest in the bucket whose objects are gone",
    file: "src/offload/garbage-plan.ts",
    find: "const reach = yield* reachOf(known);",
    replace: "const reach = yield* reachOf(known.filter(({ isRetained }) => isRetained));",
    killedBy: plan,
  },
  {
    name: "manifest-before-its-pardons",
    what: "a crash at the wrong moment, and objects go with the manifest that named them, without a grace",
    file: "src/offload/collector.ts",
    find: "    this.#tell(plan);\n",
    replace: "    this.#tell(plan);\n    await this.#delete(plan.deleteManifests, signal);\n",
    killedBy: collector,
  },
  {
    name: "deleted-at-first-sight",
    what: "what a manifest names that was written since the look is deleted",
    file: "src/offload/collector.ts",
    find: "const doomed = deleteObjects.filter((key) => found.has(key));",
    replace: "const doomed = deleteObjects.length > 1e9 ? deleteObjects : [...found];",
    killedBy: collector,
  },
  {
    name: "condemned-copy-named-again",
    what: "a copy is deleted that a segment names since",
    file: "src/offload/garbage-plan.ts",
    find: "if (reach.keys.has(key) || named.has(key) || facts.isInFlight(key)) return false;",
    replace: "if (reach.keys.has(key) || facts.isInFlight(key)) return false;",
    killedBy: plan,
  },
  {
    name: "heirs-forgotten",
    what: "a store that was restored from this one loses the objects that it left where they were",
    file: "src/offload/garbage-plan.ts",
    find: "if (heirs.length > 0) return {",
    replace: "if (heirs.length > 1e9) return {",
    killedBy: plan,
  },
  {
    name: "list-believed",
    what: "a list that lags takes a manifest away, and what it names is deleted",
    file: "src/offload/bucket-survey.ts",
    find: "else readings.set(key, reading);",
    replace: "",
    killedBy: collector,
  },
  {
    name: "packed-above-a-snapshot",
    what: "a restore finds bodies where it needs entries, and ends before the log does",
    file: "src/offload/packer.ts",
    find: "return lastOf(segment) <= Math.min(node.local.floorIndex, oldestSnapshotIndex());",
    replace: "return lastOf(segment) <= Math.max(node.local.floorIndex, oldestSnapshotIndex.length);",
    killedBy: packer,
  },
  {
    name: "packed-above-the-floor",
    what: "what this node still replays lies packed in the bucket",
    file: "src/offload/packer.ts",
    find: "return lastOf(segment) <= Math.min(node.local.floorIndex, oldestSnapshotIndex());",
    replace: "return lastOf(segment) <= Math.max(node.local.floorIndex, oldestSnapshotIndex());",
    killedBy: packer,
  },
  {
    name: "damage-with-a-fresh-checksum",
    what: "bytes that rotted in the bucket are packed, and are sound from then on",
    file: "src/offload/copy-packer.ts",
    find: "if (bytes.length !== piece.length || !isSoundPiece(bytes, piece.named)) {",
    replace: "if (bytes.length !== piece.length) {",
    killedBy: packer,
  },
  {
    name: "packed-and-not-verified",
    what: "the old copy is condemned for one that the bucket has not kept",
    file: "src/offload/copy-packer.ts",
    find: "    await verifyCopy(store, { ...stored, key, end }, { mode, clock, signal });\n",
    replace: "    void [verifyCopy, stored, end, mode, clock];\n",
    killedBy: packer,
  },
  {
    name: "packed-by-forgotten-rows",
    what: "a kind of row that nobody thought of loses its bytes when a copy is packed",
    file: "src/offload/packer.ts",
    find: "if (counted === liveBytes) return true;",
    replace: "if (counted !== undefined) return true;",
    killedBy: packer,
  },
];
