/**
 * Holds every copy in the bucket that the state names against the rows, past all readers: it is there, has
 * the digest that the log knows, and every byte that some row names is in it and sound.
 */
import { createHash } from "node:crypto";
import {
  PACKED_HEAD_BYTES,
  PACKED_TRAILER_BYTES,
  PieceTable,
  readPackedTrailer,
} from "../../src/segment/packed-segment.ts";
import type { ColdCopy } from "../../src/state/rows.ts";
import { LivePieces } from "../../src/store/live-pieces.ts";
import { isSoundPiece, piecesInOrder } from "../../src/store/pack-segment.ts";
import type { LivePiece } from "../../src/store/pack-segment.ts";
import type { SimColdObject } from "../sim/sim-cold-store.ts";
import type { SimStore } from "../sim/sim-store.ts";

type Objects = ReadonlyMap<string, Pick<SimColdObject, "bytes">>;

/** What is wrong, a line for each copy. */
export async function wrongCopies({ node }: SimStore, objects: Objects): Promise<readonly string[]> {
  const { segments } = node.state;
  const named = segments.all.filter(({ cold }) => cold !== undefined);
  const live = new LivePieces(
    segments,
    named.map(({ id }) => id),
  );
  const iterator = await node.index.iterate({ from: "", to: "~" });
  for (;;) {
    const page = await iterator.next(500);
    if (page.length === 0) break;
    for (const [key, value] of page) live.visit(key, value);
  }
  await iterator.close();
  const wrong: string[] = [];
  for (const { id, pieces, liveBytes } of live.found()) {
    const { cold, liveBytes: counted } = segments.byId(id) ?? {};
    if (liveBytes !== counted) wrong.push(`segment ${id}: ${liveBytes} bytes are named, ${counted} counted`);
    const problem = cold && wrongCopy(cold, objects, piecesInOrder(pieces));
    if (problem !== undefined) wrong.push(`segment ${id}: ${problem}`);
  }
  return wrong;
}

function wrongCopy(copy: ColdCopy, objects: Objects, pieces: readonly LivePiece[]): string | undefined {
  const object = objects.get(copy.key)?.bytes;
  if (object === undefined) return `${copy.key} is not there`;
  if (object.length !== copy.bytes) return `${copy.key} has ${object.length} bytes, not ${copy.bytes}`;
  const sha256 = createHash("sha256").update(object).digest("hex");
  if (sha256 !== copy.sha256) return `${copy.key} has another digest`;
  const table = copy.kind === "packed" ? tableOf(object) : undefined;
  for (const { offset, length, named } of pieces) {
    const start = table === undefined ? offset : table.find(offset, length);
    if (start === undefined) return `${copy.key} lacks ${length} bytes at ${offset}`;
    if (!isSoundPiece(object.subarray(start, start + length), named))
      return `${offset} in ${copy.key} is damaged`;
  }
  return undefined;
}

function tableOf(object: Buffer): PieceTable {
  const end = object.length - PACKED_TRAILER_BYTES;
  const trailer = readPackedTrailer(object.subarray(0, PACKED_HEAD_BYTES), object.subarray(end));
  return new PieceTable(object.subarray(end - trailer.tableBytes, end), trailer);
}
