/**
 * The pieces of an object that grew by appends, as a range of bytes touches them. Each knows where it begins,
 * so the first one is found by halving, with as many reads as the list's length has bits; from there on they
 * are read a page at a time.
 */
import { DamageError } from "../base/errors.ts";
import { keys } from "../state/keys.ts";
import { rows } from "../state/rows.ts";
import type { PartRow } from "../state/rows.ts";
import type { StateIndex } from "./state-index.ts";

type Range = { readonly start: number; readonly end: number };
type List = { readonly listId: string; readonly pieces: number };

const PAGE = 64;

export type PlacedPiece = { readonly start: number; readonly part: PartRow };

async function page(index: StateIndex, list: List, first: number): Promise<readonly PlacedPiece[]> {
  const count = Math.min(PAGE, list.pieces - first + 1);
  const wanted = Array.from({ length: count }, (_, at) => keys.part(list.listId, first + at));
  const found = await index.getManyLater(wanted);
  return found.map((bytes, at) => pieceOf(wanted[at] as string, bytes));
}

function pieceOf(key: string, bytes: Uint8Array | undefined): PlacedPiece {
  const part = bytes === undefined ? undefined : rows.part.decode(bytes);
  if (part?.start === undefined)
    throw new DamageError(`the index row ${key} is missing, or no piece of a list`);
  return { start: part.start, part };
}

/** The number of the last piece that begins at `position` or before it. */
async function pieceAt(index: StateIndex, list: List, position: number): Promise<number> {
  let low = 1;
  let high = list.pieces;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    const key = keys.part(list.listId, middle);
    if (pieceOf(key, await index.getLater(key)).start <= position) low = middle;
    else high = middle - 1;
  }
  return low;
}

export async function* piecesIn(index: StateIndex, list: List, range: Range): AsyncGenerator<PlacedPiece> {
  if (range.start >= range.end) return;
  let next = range.start === 0 ? 1 : await pieceAt(index, list, range.start);
  while (next <= list.pieces) {
    for (const piece of await page(index, list, next)) {
      if (piece.start >= range.end) return;
      yield piece;
    }
    next += PAGE;
  }
}
