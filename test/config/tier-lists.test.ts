/** Lists in the settings of the cold tier. */
import { describe, expect, test } from "vitest";
import { parseKeyPrefixes, parseStorageClasses } from "../../src/config/tier-lists.ts";
import { load, problemsOf } from "./load.ts";

describe("storage classes", () => {
  test("one alone is for what lasts, not for tails and manifests", () => {
    const value = { segment: "STANDARD_IA", packed: "STANDARD_IA", snapshot: "STANDARD_IA" };
    expect(parseStorageClasses("STANDARD_IA")).toEqual({ value });
  });

  test("each kind may have its own", () => {
    const value = { segment: "ONEZONE_IA", tail: "STANDARD" };
    expect(parseStorageClasses("segment=ONEZONE_IA, tail=STANDARD")).toEqual({ value });
  });

  test.each(["GLACIER", "segment=DEEP_ARCHIVE"])("%s is refused: it does not answer at once", (text) => {
    expect(problemsOf({ argv: [`--cold-storage-class=${text}`] })[0]).toContain("takes hours to answer");
  });

  test.each(["", "segments=STANDARD", "standard", "segment=", "STANDARD,packed=STANDARD", "a=b=c"])(
    "%j is refused",
    (text) => {
      expect(parseStorageClasses(text)).toHaveProperty("wrong");
    },
  );

  test("that read at once pass by their names", () => {
    const { config } = load({ argv: ["--cold-storage-class=segment=GLACIER_IR"] });
    expect(config.cold.storageClass).toEqual({ segment: "GLACIER_IR" });
  });
});

describe("pins", () => {
  test("are buckets, or beginnings of keys in one", () => {
    expect(parseKeyPrefixes("photos, logs/2026/, my.data/a/b")).toEqual({
      value: [
        { bucket: "photos", prefix: "" },
        { bucket: "logs", prefix: "2026/" },
        { bucket: "my.data", prefix: "a/b" },
      ],
    });
  });

  test.each(["", "Photos", "a", "photos,,logs", "/x"])("%j is refused", (text) => {
    expect(parseKeyPrefixes(text)).toHaveProperty("wrong");
  });
});

test("a key of the key service is for that encryption alone", () => {
  expect(problemsOf({ argv: ["--cold-sse-kms-key-id=alias/x"] })[0]).toContain("for cold.sse aws:kms only");
});
