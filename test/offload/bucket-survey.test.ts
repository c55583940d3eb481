/** Whoever looks at a bucket of tens of thousands of objects lets others run meanwhile. */
import { expect, test } from "vitest";
import { finishAtOnce } from "../../src/base/steps.ts";
import { BucketSurvey } from "../../src/offload/bucket-survey.ts";
import { coldKey } from "../../src/offload/cold-names.ts";
import { encodeManifest } from "../../src/offload/manifest-format.ts";
import type { Manifest } from "../../src/offload/manifest.ts";
import { SimWorld } from "../crash/sim-world.ts";
import { SimColdStore } from "../sim/sim-cold-store.ts";
import type { SimColdObject } from "../sim/sim-cold-store.ts";
import { manifestOf } from "./manifests.ts";

const PLACE = { cluster: "c", lineage: "l" };
const SEGMENTS = 4000;

function manifest(): Manifest {
  const segments = Array.from({ length: SEGMENTS }, (_, at) => {
    const range = { first: at + 1, last: at + 1 };
    const key = coldKey(PLACE, { kind: "segment", ...range });
    const copy = { kind: "verbatim", key, bytes: 1, sha256: "a".repeat(64) } as const;
    const [chainBefore, chainAfter] = [
      { low: at, high: 0 },
      { low: at + 1, high: 0 },
    ];
    return { id: at + 1, ...range, sealed: true, chainBefore, chainAfter, copy };
  });
  return { ...manifestOf(SEGMENTS, PLACE), segments };
}

test("each look at a large bucket, and what it keeps of it, is made in small steps", async () => {
  const { disk, clock } = new SimWorld();
  const objects = new Map<string, SimColdObject>();
  const found = manifest();
  const { index, term, incarnation, segments } = found;
  const name = coldKey(PLACE, { kind: "manifest", index, term, incarnation });
  const store = new SimColdStore({ disk, clock, objects });
  const body = Buffer.concat(finishAtOnce(encodeManifest(found)));
  const put = { kind: "manifest" } as const;
  await clock.run(store.put(name, body, put));
  for (const { copy } of segments) await clock.run(store.put(copy?.key ?? "", Buffer.alloc(1), put));
  let breaths = 0;
  const counting = {
    ...{ monotonicMs: () => 0, nowMs: () => 0, sleep: () => Promise.resolve() },
    yieldToOthers: () => Promise.resolve(void breaths++),
  };
  const survey = new BucketSurvey({ store, cluster: "c", clock: counting });
  const { signal } = new AbortController();
  const first = await clock.run(survey.look(["l"], signal));
  expect(first.listing).toHaveLength(SEGMENTS + 1);
  expect(breaths).toBeGreaterThan(SEGMENTS / 128);
  breaths = 0;
  const again = await clock.run(survey.lookAgain(first, ["l"], signal));
  expect(again.listing.map(({ key }) => key).toSorted()).toEqual(
    first.listing.map(({ key }) => key).toSorted(),
  );
  expect(breaths).toBeGreaterThanOrEqual(2 * Math.floor(SEGMENTS / 512));
  breaths = 0;
  await survey.forget(["another"]);
  expect(breaths).toBeGreaterThanOrEqual(Math.floor(SEGMENTS / 128));
});
