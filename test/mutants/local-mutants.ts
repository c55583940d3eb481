/** Planted bugs of a node whose segments lie in the cold tier: what it frees, brings back and misses. */
import type { Mutant } from "./mutant.ts";

const local = ["test/replica/local-store.test.ts"];
const elsewhere = ["test/replica/values-elsewhere.test.ts"];
const images = ["test/crash/tier-images.test.ts"];
const sealing = ["test/replica/sealing.test.ts"];

export const localMutants: readonly Mutant[] = [
  {
    name: "freed-without-a-copy",
    what: "the only copy of a segment is deleted",
    file: "src/replica/local-values.ts",
    find: "return this.#sizes.has(id) && segments.byId(id)?.cold !== undefined;",
    replace: "return this.#sizes.has(id) && segments.byId(id) !== undefined;",
    killedBy: local,
  },
  {
    name: "freed-above-the-floor",
    what: "a start that has to apply the log again refuses, because a segment of it was given up",
    file: "src/replica/local-values.ts",
    find: "return this.#sizes.has(id) && segments.byId(id)?.cold !== undefined;",
    replace: "return segments.byId(id)?.cold !== undefined;",
    killedBy: local,
  },
  {
    name: "floor-ahead-of-the-bucket",
    what: "segments that the bucket alone would need for a recovery are deleted before they are in it",
    file: "src/replica/space-policy.ts",
    find: "id <= log.uploadedThroughId &&",
    replace: "",
    killedBy: ["test/replica/space-policy.test.ts", ...local],
  },
  {
    name: "recalled-and-named-before-its-sync",
    what: "a power cut leaves the name of a recalled segment without its bytes",
    file: "src/replica/local-values.ts",
    find: "        await syncFile(disk, unfinished);\n",
    replace: "",
    killedBy: images,
  },
  {
    name: "recalled-under-its-own-name",
    what: "a crash in the middle of a recall leaves half a segment, which is believed",
    file: "src/replica/local-values.ts",
    find: "const unfinished = files.path(id) + UNFINISHED;",
    replace: "const unfinished = files.path(id);",
    killedBy: [...local, ...images],
  },
  {
    name: "recalled-for-nobody",
    what: "a segment that was dropped while it was fetched stays for ever",
    file: "src/replica/local-values.ts",
    find: "nothing would ever read it.\n      if (!this.#mayRecall(id)) return false;\n",
    replace: "\n",
    killedBy: local,
  },
  {
    name: "borrowed-file-not-pinned",
    what: "a segment is rewritten or deleted while it is uploaded",
    file: "src/replica/local-values.ts",
    find: "return await this.#turns.shared(id, async () =>",
    replace: "return await this.#turns.shared(-id, async () =>",
    killedBy: local,
  },
  {
    name: "given-up-segment-missed",
    what: "a node does not start any more once a segment lies in the cold tier only",
    file: "src/replica/missing-values.ts",
    find: "if (segment.cold !== undefined) files.markGone(segment.id);",
    replace: "if (segment.cold === undefined && segment.liveBytes === 0) files.markGone(segment.id);",
    killedBy: local,
  },
  {
    name: "lost-segment-not-missed",
    what: "a node starts without a segment that nobody has a copy of, and errs object by object",
    file: "src/replica/missing-values.ts",
    find: "else if (segment.liveBytes > 0) lost.push(segment);",
    replace: "else if (segment.liveBytes > 1e15) lost.push(segment);",
    killedBy: local,
  },
  {
    name: "given-up-called-damaged",
    what: "the read-only start reports what lies in the cold tier as lost, once the floor cannot be read",
    file: "src/replica/survey-log.ts",
    find: 'if (sight.kind === "missing" && row?.cold !== undefined) {',
    replace: 'if (sight.kind === "missing" && row?.cold !== undefined && row.entries < 0) {',
    killedBy: elsewhere,
  },
  {
    name: "lent-snapshot-dropped",
    what: "a snapshot goes while it is uploaded",
    file: "src/replica/space-keeper.ts",
    find: "this.#lent.includes(path) || ",
    replace: "",
    killedBy: ["test/replica/lent-snapshots.test.ts"],
  },
  {
    name: "seal-of-nothing",
    what: "each look of an idle store makes a segment with nothing in it, and a request for it",
    file: "src/replica/replica.ts",
    find: "if (first?.seals !== true || this.#options.log.openEntries > 0) return false;",
    replace: "if (first?.seals !== undefined) return false;",
    killedBy: sealing,
  },
  {
    name: "sealed-before-it-is-stable",
    what: "who asked for a seal is told of a segment whose last entries are still on their way",
    file: "src/replica/replica.ts",
    find: "    if (last === undefined) first.resolve([]);\n    else {",
    replace: "    first.resolve([]);\n    if (last !== undefined) {",
    killedBy: sealing,
  },
  {
    name: "seal-refused-on-a-full-disk",
    what: "what could free the disk is refused because it is full",
    file: "src/replica/replica.ts",
    find: "const frees = chunk === undefined && commands.every(freesSpace);",
    replace: "const frees = commands.length > 0 && commands.every(freesSpace);",
    killedBy: sealing,
  },
];
