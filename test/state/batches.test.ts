/**
 * Batches: all of their steps or none, each decided against what the steps before it leave. Histories of few
 * keys against the model, and examples of what users rely on.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { BatchStep, CommandResult, CopySource, WriteCondition } from "../../src/state/command.ts";
import { decodeFootprint, decodeObject } from "../../src/state/object-row.ts";
import { keys } from "../../src/state/keys.ts";
import type { Versioning } from "../../src/state/rows.ts";
import type { Birth, VersionName } from "../../src/state/version-id.ts";
import { chunkOf } from "./chunk-of.ts";
import { recount } from "./recount.ts";
import { StateDriver } from "./state-driver.ts";
import type { Step } from "./state-driver.ts";
import { StateWorld } from "./state-world.ts";

const KINDS = [
  "put",
  "delete",
  "batch",
  "batch",
  "batch",
  "chunk",
  "setVersioning",
  "look",
  "sweep",
] as const;
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...KINDS),
  a: fc.nat(11),
  b: fc.nat(11),
  c: fc.nat(11),
});

test("histories of batches mean what the model says, leave no orphans, and replay to equal rows", () => {
  const seen = new Set<string>();
  const entry = fc.array(step, { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(fc.array(entry, { minLength: 10, maxLength: 40, size: "max" }), (history) => {
      const driver = new StateDriver();
      driver.onAnswer = (_, result) => seen.add(result.kind === "batchRefused" ? result.reason : result.kind);
      for (const a of [0, 1]) driver.run([{ kind: "createBucket", a, b: 0, c: 0 }]);
      for (const steps of history) driver.run(steps);
      expect(driver.world.replayed().dump()).toEqual(driver.world.dump());
      driver.settle();
    }),
    { numRuns: 120, seed: 50, interruptAfterTimeLimit: 30_000, markInterruptAsFailure: true },
  );
  const refusals = ["preconditionFailed", "noSuchKey", "sourceChanged"];
  expect([...seen]).toEqual(expect.arrayContaining(["batchDone", ...refusals]));
});

const ANY: WriteCondition = { kind: "none" };
const ABSENT: WriteCondition = { kind: "absent" };
const is = (etag: string): WriteCondition => ({ kind: "etag", etag });

function put(key: string, etag: string, condition: WriteCondition = ANY, length = 0): BatchStep {
  const bytes = Buffer.alloc(length, etag);
  const body = length === 0 ? ({ kind: "empty" } as const) : { kind: "bytes" as const, bytes, crc32c: 0 };
  return { kind: "putObject", bucket: "b", key, etag, attributes: NO_ATTRIBUTES, body, condition };
}

const remove = (key: string, condition: WriteCondition = ANY): BatchStep => ({
  kind: "deleteObject",
  bucket: "b",
  key,
  condition,
});
const check = (key: string, condition: WriteCondition): BatchStep => ({
  kind: "checkObject",
  bucket: "b",
  key,
  condition,
});

class Bucket {
  readonly world = new StateWorld();

  constructor(versioning?: Versioning) {
    this.world.apply([{ kind: "createBucket", name: "b", owner: "o", location: "" }]);
    if (versioning !== undefined) this.world.apply([{ kind: "setVersioning", bucket: "b", versioning }]);
  }

  batch(...steps: readonly BatchStep[]): CommandResult {
    const [result] = this.world.apply([{ kind: "batch", steps }]);
    expect(recount(this.world.view.rows)).toEqual([]);
    return result as CommandResult;
  }

  /** Of a body in chunks, which copies share. */
  putLarge(key: string): void {
    const bodyId = `n1.1-${key}`;
    this.world.applyChunk(chunkOf(bodyId, 0, Buffer.alloc(3000, key)));
    const body = { kind: "stored" as const, bodyId, size: 3000 };
    const object = { bucket: "b", key, etag: key, attributes: NO_ATTRIBUTES, body, condition: ANY };
    const tags = [["of", key]] as const;
    expect(this.world.apply([{ kind: "putObject", ...object, tags }])[0]?.kind).toBe("objectPut");
  }

  copy(from: string, key: string): BatchStep {
    const row = this.world.view.object(keys.objectPrefix(1), from);
    const { birthIndex, birthSub } = decodeFootprint(row as Uint8Array);
    const source: CopySource = { bucket: "b", key: from, birthIndex, birthSub };
    const copied = { bucket: "b", key, etag: from, attributes: NO_ATTRIBUTES, tags: undefined };
    return { kind: "copyObject", source, ...copied, body: { kind: "shared" }, condition: ANY };
  }

  /** ETags by key. */
  get objects(): Readonly<Record<string, string>> {
    const prefix = keys.objectPrefix(1);
    const rows = [...this.world.view.rows].filter(([key]) => key.startsWith(prefix));
    return Object.fromEntries(rows.map(([key, row]) => [key.slice(prefix.length), decodeObject(row).etag]));
  }
}

const removeVersion = (key: string, version: VersionName): BatchStep => ({
  kind: "deleteVersion",
  bucket: "b",
  key,
  version,
  condition: { kind: "none" },
});

describe("a batch", () => {
  test.each([undefined, "Enabled", "Suspended"] as const)("does all of its steps, versioning %s", (how) => {
    const bucket = new Bucket(how);
    const result = bucket.batch(put("a", "1"), put("b", "2"), remove("a"), put("c", "3"));
    expect(result).toMatchObject({ kind: "batchDone" });
    expect(bucket.objects).toEqual({ b: "2", c: "3" });
  });

  test.each([undefined, "Enabled", "Suspended"] as const)(
    "changes nothing when one fails, versioning %s",
    (how) => {
      const bucket = new Bucket(how);
      bucket.batch(put("a", "1"), put("b", "2", ANY, 700));
      const before = new Map(bucket.world.view.rows);
      const steps = [put("a", "9"), remove("b"), put("c", "9", ANY, 700), check("a", is("1"))];
      expect(bucket.batch(...steps)).toEqual({ kind: "batchRefused", at: 3, reason: "preconditionFailed" });
      const changed = [...bucket.world.view.rows].filter(([key, row]) => {
        const old = before.get(key);
        return old === undefined || Buffer.compare(old, row) !== 0;
      });
      // The entry itself is in the log.
      expect(changed.map(([key]) => key.split("/")[0])).toEqual(
        changed.map(([key]) => (key.startsWith("segment/") ? "segment" : "meta")),
      );
      expect(bucket.world.view.rows.size - before.size).toBeLessThanOrEqual(1);
      expect(bucket.objects).toEqual({ a: "1", b: "2" });
    },
  );

  test("decides each condition against what the steps before it leave", () => {
    const bucket = new Bucket();
    const made = bucket.batch(
      put("a", "1", ABSENT),
      put("a", "2", is("1")),
      check("a", is("2")),
      remove("a", is("2")),
      check("a", ABSENT),
      put("a", "3", ABSENT),
    );
    expect(made.kind).toBe("batchDone");
    expect(bucket.objects).toEqual({ a: "3" });
    const again = bucket.batch(remove("a"), put("b", "4"), check("a", is("3")));
    expect(again).toEqual({ kind: "batchRefused", at: 2, reason: "noSuchKey" });
    const twice = bucket.batch(put("b", "1", ABSENT), put("b", "2", ABSENT));
    expect(twice).toEqual({ kind: "batchRefused", at: 1, reason: "preconditionFailed" });
    expect(bucket.objects).toEqual({ a: "3" });
  });

  test("gives each of its versions an id of its own, in order", () => {
    const bucket = new Bucket("Enabled");
    const [first, , last] = bucket.world.apply([
      { kind: "batch", steps: [put("k", "1"), put("k", "2"), remove("k"), put("k", "3")] },
      { kind: "batch", steps: [put("k", "4", ABSENT)] },
      { ...put("k", "5"), kind: "putObject" } as Extract<BatchStep, { kind: "putObject" }>,
    ]);
    const results = first?.kind === "batchDone" ? [...first.results, last] : [];
    const ids = results.map((result) => (result && "versionId" in result ? result.versionId : undefined));
    const index = ids[0]?.slice(0, 11);
    // The second batch was refused; its number is not given to another.
    expect(ids).toEqual([0, 1, 2, 3, 5].map((sub) => `${index}${sub}`));
    expect(recount(bucket.world.view.rows)).toEqual([]);
    expect(bucket.objects).toEqual({ k: "5" });
  });

  test.each([undefined, "Enabled", "Suspended"] as const)(
    "copies what stood there before it, versioning %s",
    (how) => {
      const bucket = new Bucket(how);
      bucket.putLarge("a");
      bucket.putLarge("b");
      // The two change places, and a third goes with its last name.
      const swap = [
        bucket.copy("b", "a"),
        bucket.copy("a", "b"),
        remove("a"),
        bucket.copy("a", "c"),
        remove("b"),
      ];
      expect(bucket.batch(...swap).kind).toBe("batchDone");
      expect(bucket.objects).toEqual({ c: "a" });
      const row = decodeObject(bucket.world.view.object(keys.objectPrefix(1), "c") as Uint8Array);
      expect(row.tagCount).toBe(1);
      expect(row.body).toEqual({ kind: "stored", bodyId: "n1.1-a" });
    },
  );

  test("that copies what has changed meanwhile is refused as a whole", () => {
    const bucket = new Bucket();
    bucket.putLarge("a");
    const copy = bucket.copy("a", "c");
    bucket.batch(put("a", "2"));
    const result = bucket.batch(put("b", "1"), copy);
    expect(result).toEqual({ kind: "batchRefused", at: 1, reason: "sourceChanged" });
    expect(bucket.objects).toEqual({ a: "2" });
  });

  test("of a bucket that is not there is refused", () => {
    const world = new StateWorld();
    const [result] = world.apply([{ kind: "batch", steps: [put("a", "1")] }]);
    expect(result).toEqual({ kind: "batchRefused", at: 0, reason: "noSuchBucket" });
  });

  test("names the place of each of its bodies in the record", () => {
    const bucket = new Bucket();
    bucket.batch(
      put("a", "1", ANY, 700),
      check("x", ABSENT),
      put("b", "2", ANY, 900),
      put("c", "3", ANY, 800),
    );
    const offsets = ["a", "b", "c"].map((key) => {
      const { body } = decodeObject(bucket.world.view.object(keys.objectPrefix(1), key) as Uint8Array);
      return body.kind === "record" ? body.offset : 0;
    });
    const [a = 0, b, c] = offsets;
    expect([b, c]).toEqual([a + 700, a + 1600]);
    const { payload, position } = bucket.world.log.at(-1) as (typeof bucket.world.log)[number];
    const at = a - position.payloadOffset;
    expect(payload.subarray(at, at + 2400).toString()).toBe(
      "1".repeat(700) + "2".repeat(900) + "3".repeat(800),
    );
    expect(bucket.world.replayed().dump()).toEqual(bucket.world.dump());
  });

  test("that removes versions decides each step by what comes to light", () => {
    const bucket = new Bucket("Enabled");
    const births = ["1", "2", "3"].map((etag) => {
      const { length } = bucket.world.log;
      bucket.batch(put("k", etag));
      return { birthIndex: length + 1, birthSub: 0 };
    });
    const removeAt = (at: number): BatchStep =>
      removeVersion("k", { kind: "birth", ...(births[at] as Birth) });
    const result = bucket.batch(
      removeAt(1),
      removeAt(2),
      check("k", is("1")),
      remove("k"),
      check("k", ABSENT),
      removeAt(0),
      put("k", "4", ABSENT),
      check("k", is("4")),
    );
    expect(result.kind).toBe("batchDone");
    expect(bucket.objects).toEqual({ k: "4" });
    const refused = bucket.batch(removeVersion("k", { kind: "null" }), check("k", is("1")));
    expect(refused).toEqual({ kind: "batchRefused", at: 1, reason: "preconditionFailed" });
  });

  test("that removes the null version means the one that is it by then", () => {
    const bucket = new Bucket("Enabled");
    bucket.batch(put("k", "1"));
    bucket.world.apply([{ kind: "setVersioning", bucket: "b", versioning: "Suspended" }]);
    bucket.batch(put("k", "2"));
    const removeNull = removeVersion("k", { kind: "null" });
    for (const etag of ["3", "4"]) {
      const steps = [put("k", etag), removeNull, check("k", is("1")), put("k", etag), remove("k")];
      const seen = bucket.batch(...steps, check("k", ABSENT), removeNull, check("k", is("1")), put("k", "5"));
      expect(seen.kind).toBe("batchDone");
      expect(bucket.objects).toEqual({ k: "5" });
    }
    bucket.world.apply([{ kind: "setVersioning", bucket: "b", versioning: "Enabled" }]);
    const newest = { kind: "birth", birthIndex: bucket.world.log.length + 1, birthSub: 0 } as const;
    bucket.batch(put("k", "6"));
    bucket.world.apply([{ kind: "setVersioning", bucket: "b", versioning: "Suspended" }]);
    const older = bucket.batch(put("k", "7"), removeNull, removeVersion("k", newest), check("k", is("1")));
    expect([older.kind, bucket.objects]).toEqual(["batchDone", { k: "1" }]);
    const plain = new Bucket();
    plain.batch(put("k", "1"));
    expect(plain.batch(removeNull, check("k", ABSENT), put("k", "2"), removeNull).kind).toBe("batchDone");
    expect(plain.objects).toEqual({});
  });
});
