/** Damage, done on purpose to real files: what a disk or a power cut would do. */
import { readFile, stat, truncate, writeFile } from "node:fs/promises";

export async function flipBit(path: string, offset: number, bit = 3): Promise<void> {
  const bytes = await readFile(path);
  const at = offset < 0 ? bytes.length + offset : offset;
  bytes[at] = (bytes[at] as number) ^ (1 << bit);
  await writeFile(path, bytes);
}

export async function overwrite(path: string, offset: number, patch: Uint8Array): Promise<void> {
  const bytes = await readFile(path);
  bytes.set(patch, offset);
  await writeFile(path, bytes);
}

/** Negative: so many bytes less than there are. */
export async function cutTo(path: string, size: number): Promise<void> {
  await truncate(path, size < 0 ? (await stat(path)).size + size : size);
}

export async function append(path: string, bytes: Uint8Array): Promise<void> {
  await writeFile(path, Buffer.concat([await readFile(path), bytes]));
}

export async function sizeOf(path: string): Promise<number> {
  return (await stat(path)).size;
}
