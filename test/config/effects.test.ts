/**
 * Walks the schema: a setting that is used has exactly one case that shows its effect, and the case holds.
 */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { settings } from "../../src/config/settings.ts";
import { effectTables } from "./effects.ts";
import type { EffectTables } from "./effects.ts";

type Known = Pick<(typeof settings)[number], "name" | "status">;

/** What is wrong with the tables, one line each. */
function gaps(known: readonly Known[], tables: EffectTables): readonly string[] {
  const listed = [
    ...Object.keys(tables.effects),
    ...Object.keys(tables.shownElsewhere),
    ...tables.pendingEffects,
  ];
  const used = known.filter(({ status }) => status === "used").map(({ name }) => name);
  return [
    ...used.filter((name) => !listed.includes(name)).map((name) => `${name}: no case shows its effect`),
    ...listed.filter((name) => !used.includes(name)).map((name) => `${name}: listed, but no setting in use`),
    ...listed.filter((name, i) => listed.indexOf(name) !== i).map((name) => `${name}: listed twice`),
    ...Object.entries(tables.shownElsewhere).flatMap(([name, { file, test: title }]) => {
      const there = existsSync(file) && readFileSync(file, "utf8").includes(title);
      return there ? [] : [`${name}: ${file} holds no test "${title}"`];
    }),
  ];
}

test("every setting in use has a case that shows its effect", () => {
  expect(settings.length).toBeGreaterThan(30);
  expect(gaps(settings, effectTables)).toEqual([]);
});

describe("the walk notices", () => {
  const none: EffectTables = { effects: {}, shownElsewhere: {}, pendingEffects: [] };
  const used: Known = { name: "planted", status: "used" };

  test("a setting without a case", () => {
    expect(gaps([used], none)).toEqual(["planted: no case shows its effect"]);
    expect(gaps([...settings, used], effectTables)).toEqual(["planted: no case shows its effect"]);
  });

  test("a case without a setting, or for one that is not used yet", () => {
    const tables = { ...none, pendingEffects: ["planted"] };
    expect(gaps([], tables)).toEqual(["planted: listed, but no setting in use"]);
    expect(gaps([{ ...used, status: "not used yet" }], tables)).toHaveLength(1);
  });

  test("a setting that is both shown and owed", () => {
    const tables = { ...none, effects: { planted: () => {} }, pendingEffects: ["planted"] };
    expect(gaps([used], tables)).toEqual(["planted: listed twice"]);
  });

  test("a test that is not where it is said to be", () => {
    const shownElsewhere = { planted: { file: "test/config/load.ts", test: "no such test" } };
    expect(gaps([used], { ...none, shownElsewhere })).toHaveLength(1);
  });
});

describe("effects", () => {
  test.each(Object.entries(effectTables.effects))("%s", async (_, effect) => {
    await effect();
  });
});
