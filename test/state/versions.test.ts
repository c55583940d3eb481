/**
 * Versions of a key: histories of few keys against the model, with every list of versions recounted after
 * each entry; and examples of what users rely on.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { Command } from "../../src/state/command.ts";
import { keys } from "../../src/state/keys.ts";
import { decodeObject } from "../../src/state/object-row.ts";
import { rows } from "../../src/state/rows.ts";
import type { Versioning } from "../../src/state/rows.ts";
import { birthOfInverted, birthText, invertedBirth, parseVersionId } from "../../src/state/version-id.ts";
import type { VersionName } from "../../src/state/version-id.ts";
import { StateDriver } from "./state-driver.ts";
import type { Step } from "./state-driver.ts";
import * as arbitrary from "./arbitraries.ts";
import { recount } from "./recount.ts";
import { StateWorld } from "./state-world.ts";
import { versionsInRows } from "./versions-in-rows.ts";

const KINDS = [
  "put",
  "put",
  "put",
  "delete",
  "delete",
  "deleteVersion",
  "deleteVersion",
  "setVersioning",
] as const;
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...KINDS),
  a: fc.constant(1),
  b: fc.nat(1),
  c: fc.nat(11),
});

test("few keys with many versions mean what the model says, however versioning is switched", () => {
  const entry = fc.array(step, { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(fc.array(entry, { minLength: 10, maxLength: 40, size: "max" }), (history) => {
      const driver = new StateDriver();
      driver.run([{ kind: "createBucket", a: 1, b: 0, c: 0 }]);
      for (const steps of history) driver.run(steps);
      expect(driver.world.replayed().dump()).toEqual(driver.world.dump());
    }),
    { numRuns: 120, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: true },
  );
});

class Bucket {
  readonly world = new StateWorld();

  constructor(versioning: Versioning) {
    this.world.apply([{ kind: "createBucket", name: "b", owner: "o", location: "" }]);
    this.switch(versioning);
  }

  switch(versioning: Versioning): void {
    this.world.apply([{ kind: "setVersioning", bucket: "b", versioning }]);
  }

  do(command: Command): string | undefined {
    const [result] = this.world.apply([command]);
    expect(recount(this.world.view.rows)).toEqual([]);
    return result !== undefined && "versionId" in result ? result.versionId : result?.kind;
  }

  put(text: string): string | undefined {
    const bytes = Buffer.from(text);
    const body = { kind: "bytes" as const, bytes, crc32c: 0 };
    const condition = { kind: "none" as const };
    const object = { bucket: "b", key: "k", etag: text.slice(0, 32), attributes: NO_ATTRIBUTES };
    return this.do({ kind: "putObject", ...object, body, condition });
  }

  delete(): string | undefined {
    return this.do({ kind: "deleteObject", bucket: "b", key: "k", condition: { kind: "none" } });
  }

  remove(id: string | undefined): string | undefined {
    const version = parseVersionId(id ?? "") as VersionName;
    return this.do({ kind: "deleteVersion", bucket: "b", key: "k", version, condition: { kind: "none" } });
  }

  /** Etags, the current one first; delete markers are "-". */
  get versions(): readonly string[] {
    const all = versionsInRows(this.world.view.rows) as Record<
      string,
      { keys: Record<string, readonly { object?: { etag: string } }[]> }
    >;
    return (all["b"]?.keys["k"] ?? []).map(({ object }) => object?.etag ?? "-");
  }

  get current(): string | undefined {
    const row = this.world.view.get(keys.object(1, "k"));
    return row === undefined ? undefined : decodeObject(row).etag;
  }
}

describe("examples", () => {
  test("an enabled bucket keeps all, newest first; each has an id of its own", () => {
    const bucket = new Bucket("Enabled");
    const ids = [bucket.put("1"), bucket.put("2"), bucket.delete(), bucket.put("3")];
    expect(new Set(ids).size).toBe(4);
    expect(bucket.versions).toEqual(["3", "-", "2", "1"]);
  });

  test("removing a delete marker brings the object back, in the cache too", () => {
    const bucket = new Bucket("Enabled");
    bucket.put("1");
    bucket.put("2");
    const marker = bucket.delete();
    expect([bucket.current, bucket.world.cached.get("b/k")]).toEqual([undefined, undefined]);
    bucket.remove(marker);
    expect([bucket.current, bucket.world.cached.get("b/k")]).toEqual(["2", "2"]);
    expect(bucket.versions).toEqual(["2", "1"]);
  });

  test("what was there before is the null version, which a suspended put replaces wherever it is", () => {
    const world = new Bucket("Suspended");
    expect([world.put("old"), world.put("older")]).toEqual(["null", "null"]);
    world.switch("Enabled");
    const first = world.put("1");
    world.put("2");
    expect(world.versions).toEqual(["2", "1", "older"]);
    world.switch("Suspended");
    expect(world.put("new")).toBe("null");
    expect(world.versions).toEqual(["new", "2", "1"]);
    expect(world.delete()).toBe("null");
    expect(world.versions).toEqual(["-", "2", "1"]);
    expect(world.remove(first)).toBe(first);
    expect(world.versions).toEqual(["-", "2"]);
  });

  test("the last version takes all rows of its key with it, and then the bucket can go", () => {
    const bucket = new Bucket("Enabled");
    const ids = [bucket.put("1"), bucket.put("2".repeat(300)), bucket.delete()];
    expect(bucket.do({ kind: "deleteBucket", name: "b" })).toBe("bucketNotEmpty");
    for (const id of ids) bucket.remove(id);
    const left = [...bucket.world.view.rows.keys()].filter((key) =>
      /^(object|marker|version|history)/.test(key),
    );
    expect(left).toEqual([]);
    expect(bucket.do({ kind: "deleteBucket", name: "b" })).toBe("done");
  });

  test("a bucket with nothing but a delete marker is not empty", () => {
    const bucket = new Bucket("Enabled");
    bucket.delete();
    expect(bucket.do({ kind: "deleteBucket", name: "b" })).toBe("bucketNotEmpty");
  });

  test("a bucket that never had versioning has the rows that it always had", () => {
    const world = new StateWorld();
    world.apply([{ kind: "createBucket", name: "b", owner: "o", location: "" }]);
    const counters = world.view.get(keys.bucketCounters(1)) as Uint8Array;
    expect(rows.bucketCounters.decode(counters)).toEqual({ v: 1, objects: 0, bytes: 0 });
    const bucket = rows.bucket.decode(world.view.get(keys.bucket("b")) as Uint8Array);
    expect(Object.keys(bucket)).toEqual(["v", "id", "owner", "createdMs", "location"]);
  });
});

describe("version ids", () => {
  test("come back from their text and from their place among the rows, in which newer ones are first", () => {
    fc.assert(
      fc.property(arbitrary.birth, arbitrary.birth, (one, other) => {
        expect(parseVersionId(birthText(one))).toEqual({ kind: "birth", ...one });
        expect(birthOfInverted(invertedBirth(one))).toEqual(one);
        const newer = one.birthIndex - other.birthIndex || one.birthSub - other.birthSub;
        expect(invertedBirth(one) < invertedBirth(other)).toBe(newer > 0);
      }),
    );
  });

  test.each([
    "",
    "x",
    "NULL",
    "000000000a",
    "000000000a.",
    "000000000a.01",
    "000000000A.1",
    "0000000000a.1",
    " null",
  ])("%j is none", (text) => expect(parseVersionId(text)).toBeUndefined());
});
