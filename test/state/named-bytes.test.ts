/**
 * What rows name is what apply counts: over every kind of body, after any history, the bytes that rows name
 * in a segment are the live bytes of its row.
 */
import { expect, test } from "vitest";
import { lengthOf, namedBytes } from "../../src/state/named-bytes.ts";
import { segmentOfRow } from "../../src/state/segment-table.ts";
import { openRow } from "../../src/store/row-seal.ts";
import { recordReaping, recordSpace } from "../crash/phases.ts";
import { recordWorkload } from "../crash/workload.ts";
import { DiskHistory } from "../sim/disk-history.ts";
import { SimRandom } from "../sim/sim-random.ts";

const histories = { workload: recordWorkload, reaping: recordReaping, space: recordSpace };

test.each(Object.entries(histories))("after %s, in every segment", { timeout: 60_000 }, async (_, record) => {
  let kinds = new Set<string>();
  for (const seed of ["one", "two", "three"]) {
    const { log } = await record(`named ${seed}`);
    const history = new DiskHistory(log);
    history.advanceTo(log.length);
    const whole = { effects: "all", tears: "whole", batches: "kept" } as const;
    const { disk } = history.image(whole, new SimRandom("whole"));
    const { rows } = disk.indexState("data/index").snapshot();
    const opened = [...rows].map(([key, stored]) => [key, openRow(key, stored)] as const);
    const segments = opened
      .filter(([key]) => key.startsWith("segment/"))
      .map(([key, row]) => segmentOfRow(key, row));
    const named = opened.flatMap(([key, value]) => namedBytes(key, value));
    kinds = new Set([...kinds, ...named.map(({ kind }) => kind)]);
    for (const { id, firstIndex, entries, liveBytes } of segments) {
      const within = named.filter(({ index }) => index >= firstIndex && index < firstIndex + entries);
      const bytes = within.reduce((sum, one) => sum + lengthOf(one), 0);
      expect(bytes, `segment ${id} of ${seed}`).toBe(liveBytes);
    }
  }
  expect(kinds).toContain("chunk");
});
