/** Bodies to put and to get back: the same bytes on every run, and no two sizes share a prefix. */
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import type { ClientWorld } from "./client-world.ts";

const KIB = 1024;
export const MIB = KIB * KIB;

export type TestBody = { readonly name: string; readonly bytes: Buffer };

export const TEST_BODIES: readonly TestBody[] = [
  { name: "empty", bytes: Buffer.alloc(0) },
  { name: "1KiB", bytes: makeBytes(KIB) },
  { name: "20MiB", bytes: makeBytes(20 * MIB) },
];

/** A hash chain: cheap, and nothing that a compressor or a cache could mistake for something else. */
export function makeBytes(length: number, seed = "thermocline"): Buffer {
  const blocks: Buffer[] = [];
  let block = createHash("sha512").update(`${seed} ${length}`).digest();
  for (let size = 0; size < length; size += block.length) {
    blocks.push(block);
    block = createHash("sha512").update(block).digest();
  }
  return Buffer.concat(blocks).subarray(0, length);
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Writes all of them as files; the answer names their paths. */
export async function writeBodies(
  world: ClientWorld,
): Promise<readonly (TestBody & { readonly path: string })[]> {
  const written = TEST_BODIES.map((body) => ({ ...body, path: world.path(body.name) }));
  for (const { path, bytes } of written) await writeFile(path, bytes);
  return written;
}
