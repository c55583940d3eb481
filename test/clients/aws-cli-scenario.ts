/**
 * The AWS CLI as people use it: buckets, copies, a synchronised folder, listings in pages, presigned
 * addresses, a crash in between, and recursive deletion at the end. Run for the newest one and for Debian's
 * older one.
 */
import { strict as assert } from "node:assert";
import { rm, writeFile } from "node:fs/promises";
import { mustRun, runProgram } from "../scenario/run-program.ts";
import type { Tally } from "../scenario/tally.ts";
import { AwsCli } from "./aws-cli.ts";
import {
  bodies,
  bodiesAreThere,
  checksums,
  metadataAndRanges,
  multipart,
  oddKeys,
} from "./aws-cli-objects.ts";
import { ClientWorld, WRITES } from "./client-world.ts";
import { CHECKSUM_ALGORITHMS } from "./expected-checksums.ts";
import type { ChecksumAlgorithm } from "./expected-checksums.ts";
import { makeTree, readTree } from "./file-tree.ts";
import { byUtf8 } from "./odd-names.ts";
import { makeBytes } from "./test-bodies.ts";

export type AwsCliUnderTest = {
  readonly program: string;
  /** What `--version` must say: the scenario is for this one and no other. */
  readonly version: RegExp;
  readonly algorithms: readonly ChecksumAlgorithm[];
};

export const CURRENT_ALGORITHMS = CHECKSUM_ALGORITHMS;
/** Version 2.9 is older than CRC64NVME. */
export const OLDER_ALGORITHMS: readonly ChecksumAlgorithm[] = ["CRC32", "CRC32C", "SHA1", "SHA256"];

export async function awsCliScenario(tally: Tally, under: AwsCliUnderTest): Promise<void> {
  const world = await ClientWorld.open(tally);
  const cli = new AwsCli(under.program, world);
  try {
    await tally.step(`${under.program} is the version that is meant`, async () => {
      assert.match(await cli.version(), under.version);
    });
    await tally.step("mb, ls", async () => {
      for (const bucket of ["plain", "odd-keys", "synced"]) await cli.s3("mb", `s3://${bucket}`);
      assert.equal((await cli.s3("ls")).length, 3);
    });
    await bodies(cli, "plain");
    await oddKeys(cli, "odd-keys");
    await metadataAndRanges(cli, "plain");
    await checksums(cli, "plain", under.algorithms);
    await multipart(cli, "plain");
    await syncUp(cli);
    await pages(cli);
    await tally.step("kill -9 and a new start", () => world.crashAndRestart());
    await bodiesAreThere(cli, "plain");
    await syncDown(cli);
    await presigned(cli);
    await removeAll(cli);
  } finally {
    await world.close();
  }
}

const moved = (lines: readonly string[]): readonly string[] =>
  lines.filter((line) => /^(upload|download|copy|delete):/.test(line.trim()));

async function syncUp(cli: AwsCli): Promise<void> {
  const { tally } = cli.world;
  const tree = cli.world.path("tree");
  const paths = await makeTree(tree);
  await tally.step(`sync sends ${paths.length} files`, async () => {
    const lines = await cli.s3("sync", tree, "s3://synced/tree", "--no-progress");
    assert.equal(moved(lines).length, paths.length);
  });
  await tally.step("a second sync moves nothing", async () => {
    const before = await cli.world.requestCount(WRITES);
    assert.deepEqual(moved(await cli.s3("sync", tree, "s3://synced/tree", "--no-progress")), []);
    assert.equal(await cli.world.requestCount(WRITES), before, "the server saw a write");
  });
  await tally.step("one changed and one removed file: sync --delete does these two", async () => {
    await writeFile(`${tree}/sub/file-1.bin`, makeBytes(4321, "changed"));
    await rm(`${tree}/sub/file-2.bin`);
    const lines = moved(await cli.s3("sync", tree, "s3://synced/tree", "--delete", "--no-progress"));
    assert.equal(lines.length, 2);
    assert.deepEqual(new Set(lines.map((line) => line.split(":")[0])), new Set(["delete", "upload"]));
  });
}

async function syncDown(cli: AwsCli): Promise<void> {
  const { tally } = cli.world;
  const [from, to] = [cli.world.path("tree"), cli.world.path("tree-back")];
  await tally.step("sync brings the same tree back", async () => {
    await cli.s3("sync", "s3://synced/tree", to, "--no-progress");
    assert.deepEqual(await readTree(to), await readTree(from));
  });
  await tally.step("a second sync of it moves nothing", async () => {
    const before = await cli.world.requestCount(["GetObject"]);
    assert.deepEqual(moved(await cli.s3("sync", "s3://synced/tree", to, "--no-progress")), []);
    assert.equal(await cli.world.requestCount(["GetObject"]), before, "the server saw a GET");
  });
}

type Page = { readonly Contents?: readonly { readonly Key: string }[]; readonly NextToken?: string };

const keysOf = ({ Contents = [] }: Page): readonly string[] => Contents.map(({ Key }) => Key);

async function pages(cli: AwsCli): Promise<void> {
  const { tally } = cli.world;
  const list = (...more: readonly string[]): Promise<Page> =>
    cli.api<Page>("list-objects-v2", "--bucket", "synced", ...more);
  await tally.step("list-objects-v2 in pages of 7 is the same list, in order", async () => {
    const before = await cli.world.requestCount(["ListObjectsV2"]);
    const paged = keysOf(await list("--page-size", "7"));
    const requests = (await cli.world.requestCount(["ListObjectsV2"])) - before;
    assert.deepEqual(paged, keysOf(await list()));
    assert.deepEqual(paged, [...paged].toSorted(byUtf8));
    assert.equal(requests, Math.ceil(paged.length / 7));
  });
  await tally.step("--max-items and --starting-token go on where they stopped", async () => {
    const all = keysOf(await list());
    const first = await list("--max-items", "10");
    const rest = await list("--starting-token", first.NextToken ?? "");
    assert.deepEqual([...keysOf(first), ...keysOf(rest)], all);
  });
  await tally.step("list-objects (version 1) in pages of 7 is the same list", async () => {
    const old = await cli.api<Page>("list-objects", "--bucket", "synced", "--page-size", "7");
    assert.deepEqual(keysOf(old), keysOf(await list()));
  });
  await tally.step("ls shows folders as such", async () => {
    const lines = await cli.s3("ls", "s3://synced/tree/");
    const folders = lines.filter((line) => line.includes(" PRE ")).map((line) => line.trim().slice(4));
    assert.deepEqual(folders, ["%2e%2e folder/", "a b+c&d/", "sub/", "\u{1f986}/"]);
  });
}

async function presigned(cli: AwsCli): Promise<void> {
  const object = "s3://synced/tree/sub/what?";
  const presign = async (): Promise<string> =>
    (await cli.s3("presign", object, "--expires-in", "300"))[0] ?? "";
  await cli.world.tally.step(
    "an address that was signed with version 2 is refused in clear words",
    async () => {
      const url = await presign();
      // Only version 1 of the CLI still signs addresses so, unless it is told otherwise.
      if (url.includes("X-Amz-Signature")) return;
      const { out } = await runProgram("curl", ["-sS", url]);
      assert.match(out.toString(), /<Code>InvalidRequest<.*Please use AWS4-HMAC-SHA256/s);
    },
  );
  await cli.world.tally.step("a presigned address works in curl, and only as it was signed", async () => {
    await writeFile(cli.world.path("home/config"), "[default]\ns3 =\n  signature_version = s3v4\n");
    const url = await presign();
    const { out } = await mustRun("curl", ["-sS", "--fail", url]);
    assert.ok(out.equals(await cli.must(["s3", "cp", object, "-"])), "other bytes came back");
    const statusOnly = ["-sS", "-o", "/dev/null", "-w", "%{http_code}"];
    const { out: status } = await runProgram("curl", [...statusOnly, url.replace("what", "who")]);
    assert.equal(status.toString(), "403");
  });
}

async function removeAll(cli: AwsCli): Promise<void> {
  const { tally } = cli.world;
  await tally.step("rb of a bucket with objects is refused", async () => {
    const { code, err } = await cli.run(["s3", "rb", "s3://synced"]);
    assert.notEqual(code, 0);
    assert.match(err, /BucketNotEmpty/);
  });
  await tally.step("rm --recursive leaves an empty bucket, rb removes it", async () => {
    for (const bucket of ["plain", "synced"]) {
      await cli.s3("rm", "--recursive", `s3://${bucket}`);
      assert.deepEqual(await cli.s3("ls", "--recursive", `s3://${bucket}`), []);
      await cli.s3("rb", `s3://${bucket}`);
    }
    await cli.s3("rb", "s3://odd-keys");
    assert.deepEqual(await cli.s3("ls"), []);
  });
}
