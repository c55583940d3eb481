/** Promises of the bucket verbs. */
import { describe, expect, test } from "vitest";
import { createUpload, find, openService, put, remove } from "./service-world.ts";

describe("buckets", () => {
  test("are made once, found with owner, time and place, and known after a reopen", async () => {
    await using world = await openService();
    const wanted = { name: "second", owner: "someone", location: "eu-central-1" };
    expect(await world.service.buckets.create(wanted)).toEqual({ kind: "created" });
    expect(await world.service.buckets.create({ ...wanted, owner: "other" })).toEqual({
      kind: "exists",
      owner: "someone",
    });
    for (const open of [async () => world.service, world.reopen]) {
      const service = await open();
      expect(service.buckets.find("second")).toMatchObject(wanted);
      expect(service.buckets.find("second")?.createdMs).toBeGreaterThan(1_600_000_000_000);
      expect(service.buckets.find("absent")).toBeUndefined();
    }
  });

  test("of 20 racing creators exactly one wins, and all hear who", async () => {
    await using world = await openService();
    const race = Array.from({ length: 20 }, (_, at) =>
      world.service.buckets.create({ name: "raced", owner: `o${at}`, location: "" }),
    );
    const outcomes = await Promise.all(race);
    const winner = outcomes.findIndex(({ kind }) => kind === "created");
    const others = outcomes.filter((_, at) => at !== winner);
    expect(others.every((each) => each.kind === "exists" && each.owner === `o${winner}`)).toBe(true);
  });

  test("are deleted when they are empty, and not before", async () => {
    await using world = await openService();
    const { service } = world;
    await put(service, "k", "x");
    expect(await service.buckets.delete("b")).toEqual({ kind: "bucketNotEmpty" });
    await remove(service, "k");
    expect(await service.buckets.delete("b")).toEqual({ kind: "deleted" });
    expect(await service.buckets.delete("b")).toEqual({ kind: "noSuchBucket" });
    expect(service.buckets.find("b")).toBeUndefined();
  });

  test("that are made again have nothing of the one before: no objects, no uploads", async () => {
    await using world = await openService();
    const { service } = world;
    await put(service, "k", "x");
    const uploadId = await createUpload(service, "k");
    await remove(service, "k");
    await service.buckets.delete("b");
    await service.buckets.create({ name: "b", owner: "root", location: "" });
    expect(await find(service, "k")).toBeUndefined();
    expect(await service.uploads.find({ bucket: "b", key: "k", uploadId })).toBeUndefined();
    const uploads = await service.uploads.list({ bucket: "b", prefix: "", after: undefined, limit: 10 });
    expect(uploads).toEqual({ uploads: [], truncated: false });
  });

  test("keep settings by name, over a reopen, until they are deleted or the bucket is", async () => {
    await using world = await openService();
    const { buckets } = world.service;
    expect(buckets.setting("b", "cors")).toBeUndefined();
    expect(await buckets.putSetting("b", "cors", "first")).toEqual({ kind: "put" });
    await buckets.putSetting("b", "cors", "grün");
    await buckets.putSetting("b", "tagging", "tags");
    expect(await buckets.deleteSetting("b", "tagging")).toEqual({ kind: "deleted" });
    expect(await buckets.deleteSetting("b", "tagging")).toEqual({ kind: "deleted" });
    const { buckets: again } = await world.reopen();
    expect([again.setting("b", "cors"), again.setting("b", "tagging")]).toEqual(["grün", undefined]);
    await again.delete("b");
    expect(again.setting("b", "cors")).toBeUndefined();
    expect(await again.putSetting("b", "cors", "x")).toEqual({ kind: "noSuchBucket" });
    expect(await again.deleteSetting("b", "cors")).toEqual({ kind: "noSuchBucket" });
    await again.create({ name: "b", owner: "root", location: "" });
    expect(again.setting("b", "cors")).toBeUndefined();
  });

  test("a deletion and a put race: either the object is there or the bucket is gone", async () => {
    for (let round = 0; round < 10; round++) {
      await using world = await openService();
      const { service } = world;
      const [deleted, stored] = await Promise.all(
        round % 2 === 0
          ? [service.buckets.delete("b"), put(service, "k", "x")]
          : [put(service, "k", "x"), service.buckets.delete("b")].toReversed(),
      );
      const kinds = [deleted?.kind ?? "", stored?.kind ?? ""].toSorted((a, b) => (a < b ? -1 : 1));
      expect([
        ["deleted", "noSuchBucket"],
        ["bucketNotEmpty", "put"],
      ]).toContainEqual(kinds);
      expect((await find(service, "k")) !== undefined).toBe(kinds[1] === "put");
    }
  });
});

describe("lists of buckets", () => {
  const names = ["alpha", "b", "beta", "beta-1", "beta.2", "gamma"];

  test("are in byte order, within a prefix, after a name, in pages", async () => {
    await using world = await openService();
    const { buckets } = world.service;
    for (const name of names) await buckets.create({ name, owner: "root", location: "" });
    const list = async (
      prefix: string,
      after: string,
      limit: number,
    ): Promise<readonly [string, boolean]> => {
      const page = await buckets.list({ prefix, after, limit });
      return [page.buckets.map(({ name }) => name).join(" "), page.truncated];
    };
    expect(await list("", "", 100)).toEqual(["alpha b beta beta-1 beta.2 gamma", false]);
    expect(await list("beta", "", 100)).toEqual(["beta beta-1 beta.2", false]);
    expect(await list("", "", 2)).toEqual(["alpha b", true]);
    expect(await list("", "b", 2)).toEqual(["beta beta-1", true]);
    expect(await list("beta", "beta", 5)).toEqual(["beta-1 beta.2", false]);
    expect(await list("beta", "alpha", 5)).toEqual(["beta beta-1 beta.2", false]);
    expect(await list("beta", "gamma", 5)).toEqual(["", false]);
    expect(await list("", "", 6)).toEqual(["alpha b beta beta-1 beta.2 gamma", false]);
  });
});

test("the status counts what is there", async () => {
  await using world = await openService();
  await put(world.service, "k", Buffer.alloc(10_000));
  const status = world.service.status();
  expect(status).toMatchObject({ nodeId: "n1", ready: true, reason: undefined, term: 1, liveBytes: 10_000 });
  expect(status.appliedIndex).toBe(status.commitIndex);
  expect(status.logBytes).toBeGreaterThan(10_000);
  expect(world.service.identities.find("test")?.identity.accountId).toBe("root");
  expect(world.service.identities.find("other")).toBeUndefined();
});
