/** A server in memory as a part of a process: what it touches, what it loads, what it leaves behind. */
import { readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { plainEnvironment, runProgram } from "../scenario/run-program.ts";
import { temporaryDirectory } from "../support/open-store.ts";

const PROGRAM = fileURLToPath(new URL("embedding-program.ts", import.meta.url));
/** Node starts, loads the code, and ends; on a machine that does other things too. */
const ENDED_MS_MAX = 25_000;

type Said = {
  readonly importMs: number;
  readonly readyMs: number;
  readonly statuses: readonly number[];
  readonly isWhole: boolean;
  readonly hasLevelDb: boolean;
};

async function runEmbedding(
  flags: readonly string[],
  how: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Promise<Said> {
  const env = plainEnvironment(how.env);
  const options = { cwd: how.cwd, env, timeoutMs: ENDED_MS_MAX };
  const { code, out, err } = await runProgram(process.execPath, [...flags, PROGRAM], options);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return JSON.parse(out.toString()) as Said;
}

test("it works where no file may be written, writes none, and the process ends by itself", async () => {
  await using directory = await temporaryDirectory();
  // The permissions hold for Node's own calls; LevelDB, which would write past them, is not even loaded.
  const flags = ["--permission", "--allow-fs-read=*", "--allow-addons", "--disable-warning=SecurityWarning"];
  const said = await runEmbedding(flags, { cwd: directory.path });
  expect(said).toMatchObject({ statuses: [200, 200, 404], isWhole: true, hasLevelDb: false });
  expect(await readdir(directory.path)).toEqual([]);
});

test("with a warm compile cache it is ready within 150 ms of the call", async () => {
  await using directory = await temporaryDirectory();
  const how = { cwd: directory.path, env: { NODE_COMPILE_CACHE: `${directory.path}/cache` } };
  await runEmbedding([], how);
  const runs: Said[] = [];
  for (let at = 0; at < 5; at++) runs.push(await runEmbedding([], how));
  const best = (field: "importMs" | "readyMs"): number => Math.min(...runs.map((said) => said[field]));
  process.stdout.write(`import ${best("importMs").toFixed(0)} ms, ready ${best("readyMs").toFixed(0)} ms\n`);
  expect(best("readyMs")).toBeLessThan(150);
});

/** Loaded late, and only where there is a cold tier: open-cold-store.test.ts watches that. */
const COLD_TIER = "src/start-cold-tier.ts";

/** Files that are loaded with `src/index.ts`, now or later, and the packages that they name. */
function reachable(): { readonly files: ReadonlySet<string>; readonly packages: ReadonlySet<string> } {
  const files = new Set(["src/index.ts"]);
  const packages = new Set<string>();
  for (const file of files) {
    if (file === COLD_TIER) continue;
    const source = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
    for (const [, specifier = ""] of source.matchAll(/(?:from|import\(|^import)\s*"([^"]+)"/gm)) {
      if (specifier.startsWith(".")) files.add(posix.join(posix.dirname(file), specifier));
      else packages.add(specifier);
    }
  }
  return { files, packages };
}

test("the SDK is never imported but with the cold tier", () => {
  const { files, packages } = reachable();
  expect([...packages].filter((name) => name.startsWith("@aws-sdk"))).toEqual([]);
  // That the search finds anything: early and late imports, files and packages.
  expect(files.size).toBeGreaterThan(100);
  expect([...files]).toEqual(expect.arrayContaining(["src/adapters/memory-disk.ts", COLD_TIER]));
  expect([...packages]).toEqual(expect.arrayContaining(["hono", "classic-level", "zod", "node:http"]));
});
