/**
 * What single objects must survive in the hands of the AWS CLI: bodies of all sizes, odd keys, headers and
 * metadata, ranges, checksums, multipart uploads in single steps.
 */
import { strict as assert } from "node:assert";
import { readFile, writeFile } from "node:fs/promises";
import type { AwsCli } from "./aws-cli.ts";
import { checksumOf } from "./expected-checksums.ts";
import type { ChecksumAlgorithm } from "./expected-checksums.ts";
import { inParallel } from "./in-parallel.ts";
import { ODD_KEYS, byUtf8 } from "./odd-names.ts";
import { MIB, TEST_BODIES, makeBytes, writeBodies } from "./test-bodies.ts";

type Listing = { readonly Contents?: readonly { readonly Key: string; readonly Size: number }[] };

export async function bodies(cli: AwsCli, bucket: string): Promise<void> {
  const { tally, path } = { tally: cli.world.tally, path: (name: string) => cli.world.path(name) };
  for (const body of await writeBodies(cli.world)) {
    await tally.step(`cp up and down: ${body.name}`, async () => {
      await cli.s3("cp", body.path, `s3://${bucket}/bodies/${body.name}`);
      await cli.s3("cp", `s3://${bucket}/bodies/${body.name}`, path(`${body.name}.back`));
      assert.ok(body.bytes.equals(await readFile(path(`${body.name}.back`))), "other bytes came back");
    });
  }
  await tally.step("cp from standard input and to standard output", async () => {
    const bytes = makeBytes(9 * MIB, "streamed");
    await cli.must(["s3", "cp", "-", `s3://${bucket}/bodies/streamed`], { input: bytes });
    assert.ok(bytes.equals(await cli.must(["s3", "cp", `s3://${bucket}/bodies/streamed`, "-"])));
  });
  await tally.step("a body of 20 MiB went up in three parts of 8 MiB", async () => {
    const head = await cli.api<{ ETag: string }>("head-object", "--bucket", bucket, "--key", "bodies/20MiB");
    assert.match(head.ETag, /^"[0-9a-f]{32}-3"$/);
  });
}

export async function bodiesAreThere(cli: AwsCli, bucket: string): Promise<void> {
  await cli.world.tally.step("after kill -9 and a restart every body is there", async () => {
    for (const { name, bytes } of TEST_BODIES) {
      const back = await cli.must(["s3", "cp", `s3://${bucket}/bodies/${name}`, "-"]);
      assert.ok(bytes.equals(back), `${name} came back with other bytes`);
    }
  });
}

/** Each odd key is put, got, listed, and deleted; and nothing but it. */
export async function oddKeys(cli: AwsCli, bucket: string): Promise<void> {
  const { tally } = cli.world;
  const file = (at: number): string => cli.world.path(`odd-${at}`);
  await tally.step(`${ODD_KEYS.length} odd keys are put and come back`, async () => {
    await inParallel(ODD_KEYS, async (key, at) => {
      await writeFile(file(at), `body of ${key}`);
      await cli.must(["s3api", "put-object", "--bucket", bucket, `--key=${key}`, "--body", file(at)]);
      await cli.must(["s3api", "get-object", "--bucket", bucket, `--key=${key}`, `${file(at)}.back`]);
      assert.equal(await readFile(`${file(at)}.back`, "utf8"), `body of ${key}`, JSON.stringify(key));
    });
  });
  await tally.step("odd keys are listed as they are, in the order of their bytes", async () => {
    const { Contents = [] } = await cli.api<Listing>("list-objects-v2", "--bucket", bucket);
    const keys = Contents.map(({ Key }) => Key);
    assert.deepEqual(keys, ODD_KEYS.toSorted(byUtf8));
  });
  await tally.step("odd keys are deleted one by one, or many at once", async () => {
    const half = Math.floor(ODD_KEYS.length / 2);
    await inParallel(ODD_KEYS.slice(0, half), async (key) => {
      await cli.must(["s3api", "delete-object", "--bucket", bucket, `--key=${key}`]);
    });
    const rest = { Objects: ODD_KEYS.slice(half).map((Key) => ({ Key })) };
    await writeFile(cli.world.path("delete.json"), JSON.stringify(rest));
    const request = `file://${cli.world.path("delete.json")}`;
    const answer = await cli.api<{ Errors?: unknown; Deleted: readonly { readonly Key: string }[] }>(
      "delete-objects",
      "--bucket",
      bucket,
      "--delete",
      request,
    );
    assert.equal(answer.Errors, undefined);
    assert.deepEqual(
      answer.Deleted.map(({ Key }) => Key).toSorted(byUtf8),
      ODD_KEYS.slice(half).toSorted(byUtf8),
    );
    assert.deepEqual(await cli.s3("ls", "--recursive", `s3://${bucket}`), []);
  });
}

export async function metadataAndRanges(cli: AwsCli, bucket: string): Promise<void> {
  const { tally } = cli.world;
  const object = ["--bucket", bucket, "--key", "described"];
  const body = makeBytes(300_000, "described");
  await writeFile(cli.world.path("described"), body);
  await tally.step("headers and metadata come back as they were given", async () => {
    const told = [
      ["--content-type", "text/x-thermocline; charset=utf-8"],
      ["--cache-control", "max-age=60"],
      ["--content-disposition", 'attachment; filename="a b.txt"'],
      ["--content-language", "de"],
      ["--metadata", "colour=blue green,Depth=12"],
    ];
    await cli.api("put-object", ...object, "--body", cli.world.path("described"), ...told.flat());
    const head = await cli.api<Record<string, unknown>>("head-object", ...object);
    assert.equal(head["ContentType"], "text/x-thermocline; charset=utf-8");
    assert.equal(head["CacheControl"], "max-age=60");
    assert.equal(head["ContentDisposition"], 'attachment; filename="a b.txt"');
    assert.equal(head["ContentLanguage"], "de");
    assert.deepEqual(head["Metadata"], { colour: "blue green", depth: "12" });
    assert.equal(head["ContentLength"], body.length);
  });
  const ranges: readonly (readonly [string, number, number])[] = [
    ["bytes=0-0", 0, 1],
    ["bytes=65530-131080", 65_530, 131_081],
    ["bytes=-7", body.length - 7, body.length],
    ["bytes=299990-999999", 299_990, body.length],
  ];
  for (const [range, start, end] of ranges) {
    await tally.step(`get-object --range ${range}`, async () => {
      const to = cli.world.path("ranged");
      const answer = await cli.api<{ ContentRange: string }>("get-object", ...object, "--range", range, to);
      assert.equal(answer.ContentRange, `bytes ${start}-${end - 1}/${body.length}`);
      assert.ok(body.subarray(start, end).equals(await readFile(to)), "other bytes came back");
    });
  }
  await tally.step("a range behind the end is refused as InvalidRange", async () => {
    const call = ["s3api", "get-object", ...object, "--range", "bytes=300000-", cli.world.path("none")];
    const { code, err } = await cli.run(call);
    assert.notEqual(code, 0);
    assert.match(err, /InvalidRange/);
  });
}

export async function checksums(
  cli: AwsCli,
  bucket: string,
  algorithms: readonly ChecksumAlgorithm[],
): Promise<void> {
  const body = makeBytes(100_000, "summed");
  const path = cli.world.path("summed");
  await writeFile(path, body);
  for (const algorithm of algorithms) {
    await cli.world.tally.step(
      `--checksum-algorithm ${algorithm} is verified, stored, returned`,
      async () => {
        const object = ["--bucket", bucket, "--key", `sum-${algorithm}`];
        await cli.api("put-object", ...object, "--body", path, "--checksum-algorithm", algorithm);
        const head = await cli.api<Record<string, unknown>>(
          "head-object",
          ...object,
          "--checksum-mode",
          "ENABLED",
        );
        assert.equal(head[`Checksum${algorithm}`], await checksumOf(algorithm, body));
        await cli.api("get-object", ...object, "--checksum-mode", "ENABLED", `${path}.back`);
        assert.ok(body.equals(await readFile(`${path}.back`)));
      },
    );
  }
  await cli.world.tally.step("a wrong checksum is refused and nothing is stored", async () => {
    const object = ["--bucket", bucket, "--key", "sum-wrong"];
    const wrong = await checksumOf("SHA256", Buffer.from("something else"));
    const { code, err } = await cli.run(
      ["s3api", "put-object", ...object, "--body", path].concat("--checksum-sha256", wrong),
    );
    assert.notEqual(code, 0);
    assert.match(err, /BadDigest|XAmzContentChecksumMismatch|InvalidRequest/);
    assert.notEqual((await cli.run(["s3api", "head-object", ...object])).code, 0);
  });
}

export async function multipart(cli: AwsCli, bucket: string): Promise<void> {
  const { tally } = cli.world;
  const object = ["--bucket", bucket, "--key", "in parts/%2e"];
  const parts = [makeBytes(5 * MIB, "one"), makeBytes(5 * MIB, "two"), makeBytes(1000, "three")];
  const upload = async (): Promise<readonly string[]> => {
    const { UploadId } = await cli.api<{ UploadId: string }>("create-multipart-upload", ...object);
    return [...object, "--upload-id", UploadId];
  };
  const put = async (target: readonly string[], at: number): Promise<string> => {
    const path = cli.world.path(`part-${at}`);
    await writeFile(path, parts[at] ?? "");
    const number = ["--part-number", String(at + 1), "--body", path];
    return (await cli.api<{ ETag: string }>("upload-part", ...target, ...number)).ETag;
  };
  await tally.step("an upload step by step: parts in any order, listed, completed", async () => {
    const target = await upload();
    const etags: string[] = [];
    for (const at of [2, 0, 1]) etags[at] = await put(target, at);
    const listed = await cli.api<{ Parts: readonly { PartNumber: number }[] }>("list-parts", ...target);
    assert.deepEqual(
      listed.Parts.map(({ PartNumber }) => PartNumber),
      [1, 2, 3],
    );
    const chosen = { Parts: etags.map((ETag, at) => ({ PartNumber: at + 1, ETag })) };
    await cli.api("complete-multipart-upload", ...target, "--multipart-upload", JSON.stringify(chosen));
    await cli.api("get-object", ...object, cli.world.path("parts.back"));
    assert.ok(Buffer.concat(parts).equals(await readFile(cli.world.path("parts.back"))));
  });
  await tally.step("one part of it by its number", async () => {
    await cli.api("get-object", ...object, "--part-number", "2", cli.world.path("part.back"));
    assert.ok(parts[1]?.equals(await readFile(cli.world.path("part.back"))));
  });
  await tally.step("an aborted upload leaves no object and no upload", async () => {
    const target = await upload();
    await put(target, 0);
    const before = await cli.api<{ Uploads?: unknown[] }>("list-multipart-uploads", "--bucket", bucket);
    assert.equal(before.Uploads?.length, 1);
    await cli.api("abort-multipart-upload", ...target);
    const after = await cli.api<{ Uploads?: unknown[] }>("list-multipart-uploads", "--bucket", bucket);
    assert.equal(after.Uploads, undefined);
    const { err } = await cli.run(["s3api", "list-parts", ...target]);
    assert.match(err, /NoSuchUpload/);
  });
}
