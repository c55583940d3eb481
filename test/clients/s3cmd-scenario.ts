/**
 * s3cmd as people use it: buckets, copies, moves, a folder that is synchronised in both directions, what it
 * tells of an object and changes about it. Path style, because nobody resolves names of buckets here.
 */
import { strict as assert } from "node:assert";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { credentials } from "../scenario/server-process.ts";
import type { Tally } from "../scenario/tally.ts";
import { linesOf } from "./aws-cli.ts";
import { ClientProgram } from "./client-program.ts";
import type { ProgramUnderTest } from "./client-program.ts";
import { ClientWorld, WRITES } from "./client-world.ts";
import { makeTree, readTree } from "./file-tree.ts";
import { ODD_FILE_NAMES, ODD_KEYS } from "./odd-names.ts";
import { inParallel } from "./in-parallel.ts";
import { makeBytes, writeBodies } from "./test-bodies.ts";

export async function s3cmdScenario(tally: Tally, under: ProgramUnderTest): Promise<void> {
  const world = await ClientWorld.open(tally);
  const flags = (): readonly string[] => {
    const { host } = new URL(world.endpoint);
    const keys = [`--access_key=${credentials.accessKey}`, `--secret_key=${credentials.secretKey}`];
    // No file of the machine takes part.
    return [
      "-c",
      "/dev/null",
      `--host=${host}`,
      `--host-bucket=${host}`,
      "--no-ssl",
      ...keys,
      "--no-progress",
    ];
  };
  const environment = (): Record<string, string> => ({ LANG: "C.UTF-8" });
  const s3cmd = new ClientProgram(world, under, { flags, environment });
  try {
    await s3cmd.versionStep("--version");
    await tally.step("mb, ls", async () => {
      for (const bucket of ["plain", "synced"]) await s3cmd.must("mb", `s3://${bucket}`);
      assert.equal(linesOf(await s3cmd.must("ls")).length, 2);
    });
    await bodies(s3cmd);
    await oddKeys(s3cmd);
    await copyAndMove(s3cmd);
    await describedAndSigned(s3cmd);
    await syncUp(s3cmd);
    await tally.step("kill -9 and a new start", () => world.crashAndRestart());
    await syncDown(s3cmd);
    await removeAll(s3cmd);
  } finally {
    await world.close();
  }
}

async function bodies(s3cmd: ClientProgram): Promise<void> {
  const { tally } = s3cmd.world;
  for (const { name, bytes, path } of await writeBodies(s3cmd.world)) {
    await tally.step(`put and get: ${name}`, async () => {
      await s3cmd.must("put", "--multipart-chunk-size-mb=8", path, `s3://plain/bodies/${name}`);
      await s3cmd.must("get", `s3://plain/bodies/${name}`, `${path}.back`);
      assert.ok(bytes.equals(await readFile(`${path}.back`)), "other bytes came back");
    });
  }
  await tally.step("a body of 20 MiB went up in parts of 8 MiB", async () => {
    assert.equal(await s3cmd.world.requestCount(["UploadPart"]), 3);
  });
  await tally.step("what is not there is told so", async () => {
    const { code, err } = await s3cmd.run("get", "s3://plain/not-there", s3cmd.world.path("none"));
    assert.notEqual(code, 0);
    assert.match(err, /does not exist|404/);
  });
}

/** Paths that s3cmd's own addresses can say; odd names of files are in the tree that is synchronised. */
const KEYS = ODD_KEYS.filter(
  (key) => !ODD_FILE_NAMES.includes(key) && key.length < 200 && !/[\n\t]|^\/|\/$/.test(key),
);

async function oddKeys(s3cmd: ClientProgram): Promise<void> {
  const { tally } = s3cmd.world;
  await tally.step(`${KEYS.length} odd keys are put, come back, and are deleted`, async () => {
    await inParallel(KEYS, async (key, at) => {
      const path = s3cmd.world.path(`odd-${at}`);
      await writeFile(path, `body of ${key}`);
      await s3cmd.must("put", path, `s3://plain/${key}`);
      await s3cmd.must("get", `s3://plain/${key}`, `${path}.back`);
      assert.equal(await readFile(`${path}.back`, "utf8"), `body of ${key}`, JSON.stringify(key));
    });
    const listed = (await s3cmd.must("ls", "--recursive", "s3://plain")).toString();
    for (const key of KEYS) assert.ok(listed.includes(`s3://plain/${key}\n`), JSON.stringify(key));
    await inParallel(KEYS, async (key) => {
      await s3cmd.must("del", `s3://plain/${key}`);
    });
    assert.equal(linesOf(await s3cmd.must("ls", "--recursive", "s3://plain")).length, 3);
  });
}

async function copyAndMove(s3cmd: ClientProgram): Promise<void> {
  await s3cmd.world.tally.step("cp and mv within the store: the bytes of 20 MiB stay the same", async () => {
    const back = s3cmd.world.path("moved.back");
    await s3cmd.must("cp", "s3://plain/bodies/20MiB", "s3://plain/copied/a b+c");
    await s3cmd.must("mv", "s3://plain/copied/a b+c", "s3://synced/moved/%2e%2e");
    await s3cmd.must("get", "s3://synced/moved/%2e%2e", back);
    assert.ok((await readFile(back)).equals(makeBytes(20 * 1024 * 1024)));
    assert.notEqual((await s3cmd.run("info", "s3://plain/copied/a b+c")).code, 0);
    await s3cmd.must("del", "s3://synced/moved/%2e%2e");
  });
}

async function describedAndSigned(s3cmd: ClientProgram): Promise<void> {
  const { tally } = s3cmd.world;
  await tally.step(
    "info of a bucket and of an object; modify changes metadata and not the bytes",
    async () => {
      assert.match((await s3cmd.must("info", "s3://plain")).toString(), /Location: +us-east-1/);
      const told = ["--add-header=x-amz-meta-colour:blue", "--mime-type=text/x-thermocline"];
      await s3cmd.must("modify", ...told, "s3://plain/bodies/1KiB");
      const info = (await s3cmd.must("info", "s3://plain/bodies/1KiB")).toString();
      assert.match(info, /File size: 1024/);
      assert.match(info, /MIME type: text\/x-thermocline/);
      assert.match(info, /x-amz-meta-colour: blue/);
      const back = s3cmd.world.path("modified.back");
      await s3cmd.must("get", "s3://plain/bodies/1KiB", back);
      assert.ok((await readFile(back)).equals(makeBytes(1024)));
    },
  );
  await tally.step("signurl signs with version 2 only, and is told which version is meant", async () => {
    const [url = ""] = linesOf(await s3cmd.must("signurl", "s3://plain/bodies/1KiB", "+300"));
    assert.match(url, /[?&]AWSAccessKeyId=.*&Signature=/);
    const answer = await fetch(url);
    assert.equal(answer.status, 400);
    assert.match(await answer.text(), /<Code>InvalidRequest<.*Please use AWS4-HMAC-SHA256/s);
  });
}

async function syncUp(s3cmd: ClientProgram): Promise<void> {
  const { tally } = s3cmd.world;
  const tree = s3cmd.world.path("tree");
  const paths = await makeTree(tree);
  const sync = ["sync", "--delete-removed", `${tree}/`, "s3://synced/tree/"];
  await tally.step(`sync sends ${paths.length} files`, async () => {
    const before = await s3cmd.world.requestCount(["PutObject"]);
    await s3cmd.must(...sync);
    assert.ok((await s3cmd.world.requestCount(["PutObject"])) > before);
    const listed = linesOf(await s3cmd.must("ls", "--recursive", "s3://synced/tree/"));
    assert.equal(listed.length, paths.length);
  });
  await tally.step("a second sync moves nothing", async () => {
    const before = await s3cmd.world.requestCount(WRITES);
    await s3cmd.must(...sync);
    assert.equal(await s3cmd.world.requestCount(WRITES), before, "the server saw a write");
  });
  await tally.step("one changed and one removed file: sync does these two", async () => {
    await writeFile(`${tree}/sub/file-1.bin`, makeBytes(4321, "changed"));
    await rm(`${tree}/sub/file-2.bin`);
    const before = await s3cmd.world.requestCount(WRITES);
    await s3cmd.must(...sync);
    assert.equal((await s3cmd.world.requestCount(WRITES)) - before, 1);
    const listed = linesOf(await s3cmd.must("ls", "--recursive", "s3://synced/tree/"));
    assert.equal(listed.length, paths.length - 1);
  });
}

async function syncDown(s3cmd: ClientProgram): Promise<void> {
  const { tally } = s3cmd.world;
  const [from, to] = [s3cmd.world.path("tree"), s3cmd.world.path("tree-back")];
  await mkdir(to);
  await tally.step("after kill -9 and a restart, sync brings the same tree back", async () => {
    await s3cmd.must("sync", "s3://synced/tree/", `${to}/`);
    assert.deepEqual(await readTree(to), await readTree(from));
  });
  await tally.step("a second sync of it moves nothing", async () => {
    const before = await s3cmd.world.requestCount(["GetObject"]);
    await s3cmd.must("sync", "s3://synced/tree/", `${to}/`);
    assert.equal(await s3cmd.world.requestCount(["GetObject"]), before, "the server saw a GET");
  });
}

async function removeAll(s3cmd: ClientProgram): Promise<void> {
  await s3cmd.world.tally.step("rb is refused, del --recursive empties, rb removes", async () => {
    const { code, err } = await s3cmd.run("rb", "s3://synced");
    assert.notEqual(code, 0);
    assert.match(err, /BucketNotEmpty|not empty/);
    await s3cmd.must("del", "--recursive", "--force", "s3://synced");
    assert.deepEqual(linesOf(await s3cmd.must("ls", "--recursive", "s3://synced")), []);
    await s3cmd.must("rb", "s3://synced");
    await s3cmd.must("rb", "--recursive", "--force", "s3://plain");
    assert.deepEqual(linesOf(await s3cmd.must("ls")), []);
  });
}
