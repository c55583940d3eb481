/**
 * What a store may do to its bucket, in any order, and what has to hold after each deletion in it: every
 * retained manifest leads to what it covers.
 */
import fc from "fast-check";
import { expect } from "vitest";
import { finishAtOnce } from "../../src/base/steps.ts";
import { whatIsWrongWith } from "../../src/offload/manifest.ts";
import { planRestore } from "../../src/offload/restore-plan.ts";
import type { RestorePlan } from "../../src/offload/restore-plan.ts";
import { HOUR } from "./garbage-world.ts";
import type { GarbageWorld } from "./garbage-world.ts";

/** Every retained manifest alone leads to what it covers, and the newest to the end of the log. */
export function expectRestorable(store: GarbageWorld, retained: readonly string[]): void {
  const { contents, manifests } = store.world;
  for (const key of retained) {
    const reading = manifests.get(key);
    if (reading?.kind !== "manifest") throw new Error(`retained and gone: ${key}`);
    const { manifest } = reading;
    expect(finishAtOnce(whatIsWrongWith(manifest))).toBeUndefined();
    const found = planRestore(contents, { target: { kind: "manifest", key }, acceptGap: false });
    expect(found).toMatchObject({ kind: "plan", manifestKey: key, recoveryPoint: { index: manifest.index } });
    const { cold, fill, replay, lost } = found as RestorePlan;
    expect(lost).toEqual([]);
    for (const { first, last } of manifest.segments) {
      for (const index of [first, last]) {
        const isHeld = [...cold, ...fill, ...replay].some(
          (held) => held.first <= index && index <= held.last,
        );
        expect([index, isHeld]).toEqual([index, true]);
      }
    }
    const { dateMs } = manifest;
    const point = planRestore(contents, { target: { kind: "time", dateMs: dateMs + 1 }, acceptGap: false });
    expect(point).toMatchObject({ kind: "plan", manifest: { dateMs }, passedOver: [] });
  }
  const newest = planRestore(contents, { target: { kind: "newest" }, acceptGap: false });
  expect(newest).toMatchObject({ kind: "plan", lost: [], passedOver: [] });
}

export type Deed = readonly [name: string, number: number, crash: boolean];
export const deeds: fc.Arbitrary<readonly Deed[]> = fc.array(
  fc.tuple(
    fc.oneof(
      { weight: 4, arbitrary: fc.constant("append") },
      { weight: 8, arbitrary: fc.constantFrom("upload", "upload", "tail", "manifest", "collect") },
      { weight: 10, arbitrary: fc.constantFrom("pack", "pack", "pack", "time", "time", "die", "drop") },
    ),
    fc.nat(40),
    fc.boolean(),
  ),
  { minLength: 30, maxLength: 120, size: "max" },
);

export function act(
  store: GarbageWorld,
  [name, number, crash]: Deed,
  collect: (store: GarbageWorld, most: number) => unknown,
): unknown {
  const pick = <Item>(items: readonly Item[]): Item | undefined => items[number % Math.max(1, items.length)];
  const doTo = <Item>(item: Item | undefined, deed: (item: Item) => void): void => {
    if (item === undefined) store.append(1);
    else deed(item);
  };
  const { sealed } = store;
  if (name === "append") store.append(1 + (number % 15));
  else if (name === "tail") store.tail(number % 8);
  else if (name === "manifest") store.manifest(number, { crash });
  else if (name === "time") store.nowMs += number * HOUR;
  else if (name === "collect") return collect(store, crash ? number : Infinity);
  else if (name === "upload")
    doTo(pick(sealed.filter(({ cold }) => cold === undefined)), (one) => store.upload(one, { crash }));
  else if (name === "pack") doTo(pick(store.packable), (one) => store.pack(one, { crash }));
  else if (name === "die") doTo(pick(sealed.filter(({ isLive }) => isLive)), (one) => store.die(one));
  else doTo(pick(sealed.filter(({ isLive }) => !isLive)), (one) => store.drop(one));
  return undefined;
}
