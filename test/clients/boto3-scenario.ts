/**
 * boto3 with nothing set but the endpoint and the credentials. The steps stand in boto3_steps.py; each of
 * them is counted here by its name, and a script that does not come to its end is one more failure.
 */
import { strict as assert } from "node:assert";
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { mustRun, plainEnvironment, runProgram } from "../scenario/run-program.ts";
import { credentials } from "../scenario/server-process.ts";
import type { Tally } from "../scenario/tally.ts";
import { linesOf } from "./aws-cli.ts";
import { ClientWorld } from "./client-world.ts";
import { ODD_KEYS, byUtf8 } from "./odd-names.ts";
import { TEST_BODIES, writeBodies } from "./test-bodies.ts";

const SCRIPT = fileURLToPath(new URL("boto3_steps.py", import.meta.url));

type StepOutcome = { readonly step: string; readonly failed?: string };

export type Boto3UnderTest = { readonly python: string; readonly version: string };

export async function boto3Scenario(tally: Tally, { python, version }: Boto3UnderTest): Promise<void> {
  const world = await ClientWorld.open(tally);
  try {
    await tally.step(`boto3 of ${python} is the version that is meant`, async () => {
      const { out } = await mustRun(python, ["-c", "import boto3; print(boto3.__version__)"]);
      assert.equal(out.toString().trim(), version);
    });
    const bodies = await writeBodies(world);
    const settings = {
      bodies: bodies.map(({ name, path }) => ({ name, path })),
      keys: ODD_KEYS.toSorted(byUtf8),
    };
    await writeFile(world.path("boto3.json"), JSON.stringify(settings));
    await runSteps(world, python, "before");
    await tally.step("parts of 8 MiB went up one by one", async () => {
      const parts = Math.ceil((TEST_BODIES.at(-1)?.bytes.length ?? 0) / (8 * 1024 * 1024));
      assert.ok((await world.requestCount(["UploadPart"])) >= 2 * parts);
    });
    await tally.step("kill -9 and a new start", () => world.crashAndRestart());
    await runSteps(world, python, "after");
  } finally {
    await world.close();
  }
}

/** All steps of one half of the script, in the order in which it names them. */
async function runSteps(world: ClientWorld, python: string, half: "before" | "after"): Promise<void> {
  const env = plainEnvironment({
    AWS_ACCESS_KEY_ID: credentials.accessKey,
    AWS_SECRET_ACCESS_KEY: credentials.secretKey,
    AWS_DEFAULT_REGION: "us-east-1",
    AWS_ENDPOINT_URL_S3: world.endpoint,
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_CONFIG_FILE: world.path("home/config"),
    AWS_SHARED_CREDENTIALS_FILE: world.path("home/credentials"),
    // A request that works at the second attempt only has failed.
    AWS_MAX_ATTEMPTS: "1",
    HOME: world.path("home"),
  });
  const ended = await runProgram(python, [SCRIPT, half, world.path("boto3.json")], { env });
  for (const line of linesOf(ended.out)) {
    const { step, failed }: StepOutcome = JSON.parse(line);
    await world.tally.step(step, () => {
      if (failed !== undefined) throw new Error(failed);
    });
  }
  await world.tally.step(`boto3: the script came to the end of what is ${half} the crash`, () => {
    assert.equal(ended.code, 0, ended.err.slice(-2000));
  });
}
