/** Promises of the rows of versions: they come back, and what this release does not know is refused. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError } from "../../src/base/bytes.ts";
import {
  decodeHistory,
  decodeMarker,
  decodeVersion,
  encodeHistory,
  encodeMarker,
  encodeVersion,
} from "../../src/state/version-row.ts";
import type { DeleteMarker, HistoryRow, VersionRow } from "../../src/state/version-row.ts";
import * as arbitrary from "./arbitraries.ts";

const link = fc.option(arbitrary.birth, { nil: undefined });
const marker: fc.Arbitrary<DeleteMarker> = fc
  .tuple(arbitrary.birth, fc.boolean(), arbitrary.count)
  .map(([birth, hasVersionId, modifiedMs]) => ({ ...birth, hasVersionId, modifiedMs }));
const version: fc.Arbitrary<VersionRow> = fc.record({
  older: link,
  newer: link,
  version: fc.oneof(
    fc.record({ kind: fc.constant("marker" as const), marker }),
    fc.record({ kind: fc.constant("object" as const), row: arbitrary.bytes }),
  ),
});
const history: fc.Arbitrary<HistoryRow> = fc.record({ newest: arbitrary.birth, nullVersion: link });

function plain(row: VersionRow): unknown {
  const { version: held } = row;
  return held.kind === "marker" ? row : { ...row, version: { kind: "object", row: [...held.row] } };
}

describe("rows of versions", () => {
  test("come back", () => {
    fc.assert(
      fc.property(marker, version, history, (ofMarker, ofVersion, ofHistory) => {
        expect(decodeMarker(encodeMarker(ofMarker))).toEqual(ofMarker);
        expect(plain(decodeVersion(encodeVersion(ofVersion)))).toEqual(plain(ofVersion));
        expect(decodeHistory(encodeHistory(ofHistory))).toEqual(ofHistory);
      }),
    );
  });

  test("that were encoded are not changed by encoding others", () => {
    const samples = fc.sample(version, { numRuns: 200, seed: 3 });
    const rows = samples.map((row) => encodeVersion(row));
    const again = samples.map((row) => encodeVersion(row));
    expect(rows.every((row, at) => row.equals(again[at] as Buffer))).toBe(true);
  });

  test("of another layout, with unknown flags or kinds, are refused", () => {
    const [aMarker, aVersion, aHistory] = [marker, version, history].map(
      (each) => fc.sample<object>(each, { numRuns: 1, seed: 4 })[0],
    ) as [DeleteMarker, VersionRow, HistoryRow];
    const newer = (bytes: Buffer, at: number, value: number): Buffer => {
      const changed = Buffer.from(bytes);
      changed[at] = value;
      return changed;
    };
    expect(() => decodeMarker(newer(encodeMarker(aMarker), 0, 2))).toThrow(FormatError);
    expect(() => decodeMarker(newer(encodeMarker(aMarker), 1, 2))).toThrow(FormatError);
    expect(() => decodeVersion(newer(encodeVersion(aVersion), 0, 2))).toThrow(FormatError);
    const unlinked = encodeVersion({ ...aVersion, older: undefined, newer: undefined });
    expect(() => decodeVersion(newer(unlinked, 3, 2))).toThrow(FormatError);
    expect(() => decodeHistory(newer(encodeHistory(aHistory), 0, 2))).toThrow(FormatError);
    expect(() => decodeHistory(Buffer.from([1, 0, 0]))).toThrow(FormatError);
  });
});
