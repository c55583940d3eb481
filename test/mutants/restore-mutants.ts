/** Planted bugs of a restore, and of the first start after it. */
import type { Mutant } from "./mutant.ts";

const restored = ["test/offload/restore.test.ts"];
const earlier = ["test/offload/restore-to.test.ts"];
const damage = ["test/offload/restore-damage.test.ts"];
const crash = ["test/offload/restore-crash.test.ts"];
const fetched = ["test/offload/fetch-object.test.ts"];

export const restoreMutants: readonly Mutant[] = [
  {
    name: "same-lineage-after-restore",
    what: "two stores write under one name in the bucket",
    file: "src/offload/restore.ts",
    find: "node: { clusterId: cluster, lineage, nodeId, incarnation, segmentBytes },",
    replace: "node: { clusterId: cluster, lineage: parent, nodeId, incarnation, segmentBytes },",
    killedBy: restored,
  },
  {
    name: "same-incarnations-after-restore",
    what: "bodies of the restored store have the names of older ones",
    file: "src/offload/restore-progress.ts",
    find: "incarnation: INCARNATION_MIN + drawn };",
    replace: "incarnation: drawn % 1 };",
    killedBy: restored,
  },
  {
    name: "entries-beyond-the-time",
    what: "a restore to before a mistake brings the mistake back",
    file: "src/offload/date-limit.ts",
    find: "return entry.index > fromIndex && this.#dates.at(this.#logTimeMs) > untilMs;",
    replace: "return entry.index > 1e15 + fromIndex && this.#dates.at(this.#logTimeMs) > untilMs;",
    killedBy: earlier,
  },
  {
    name: "dates-without-their-offsets",
    what: "a restore to a time ends at another one wherever a clock was put right",
    file: "src/offload/date-limit.ts",
    find: 'if (command.kind === "setDate") this.#dates.set',
    replace: 'if (command.kind === "setDate" && this.#logTimeMs < 0) this.#dates.set',
    killedBy: earlier,
  },
  {
    name: "unfinished-restore-started",
    what: "a restore that died is taken for a store, and nobody ends what it left to do",
    file: "src/offload/restore-directory.ts",
    find: "  await writeRestored(disk, directory, left.restored);\n  await target.commit(left.node);\n",
    replace: "  await target.commit(left.node);\n  await writeRestored(disk, directory, left.restored);\n",
    killedBy: crash,
  },
  {
    name: "copies-as-the-log-left-them",
    what: "segments are looked for in objects that went with the manifests behind the restored one",
    file: "src/offload/begin-lineage.ts",
    find: "  await tellCopies(options);\n",
    replace: "",
    killedBy: earlier,
  },
  {
    name: "served-before-its-own-manifest",
    what: "a restored store acknowledges writes that a second loss would take for ever",
    file: "src/offload/begin-lineage.ts",
    find: "  await options.writeManifest();\n",
    replace: "",
    killedBy: restored,
  },
  {
    name: "heir-not-noted",
    what: "the old disk goes on deleting what the restored store has left in the bucket",
    file: "src/offload/begin-lineage.ts",
    find: "  await noteHeir(store, { cluster: place.cluster, lineage: parent }, { lineage, cutIndex });\n",
    replace: "  if (place.cluster === parent) await noteHeir(store, place, { lineage, cutIndex });\n",
    killedBy: restored,
  },
  {
    name: "gone-since-the-restore",
    what: "a store starts on objects that were deleted between its restore and now",
    file: "src/offload/begin-lineage.ts",
    find: "  if (wanted.size === 0) return;\n  const named",
    replace: "  if (wanted.size < 1e9) return;\n  const named",
    killedBy: damage,
  },
  {
    name: "left-overs-believed",
    what: "what a power cut left of a fetch is part of the restored store",
    file: "src/offload/fetch-object.ts",
    find: "if (wrongOf(first, objects) === undefined) return finished(with_, first);",
    replace: "if (there > 0 || wrongOf(first, objects) === undefined) return finished(with_, first);",
    killedBy: fetched,
  },
  {
    name: "footer-not-checked",
    what: "a segment is called whole that cannot be read by its offsets",
    file: "src/offload/restore-segment.ts",
    find: "if (!found.equals(footer) || ",
    replace: "if (found.length !== footer.length || ",
    killedBy: damage,
  },
  {
    name: "segment-open-behind-lost-records",
    what: "a store that was restored in spite of a gap stops at its first write",
    file: "src/offload/end-at-snapshot.ts",
    find: "{ ...row, cut: true, ended }",
    replace: "{ ...row, cut: ended.timeMs < 0, ended }",
    killedBy: damage,
  },
  {
    name: "restored-log-not-acknowledged",
    what: "a bad record in a restored log is dropped as a torn tail, and all behind it",
    file: "src/offload/restore-directory.ts",
    find: "await acked.begin(logIndex(log.lastIndex));",
    replace: "await acked.begin(logIndex(log.lastIndex * 0));",
    killedBy: damage,
  },
];
