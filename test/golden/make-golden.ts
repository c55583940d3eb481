/**
 * Writes the kept bytes and the kept data directory of version 1 anew: `node test/golden/make-golden.ts`.
 * Only before that version was released; afterwards a difference is a bug, or a new version with files of
 * its own.
 */
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { goldenBytes } from "./golden-bytes.ts";
import { makeDataDirectory } from "./make-data-directory.ts";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

await writeFile(here("bytes-v1.json"), `${JSON.stringify(await goldenBytes(), undefined, 1)}\n`);
await makeDataDirectory(here("data-v1"), here("data-v1.json"));
