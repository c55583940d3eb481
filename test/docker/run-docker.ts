/**
 * What needs a docker engine: images are made, then all of test/docker runs on them, MinIO among it.
 *
 *   node test/docker/run-docker.ts [files ...]
 *
 * Needs docker, docker-compose 1.29 or later, and for images of its own debootstrap (as root) and Go. Ends
 * with `N passed, N failed`; where something is missing nothing is left out, it fails.
 *
 *   MINIO_IMAGE         MinIO; without, minio/image makes one of the program that minio/start finds or builds
 *   BASE_IMAGE          what our image stands on; without, docker/base-image makes one
 *   THERMOCLINE_IMAGE   our image, as it is; without, it is built of this checkout
 */
import { strict as assert } from "node:assert";
import { fileURLToPath } from "node:url";
import { countTests } from "../scenario/count-tests.ts";
import { mustRun } from "../scenario/run-program.ts";
import { Tally } from "../scenario/tally.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** On two cores each takes a minute at most, once what it needs is downloaded. */
const BUILD_MS_MAX = 540_000;

type Environment = Readonly<Record<string, string | undefined>>;

/** The last line of what a program says is the image's name. */
async function made(program: string, args: readonly string[], env: Environment): Promise<string> {
  const given = Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  const { out } = await mustRun(program, args, {
    cwd: ROOT,
    env: Object.fromEntries(given),
    timeoutMs: BUILD_MS_MAX,
  });
  const name = out.toString().trim().split("\n").at(-1) ?? "";
  assert.notEqual(name, "");
  return name;
}

async function buildOurs(base: string, env: Environment): Promise<string> {
  const tag = "thermocline:under-test";
  const args = ["--build-arg", `BASE_IMAGE=${base}`, "--file", "docker/Dockerfile", "--tag", tag];
  await made("docker", ["build", "--quiet", ...args, "."], env);
  return tag;
}

/** The environment with the names of the images that were not named in it. */
async function prepare(tally: Tally, env: Environment): Promise<Environment> {
  const images: { MINIO_IMAGE?: string; THERMOCLINE_IMAGE?: string } = {};
  await tally.step("a docker engine answers", async () => {
    await mustRun("docker", ["version"]);
  });
  if ((env["MINIO_IMAGE"] ?? "") === "") {
    await tally.step("minio/image makes an image of a MinIO program", async () => {
      images.MINIO_IMAGE = await made("minio/image", [], env);
    });
  }
  if ((env["THERMOCLINE_IMAGE"] ?? "") !== "") return { ...env, ...images };
  let base = env["BASE_IMAGE"] ?? "";
  if (base === "") {
    await tally.step("docker/base-image makes a base of this machine's packages", async () => {
      base = await made("docker/base-image", [], env);
    });
  }
  await tally.step("docker/Dockerfile builds", async () => {
    images.THERMOCLINE_IMAGE = await buildOurs(base, env);
  });
  return { ...env, ...images };
}

const tally = new Tally();
const env = await prepare(tally, process.env);
if (tally.failed === 0) {
  const { passed, failed } = countTests("test/docker/vitest.config.ts", {
    env,
    filters: process.argv.slice(2),
  });
  tally.passed += passed;
  tally.failed += failed;
}
process.exitCode = tally.close();
