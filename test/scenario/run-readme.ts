/**
 * The first screen of README.md, done by a stranger: a fresh copy of the project in an empty folder, the two
 * commands, the export lines that they print pasted into a shell, and the session with its very output. Then
 * the disk is lost, and everything comes back from the cold folder as README.md says.
 *
 *   node test/scenario/run-readme.ts      needs npm and its registry, bash, and `aws` on the path
 *
 * Ends with `N passed, N failed`. Ports are the defaults of the README unless something listens there
 * already.
 */
import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { blockAfter, readReadme, sessionOf } from "./readme-blocks.ts";
import { mustRun, plainEnvironment } from "./run-program.ts";
import { STOP_MS_MAX, temporaryDirectory } from "./server-process.ts";
import { Tally } from "./tally.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** `npm ci` on a cold cache and a busy machine. */
const START_MS_MAX = 300_000;
/** Three recovery points. */
const COVERED_MS_MAX = 30_000;

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const outcome = Promise.race([once(server, "listening"), once(server, "error")]);
  server.listen(port, "127.0.0.1");
  const free = await outcome.then(
    () => server.listening,
    () => false,
  );
  server.close();
  return free;
}

/** What a clone would hold: files that are tracked, and in a working tree those that are about to be. */
async function freshCopy(to: string): Promise<void> {
  await mkdir(to);
  const files = `cd "$1" && git ls-files -co --exclude-standard -z`;
  const script = `${files} | tar --null --files-from - --create --ignore-failed-read | tar --extract -C "$2"`;
  await mustRun("bash", ["-o", "pipefail", "-c", script, "bash", ROOT, to]);
}

type Started = { readonly child: ChildProcess; readonly output: { readonly text: string } };

async function startByReadme(folder: string, command: string): Promise<Started> {
  const free = (await isFree(9000)) && (await isFree(9001));
  const elsewhere = { THERMOCLINE_S3_ADDR: "127.0.0.1:0", THERMOCLINE_ADMIN_ADDR: "127.0.0.1:0" };
  const child = spawn("bash", ["-c", command], {
    cwd: folder,
    env: plainEnvironment(free ? {} : elsewhere),
    stdio: ["ignore", "pipe", "pipe"],
    // A process group of its own: Ctrl-C in a terminal reaches all of it.
    detached: true,
  });
  const output = { text: "" };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output.text += text));
  }
  const deadline = performance.now() + START_MS_MAX;
  while (!output.text.includes("Stop with Ctrl-C")) {
    assert.ok(child.exitCode === null, `it ended:\n${output.text}`);
    assert.ok(performance.now() < deadline, `it does not serve:\n${output.text}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { child, output };
}

function exportLines(output: string): readonly string[] {
  return output
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.startsWith("export "));
}

async function interrupt({ child, output }: Started): Promise<void> {
  const startMs = performance.now();
  const ended = once(child, "exit");
  assert.ok(child.pid !== undefined);
  process.kill(-child.pid, "SIGINT");
  await ended;
  assert.ok(performance.now() - startMs < STOP_MS_MAX);
  assert.match(output.text, /"message":"stopped"/);
}

/** Whatever went wrong before, no server is left behind. */
function killGroup(started: Started | undefined): void {
  const { pid, exitCode, signalCode } = started?.child ?? {};
  if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, "SIGKILL");
}

async function runReadme(tally: Tally): Promise<void> {
  await using temporary = await temporaryDirectory();
  const folder = join(temporary.path, "thermocline");
  let started: Started | undefined;
  process.once("exit", () => killGroup(started));
  await tally.step("a fresh copy in an empty folder", () => freshCopy(folder));
  await tally.step("its two commands start a server that says how to use it", async () => {
    started = await startByReadme(folder, blockAfter(readReadme(), "<!-- start -->"));
    assert.match(started.output.text, /Thermocline serves S3 at http:\/\/127\.0\.0\.1:\d+/);
    assert.equal(exportLines(started.output.text).length, 4, started.output.text);
    assert.ok((await readdir(folder)).includes(".thermocline"), "the data is not where it is said to be");
  });
  const pasted = exportLines(started?.output.text ?? "");
  // Where the files of the session are made: a folder of its own, as if it were another terminal.
  const elsewhere = join(temporary.path, "elsewhere");
  await mkdir(elsewhere);
  const env = plainEnvironment({ HOME: elsewhere, AWS_EC2_METADATA_DISABLED: "true" });
  const inShell = async (command: string): Promise<string> => {
    const lines = [...pasted, command].join("\n");
    return (await mustRun("bash", ["-ec", lines], { cwd: elsewhere, env })).out.toString("utf8");
  };
  // The bucket of the first one is used by the second.
  for (const marker of ["<!-- session -->", "<!-- batch session -->"]) {
    for (const { command, output } of sessionOf(blockAfter(readReadme(), marker))) {
      await tally.step(`$ ${command}`, async () => assert.equal(await inShell(command), output));
    }
  }
  for (const command of bannerCommands(started?.output.text ?? "")) {
    await tally.step(`as the banner says: ${command}`, async () => void (await inShell(command)));
  }
  await tally.step("the cold folder holds everything soon", async () => {
    assert.ok(started !== undefined, "it was not started");
    await untilCovered(folder, started);
  });
  await tally.step("Ctrl-C ends it cleanly", async () => {
    assert.ok(started !== undefined, "it was not started");
    await interrupt(started);
  });
  await tally.step("npx thermocline verify finds that everything matches", async () => {
    const { out } = await mustRun("npx", ["thermocline", "verify"], { cwd: folder, env: plainEnvironment() });
    assert.match(out.toString(), /everything matches\n$/);
  });
  await runRestore(tally, folder);
}

/** The store of the session is lost, and comes back with what was in it. */
async function runRestore(tally: Tally, folder: string): Promise<void> {
  const lines = blockAfter(readReadme(), "<!-- restore session -->").split("\n");
  const [start = "", ...commands] = lines.toReversed();
  for (const line of commands.toReversed()) {
    await tally.step(`$ ${line}`, async () => {
      await mustRun("bash", ["-ec", line], { cwd: folder, env: plainEnvironment() });
    });
  }
  let started: Started | undefined;
  process.once("exit", () => killGroup(started));
  await tally.step(`$ ${start}`, async () => void (started = await startByReadme(folder, start)));
  await tally.step("what was written on the first screen is there", async () => {
    const session = sessionOf(blockAfter(readReadme(), "<!-- session -->"));
    const read = session.at(-1);
    const pasted = exportLines(started?.output.text ?? "");
    const env = plainEnvironment({ HOME: folder, AWS_EC2_METADATA_DISABLED: "true" });
    const shell = ["-ec", [...pasted, read?.command ?? "false"].join("\n")];
    const { out } = await mustRun("bash", shell, { cwd: folder, env });
    assert.equal(out.toString("utf8"), read?.output);
  });
  await tally.step("Ctrl-C ends the restored one", async () => {
    assert.ok(started !== undefined, "it was not started");
    await interrupt(started);
  });
}

/** By what `thermocline status` says, asked where the server says that it is. */
async function untilCovered(folder: string, { output }: Started): Promise<void> {
  const admin = /Metrics at http:\/\/(\S+?)\//.exec(output.text)?.[1];
  assert.ok(admin !== undefined, output.text);
  const keys = exportLines(output.text).map((line) => line.split("=", 2)[1] ?? "");
  const pair = ["--root-access-key", keys[1] ?? "", "--root-secret-key", keys[2] ?? ""];
  const args = ["thermocline", "status", "-o", "json", "--admin-addr", admin, ...pair];
  const deadline = performance.now() + COVERED_MS_MAX;
  for (;;) {
    const { out } = await mustRun("npx", args, { cwd: folder, env: plainEnvironment() });
    const { tier } = JSON.parse(out.toString("utf8")) as { readonly tier?: TierStatus };
    if (tier?.recoveryPointSeconds === 0 && tier.restorePointIndex > 0) return;
    assert.ok(performance.now() < deadline, out.toString("utf8"));
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

type TierStatus = { readonly recoveryPointSeconds: number; readonly restorePointIndex: number };

function bannerCommands(output: string): readonly string[] {
  const lines = output.split("\n").map((line) => line.trim());
  return lines.filter((line) => /^(aws|echo .* \| aws) s3 /.test(line));
}

const tally = new Tally();
try {
  await runReadme(tally);
} catch (error) {
  await tally.step("it runs to its end", () => Promise.reject(error));
}
process.exitCode = tally.close();
