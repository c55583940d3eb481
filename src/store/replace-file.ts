/** A small file that is the old one or the new one after a crash, never half of one. */
import type { Disk } from "../ports/disk.ts";

/** Stable under its name when it returns. */
export async function replaceFile(
  disk: Disk,
  to: { readonly directory: string; readonly name: string; readonly bytes: Uint8Array },
): Promise<void> {
  const { directory, name, bytes } = to;
  const path = `${directory}/${name}`;
  const fresh = await disk.open(`${path}.new`, "write");
  try {
    await fresh.write(bytes, 0);
    await fresh.truncate(bytes.length);
    await fresh.sync();
  } finally {
    await fresh.close();
  }
  await disk.rename(`${path}.new`, path);
  await disk.syncDirectory(directory);
}
