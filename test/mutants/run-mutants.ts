/**
 * Plants each bug of mutants.ts in a copy of the tree and runs the tests that should notice it: `node
 * test/mutants/run-mutants.ts [--tests-pass] [NAME ...]`, one on each core at a time. Prints the table of
 * README.md; exits 1 if a bug lives, if one does not fit the source any more, or if the tests fail without
 * any. `--tests-pass`: they were run on this very tree and passed, so that need not be seen again.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { mutants } from "./mutants.ts";
import type { Mutant } from "./mutant.ts";

const TESTS_PASS = "--tests-pass";
const root = new URL("../..", import.meta.url).pathname;

export type MutantResult = { readonly mutant: Mutant; readonly killed: boolean; readonly note: string };

export async function runMutants(options: {
  /** All, if empty. */
  readonly names: readonly string[];
  /** It is known that the tests pass without any bug. */
  readonly testsPass?: boolean;
  readonly onResult?: (result: MutantResult) => void;
}): Promise<readonly MutantResult[]> {
  const unknown = options.names.filter((wanted) => mutants.every(({ name }) => name !== wanted));
  if (unknown.length > 0) throw new Error(`there are no planted bugs of these names: ${unknown.join(" ")}`);
  const chosen = mutants.filter(({ name }) => options.names.length === 0 || options.names.includes(name));
  const trees = await Promise.all(Array.from({ length: availableParallelism() }, copyTree));
  try {
    if (options.testsPass !== true) await requirePassing(trees[0] as string, chosen);
    const results = new Map<Mutant, MutantResult>();
    const waiting = chosen.values();
    const worker = async (tree: string): Promise<void> => {
      for (const mutant of waiting) {
        const result = await tryMutant(tree, mutant);
        results.set(mutant, result);
        options.onResult?.(result);
      }
    };
    const ended = await Promise.allSettled(trees.map(worker));
    for (const end of ended) if (end.status === "rejected") throw end.reason;
    return chosen.map((mutant) => results.get(mutant) as MutantResult);
  } finally {
    await Promise.all(trees.map((tree) => rm(tree, { recursive: true, force: true })));
  }
}

/** A bug that is called noticed by a test that fails anyway would be none. */
async function requirePassing(tree: string, chosen: readonly Mutant[]): Promise<void> {
  const files = [...new Set(chosen.flatMap(({ killedBy }) => killedBy))];
  const { failed, passed, output } = await runTests(tree, files);
  if (failed || !passed) throw new Error(`the tests fail without any planted bug:\n${output}`);
}

/**
 * What no bug is planted in is the tree's own: a test must find there whatever it finds here. But not the
 * commit, whose seeds would make it a matter of luck from one to the next which bugs are noticed.
 */
async function copyTree(): Promise<string> {
  const tree = await mkdtemp(join(tmpdir(), "mutants-"));
  const copied = ["src", "test", "package.json", "tsconfig.json"];
  for (const name of copied) await cp(join(root, name), join(tree, name), { recursive: true });
  for (const name of await readdir(root)) {
    if (!copied.includes(name) && name !== ".git") await symlink(join(root, name), join(tree, name));
  }
  return tree;
}

async function tryMutant(tree: string, mutant: Mutant): Promise<MutantResult> {
  const path = join(tree, mutant.file);
  const source = await readFile(path, "utf8");
  const places = source.split(mutant.find).length - 1;
  if (places !== 1) return { mutant, killed: false, note: `stands ${places} times in ${mutant.file}` };
  await writeFile(
    path,
    source.replace(mutant.find, () => mutant.replace),
  );
  try {
    const { failed, output } = await runTests(tree, mutant.killedBy);
    if (failed) return { mutant, killed: true, note: "" };
    return { mutant, killed: false, note: output.split("\n").slice(-8).join(" ") };
  } finally {
    await writeFile(path, source);
  }
}

type TestRun = { readonly failed: boolean; readonly passed: boolean; readonly output: string };

/** A run counts as failed when a test failed: a file that does not even load proves nothing. */
async function runTests(tree: string, files: readonly string[]): Promise<TestRun> {
  const vitest = join(tree, "node_modules/vitest/vitest.mjs");
  const config = ["--config", "test/vitest.config.ts"];
  const child = spawn(process.execPath, [vitest, "run", ...config, "--bail", "1", ...files], {
    cwd: tree,
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const pieces: Buffer[] = [];
  child.stdout.on("data", (piece: Buffer) => pieces.push(piece));
  child.stderr.on("data", (piece: Buffer) => pieces.push(piece));
  const [code] = (await once(child, "close")) as [number | null];
  const output = Buffer.concat(pieces).toString("utf8");
  return { failed: /Tests +.*\d+ failed/.test(output), passed: code === 0, output };
}

export function mutantTable(results: readonly MutantResult[]): string {
  return [
    "| planted bug | what it would do | noticed by | noticed |",
    "|---|---|---|---|",
    ...results.map(({ mutant, killed, note }) => {
      const by = mutant.killedBy.map((file) => file.replace(/^test\//, "")).join(", ");
      return `| ${mutant.name} | ${mutant.what} | ${by} | ${killed ? "yes" : `NO ${note}`} |`;
    }),
  ].join("\n");
}

if (import.meta.main) {
  const args = process.argv.slice(2);
  const results = await runMutants({
    names: args.filter((arg) => arg !== TESTS_PASS),
    testsPass: args.includes(TESTS_PASS),
    onResult: ({ mutant, killed }) =>
      process.stderr.write(`${killed ? "noticed" : "LIVES"} ${mutant.name}\n`),
  });
  process.stdout.write(`${mutantTable(results)}\n`);
  const alive = results.filter(({ killed }) => !killed).length;
  process.stdout.write(`\n${results.length - alive} noticed, ${alive} alive\n`);
  process.exitCode = alive === 0 ? 0 : 1;
}
