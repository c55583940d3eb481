/** `verify` of a real directory, as the command line runs it. */
import { directoryStorage } from "../../src/adapters/directory-storage.ts";
import { ScratchDirectory } from "../../src/adapters/scratch-directory.ts";
import { verifyStore } from "../../src/replica/verify-store.ts";
import type { VerifyReport } from "../../src/replica/verify-store.ts";

export async function verifyDirectory(directory: string): Promise<VerifyReport> {
  const storage = directoryStorage();
  const makeScratch = () => ScratchDirectory.make(storage.disk, directory);
  return await verifyStore({ ...storage, directory, makeScratch });
}
