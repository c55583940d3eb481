/** Planted bugs of what stands between an operation and its client: ends of answers, slow readers, faults. */
import type { Mutant } from "./mutant.ts";

const answers = ["test/http/answer-queue.test.ts"];
const limits = ["test/http/limits.test.ts"];
const faults = ["test/http/faults.test.ts"];

export const answerMutants: readonly Mutant[] = [
  {
    name: "answers-of-a-turn-lost",
    what: "of the answers that are known in one turn only one is ever ended",
    file: "src/http/answer-queue.ts",
    find: "for (const answer of waiting) endAnswer(answer);",
    replace: "for (const answer of waiting.slice(-1)) endAnswer(answer);",
    killedBy: answers,
  },
  {
    name: "small-body-as-utf8",
    what: "each byte above 127 of a small object is sent as two others",
    file: "src/http/answer-queue.ts",
    find: 'outgoing.end(oneByteText(body), "latin1");',
    replace: 'outgoing.end(oneByteText(body), "utf8");',
    killedBy: answers,
  },
  {
    name: "small-body-of-another-place",
    what: "a small object is answered with other bytes of the memory that it lies in",
    file: "src/http/answer-queue.ts",
    find: "Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)",
    replace: "Buffer.from(bytes.buffer, 0, bytes.length)",
    killedBy: answers,
  },
  {
    name: "stalled-readers-stay",
    what: "a few hundred clients that read nothing have everybody else refused for ever",
    file: "src/http/stalled-readers.ts",
    find: "      stall.cut();\n",
    replace: "",
    killedBy: limits,
  },
  {
    name: "stalled-readers-all-cut",
    what: "one request that finds no room ends every download that is slow",
    file: "src/http/stalled-readers.ts",
    find: " || isEnough()) return;",
    replace: ") return;",
    killedBy: limits,
  },
  {
    name: "slow-reader-cut-at-once",
    what: "a download ends because its client was busy for a moment",
    file: "src/http/stalled-readers.ts",
    find: "if (stall.sinceMs > latestMs || isEnough()) return;",
    replace: "if (isEnough()) return;",
    killedBy: limits,
  },
  {
    name: "fault-without-end",
    what: "a fault that was ordered for two requests meets all of them",
    file: "src/http/faults.ts",
    find: "if (entry.timesLeft === 0) this.#remove(entry);",
    replace: "",
    killedBy: faults,
  },
  {
    name: "fault-for-any-key",
    what: "a fault meets other objects than the one that it names",
    file: "src/http/faults.ts",
    find: "(fault.key === undefined || fault.key === request.key)",
    replace: "fault.key !== null",
    killedBy: faults,
  },
  {
    name: "delay-by-its-older-name-only",
    what: "a fault that is to delay does not",
    file: "src/http/faults.ts",
    find: "const delayMs = fault.delay ?? fault.delayMs ?? 0;",
    replace: "const delayMs = fault.delayMs ?? 0;",
    killedBy: faults,
  },
  {
    name: "delay-outlives-its-fault",
    what: "a test that cleared its faults waits for them all the same",
    file: "src/http/suffer-fault.ts",
    find: "sleep(delayMs, { signal: cleared })",
    replace: "sleep(delayMs, cleared.aborted ? { signal: cleared } : {})",
    killedBy: faults,
  },
  {
    name: "cut-answer-as-utf8",
    what: "the part of an object that comes before a cut has other bytes than the object",
    file: "src/http/suffer-fault.ts",
    find: "Buffer.from(bytes, encoding)",
    replace: "Buffer.from(bytes)",
    killedBy: faults,
  },
  {
    name: "cut-request-done",
    what: "a request that was to be cut before it did anything is done",
    file: "src/http/suffer-fault.ts",
    find: "return exchange.finish(NO_ANSWER_STATUS);",
    replace: "await operate();\n      return exchange.finish(NO_ANSWER_STATUS);",
    killedBy: faults,
  },
  {
    name: "setting-without-effect",
    what: "a setting is read, checked and shown, and nothing follows it",
    file: "src/start-server.ts",
    find: "batchBytesMax: config.limits.batchBytesMax,",
    replace: "batchBytesMax: 4 * 1024 * 1024,",
    killedBy: ["test/config/effects.test.ts"],
  },
  {
    name: "refusal-waits-for-its-turn",
    what: "a client that was too slow is cut before it is told so",
    file: "src/http/answer-error.ts",
    find: "  answerAtOnce(exchange, error.status, headers, body);",
    replace:
      "  const turn = edge.options.clock.yieldToOthers();\n" +
      "  void turn.then(() => answerAtOnce(exchange, error.status, headers, body));",
    killedBy: answers,
  },
];
