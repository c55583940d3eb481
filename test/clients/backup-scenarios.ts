/**
 * Programs that keep backups in a bucket: restic and duplicity. A tree of files goes there, is changed, goes
 * there again, is checked where it lies, and comes back as it was; the server is killed in between.
 */
import { strict as assert } from "node:assert";
import { rm, writeFile } from "node:fs/promises";
import { credentials } from "../scenario/server-process.ts";
import type { Tally } from "../scenario/tally.ts";
import { bucketByCurl } from "./bucket-by-curl.ts";
import { ClientProgram } from "./client-program.ts";
import type { ProgramUnderTest } from "./client-program.ts";
import { ClientWorld } from "./client-world.ts";
import type { Sent } from "./client-world.ts";
import { makeTree, readTree } from "./file-tree.ts";
import { MIB, makeBytes } from "./test-bodies.ts";

const KEYS = {
  AWS_ACCESS_KEY_ID: credentials.accessKey,
  AWS_SECRET_ACCESS_KEY: credentials.secretKey,
  AWS_DEFAULT_REGION: "us-east-1",
} as const;

type Digests = Readonly<Record<string, string>>;

async function makeFiles(root: string): Promise<Digests> {
  await makeTree(root);
  await writeFile(`${root}/20MiB`, makeBytes(20 * MIB));
  return await readTree(root);
}

async function changeFiles(root: string): Promise<Digests> {
  await writeFile(`${root}/sub/file-1.bin`, makeBytes(4321, "changed"));
  await rm(`${root}/sub/file-2.bin`);
  return await readTree(root);
}

/** One small file has changed, and one has gone: something of 20 MiB, and next to nothing. */
function assertLittle({ writes, bytes }: Sent): void {
  assert.ok(writes > 0, "nothing was sent");
  assert.ok(writes <= 12, `${writes} objects and parts were sent`);
  assert.ok(bytes > 4321 && bytes < MIB, `${bytes} bytes were sent`);
}

export async function resticScenario(tally: Tally, under: ProgramUnderTest): Promise<void> {
  const world = await ClientWorld.open(tally);
  const environment = (): Record<string, string> => ({
    ...KEYS,
    RESTIC_REPOSITORY: `s3:${world.endpoint}/backups/a folder`,
    RESTIC_PASSWORD: "secret",
    RESTIC_CACHE_DIR: world.path("cache"),
  });
  const restic = new ClientProgram(world, under, { environment });
  try {
    await restic.versionStep("version");
    const tree = world.path("tree");
    const first = await makeFiles(tree);
    await tally.step("init makes the bucket too, and backup fills it", async () => {
      await restic.must("init");
      const { bytes } = await world.sentBy(() => restic.must("backup", "--tag", "first", tree));
      assert.ok(bytes > 20 * MIB, `${bytes} bytes`);
    });
    const second = await changeFiles(tree);
    await tally.step("a second backup sends little", async () => {
      const sent = await world.sentBy(() => restic.must("backup", "--tag", "second", tree));
      assertLittle(sent);
      const { length } = JSON.parse((await restic.must("snapshots", "--json")).toString());
      assert.equal(length, 2);
    });
    await tally.step("kill -9 and a new start", () => world.crashAndRestart());
    await tally.step("check --read-data finds every byte as it was", async () => {
      assert.match((await restic.must("check", "--read-data")).toString(), /no errors were found/);
    });
    const restored = async (name: string, ...which: readonly string[]): Promise<Digests> => {
      const to = world.path(`restored-${name}`);
      await restic.must("restore", "latest", ...which, "--verify", "--target", to);
      return await readTree(`${to}${tree}`);
    };
    await tally.step("restore brings both trees back", async () => {
      assert.deepEqual(await restored("first", "--tag", "first"), first);
      assert.deepEqual(await restored("second"), second);
    });
    await tally.step("forget --prune gives up the older one, and the rest is whole", async () => {
      await restic.must("forget", "--keep-last", "1", "--prune", "--group-by", "host");
      assert.match((await restic.must("check", "--read-data")).toString(), /no errors were found/);
      assert.deepEqual(await restored("last"), second);
      assert.ok((await world.requestCount(["DeleteObject", "DeleteObjects"])) > 0);
    });
  } finally {
    await world.close();
  }
}

export async function duplicityScenario(tally: Tally, under: ProgramUnderTest): Promise<void> {
  const world = await ClientWorld.open(tally);
  const flags = (): readonly string[] => [
    ...["--s3-endpoint-url", world.endpoint, "--s3-region-name", "us-east-1"],
    ...["--archive-dir", world.path("archive"), "--no-encryption", "--num-retries", "1"],
  ];
  const environment = (): Record<string, string> => ({ ...KEYS, LANG: "C.UTF-8" });
  const duplicity = new ClientProgram(world, under, { environment });
  const run = (command: string, ...args: readonly string[]): Promise<Buffer> =>
    duplicity.must(command, ...flags(), ...args);
  const place = "boto3+s3://backups/a/folder";
  try {
    await duplicity.versionStep("--version");
    const tree = world.path("tree");
    const first = await makeFiles(tree);
    await bucketByCurl(world, "PUT", "backups");
    await tally.step("full makes a backup, in volumes of 5 MiB", async () => {
      const { bytes } = await world.sentBy(() => run("full", "--volsize", "5", tree, place));
      assert.ok(bytes > 20 * MIB, `${bytes} bytes`);
      assert.ok((await world.requestCount(["PutObject", "UploadPart"])) >= 6);
    });
    const between = new Date(Date.now() + 1000);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    const second = await changeFiles(tree);
    await tally.step("incremental sends what changed", async () => {
      const sent = await world.sentBy(async () => {
        assert.match((await run("incremental", tree, place)).toString(), /Errors 0/);
      });
      assertLittle(sent);
    });
    await tally.step("kill -9 and a new start", () => world.crashAndRestart());
    await rm(world.path("archive"), { recursive: true, force: true });
    await tally.step("verify --compare-data finds no difference, with nothing but the bucket", async () => {
      assert.match((await run("verify", "--compare-data", place, tree)).toString(), /0 differences found/);
    });
    await tally.step("restore brings both trees back", async () => {
      await run("restore", place, world.path("restored"));
      assert.deepEqual(await readTree(world.path("restored")), second);
      const time = between.toISOString().replace(/\.\d+Z$/, "Z");
      await run("restore", "--time", time, place, world.path("restored-first"));
      assert.deepEqual(await readTree(world.path("restored-first")), first);
    });
    await tally.step("remove-all-but-n-full leaves only the newer one", async () => {
      await run("full", tree, place);
      await run("remove-all-but-n-full", "1", "--force", place);
      assert.match((await run("collection-status", place)).toString(), /Number of contained backup sets: 1/);
      assert.ok((await world.requestCount(["DeleteObject", "DeleteObjects"])) > 0);
    });
  } finally {
    await world.close();
  }
}
