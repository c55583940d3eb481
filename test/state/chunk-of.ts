/** A chunk of a body, in one piece unless said otherwise. */
import type { Chunk } from "../../src/state/command.ts";

export function chunkOf(bodyId: string, sequence: number, ...pieces: readonly Uint8Array[]): Chunk {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return { bodyId, sequence, incarnation: "n1.1", pieces, length };
}
