/**
 * Branded numbers for what must never be mixed up. An index is not a count and a count is not a size: each
 * has one maker that checks, so a wrong value stops where it is made and not where it is used.
 * Plain numbers stay plain where a mix-up cannot lose data.
 */
import { assert } from "./assert.ts";

declare const brand: unique symbol;
type Branded<Name extends string> = number & { readonly [brand]: Name };

/** Position of an entry in the replicated log; the first entry is 1, 0 means "none". */
export type LogIndex = Branded<"LogIndex">;
/** Raft term; the first election makes 1, 0 means "never voted". */
export type Term = Branded<"Term">;
/** Ordinal of a segment in the log, counted from 1. */
export type SegmentId = Branded<"SegmentId">;

export function logIndex(value: number): LogIndex {
  assert(Number.isSafeInteger(value) && value >= 0, `not a log index: ${value}`);
  return value as LogIndex;
}

export function term(value: number): Term {
  assert(Number.isSafeInteger(value) && value >= 0, `not a term: ${value}`);
  return value as Term;
}

export function segmentId(value: number): SegmentId {
  assert(Number.isSafeInteger(value) && value >= 1, `not a segment id: ${value}`);
  return value as SegmentId;
}
