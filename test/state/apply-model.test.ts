/**
 * The state machine against a model of plain objects, with all rows recounted after every entry: counters,
 * live bytes, references, and no row that nothing leads to; and the same log twice makes the same rows.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { StateDriver, step } from "./state-driver.ts";
import type { Step } from "./state-driver.ts";

/** Buckets first, so that most steps find one; the second keeps versions from the start. */
const opening: readonly Step[] = [
  { kind: "createBucket", a: 0, b: 0, c: 0 },
  { kind: "createBucket", a: 1, b: 0, c: 0 },
  { kind: "setVersioning", a: 1, b: 0, c: 1 },
];

const entry = fc.array(step, { minLength: 1, maxLength: 4 });
const entries = fc.array(entry, { minLength: 1, maxLength: 50, size: "max" });

test("every history means what the model says, leaves no orphans, and replays to equal rows", () => {
  fc.assert(
    fc.property(entries, (history) => {
      const driver = new StateDriver();
      for (const steps of [opening, ...history]) driver.run(steps);
      expect(driver.world.replayed().dump()).toEqual(driver.world.dump());
      driver.settle();
      expect(driver.world.replayed().dump()).toEqual(driver.world.dump());
    }),
    { numRuns: 240, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: true },
  );
});

test("the histories of that test reach every answer that apply can give", () => {
  const seen = new Set<string>();
  for (const history of fc.sample(entries, { numRuns: 200, seed: 14 })) {
    const driver = new StateDriver();
    driver.onAnswer = (command, { kind }) => seen.add(`${command} ${kind}`);
    for (const steps of [opening, ...history]) driver.run(steps);
  }
  const wanted = {
    createBucket: ["done", "bucketExists"],
    deleteBucket: ["done", "noSuchBucket", "bucketNotEmpty"],
    putObject: ["objectPut", "noSuchBucket", "noSuchKey", "preconditionFailed", "bodyGone"],
    deleteObject: ["done", "versionDeleted", "noSuchBucket", "noSuchKey", "preconditionFailed"],
    deleteVersion: ["done", "versionDeleted", "noSuchBucket", "noSuchKey", "preconditionFailed"],
    setVersioning: ["done", "noSuchBucket"],
    createUpload: ["done", "noSuchBucket"],
    putPart: ["partPut", "noSuchUpload", "bodyGone"],
    completeUpload: ["objectPut", "noSuchUpload", "uploadChanged", "noSuchKey", "preconditionFailed"],
    copyObject: ["objectPut", "noSuchBucket", "sourceChanged", "preconditionFailed", "bodyGone"],
    checkObject: ["done", "noSuchBucket", "noSuchKey", "preconditionFailed"],
    batch: ["batchDone", "batchRefused"],
    copyPart: ["partPut", "noSuchUpload", "sourceChanged"],
    renameObject: ["objectPut", "noSuchBucket", "sourceChanged", "preconditionFailed"],
    appendObject: ["objectPut", "noSuchBucket", "sourceChanged", "bodyGone"],
    putObjectTags: ["done", "noSuchBucket", "noSuchKey", "sourceChanged"],
    abortUpload: ["done", "noSuchUpload", "uploadChanged"],
    abortBody: ["done"],
    reapBody: ["done"],
    reapParts: ["done"],
    setDate: ["done"],
    tick: ["done"],
    dropSegments: ["done"],
    chunk: ["done", "bodyGone"],
  };
  const all = Object.entries(wanted).flatMap(([command, kinds]) => kinds.map((kind) => `${command} ${kind}`));
  expect(all.filter((answer) => !seen.has(answer))).toEqual([]);
});
