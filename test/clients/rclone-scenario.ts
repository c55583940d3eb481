/**
 * rclone as people use it: folders synchronised in both directions and compared byte for byte, streams,
 * ranges, metadata, a crash in between. It is configured by variables alone, so no file of the machine takes
 * part.
 */
import { strict as assert } from "node:assert";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { mustRun, plainEnvironment, runProgram } from "../scenario/run-program.ts";
import type { Ended } from "../scenario/run-program.ts";
import { credentials } from "../scenario/server-process.ts";
import type { Tally } from "../scenario/tally.ts";
import { linesOf } from "./aws-cli.ts";
import { ClientWorld, WRITES } from "./client-world.ts";
import { makeTree, readTree } from "./file-tree.ts";
import { ODD_FILE_NAMES, byUtf8 } from "./odd-names.ts";
import { MIB, TEST_BODIES, makeBytes, writeBodies } from "./test-bodies.ts";

export type RcloneUnderTest = { readonly program: string; readonly version: RegExp };

type Transfer = { readonly transfers: number; readonly bytes: number; readonly errors: number };

type Described = { readonly MimeType: string; readonly Metadata: Readonly<Record<string, string>> };

class Rclone {
  readonly #program: string;
  readonly world: ClientWorld;

  constructor(program: string, world: ClientWorld) {
    this.#program = program;
    this.world = world;
  }

  get environment(): Record<string, string> {
    return plainEnvironment({
      RCLONE_CONFIG: this.world.path("home/rclone.conf"),
      RCLONE_CONFIG_TC_TYPE: "s3",
      RCLONE_CONFIG_TC_PROVIDER: "Other",
      RCLONE_CONFIG_TC_ENDPOINT: this.world.endpoint,
      RCLONE_CONFIG_TC_ACCESS_KEY_ID: credentials.accessKey,
      RCLONE_CONFIG_TC_SECRET_ACCESS_KEY: credentials.secretKey,
      RCLONE_S3_UPLOAD_CUTOFF: "8Mi",
      RCLONE_S3_CHUNK_SIZE: "8Mi",
      // A request that works at the second attempt only has failed.
      RCLONE_RETRIES: "1",
      RCLONE_LOW_LEVEL_RETRIES: "1",
      HOME: this.world.path("home"),
    });
  }

  async must(args: readonly string[], input?: Uint8Array): Promise<Buffer> {
    const call = { env: this.environment, ...(input !== undefined && { input }) };
    return (await mustRun(this.#program, args, call)).out;
  }

  async run(args: readonly string[]): Promise<Ended> {
    return await runProgram(this.#program, args, { env: this.environment });
  }

  /** A command that moves files, and the statistics with which it ends. */
  async transfer(...args: readonly string[]): Promise<Transfer> {
    const call = { env: this.environment };
    const { err } = await mustRun(this.#program, [...args, "--use-json-log", "-v", "--stats", "1h"], call);
    const stats = err
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => {
        const told: { readonly stats?: Transfer } = JSON.parse(line);
        return told.stats;
      })
      .findLast((found) => found !== undefined);
    assert.ok(stats !== undefined, `rclone told no statistics: ${err}`);
    return stats;
  }
}

export async function rcloneScenario(tally: Tally, under: RcloneUnderTest): Promise<void> {
  const world = await ClientWorld.open(tally);
  const rclone = new Rclone(under.program, world);
  try {
    await tally.step(`${under.program} is the version that is meant`, async () => {
      const { out } = await mustRun(under.program, ["version"], { env: rclone.environment });
      assert.match(out.toString(), under.version);
    });
    await tally.step("mkdir, lsd", async () => {
      for (const bucket of ["plain", "synced"]) await rclone.must(["mkdir", `tc:${bucket}`]);
      assert.equal(linesOf(await rclone.must(["lsd", "tc:"])).length, 2);
    });
    await bodies(rclone);
    await streamsAndRanges(rclone);
    await sync(rclone);
    await tally.step("kill -9 and a new start", () => world.crashAndRestart());
    await bodiesAreThere(rclone);
    await syncBack(rclone);
    await removeAll(rclone);
  } finally {
    await world.close();
  }
}

async function bodies(rclone: Rclone): Promise<void> {
  const { tally } = rclone.world;
  for (const body of await writeBodies(rclone.world)) {
    await tally.step(`copyto up and down: ${body.name}`, async () => {
      await rclone.must(["copyto", body.path, `tc:plain/bodies/${body.name}`]);
      await rclone.must(["copyto", `tc:plain/bodies/${body.name}`, `${body.path}.back`]);
      assert.ok(body.bytes.equals(await readFile(`${body.path}.back`)), "other bytes came back");
    });
  }
  await tally.step("a body of 20 MiB went up in parts of 8 MiB", async () => {
    assert.equal(await rclone.world.requestCount(["UploadPart"]), 3);
  });
  await tally.step("check --download finds no difference", async () => {
    const folder = rclone.world.path("bodies");
    await mkdir(folder);
    for (const { name, bytes } of TEST_BODIES) await writeFile(`${folder}/${name}`, bytes);
    await rclone.must(["check", "--download", folder, "tc:plain/bodies"]);
  });
}

async function bodiesAreThere(rclone: Rclone): Promise<void> {
  await rclone.world.tally.step("after kill -9 and a restart every body is there", async () => {
    await rclone.must(["check", "--download", rclone.world.path("bodies"), "tc:plain/bodies"]);
  });
}

async function streamsAndRanges(rclone: Rclone): Promise<void> {
  const { tally } = rclone.world;
  const bytes = makeBytes(18 * MIB + 5, "rcat");
  await tally.step("rcat takes a stream of unknown length", async () => {
    await rclone.must(["rcat", "tc:plain/streamed"], bytes);
    assert.ok(bytes.equals(await rclone.must(["cat", "tc:plain/streamed"])));
  });
  await tally.step("cat --offset --count gives that range", async () => {
    const at = 9 * MIB - 3;
    const args = ["cat", "--offset", String(at), "--count", "70000", "tc:plain/streamed"];
    assert.ok(bytes.subarray(at, at + 70_000).equals(await rclone.must(args)));
  });
  await tally.step("content type, metadata and time of the file come back", async () => {
    const path = rclone.world.path("described");
    await writeFile(path, "described");
    const set = ["content-type=text/x-thermocline", "colour=blue green"];
    const flags = ["-M", ...set.flatMap((pair) => ["--metadata-set", pair])];
    await rclone.must(["copyto", path, "tc:plain/described", ...flags]);
    const listed = await rclone.must(["lsjson", "-M", "tc:plain/described"]);
    const [entry]: readonly Described[] = JSON.parse(listed.toString());
    assert.ok(entry !== undefined);
    assert.equal(entry.MimeType, "text/x-thermocline");
    assert.equal(entry.Metadata["colour"], "blue green");
    assert.ok(entry.Metadata["mtime"] !== undefined, "the time of the file is not there");
  });
  await tally.step("folders called %2e%2e, ..., and by the fullwidth dots that rclone quotes", async () => {
    const names = ["%2e%2e", "...", "\uff0e", "\uff0e\uff0e"];
    for (const name of names) {
      await rclone.must(["rcat", `tc:plain/dots/${name}/x`], Buffer.from(`in ${name}`));
    }
    for (const name of names) {
      const back = await rclone.must(["cat", `tc:plain/dots/${name}/x`]);
      assert.equal(back.toString(), `in ${name}`);
    }
    const listed = linesOf(await rclone.must(["lsf", "-R", "--files-only", "tc:plain/dots"]));
    assert.deepEqual(
      listed.toSorted(byUtf8),
      names.map((name) => `${name}/x`),
    );
  });
}

async function sync(rclone: Rclone): Promise<void> {
  const { tally } = rclone.world;
  const tree = rclone.world.path("tree");
  const paths = await makeTree(tree);
  await tally.step(`sync sends ${paths.length} files`, async () => {
    assert.equal((await rclone.transfer("sync", tree, "tc:synced/tree")).transfers, paths.length);
  });
  await tally.step("a second sync moves nothing", async () => {
    const before = await rclone.world.requestCount(WRITES);
    const { transfers, bytes, errors } = await rclone.transfer("sync", tree, "tc:synced/tree");
    assert.deepEqual({ transfers, bytes, errors }, { transfers: 0, bytes: 0, errors: 0 });
    assert.equal(await rclone.world.requestCount(WRITES), before, "the server saw a write");
  });
  await tally.step("nor does one that compares checksums", async () => {
    const { transfers } = await rclone.transfer("sync", "--checksum", tree, "tc:synced/tree");
    assert.equal(transfers, 0);
  });
  await tally.step("check --download finds the same tree, and one byte that is not the same", async () => {
    await rclone.must(["check", "--download", tree, "tc:synced/tree"]);
    const path = `${tree}/sub/file-1.bin`;
    const before = await readFile(path);
    await writeFile(path, Buffer.from(before).fill(7, 0, 1));
    const { code, err } = await rclone.run(["check", "--download", tree, "tc:synced/tree"]);
    assert.notEqual(code, 0);
    assert.match(err, /1 differences found/);
    await writeFile(path, before);
  });
  await tally.step("one changed and one removed file: sync does these two", async () => {
    await writeFile(`${tree}/sub/file-1.bin`, makeBytes(4321, "changed"));
    await rm(`${tree}/sub/file-2.bin`);
    const before = await rclone.world.requestCount(["PutObject"]);
    const { transfers } = await rclone.transfer("sync", tree, "tc:synced/tree");
    assert.equal(transfers, 1);
    assert.equal((await rclone.world.requestCount(["PutObject"])) - before, 1);
  });
  await tally.step("odd names are listed as they are", async () => {
    const listed = linesOf(await rclone.must(["lsf", "-R", "--files-only", "tc:synced/tree"]));
    const names = listed.map((path) => path.slice(path.lastIndexOf("/") + 1));
    for (const name of ODD_FILE_NAMES) assert.ok(names.includes(name), `${name} is not listed`);
  });
}

async function syncBack(rclone: Rclone): Promise<void> {
  const { tally } = rclone.world;
  const [from, to] = [rclone.world.path("tree"), rclone.world.path("tree-back")];
  await tally.step("sync brings the same tree back", async () => {
    await rclone.transfer("sync", "tc:synced/tree", to);
    assert.deepEqual(await readTree(to), await readTree(from));
  });
  await tally.step("a second sync of it moves nothing", async () => {
    const before = await rclone.world.requestCount(["GetObject"]);
    assert.equal((await rclone.transfer("sync", "tc:synced/tree", to)).transfers, 0);
    assert.equal(await rclone.world.requestCount(["GetObject"]), before, "the server saw a GET");
  });
}

async function removeAll(rclone: Rclone): Promise<void> {
  const { tally } = rclone.world;
  await tally.step("rmdir of a bucket with objects is refused", async () => {
    const { code, err } = await rclone.run(["rmdir", "tc:synced"]);
    assert.notEqual(code, 0);
    assert.match(err, /BucketNotEmpty/);
  });
  await tally.step("delete leaves an empty bucket, purge removes it with all that is in it", async () => {
    await rclone.must(["delete", "tc:synced"]);
    assert.deepEqual(linesOf(await rclone.must(["lsf", "-R", "--files-only", "tc:synced"])), []);
    await rclone.must(["rmdir", "tc:synced"]);
    await rclone.must(["purge", "tc:plain"]);
    assert.deepEqual(linesOf(await rclone.must(["lsd", "tc:"])), []);
  });
}
