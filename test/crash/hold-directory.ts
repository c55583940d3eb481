/**
 * Opens the data directory that its argument names, says so, and waits to be killed: the other process of the
 * tests of the directory lock.
 */
import { openStore } from "../support/open-store.ts";

const directory = process.argv[2];
if (directory === undefined) throw new Error("usage: hold-directory.ts DIRECTORY");
await openStore(directory);
process.stdout.write("open\n");
setInterval(() => undefined, 1000);
