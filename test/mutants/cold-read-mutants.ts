/** Planted bugs of reading what lies in the cold tier. */
import type { Mutant } from "./mutant.ts";

const coldReads = ["test/replica/cold-reads.test.ts"];

export const coldReadMutants: readonly Mutant[] = [
  {
    name: "cold-body-unchecked",
    what: "a small body that the cold tier got wrong is returned, and kept in memory",
    file: "src/store/record-reader.ts",
    find: "check: (bytes) => (bodyMatches(bytes, bytes.length, body) ? bytes : undefined),",
    replace: "check: (bytes) => bytes,",
    killedBy: coldReads,
  },
  {
    name: "cold-record-unchecked",
    what: "a range of a large object is returned as the cold tier sent it",
    file: "src/store/record-reader.ts",
    find: "return isGood ? payload",
    replace: "return isGood || true ? payload",
    killedBy: coldReads,
  },
  {
    name: "cold-body-fetched-to-look",
    what: "HEAD and conditions that fail pay for a GET of the body",
    file: "src/store/object-reader.ts",
    find: "        bytes = await this.#records.readHere(recordOf(row, body));",
    replace: "        bytes = await this.#records.read(recordOf(row, body));",
    killedBy: coldReads,
  },
  {
    name: "cold-body-not-kept",
    what: "each read of a cold object is another GET",
    file: "src/store/object-reader.ts",
    find: "    if (place !== undefined) {",
    replace: "    if (place === undefined) {",
    killedBy: coldReads,
  },
  {
    name: "cold-body-kept-too-late",
    what: "a slow GET puts an overwritten object back into memory",
    file: "src/store/object-reader.ts",
    find: "this.#cache.fillLate(place.path, whole, place.generation);",
    replace: "this.#cache.fill(place.path, whole);",
    killedBy: coldReads,
  },
  {
    name: "cold-window-handed-to-all",
    what: "readers of one GET share its memory, and the first one to be done frees it for all",
    file: "src/store/cold-windows.ts",
    find: "if (at === last && isAll && !isLoose) resolve(whole);",
    replace: "if (isAll) resolve(whole);",
    killedBy: ["test/store/cold-windows.test.ts"],
  },
  {
    name: "cold-flight-not-shared",
    what: "a hundred readers of one cold object are a hundred GETs",
    file: "src/store/cold-windows.ts",
    find: "  return start >= window.start && end <= window.end;",
    replace: "  return !window.hasBegun && start >= window.start && end <= window.end;",
    killedBy: ["test/store/cold-windows.test.ts"],
  },
  {
    name: "missing-cold-object-stormed",
    what: "each read of a body in an object that is missing asks the bucket again",
    file: "src/store/cold-reads.ts",
    find: "if (known.untilMs > this.#clock.monotonicMs()) throw known.error;",
    replace: "",
    killedBy: coldReads,
  },
];
