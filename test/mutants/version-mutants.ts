/** Planted bugs of versioning. */
import type { Mutant } from "./mutant.ts";

const model = ["test/state/versions.test.ts"];
const http = ["test/http/versions.test.ts"];
const file = "src/state/apply-version.ts";

export const versions: readonly Mutant[] = [
  {
    name: "null-version-not-replaced",
    what: "a put into a suspended bucket leaves a second version that is called null",
    file,
    find: "if (!hasVersionId) removeOlderNull(place);",
    replace: "",
    killedBy: model,
  },
  {
    name: "promotion-skipped",
    what: "after its newest version is removed a key seems to be gone, though older ones are there",
    file,
    find: "if (history === undefined) {",
    replace: "if (history !== null) {",
    killedBy: model,
  },
  {
    name: "versions-oldest-first",
    what: "versions are listed, and brought back, in the wrong order",
    file: "src/state/version-id.ts",
    find: "const index = (INDEX_END - birthIndex).toString(36)",
    replace: "const index = birthIndex.toString(36)",
    killedBy: [...model, ...http],
  },
  {
    name: "marker-counted-as-object",
    what: "a bucket counts objects that nobody can read, and can never be dropped",
    file,
    find: 'if (version.kind === "marker") buckets.countVersions(place.bucket, sign, 0);',
    replace: 'if (version.kind === "marker") buckets.count(place.bucket, sign, 0);',
    killedBy: model,
  },
  {
    name: "older-version-unlinked-one-way",
    what: "removing a version leaves its neighbour linked to nothing, which stops the next removal",
    file,
    find: "if (row.older !== undefined) relink(place, row.older, { newer: row.newer });",
    replace: "",
    killedBy: model,
  },
  {
    name: "body-of-a-version-given-up",
    what: "an overwritten version keeps its row and loses its body",
    file,
    find: 'count(place, current, "older", 1);',
    replace: 'discard(place, current, "older"); count(place, current, "older", 1);',
    killedBy: model,
  },
  {
    name: "version-shown-for-the-current-one",
    what: "a read of an older version gets the current object out of the cache",
    file: "src/service/versions.ts",
    find: "if (cached !== undefined && isNamed(cached, version))",
    replace: "if (cached !== undefined)",
    killedBy: http,
  },
  {
    name: "listing-without-a-snapshot",
    what: "a version that moves while versions are listed shows twice, or not at all",
    file: "src/store/state-index.ts",
    find: "ranges.map((range) => checked(snapshot.iterate(range)))",
    replace:
      "ranges.map((range) => { let late: IndexIterator<Uint8Array> | undefined; " +
      "const now = () => (late ??= checked(store.iterate(range))); " +
      "return { next: (limit: number) => now().next(limit), seek: (key: string) => now().seek(key), " +
      "close: async () => now().close() }; })",
    killedBy: ["test/service/versions.test.ts"],
  },
];
