/** What lies in the bucket, by kind: of a listing, and of what the state knows. */
import { expect, test } from "vitest";
import { finishAtOnce } from "../../src/base/steps.ts";
import { coldKey } from "../../src/offload/cold-names.ts";
import { bytesByKind, bytesOfCopies } from "../../src/offload/tier-facts.ts";
import type { TierSegment } from "../../src/offload/tier-policy.ts";

const place = { cluster: "c0ffee", lineage: "feed" };

test("a listing is summed up by kind, whoever else's object is in it", () => {
  const incarnation = "n1.1";
  const segments = Array.from({ length: 2000 }, (_, at) => ({
    key: coldKey(place, { kind: "segment", first: at + 1, last: at + 1 }),
    bytes: 64,
  }));
  const others = [
    { key: coldKey(place, { kind: "packed", id: 1, incarnation }), bytes: 1 },
    { key: coldKey(place, { kind: "snapshot", index: 1, term: 1, part: 1, incarnation }), bytes: 2 },
    { key: coldKey(place, { kind: "snapshot", index: 1, term: 1, part: 2, incarnation }), bytes: 4 },
    { key: coldKey(place, { kind: "tail", segment: 9, first: 1, last: 2 }), bytes: 8 },
    {
      key: coldKey({ ...place, lineage: "other" }, { kind: "tail", segment: 9, first: 1, last: 2 }),
      bytes: 16,
    },
    { key: coldKey(place, { kind: "manifest", index: 1, term: 1, incarnation }), bytes: 32 },
    { key: "c0ffee/feed/somebody-elses", bytes: 1000 },
  ];
  expect(finishAtOnce(bytesByKind([...segments, ...others]))).toEqual({
    segment: 128_000,
    packed: 1,
    snapshot: 6,
    tail: 24,
    manifest: 32,
    other: 1000,
  });
});

test("copies that segments name count by their own size", () => {
  const common = { id: 1, lastIndex: 1, endedAtMs: 0, hotBytes: 0, heat: 0, isPinned: false };
  const segment = (cold: TierSegment["cold"]): TierSegment => ({ ...common, bytes: 9, liveBytes: 9, cold });
  const verbatim = { kind: "verbatim", bytes: 10 } as const;
  const packed = { kind: "packed", bytes: 3 } as const;
  const segments = [verbatim, packed, undefined, verbatim].map(segment);
  expect(bytesOfCopies(segments)).toEqual({ segment: 20, packed: 3 });
});
