#!/usr/bin/env node
/**
 * The program `thermocline`: checks the Node it runs on, then hands the command line to run-command.ts.
 *
 * Everything else is imported after the check, since older versions would fail inside an import with an error
 * that says nothing about versions. Sets `process.exitCode` and lets the event loop run dry.
 */
import { readFileSync } from "node:fs";
import { totalmem } from "node:os";

const nodeMajorMin = 24;

async function main(): Promise<void> {
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
