/**
 * s3fs: a bucket as a folder. Files are written, read back, renamed and removed by the system's own calls,
 * through the kernel. Where the machine has no FUSE this cannot be tried, and it says so.
 */
import { strict as assert } from "node:assert";
import {
  access,
  appendFile,
  mkdir,
  readFile,
  readdir,
  rename,
  rm,
  rmdir,
  truncate,
  writeFile,
} from "node:fs/promises";
import { mustRun } from "../scenario/run-program.ts";
import { credentials } from "../scenario/server-process.ts";
import type { Tally } from "../scenario/tally.ts";
import { bucketByCurl } from "./bucket-by-curl.ts";
import { ClientProgram } from "./client-program.ts";
import type { ProgramUnderTest } from "./client-program.ts";
import { ClientWorld } from "./client-world.ts";
import { makeTree, readTree } from "./file-tree.ts";
import { writeBodies } from "./test-bodies.ts";

const DEVICE = "/dev/fuse";

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

export async function s3fsScenario(tally: Tally, under: ProgramUnderTest): Promise<void> {
  const world = await ClientWorld.open(tally);
  const s3fs = new ClientProgram(world, under, {});
  try {
    await s3fs.versionStep("--version");
    if (!(await exists(DEVICE))) {
      tally.title(`s3fs: not tried beyond its version, because this machine has no ${DEVICE}`);
      return;
    }
    const folder = world.path("mounted");
    await mkdir(folder);
    const isMounted = await tally.step("the bucket is mounted", async () => {
      await bucketByCurl(world, "PUT", "mounted");
      await mount(s3fs, folder);
    });
    // Without a mount the rest would pass on a plain folder.
    if (!isMounted) return;
    await files(world, folder);
    await tally.step("unmounted, and mounted again after kill -9, it shows the same files", async () => {
      const before = await readTree(folder);
      assert.ok(Object.keys(before).length > 100);
      await unmount(folder);
      await world.crashAndRestart();
      await mount(s3fs, folder);
      assert.deepEqual(await readTree(folder), before);
    });
    await tally.step("rm -r removes all, and the bucket is empty", async () => {
      for (const name of await readdir(folder)) await rm(`${folder}/${name}`, { recursive: true });
      assert.deepEqual(await readdir(folder), []);
      await unmount(folder);
      await bucketByCurl(world, "DELETE", "mounted");
    });
  } finally {
    // Whatever went wrong: a mount without a server would hang whoever looks at it.
    await unmount(world.path("mounted")).catch(() => undefined);
    await world.close();
  }
}

async function mount(s3fs: ClientProgram, folder: string): Promise<void> {
  const { world } = s3fs;
  const secret = world.path("s3fs-secret");
  await writeFile(secret, `${credentials.accessKey}:${credentials.secretKey}`, { mode: 0o600 });
  const options = [`passwd_file=${secret}`, `url=${world.endpoint}`, "use_path_request_style", "retries=1"];
  await s3fs.must("mounted", folder, "-o", options.join(","));
  await mustRun("mountpoint", ["-q", folder]);
}

async function unmount(folder: string): Promise<void> {
  await mustRun("umount", [folder]);
}

async function files(world: ClientWorld, folder: string): Promise<void> {
  const { tally } = world;
  for (const { name, bytes } of await writeBodies(world)) {
    await tally.step(`written, renamed and read back: ${name}`, async () => {
      await writeFile(`${folder}/${name}`, bytes);
      await rename(`${folder}/${name}`, `${folder}/renamed ${name}`);
      assert.ok(bytes.equals(await readFile(`${folder}/renamed ${name}`)), "other bytes came back");
      assert.equal(await exists(`${folder}/${name}`), false);
    });
  }
  await tally.step("a tree with odd names, written and renamed as a whole", async () => {
    const paths = await makeTree(`${folder}/tree`);
    await makeTree(world.path("tree"));
    await rename(`${folder}/tree`, `${folder}/renamed tree`);
    const shown = await readTree(`${folder}/renamed tree`);
    assert.equal(Object.keys(shown).length, paths.length);
    assert.deepEqual(shown, await readTree(world.path("tree")));
  });
  await tally.step("bytes behind the end, and fewer of them", async () => {
    const path = `${folder}/appended`;
    await writeFile(path, "begin");
    await appendFile(path, " and end");
    assert.equal(await readFile(path, "utf8"), "begin and end");
    await truncate(path, 5);
    assert.equal(await readFile(path, "utf8"), "begin");
  });
  await tally.step("cp --update moves a tree once, and nothing the second time", async () => {
    const copy = (): Promise<unknown> =>
      mustRun("cp", ["-r", "--update", `${world.path("tree")}/.`, `${folder}/copied`]);
    await mkdir(`${folder}/copied`);
    assert.ok((await world.sentBy(copy)).writes > 100);
    const second = await world.sentBy(copy);
    assert.equal(second.writes, 0);
    assert.ok(second.bytes < 16 * 1024, `${second.bytes} bytes of log`);
    assert.deepEqual(await readTree(`${folder}/copied`), await readTree(world.path("tree")));
  });
  await tally.step("folders: made, listed, and not removed while something is in them", async () => {
    await mkdir(`${folder}/made/deeper`, { recursive: true });
    await writeFile(`${folder}/made/deeper/x`, "x");
    assert.deepEqual(await readdir(`${folder}/made`), ["deeper"]);
    await assert.rejects(rmdir(`${folder}/made/deeper`), { code: "ENOTEMPTY" });
    await rm(`${folder}/made`, { recursive: true });
    assert.equal(await exists(`${folder}/made`), false);
  });
}
