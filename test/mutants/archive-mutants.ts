/** Planted bugs of archives that are unpacked on arrival. */
import type { Mutant } from "./mutant.ts";

const bounds = ["test/http/archive-bounds.test.ts"];
const archives = ["test/http/archives.test.ts"];
const reader = ["test/s3/tar.test.ts"];

export const archiveMutants: readonly Mutant[] = [
  {
    name: "archive-outruns-its-credits",
    what: "an archive of many files of half a MiB fills the queue that all writes share",
    file: "src/http/archive-objects.ts",
    find: "await before?.settled();",
    replace: "void before?.settled();",
    killedBy: bounds,
  },
  {
    name: "long-files-run-ahead",
    what: "each further file of an archive that has several chunks has as many of them in memory again",
    file: "src/http/archive-objects.ts",
    find: "if (size > CHUNK_BYTES_MAX) await this.#lastStaged?.settled();",
    replace: "",
    killedBy: bounds,
  },
  {
    name: "staged-file-waits-for-ever",
    what: "a small file before one that takes an hour is given up by housekeeping, and the archive fails",
    file: "src/http/operations/put-archive.ts",
    find: "await this.#objects.writeOld();",
    replace: "",
    killedBy: bounds,
  },
  {
    name: "pax-records-add-up",
    what: "heads of records without entries fill the memory, and each of them is slower to read",
    file: "src/s3/tar.ts",
    find: "  checkBounds(records);\n",
    replace: "",
    killedBy: reader,
  },
  {
    name: "second-frame-dropped",
    what: "half of the files of an archive in two frames of zstd are missing, and the answer is 200",
    file: "src/http/inflate.ts",
    find: "if (rest.length > 0) this.#beginNext(rest);",
    replace: "break;",
    killedBy: archives,
  },
  {
    name: "rubbish-behind-gzip",
    what: "files behind the padding of a gzip are missing, and the answer is 200",
    file: "src/http/inflate.ts",
    find: "if (rest.some((byte) => byte !== 0)) throw",
    replace: "if (rest === undefined) throw",
    killedBy: archives,
  },
  {
    name: "path-out-of-the-archive",
    what: "a file that lies beside the archive's root overwrites the object of that name in it",
    file: "src/s3/snowball.ts",
    find: "else if (steps.pop() === undefined) {",
    replace: "else if (steps.pop() === null) {",
    killedBy: archives,
  },
  {
    name: "name-that-only-looks-alike",
    what: "two files whose names are no UTF-8 become one object",
    file: "src/s3/tar.ts",
    find: 'if (!Buffer.from(text, "utf8").equals(bytes)) throw damagedArchive("a name is not UTF-8");',
    replace: "",
    killedBy: reader,
  },
];
