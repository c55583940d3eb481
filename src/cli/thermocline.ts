#!/usr/bin/env -S node --external-memory-accounted-in-global-limit --initial-old-space-size=64
/**
 * The program `thermocline`: checks the Node it runs on, then hands the command line to run-command.ts.
 *
 * Everything else is imported after the check, since older versions would fail inside an import with an error
 * that says nothing about versions. Sets `process.exitCode` and lets the event loop run dry.
 *
 * The flags above, which `npm start` gives too: V8 starts a full collection for every few tens of MiB of
 * buffers, however small the heap is. Counted against the whole heap instead, a 64 MiB PUT costs 2.5 ms of
 * user CPU per MiB and not 4.5, a GET 0.4 and not 1.5 (measured). Whoever starts node without them gets the
 * first one here.
 */
import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { setFlagsFromString } from "node:v8";

const nodeMajorMin = 24;

async function main(): Promise<void> {
  setFlagsFromString("--external-memory-accounted-in-global-limit");
  const major = Number(process.versions.node.split(".")[0]);
  if (major < nodeMajorMin) {
    process.stderr.write(
      `thermocline: needs Node ${nodeMajorMin} or newer, this is ${process.version}; ` +
        "install a newer one, or run `npx thermocline` in a checkout, which brings its own\n",
    );
    process.exitCode = 1;
    return;
  }
  // `thermocline help | head` is no reason for a stack trace.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
  const { runCommand } = await import("./run-command.ts");
  process.exitCode = await runCommand(
    {
      env: process.env,
      readFile: (path) => readFileSync(path, "utf8"),
      memoryBytes: memoryBytes(),
      write: (text) => process.stdout.write(text),
      writeError: (text) => process.stderr.write(text),
      loadMain: () => import("../main.ts"),
    },
    process.argv.slice(2),
  );
}

/** A container's limit counts where there is one; without, Node answers 0 or a number beyond any memory. */
function memoryBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

await main();
