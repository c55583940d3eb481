/** Planted bugs of batches. */
import type { Mutant } from "./mutant.ts";

const state = ["test/state/batches.test.ts"];
const file = "src/state/apply-batch.ts";

export const batchMutants: readonly Mutant[] = [
  {
    name: "half-a-batch-applied",
    what: "a batch that is refused has done the steps before the one that failed",
    file,
    find: 'if (decision.kind === "batchRefused") return decision;',
    replace:
      'if (decision.kind === "batchRefused") {\n' +
      '    applyBatch(context, { kind: "batch", steps: steps.slice(0, decision.at) }, start);\n' +
      "    return decision;\n  }",
    killedBy: state,
  },
  {
    name: "batch-in-reverse",
    what: "of two puts of one key in a batch the first one stays",
    file,
    find: "results: steps.map(apply)",
    replace: "results: steps.map((_, at) => apply(steps.at(-1 - at) as BatchStep, steps.length - 1 - at))",
    killedBy: state,
  },
  {
    name: "batch-decided-by-what-stood-before",
    what: "two creations of one key in a batch both succeed, because neither sees the other",
    file,
    find: 'if (step.kind !== "checkObject") ahead.leave(bucket, step);',
    replace: "",
    killedBy: state,
  },
  {
    name: "batch-loses-sight-of-older-versions",
    what: "a check behind the deletion of a current version finds nothing, although an older one follows",
    file: "src/state/versions-ahead.ts",
    find: "while (this.#versions.length === 0 && this.#next !== undefined) this.#lookFurther();",
    replace: "",
    killedBy: state,
  },
  {
    name: "batch-keeps-two-null-versions",
    what: "behind a null version that a batch replaced and removed, the one it replaced is thought to follow",
    file: "src/state/versions-ahead.ts",
    find: 'if (versioning === "Suspended") this.remove(NULL_VERSION_ID);',
    replace: "",
    killedBy: state,
  },
  {
    name: "batch-shares-a-number",
    what: "two versions that one batch writes have the same id",
    file,
    find: "const place = { sub: start.sub + at, bodyOffset };",
    replace: "const place = { sub: start.sub, bodyOffset };",
    killedBy: state,
  },
  {
    name: "batch-body-in-the-wrong-place",
    what: "an object of a batch is read back as the one before it",
    file,
    find: "bodyOffset += bytesOfStep(step)?.bytes.length ?? 0;",
    replace: "",
    killedBy: state,
  },
];
