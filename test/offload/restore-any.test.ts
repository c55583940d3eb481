/** In any bucket a restore gets as far as the objects hold the log without a hole, and says what it lacks. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { planRestore } from "../../src/offload/restore-plan.ts";
import type { RestorePlan, RestoreWish } from "../../src/offload/restore-plan.ts";
import { ColdWorld } from "./cold-world.ts";
import { chainOf, firstOf, lastOf, manifestOf, snapshotOf } from "./manifests.ts";

const NEWEST: RestoreWish = { target: { kind: "newest" }, acceptGap: false };

describe("in any bucket", () => {
  const pieces = fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.nat(12)), { maxLength: 12 });
  const kept = fc.array(fc.boolean(), { minLength: 6, maxLength: 6 });

  test("the log ends with the last entry that objects hold without a hole, and the rest is told", () => {
    fc.assert(
      fc.property(pieces, kept, fc.boolean(), (tails, isKept, acceptGap) => {
        const world = new ColdWorld();
        world.manifest(manifestOf(10));
        const held = new Set(Array.from({ length: 10 }, (_, position) => position + 1));
        const hold = (first: number, last: number): void => {
          for (let index = first; index <= last; index++) held.add(index);
        };
        for (const [position, isThere] of isKept.entries()) {
          const id = position + 2;
          if (!isThere) continue;
          world.segment(id);
          hold(firstOf(id), lastOf(id));
        }
        for (const [first, length] of tails) {
          const last = Math.min(first + length, Math.ceil(first / 10) * 10);
          world.tail(first, last);
          hold(first, last);
        }
        let reached = 0;
        while (held.has(reached + 1)) reached++;
        const hasMore = Math.max(...held) > reached;
        const plan = planRestore(world.contents, { target: { kind: "newest" }, acceptGap });
        if (hasMore && !acceptGap) {
          expect(plan).toMatchObject({ kind: "refused", reason: "gap", problems: [{ first: reached + 1 }] });
          return;
        }
        expect(plan).toMatchObject({ kind: "plan", recoveryPoint: { index: reached } });
        const { replay, recoveryPoint, accepted } = plan as RestorePlan;
        expect(accepted.length).toBe(hasMore ? 1 : 0);
        expect(recoveryPoint.chain).toEqual(chainOf("log", reached));
        let next = 1;
        for (const { first, last, kind, keep } of replay) {
          expect(first).toBe(next);
          expect(keep).toBe(kind === "tail" ? "hot" : "cold");
          next = last + 1;
        }
        expect(next).toBe(reached + 1);
      }),
      { numRuns: 500 },
    );
  });

  test("an object that was taken away is named, or was not needed", () => {
    const build = () => {
      const world = new ColdWorld();
      world.manifest(manifestOf(34, { snapshot: snapshotOf(25, "aa", 2) }));
      world.tail(31, 33);
      world.tail(34, 34);
      world.segment(4);
      world.tail(41, 45);
      world.tail(44, 47);
      return world;
    };
    for (const gone of build().objects.keys()) {
      const world = build();
      expect(planRestore(world.contents, NEWEST)).toMatchObject({ recoveryPoint: { index: 47 } });
      world.remove(gone);
      const plan = planRestore(world.contents, NEWEST);
      const isNamed = JSON.stringify(plan).includes(gone);
      const isWhole = plan.kind === "plan" && plan.recoveryPoint.index === 47;
      const isEnd = plan.kind === "plan" && gone.endsWith("0000000000000044-0000000000000047");
      const isGap = plan.kind === "refused" && plan.reason === "gap" && plan.problems[0]?.kind === "gap";
      const isManifest = plan.kind === "refused" && plan.reason === "noManifest" && gone.endsWith(".json");
      expect([gone, isNamed || isWhole || isEnd || isGap || isManifest]).toEqual([gone, true]);
    }
  });
});
