/** Planted bugs of the edge: memory that is held too long or freed too early, clients that are told wrong. */
import type { Mutant } from "./mutant.ts";

const buffers = ["test/http/borrowed-buffers.test.ts"];
const slow = ["test/http/body-watch.test.ts"];
const housekeeping = ["test/replica/housekeeping.test.ts"];

export const edge: readonly Mutant[] = [
  {
    name: "credits-before-the-log",
    what: "a refused body gives its credits back while the log still holds its chunks",
    file: "src/http/receive-body.ts",
    find: "await sink.settled();",
    replace: "",
    killedBy: buffers,
  },
  {
    name: "buffer-freed-too-early",
    what: "a buffer of the socket is freed when its first holder is done, and other bytes are stored",
    file: "src/http/borrowed-buffers.ts",
    find: "if (count > 1) {",
    replace: "if (count > 2) {",
    killedBy: buffers,
  },
  {
    name: "trickle-for-ever",
    what: "a client that sends a byte now and then holds its memory for ever",
    file: "src/http/body-watch.ts",
    find: "if (this.bytes < window.bytesMin) return this.#onTooSlow();",
    replace: "if (this.bytes < 1) return this.#onTooSlow();",
    killedBy: slow,
  },
  {
    name: "our-own-slowness-counts",
    what: "an upload ends because the disk was slow",
    file: "src/http/body-watch.ts",
    find: "if (this.#pausedAtMs !== undefined) this.windowStartMs += nowMs - this.#pausedAtMs;",
    replace: "",
    killedBy: slow,
  },
  {
    name: "nonsense-takes-an-answer",
    what: "a write is answered 400 because of what came behind it on the connection, and takes effect",
    file: "src/http/client-error.ts",
    find: "if (before?.req.complete === true && socket.writable) {",
    replace: "if (before?.req.complete === undefined && before !== undefined) {",
    killedBy: ["test/http/bad-input.test.ts"],
  },
  {
    name: "refused-group-stays-staged",
    what: "the body of a refused put of a group takes its space for another hour",
    file: "src/service/bodies.ts",
    find: "if (!isTaken(result)) giveUp((puts[at] as Put).body);",
    replace: "",
    killedBy: housekeeping,
  },
  {
    name: "silent-damage",
    what: "damaged bytes are found by a read, and nobody is alarmed",
    file: "src/http/to-s3-error.ts",
    find: "exchange.edge.damagedReads++;",
    replace: "",
    killedBy: ["test/http/limits.test.ts"],
  },
  {
    name: "complete-without-a-pause",
    what: "a Complete of 10,000 parts lets nothing else run for a tenth of a second",
    file: "src/service/complete-upload.ts",
    find: "if (at > 0) await access.yieldToOthers();",
    replace: "",
    killedBy: ["test/service/complete-upload.test.ts"],
  },
];
