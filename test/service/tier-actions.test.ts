/** What `thermocline tier` does on a node, and what `cost` is told of it. */
import { describe, expect, test } from "vitest";
import { finishAtOnce } from "../../src/base/steps.ts";
import { S3_STANDARD_US_EAST_1 } from "../../src/offload/cost.ts";
import { forecastPolicy } from "../../src/offload/policy-forecast.ts";
import { ServerTierActions } from "../../src/service/tier-actions.ts";
import type { TierOutcome } from "../../src/service/tier-api.ts";
import { MINUTE_MS, TierWorld, isUploaded, sealedSegments } from "../offload/tier-world.ts";
import type { TierStore } from "../offload/tier-world.ts";

function actionsOf({ tier, node }: TierStore): ServerTierActions {
  return new ServerTierActions({
    tier,
    node,
    settingsWith: ({ tierAfterMs }) => (tierAfterMs === undefined ? {} : { afterMs: tierAfterMs }),
  });
}

/** Two prefixes, one after the other, all of it only in the bucket but for the last segments. */
async function cooled(world: TierWorld): Promise<TierStore> {
  const store = await world.openWithBucket();
  for (const prefix of ["a/1", "a/2", "b/1", "b/2", "z/1", "z/2", "z/3", "z/4"]) {
    await world.fill(store, 3, prefix);
    await world.pass(2 * MINUTE_MS);
  }
  await world.until(() => store.tier.status.coldOnlySegments >= 12);
  return store;
}

const hotOf = ({ node }: TierStore): number =>
  sealedSegments({ node } as TierStore).filter(({ id }) => node.local.bytesOf(id) > 0).length;

describe("recall", () => {
  test("brings back what a prefix needs and nothing else; then there is nothing to do", async () => {
    const world = new TierWorld({ recoveryPointMs: undefined });
    const store = await cooled(world);
    const lines: string[] = [];
    const { signal } = new AbortController();
    const recall = (prefix: string): Promise<TierOutcome> =>
      world.run(
        actionsOf(store).recall({ bucket: "b", prefix }, { signal, onProgress: (line) => lines.push(line) }),
      );
    const before = hotOf(store);
    const outcome = await recall("a/");
    const { recalled, segments } = outcome.facts as { recalled: number; segments: number };
    expect(recalled).toBeGreaterThanOrEqual(5);
    expect(recalled).toBeLessThanOrEqual(8);
    expect(hotOf(store)).toBe(before + recalled);
    expect(lines.at(-1)).toBe(`${segments} of ${segments} segments`);
    expect(outcome.ok).toBe(true);
    expect((await recall("a/")).facts).toEqual({ segments, recalled: 0 });
    expect((await recall("nothing/")).facts).toEqual({ segments: 0, recalled: 0 });
    // What was asked for stays for some hours, although nobody reads it.
    await world.pass(90 * MINUTE_MS);
    expect(hotOf(store)).toBeGreaterThanOrEqual(recalled);
    await world.pass(6 * 60 * MINUTE_MS);
    expect(hotOf(store)).toBeLessThanOrEqual(before);
    expect(await world.wrong(store)).toEqual([]);
    await world.close(store);
  });

  test("ends when nobody waits for it any more, and what came stays", async () => {
    const world = new TierWorld({ recoveryPointMs: undefined });
    const store = await cooled(world);
    const before = hotOf(store);
    const ended = new AbortController();
    const onProgress = (line: string): void => {
      if (line.startsWith("2 of")) ended.abort(new Error("nobody waits"));
    };
    const recall = actionsOf(store).recall({ bucket: "b", prefix: "" }, { signal: ended.signal, onProgress });
    await expect(world.run(recall)).rejects.toThrow("nobody waits");
    expect(hotOf(store) - before).toBeLessThanOrEqual(2);
    await world.close(store);
  });

  test("of a bucket that is not there is told so", async () => {
    const world = new TierWorld();
    const store = await world.openWithBucket();
    const { signal } = new AbortController();
    const call = { signal, onProgress: () => undefined };
    const recall = actionsOf(store).recall({ bucket: "nowhere", prefix: "" }, call);
    await expect(world.run(recall)).rejects.toMatchObject({ code: "NoSuchBucket" });
    await world.close(store);
  });
});

describe("facts", () => {
  test("are those of every segment, and what its copies take in the bucket", async () => {
    const world = new TierWorld({ recoveryPointMs: undefined, afterMs: 1000 });
    const store = await world.openWithBucket();
    await world.fill(store, 5);
    await world.until(() => isUploaded(store));
    const facts = await world.run(actionsOf(store).facts());
    const sealed = sealedSegments(store);
    expect(facts.segments.map(({ id }) => id)).toEqual(sealed.map(({ id }) => id));
    const bytes = sealed.reduce((sum, { cold }) => sum + (cold?.bytes ?? 0), 0);
    expect(facts.storedBytes).toEqual({ segment: bytes, packed: 0 });
    const lying = (folder: Parameters<TierWorld["keysOf"]>[0]): number =>
      world.keysOf(folder).reduce((sum, key) => sum + (world.objects.get(key)?.bytes.length ?? 0), 0);
    expect(lying("segments")).toBe(bytes);
    // The collector has not looked yet; once it has, what is no segment is known too.
    await world.until(() => store.tier.listedBytes !== undefined);
    const listed = await world.run(actionsOf(store).facts());
    expect(listed.storedBytes).toMatchObject({ segment: bytes, packed: 0, manifest: lying("manifest") });
    expect(lying("manifest")).toBeGreaterThan(0);
    expect(facts.situation.hotBytes).toBe(store.node.local.fileBytes);
    await world.close(store);
  });

  test("let a dry run see what another age would do", async () => {
    const world = new TierWorld({ recoveryPointMs: undefined, afterMs: 1000 * MINUTE_MS });
    const store = await world.openWithBucket();
    await world.fill(store, 5);
    await world.pass(2 * MINUTE_MS);
    const facts = await world.run(actionsOf(store).facts());
    const uploadsWith = (change: object): number =>
      finishAtOnce(forecastPolicy(facts, facts.policyWith(change), S3_STANDARD_US_EAST_1)).uploads.segments;
    expect(uploadsWith({})).toBe(0);
    expect(uploadsWith({ tierAfterMs: MINUTE_MS })).toBe(sealedSegments(store).length);
    expect(facts.policyWith({}).recoveryPointMs).toBeUndefined();
    await world.close(store);
  });
});
