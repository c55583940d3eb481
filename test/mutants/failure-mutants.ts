/** Planted bugs of what the store does when the disk is full or fails, or a start finds less than it left. */
import type { Mutant } from "./mutant.ts";

const fullDisk = ["test/crash/full-disk.test.ts"];
const failingDisk = ["test/crash/failing-disk.test.ts"];
const wrongDirectory = ["test/crash/wrong-directory.test.ts"];
const phases = ["test/crash/crash-phases.test.ts"];

export const failures: readonly Mutant[] = [
  {
    name: "quota-is-fatal",
    what: "a used up quota ends the process, where a full disk would be waited for",
    file: "src/ports/disk.ts",
    find: 'new Set(["ENOSPC", "EDQUOT", "EFBIG"])',
    replace: 'new Set(["ENOSPC", "EFBIG"])',
    killedBy: fullDisk,
  },
  {
    name: "stop-on-a-full-disk-is-fatal",
    what: "a stop while the log or the index waits for space ends as if the node were broken",
    file: "src/replica/replica.ts",
    find: "if (this.#isGivenUp(error)) this.#rejectAll(error);\n      else this.fail(error);",
    replace: "this.fail(error);",
    killedBy: fullDisk,
  },
  {
    name: "lost-mark-is-zero",
    what: "without the file acked a damaged acknowledged record is dropped like a torn tail",
    file: "src/replica/storage-node.ts",
    find: "await AckedFile.refuseMissing(disk, { path: `${directory}/acked`, log: files });",
    replace: "",
    killedBy: wrongDirectory,
  },
  {
    name: "first-mark-after-the-log",
    what: "a first start that is cut off looks like one whose mark was lost",
    file: "src/replica/storage-node.ts",
    find: "if (acked.isEmpty) await acked.begin(recovered.lastIndex);",
    replace: "",
    killedBy: phases,
  },
  {
    name: "mark-failure-goes-unnoticed",
    what: "writes go on being acknowledged after the mark could not be written",
    file: "src/replica/storage-node.ts",
    find: "new Loops((error) => parts.replica.fail(error))",
    replace: "new Loops(() => undefined)",
    killedBy: failingDisk,
  },
  {
    name: "entry-beyond-a-record",
    what: "a large batchBytesMax makes entries that no record holds",
    file: "src/replica/replica.ts",
    find: "Math.min(batchBytesMax - log.gatheredBytes, ENTRY_BYTES_MAX)",
    replace: "batchBytesMax - log.gatheredBytes",
    killedBy: ["test/replica/replica.test.ts"],
  },
  {
    name: "command-size-too-small",
    what: "a group of long names is admitted that no record holds",
    file: "src/state/command-size.ts",
    find: "const UNIT_BYTES = 3;",
    replace: "const UNIT_BYTES = 1;",
    killedBy: ["test/state/command-size.test.ts"],
  },
  {
    name: "unplaced-left-waiting",
    what: "whoever stood in an entry that could not be encoded never gets an answer",
    file: "src/replica/replica.ts",
    find: "leaveUnknown(proposals, error);",
    replace: "",
    killedBy: ["test/replica/replica.test.ts"],
  },
  {
    name: "rebuilt-over-the-damaged-index",
    what: "the log is replayed on top of the index that cannot be believed",
    file: "src/store/open-index.ts",
    find: "  await disk.rename(directory, aside);\n",
    replace: "",
    killedBy: phases,
  },
  {
    name: "reaper-forgets-what-it-left",
    what: "what a crash kept the reaper from reaping stays for ever",
    file: "src/replica/housekeeping.ts",
    find: "#reapedMarks = -1;",
    replace: "#reapedMarks = 0;",
    killedBy: phases,
  },
  {
    name: "lost-segment-row-in-snapshot",
    what: "a segment whose row was lost counts as dead and is deleted with all that is in it",
    file: "src/store/snapshot-file.ts",
    find: "if (id !== due) throw",
    replace: "if (id < due) throw",
    killedBy: ["test/store/snapshot-file.test.ts"],
  },
  {
    name: "small-writes-behind-two-chunks",
    what: "a small write beside an upload waits for a second chunk, too",
    file: "src/replica/body-turns.ts",
    find: "return facts.isWriting || facts.othersWait || this.#hasOthers ? 0 : Infinity;",
    replace: "return Infinity;",
    killedBy: ["test/replica/replica.test.ts"],
  },
  {
    name: "one-body-a-sync",
    what: "bodies of 100 KB share no sync",
    file: "src/replica/body-turns.ts",
    find: "const BODY_BYTES_MAX = 1024 * 1024;",
    replace: "const BODY_BYTES_MAX = 1;",
    killedBy: ["test/replica/replica.test.ts"],
  },
  {
    name: "verify-of-a-newer-release",
    what: "a directory that no server of this release opens is said to be in order",
    file: "src/replica/verify-store.ts",
    find: "  refuseNewer(node, directory);\n",
    replace: "",
    killedBy: ["test/replica/verify-store.test.ts"],
  },
];
