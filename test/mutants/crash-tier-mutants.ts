/** Planted bugs of the cold tier that show only if the process dies at the wrong call of a port. */
import type { Mutant } from "./mutant.ts";

const crashes = ["test/crash/tier-crashes.test.ts"];

export const crashTierMutants: readonly Mutant[] = [
  {
    name: "tail-counted-before-it-is-put",
    what: "entries are said to be safe while the tail that is to hold them is still on its way",
    file: "src/offload/tail-writer.ts",
    find: "      const tail = await this.#put(from, end, signal);\n",
    replace:
      "      const { index: first, offset: start } = from;\n" +
      '      this.#tails = [...kept, { key: "", first, last: end.last, start, end: end.offset }];\n' +
      "      const tail = await this.#put(from, end, signal);\n",
    killedBy: crashes,
  },
  {
    name: "replaced-tails-go-first",
    what: "for a moment no tail holds what was safe already",
    file: "src/offload/tail-writer.ts",
    find: "      const tail = await this.#put(from, end, signal);\n",
    replace:
      "      const gone = replaced.map(({ key }) => key);\n" +
      "      await this.#parts.store.delete(gone, { signal });\n" +
      "      const tail = await this.#put(from, end, signal);\n",
    killedBy: crashes,
  },
  {
    name: "point-of-a-later-moment",
    what: "what was written while a restore point was made is said to be part of it",
    file: "src/offload/manifest-writer.ts",
    find: "    return restorePointOf(key, manifest);\n",
    replace:
      "    const { all } = node.segments;\n" +
      "    const last = all.reduce((most, segment) => Math.max(most, lastOf(segment)), 0);\n" +
      "    return restorePointOf(key, { ...manifest, index: last });\n",
    killedBy: ["test/offload/log-follower.test.ts"],
  },
  {
    name: "end-taken-for-a-beginning",
    what: "where uploads wait for age, segments behind the newest restore point are said to be safe",
    file: "src/offload/log-follower.ts",
    find: "this.#coverage.cover(isFollowed ? coveredFrom(from, node.segments.all, reachIn) : from);",
    replace:
      "this.#coverage.cover(isFollowed || from > 0 ? coveredFrom(from, node.segments.all, reachIn) : from);",
    killedBy: crashes,
  },
  {
    name: "restore-point-gone-before-the-next",
    what: "while a restore point is made the bucket has none, or an old one",
    file: "src/offload/log-follower.ts",
    find: "    const point = await this.#parts.manifests.write(how);\n",
    replace:
      "    if (this.newest !== undefined) await this.#parts.store.delete([this.newest.key]);\n" +
      "    const point = await this.#parts.manifests.write(how);\n",
    killedBy: crashes,
  },
];
