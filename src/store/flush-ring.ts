/**
 * The ring of flush marks (RULES.md R1): each index batch writes one row with its number and the log indexes
 * before and after. LevelDB may lose batches from the middle without a word (measured); then the ring has a
 * gap, which is found at open by walking it.
 */
import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { prefixRange } from "../state/keys.ts";
import type { IndexSnapshot, IndexStore } from "../ports/index-store.ts";
import { openRow } from "./row-seal.ts";

export const RING_SIZE = 2 ** 17;
const RANGE = prefixRange("mark/");
/** Keys begin with a lower case letter. */
const EVERYTHING = { from: "", to: "~" };

export type FlushMark = { readonly number: number; readonly before: number; readonly after: number };

export function markKey(number: number): string {
  return `mark/${(number % RING_SIZE).toString(36).padStart(4, "0")}`;
}

export function isMarkKey(key: string): boolean {
  return key.startsWith(RANGE.from);
}

export function encodeMark(mark: FlushMark): Buffer {
  const writer = new ByteWriter(24);
  writer.varint(mark.number);
  writer.varint(mark.before);
  writer.varint(mark.after);
  return writer.take();
}

function decodeMark(value: Uint8Array): FlushMark {
  const reader = new ByteReader(value);
  return { number: reader.varint(), before: reader.varint(), after: reader.varint() };
}

export type RingState =
  | { readonly kind: "empty" }
  | { readonly kind: "whole"; readonly newest: FlushMark }
  | { readonly kind: "broken"; readonly reason: string };

/** Reads the whole ring: at most 131,072 small rows. */
export async function readRing(store: IndexStore): Promise<RingState> {
  const marks = new Map<number, FlushMark>();
  const iterator = store.iterate(RANGE);
  let newest: FlushMark | undefined;
  try {
    for (;;) {
      const page = await iterator.next(4096);
      if (page.length === 0) break;
      for (const [key, stored] of page) {
        const mark = decodeMark(openRow(key, stored));
        if (markKey(mark.number) !== key) return { kind: "broken", reason: `mark ${mark.number} at ${key}` };
        marks.set(mark.number, mark);
        if (newest === undefined || mark.number > newest.number) newest = mark;
      }
    }
  } finally {
    await iterator.close();
  }
  if (newest !== undefined) return checkChain(marks, newest);
  // Each row came with a mark: replaying the whole log on top of rows would count everything twice.
  return (await holdsRows(store)) ? { kind: "broken", reason: "rows without a mark" } : { kind: "empty" };
}

/**
 * The newest mark in a snapshot that was taken when flush `number` was the last one known: one more may have
 * been written already.
 */
export async function newestMark(snapshot: IndexSnapshot, number: number): Promise<FlushMark | undefined> {
  const wanted = [number + 1, number];
  const found = await snapshot.getMany(wanted.map(markKey));
  for (const [at, stored] of found.entries()) {
    if (stored === undefined) continue;
    const mark = decodeMark(openRow(markKey(wanted[at] as number), stored));
    if (mark.number === wanted[at]) return mark;
  }
  return undefined;
}

async function holdsRows(store: IndexStore): Promise<boolean> {
  const iterator = store.iterate(EVERYTHING);
  try {
    return (await iterator.next(1)).length > 0;
  } finally {
    await iterator.close();
  }
}

function checkChain(marks: ReadonlyMap<number, FlushMark>, newest: FlushMark): RingState {
  let expected = newest.before;
  const oldest = Math.max(1, newest.number - RING_SIZE + 1);
  for (let number = newest.number - 1; number >= oldest; number--) {
    const mark = marks.get(number);
    if (mark === undefined) return { kind: "broken", reason: `flush ${number} is missing` };
    if (mark.after !== expected) {
      return {
        kind: "broken",
        reason: `flush ${number} ends at ${mark.after}, the next began at ${expected}`,
      };
    }
    expected = mark.before;
  }
  if (oldest === 1 && expected !== 0) return { kind: "broken", reason: "the first flush did not begin at 0" };
  return { kind: "whole", newest };
}
