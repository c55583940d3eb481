/**
 * The Range header of a GET or HEAD. S3 serves one range: several at once, another unit or anything malformed
 * is ignored and the whole object is sent, as RFC 9110 allows; a range that begins behind the end is
 * InvalidRange.
 */

import { s3Error } from "./errors.ts";
import type { S3Error } from "./errors.ts";

export type RangeResult =
  | { readonly kind: "whole" }
  /** Half-open. */
  | { readonly kind: "slice"; readonly start: number; readonly end: number }
  | { readonly kind: "unsatisfiable"; readonly error: S3Error };

const WHOLE: RangeResult = { kind: "whole" };
const RANGE = /^bytes=\s*(\d*)\s*-\s*(\d*)\s*$/i;

function unsatisfiable(header: string, size: number): RangeResult {
  return {
    kind: "unsatisfiable",
    error: s3Error("InvalidRange", {
      fields: { RangeRequested: header, ActualObjectSize: String(size) },
      headers: { "Content-Range": `bytes */${size}` },
    }),
  };
}

/**
 * Digits beyond 2^53 lose precision and stay far behind the end of every object, which is all that matters.
 */
export function parseRange(header: string | undefined, size: number): RangeResult {
  if (header === undefined) return WHOLE;
  const match = RANGE.exec(header);
  const first = match?.[1] ?? "";
  const last = match?.[2] ?? "";
  if (first === "" && last === "") return WHOLE;
  if (first === "") {
    const suffix = Number(last);
    if (suffix === 0) return unsatisfiable(header, size);
    // The last bytes of nothing are nothing: S3 answers an empty object with 200.
    return size === 0 ? WHOLE : { kind: "slice", start: Math.max(0, size - suffix), end: size };
  }
  const start = Number(first);
  const end = last === "" ? size : Math.min(Number(last) + 1, size);
  if (last !== "" && Number(last) < start) return WHOLE;
  if (start >= size) return unsatisfiable(header, size);
  return { kind: "slice", start, end };
}
