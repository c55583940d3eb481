/**
 * The package, used by a stranger: packed, installed into an empty project, imported from plain JavaScript,
 * checked as TypeScript without any leniency, started from the command line; and the example of README.md
 * under "In your tests", word for word.
 *
 *   node test/scenario/run-package.ts      needs npm and its registry
 *
 * Ends with `N passed, N failed`. The tree is packed from a copy, so that nothing is written into it.
 */
import { strict as assert } from "node:assert";
import { cp, mkdir, readFile, readdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { version } from "../../src/cli/version.ts";
import { blockAfter, readReadme } from "./readme-blocks.ts";
import { mustRun, plainEnvironment } from "./run-program.ts";
import type { Ended } from "./run-program.ts";
import { temporaryDirectory } from "./server-process.ts";
import { Tally } from "./tally.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const COPIED = ["src", "package.json", "tsconfig.json", "README.md", "LICENSE"];
const INSTALL_MS_MAX = 300_000;

/** The SDK is the cold tier's: a server without one must not pay for loading it. */
const PLAIN = `
import { registerHooks } from "node:module";
const seen = [];
registerHooks({ resolve: (name, context, next) => (seen.push(name), next(name, context)) });
const { createServer } = await import("thermocline");
const server = await createServer({ memory: true, port: 0, buckets: ["bucket"] });
const answer = await fetch(server.endpoint + "/-/ready");
await server.reset();
await server.close();
const loaded = seen.filter((name) => name.includes("@aws-sdk")).length;
console.log(answer.status, typeof server.clientConfig.endpoint, seen.includes("hono"), loaded);
`;

const TYPED = `
import { S3Client } from "@aws-sdk/client-s3";
import { createServer } from "thermocline";
import type { EmbeddedServer, Fault, MemoryServer, ServerOptions } from "thermocline";

const options: ServerOptions = { settings: { dataDir: "/data" }, buckets: ["bucket"], port: 0 };
const onDisk: EmbeddedServer = await createServer(options);
// @ts-expect-error Only a server in memory starts over.
await onDisk.reset();
await using server: MemoryServer = await createServer({ memory: true, memoryBytesMax: 1e9 });
const fault: Fault = { operation: "PutObject", key: "key", status: 503, code: "SlowDown", times: 2 };
const hits: number = server.faults.add(fault).hits;
server.faults.add({ operation: "*", cut: { afterBytes: hits } });
// @ts-expect-error There is no such operation.
server.faults.add({ operation: "PutObjects", status: 503 });
// @ts-expect-error It says nothing.
server.faults.add({ operation: "PutObject" });
export const client = new S3Client(server.clientConfig);
`;

type World = { readonly copy: string; readonly project: string; readonly run: Run };
type Run = (program: string, args: readonly string[], cwd: string) => Promise<Ended>;

/** The Node that the tests run on is the one that npm and the package get. */
const run: Run = (program, args, cwd) => {
  const path = `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`;
  return mustRun(program, args, { cwd, env: plainEnvironment({ PATH: path }), timeoutMs: INSTALL_MS_MAX });
};

async function ourVersion(name: string): Promise<string> {
  const text = await readFile(join(ROOT, "package.json"), "utf8");
  const { dependencies, devDependencies } = JSON.parse(text) as {
    readonly dependencies: Record<string, string>;
    readonly devDependencies: Record<string, string>;
  };
  return `${name}@${dependencies[name] ?? devDependencies[name] ?? ""}`;
}

async function pack({ copy }: World): Promise<string> {
  for (const name of COPIED) await cp(join(ROOT, name), join(copy, name), { recursive: true });
  await symlink(join(ROOT, "node_modules"), join(copy, "node_modules"));
  await run("npm", ["pack", "--silent"], copy);
  const [tarball] = (await readdir(copy)).filter((name) => name.endsWith(".tgz"));
  assert.equal(tarball, `thermocline-${version}.tgz`);
  return join(copy, tarball);
}

async function installPackage({ project }: World, tarball: string): Promise<void> {
  await writeFile(join(project, "package.json"), '{ "private": true, "type": "module" }\n');
  const quiet = ["--prefer-offline", "--no-audit", "--no-fund"];
  await run("npm", ["install", ...quiet, tarball], project);
}

async function filesAreRight({ project }: World): Promise<void> {
  const inside = await readdir(join(project, "node_modules/thermocline"), { recursive: true });
  const sources = inside.filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"));
  assert.deepEqual(sources, [], "Node refuses TypeScript below node_modules");
  assert.ok(inside.includes("README.md") && inside.includes("LICENSE"));
  assert.ok(!inside.some((name) => name.startsWith("test")));
}

async function packageIsUsed(world: World): Promise<void> {
  const { project } = world;
  await writeFile(join(project, "plain.js"), PLAIN);
  const { out } = await run("node", ["plain.js"], project);
  assert.equal(out.toString(), "200 string true 0\n");
}

async function commandLineWorks({ project }: World): Promise<void> {
  const help = await run("npx", ["thermocline", "--help"], project);
  assert.match(help.out.toString(), /Usage: thermocline <command>/);
  assert.equal((await run("npx", ["thermocline", "version"], project)).out.toString().trim(), version);
  const config = await run("npx", ["thermocline", "config", "show"], project);
  assert.match(config.out.toString(), /s3\.addr/);
}

async function typesAreRight({ project }: World): Promise<void> {
  await writeFile(join(project, "typed.ts"), TYPED);
  const strict = ["--strict", "--noEmit", "--exactOptionalPropertyTypes", "--skipLibCheck", "false"];
  const modern = ["--module", "nodenext", "--target", "es2024", "--types", "node"];
  await run("npx", ["tsc", ...strict, ...modern, "typed.ts"], project);
}

async function readmeExample({ project }: World): Promise<void> {
  await writeFile(join(project, "example.test.js"), blockAfter(readReadme(), "<!-- library -->"));
  const { out } = await run("node", ["--test", "example.test.js"], project);
  assert.match(out.toString(), /pass [1-9]\d*\n.*fail 0\n/s);
}

async function runPackage(tally: Tally): Promise<void> {
  await using temporary = await temporaryDirectory();
  const world: World = { copy: join(temporary.path, "copy"), project: join(temporary.path, "project"), run };
  for (const directory of [world.copy, world.project]) await mkdir(directory);
  let tarball = "";
  await tally.step("npm pack builds it", async () => void (tarball = await pack(world)));
  await tally.step("it installs into an empty project", () => installPackage(world, tarball));
  await tally.step("it holds JavaScript and types", () => filesAreRight(world));
  await tally.step("plain JavaScript imports it, and no SDK with it", () => packageIsUsed(world));
  await tally.step("its commands run", () => commandLineWorks(world));
  const tools = await Promise.all(["@aws-sdk/client-s3", "@types/node", "typescript"].map(ourVersion));
  const install = ["install", "--prefer-offline", "--no-audit", "--no-fund", ...tools];
  await tally.step(
    "beside an SDK and a compiler",
    async () => void (await run("npm", install, world.project)),
  );
  await tally.step("its types are strict, and say what is wrong", () => typesAreRight(world));
  await tally.step("the example of README.md passes", () => readmeExample(world));
}

const tally = new Tally();
try {
  await runPackage(tally);
} catch (error) {
  await tally.step("it runs to its end", () => Promise.reject(error));
}
process.exitCode = tally.close();
