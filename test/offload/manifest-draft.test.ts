/** What a manifest is to say of the end of the log, whether anything in it is live or not. */
import { expect, test } from "vitest";
import { finishAtOnce } from "../../src/base/steps.ts";
import { missingOn, takeDraft } from "../../src/offload/manifest-draft.ts";
import type { SegmentEntry } from "../../src/state/segment-table.ts";
import { SegmentTable } from "../../src/state/segment-table.ts";

const COPY = { kind: "verbatim", key: "c/l/segments/x", bytes: 1, sha256: "00" } as const;

/** Ten entries each; all but the last are cut. */
function tableOf(count: number, last: { readonly cut: boolean; readonly isCopied: boolean }): SegmentTable {
  const table = new SegmentTable();
  for (let id = 1; id <= count; id++) {
    const isLast = id === count;
    for (let entry = 1; entry <= 10; entry++) {
      const cut = entry === 10 && (!isLast || last.cut);
      const position = { index: (id - 1) * 10 + entry, segmentId: id, recordOffset: entry * 100 };
      const rest = { payloadOffset: 0, segmentBytes: entry * 100 + 99, cut, chain: { low: id, high: entry } };
      table.append({ ...position, ...rest }, () => ({ timeMs: id, dateMs: id }));
    }
    if (!isLast || last.isCopied) table.setCold(table.byId(id) as SegmentEntry, COPY);
  }
  return table;
}

const stepsOf = (segments: SegmentTable, index: number, live: readonly number[]) =>
  takeDraft({ segments, lastTime: () => ({ logTimeMs: 7, dateMs: 8 }) }, { index, liveIds: new Set(live) });

const draftOf = (...what: Parameters<typeof stepsOf>) => finishAtOnce(stepsOf(...what));

test("a snapshot may end with a segment in which nothing is live: the log goes on behind it", () => {
  const table = tableOf(3, { cut: true, isCopied: true });
  expect(draftOf(table, 30, [1])).toMatchObject({ index: 30, sealedAt: [0, 2], open: undefined });
});

test("one without a copy is uploaded first", () => {
  const table = tableOf(3, { cut: true, isCopied: false });
  expect(finishAtOnce(missingOn({ index: 30, liveIds: new Set([1]) }, table.all))).toEqual([3]);
  expect(draftOf(table, 30, [1])).toBeUndefined();
});

test("an open one in which nothing is live is in tails", () => {
  const table = tableOf(3, { cut: false, isCopied: false });
  const draft = draftOf(table, 30, [1]);
  expect(draft).toMatchObject({ index: 30, sealedAt: [0], logTimeMs: 7, open: { end: { last: 30 } } });
});

test("a long table is walked in steps, and what comes or goes meanwhile is in the draft or is not", () => {
  const table = tableOf(2000, { cut: true, isCopied: true });
  const steps = stepsOf(table, 5, []);
  for (let step = 0; step < 3; step++) expect(steps.next().done).toBe(false);
  const position = { recordOffset: 100, payloadOffset: 0, segmentBytes: 199, chain: { low: 1, high: 1 } };
  table.append({ index: 20_001, segmentId: 2001, cut: false, ...position }, () => ({ timeMs: 1, dateMs: 1 }));
  table.drop([1]);
  const draft = finishAtOnce(steps);
  // The first entries behind the snapshot went with their segment: there is nothing to be said from there on.
  expect(draft).toBeUndefined();
  const again = draftOf(table, 15, []);
  expect(again).toMatchObject({ index: 20_001, open: { end: { segmentId: 2001, last: 20_001 } } });
  expect(again?.sealedAt).toHaveLength(1999);
});
