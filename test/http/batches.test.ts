/**
 * WriteBatch and GetObjects over HTTP, on a real store: what users rely on, and everything that is no batch.
 */
import { hash, randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { BATCH_BYTES_MAX } from "../../src/s3/batch.ts";
import { blockAfter, readReadme, sessionOf } from "../scenario/readme-blocks.ts";
import { RealBucket } from "./real-bucket.ts";
import type { Reply } from "./real-bucket.ts";

type Operation = Readonly<Record<string, unknown>>;

const md5 = (bytes: Buffer | string): string => `"${hash("md5", bytes, "hex")}"`;
const put = (key: string, size: number, more: Operation = {}): Operation => ({
  op: "put",
  key,
  size,
  ...more,
});
const TYPE = { "content-type": "application/x-thermocline-batch" };

function write(
  bucket: RealBucket,
  operations: readonly Operation[],
  ...bodies: readonly (string | Buffer)[]
): Promise<Reply> {
  const head = `${JSON.stringify({ operations })}\n`;
  return bucket.call(
    "POST",
    "/bucket?batch",
    TYPE,
    Buffer.concat([head, ...bodies].map((each) => Buffer.from(each))),
  );
}

async function text(bucket: RealBucket, key: string): Promise<string> {
  const { status, text: body } = await bucket.get(key);
  return status === 200 ? body : `${status}`;
}

describe("WriteBatch", () => {
  test("WriteBatch_puts_deletes_copies_checks are all done, in one entry of the log", async () => {
    await using bucket = await RealBucket.open();
    await bucket.put("old", "old");
    const before = Number((await bucket.put("gone", "gone")).headers["x-thermocline-applied-index"]);
    const metadata = { contentType: "text/plain", metadata: { City: "Köln" } };
    const answer = await write(
      bucket,
      [
        put("a", 5, { ...metadata, ifNoneMatch: "*" }),
        { op: "delete", key: "gone" },
        { op: "copy", key: "copy-of-old", source: "old" },
        { op: "check", key: "old", ifMatch: md5("old") },
        put("empty", 0),
        put("b", 1),
        { op: "copy", key: "copy-of-a", source: "a" },
      ],
      "hello",
      "b",
    );
    expect([answer.status, answer.headers["content-type"]]).toEqual([200, "application/json"]);
    expect(JSON.parse(answer.text)).toEqual({
      results: [
        { op: "put", key: "a", etag: md5("hello") },
        { op: "delete", key: "gone" },
        { op: "copy", key: "copy-of-old", etag: md5("old") },
        { op: "check", key: "old" },
        { op: "put", key: "empty", etag: md5("") },
        { op: "put", key: "b", etag: md5("b") },
        { op: "copy", key: "copy-of-a", etag: md5("hello") },
      ],
    });
    expect(Number(answer.headers["x-thermocline-applied-index"])).toBe(before + 1);
    const texts = await Promise.all(
      ["a", "gone", "copy-of-old", "empty", "b", "copy-of-a"].map((key) => text(bucket, key)),
    );
    expect(texts).toEqual(["hello", "404", "old", "", "b", "hello"]);
    for (const key of ["a", "copy-of-a"]) {
      const { headers } = await bucket.get(key);
      // As S3 shows what is not ASCII.
      const city = `=?UTF-8?B?${Buffer.from("Köln").toString("base64")}?=`;
      const shown = { "content-type": "text/plain", etag: md5("hello"), "x-amz-meta-city": city };
      expect(headers).toMatchObject(shown);
    }
  });

  test("WriteBatch_with_a_condition_that_fails names it and leaves everything as it was", async () => {
    await using bucket = await RealBucket.open();
    await bucket.put("a", "a");
    for (const [failing, status, code] of [
      [put("a", 1, { ifNoneMatch: "*" }), 412, "PreconditionFailed"],
      [put("a", 1, { ifMatch: md5("other") }), 412, "PreconditionFailed"],
      [{ op: "delete", key: "absent", ifMatch: "*" }, 412, "NoSuchKey"],
      [{ op: "check", key: "b", ifNoneMatch: "*" }, 412, "PreconditionFailed"],
      [{ op: "copy", key: "c", source: "absent" }, 409, "NoSuchKey"],
      [{ op: "copy", key: "c", source: "a", ifMatch: md5("c") }, 412, "NoSuchKey"],
    ] as const) {
      const bodies = "size" in failing ? ["b", "x"] : ["b"];
      const answer = await write(bucket, [put("b", 1), { op: "delete", key: "a2" }, failing], ...bodies);
      const { failed } = JSON.parse(answer.text);
      expect([answer.status, failed.operation, failed.key, failed.code]).toEqual([
        status,
        2,
        (failing as Operation)["key"],
        code,
      ]);
      expect([await text(bucket, "a"), await text(bucket, "b")]).toEqual(["a", "404"]);
    }
  });

  test("WriteBatch_as_the_README_shows_it answers what the README shows", async () => {
    await using bucket = await RealBucket.open();
    const [example] = sessionOf(blockAfter(readReadme(), "<!-- batch session -->"));
    const data = /--data-binary \$'(.*)'$/.exec(example?.command ?? "")?.[1] ?? "";
    const answer = await bucket.call("POST", "/bucket?batch", {}, data.replace("\\n", "\n"));
    expect([answer.status, answer.text]).toEqual([200, example?.output]);
    expect([await text(bucket, "a"), await text(bucket, "b")]).toEqual(["one", "two"]);
  });

  test("WriteBatch_same_key_twice takes them in order, and copies what the batch made", async () => {
    await using bucket = await RealBucket.open();
    const operations = [
      put("k", 1, { ifNoneMatch: "*" }),
      put("k", 1, { ifMatch: md5("1") }),
      { op: "copy", key: "copy", source: "k" },
      { op: "copy", key: "copy-of-copy", source: "copy" },
      { op: "delete", key: "k" },
      put("k", 1, { ifNoneMatch: "*" }),
    ];
    const answer = await write(bucket, operations, "1", "2", "3");
    expect([answer.status, answer.text]).toEqual([200, expect.stringContaining("results")]);
    const texts = [await text(bucket, "k"), await text(bucket, "copy"), await text(bucket, "copy-of-copy")];
    expect(texts).toEqual(["3", "2", "2"]);
    const gone = await write(bucket, [
      { op: "delete", key: "k" },
      { op: "copy", key: "c", source: "k" },
    ]);
    expect([gone.status, await text(bucket, "k")]).toEqual([409, "3"]);
  });

  test("WriteBatch_swap of two large objects shares their bodies", async () => {
    await using bucket = await RealBucket.open();
    const [a, b] = [randomBytes(200_000), randomBytes(300_000)];
    await bucket.put("a", a);
    await bucket.put("b", b);
    const operations = [
      { op: "copy", key: "spare", source: "a" },
      { op: "copy", key: "a", source: "b" },
      { op: "copy", key: "b", source: "spare" },
      { op: "delete", key: "spare" },
    ];
    expect((await write(bucket, operations)).status).toBe(200);
    expect((await bucket.get("a")).body.equals(b)).toBe(true);
    expect((await bucket.get("b")).body.equals(a)).toBe(true);
    expect(await text(bucket, "spare")).toBe("404");
  });

  test("WriteBatch_versioned shows the id of each version and each delete marker", async () => {
    await using bucket = await RealBucket.open();
    const enable = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    await bucket.call("PUT", "/bucket?versioning", {}, enable);
    const answer = await write(
      bucket,
      [put("k", 1), put("k", 1), { op: "delete", key: "k" }, put("k", 1)],
      "1",
      "2",
      "3",
    );
    const { results } = JSON.parse(answer.text);
    const ids = results.map(({ versionId }: { versionId: string }) => versionId);
    expect(new Set(ids).size).toBe(4);
    expect(results[2].deleteMarker).toBe(true);
    const texts = await Promise.all([0, 1, 3].map((at) => text(bucket, `k?versionId=${ids[at]}`)));
    expect(texts).toEqual(["1", "2", "3"]);
  });

  async function versioned(): Promise<RealBucket> {
    const bucket = await RealBucket.open();
    const enable = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    await bucket.call("PUT", "/bucket?versioning", {}, enable);
    return bucket;
  }

  const idOf = ({ headers }: Reply): string => String(headers["x-amz-version-id"]);

  test("WriteBatch_of_versions removes them, and later operations meet what comes to light", async () => {
    await using bucket = await versioned();
    const [first, second, third] = [
      idOf(await bucket.put("k", "1")),
      idOf(await bucket.put("k", "2")),
      idOf(await bucket.put("k", "3")),
    ];
    const marker = idOf(await bucket.call("DELETE", "/bucket/k"));
    const remove = (versionId: string): Operation => ({ op: "delete", key: "k", versionId });
    const check = (ifMatch: string): Operation => ({ op: "check", key: "k", ifMatch });
    const steps = [
      { op: "check", key: "k", ifNoneMatch: "*" },
      remove(second),
      remove(marker),
      check(md5("3")),
      remove(third),
      check(md5("1")),
    ];
    const refused = await write(bucket, [...steps, check(md5("2"))]);
    expect([refused.status, JSON.parse(refused.text).failed.operation]).toEqual([412, 6]);
    expect(idOf(await bucket.get(`k?versionId=${third}`))).toBe(third);
    const answer = await write(bucket, [...steps, put("k", 1, { ifMatch: md5("1") })], "4");
    const { results } = JSON.parse(answer.text);
    expect(results.slice(1, 3)).toEqual([
      { op: "delete", key: "k", versionId: second },
      { op: "delete", key: "k", versionId: marker, deleteMarker: true },
    ]);
    const texts = [first, second, third].map((id) => text(bucket, `k?versionId=${id}`));
    expect([await text(bucket, "k"), ...(await Promise.all(texts))]).toEqual(["4", "1", "404", "404"]);
  });

  test("WriteBatch_of_the_null_version sees which one it is", async () => {
    await using bucket = await versioned();
    const one = idOf(await bucket.put("k", "1"));
    const suspend = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    await bucket.call("PUT", "/bucket?versioning", {}, suspend);
    await bucket.put("k", "null");
    const operations = [
      put("k", 1),
      { op: "delete", key: "k", versionId: "null" },
      { op: "check", key: "k", ifMatch: md5("1") },
    ];
    expect((await write(bucket, operations, "2")).status).toBe(200);
    const { headers, text: body } = await bucket.get("k");
    expect([body, headers["x-amz-version-id"]]).toEqual(["1", one]);
    await using plain = await RealBucket.open();
    await plain.put("k", "1");
    const again = [
      { op: "delete", key: "k", versionId: "null" },
      { op: "check", key: "k", ifNoneMatch: "*" },
    ];
    expect((await write(plain, again)).status).toBe(200);
    expect(await text(plain, "k")).toBe("404");
  });

  test("WriteBatch_with_tags puts them beside what it writes; a copy without has its source's", async () => {
    await using bucket = await RealBucket.open();
    await bucket.put("tagged", "x", { "x-amz-tagging": "of=source" });
    const operations = [
      put("put", 1, { tags: { "a b": "ü", c: "" } }),
      { op: "copy", key: "kept", source: "tagged" },
      { op: "copy", key: "replaced", source: "tagged", tags: { own: "1" } },
      { op: "copy", key: "cleared", source: "tagged", tags: {} },
      { op: "copy", key: "of-put", source: "put" },
      { op: "copy", key: "of-put-replaced", source: "put", tags: { own: "2" } },
    ];
    expect((await write(bucket, operations, "p")).status).toBe(200);
    const tagsOf = async (key: string): Promise<string> => {
      const { text: xml } = await bucket.get(`${key}?tagging`);
      return [...xml.matchAll(/<Key>(.*?)<\/Key><Value>(.*?)<\/Value>/g)]
        .map(([, k, v]) => `${k}=${v}`)
        .join();
    };
    const keys = ["put", "kept", "replaced", "cleared", "of-put", "of-put-replaced"];
    expect(await Promise.all(keys.map(tagsOf))).toEqual([
      "a b=ü,c=",
      "of=source",
      "own=1",
      "",
      "a b=ü,c=",
      "own=2",
    ]);
  });

  test("WriteBatch_thousand operations, or the largest body, are written and read back", async () => {
    await using bucket = await RealBucket.open();
    const bodies = Array.from({ length: 1000 }, () => randomBytes(8000));
    const operations = bodies.map((body, at) => put(`k/${at}`, body.length));
    expect((await write(bucket, operations, ...bodies)).status).toBe(200);
    for (const at of [0, 1, 500, 999])
      expect((await bucket.get(`k/${at}`)).body.equals(bodies[at] as Buffer)).toBe(true);
    const large = randomBytes(65_536);
    expect((await write(bucket, [put("large", 65_536)], large)).status).toBe(200);
    expect((await bucket.get("large")).body.equals(large)).toBe(true);
    const copyAt = (at: number): Operation => ({ op: "copy", key: `c/${at}`, source: "large" });
    const copies = Array.from({ length: 200 }, (_, at) => copyAt(at));
    expect((await write(bucket, copies)).code).toBe("EntityTooLarge");
    expect(await text(bucket, "c/0")).toBe("404");
  });

  const post = (bucket: RealBucket, body: string | Buffer) =>
    bucket.call("POST", "/bucket?batch", TYPE, body);
  const json = (value: unknown): string => `${JSON.stringify(value)}\n`;
  const remove = (key: string, more: Operation): Operation => ({ op: "delete", key, ...more });
  test.each<readonly [name: string, body: string | Buffer, code: string]>([
    ["nothing", "", "InvalidRequest"],
    ["no JSON", "{operations\n", "InvalidRequest"],
    ["no object", "[]\n", "InvalidRequest"],
    ["no operations", json({}), "InvalidRequest"],
    ["an empty list", json({ operations: [] }), "InvalidRequest"],
    [
      "more than a thousand",
      json({ operations: Array.from({ length: 1001 }, () => ({ op: "delete", key: "k" })) }),
      "InvalidRequest",
    ],
    ["an unknown operation", json({ operations: [{ op: "rename", key: "k" }] }), "InvalidRequest"],
    ["an unknown field", json({ operations: [{ op: "delete", key: "k", ifmatch: "x" }] }), "InvalidRequest"],
    ["a field beside operations", json({ operations: [{ op: "delete", key: "k" }], a: 1 }), "InvalidRequest"],
    ["no key", json({ operations: [{ op: "delete" }] }), "InvalidRequest"],
    ["an empty key", json({ operations: [{ op: "delete", key: "" }] }), "InvalidArgument"],
    [
      "a key that is too long",
      json({ operations: [{ op: "delete", key: "x".repeat(1025) }] }),
      "KeyTooLongError",
    ],
    ["half a character", '{"operations":[{"op":"delete","key":"\\ud800"}]}\n', "InvalidURI"],
    ["a check of nothing", json({ operations: [{ op: "check", key: "k" }] }), "InvalidRequest"],
    ["no size", json({ operations: [{ op: "put", key: "k" }] }), "InvalidRequest"],
    ["a negative size", json({ operations: [put("k", -1)] }), "InvalidRequest"],
    ["half a byte", json({ operations: [put("k", 0.5)] }), "InvalidRequest"],
    [
      "a large body",
      Buffer.concat([Buffer.from(json({ operations: [put("k", 65_537)] })), randomBytes(65_537)]),
      "EntityTooLarge",
    ],
    ["too few bytes", `${json({ operations: [put("k", 5)] })}abcd`, "InvalidRequest"],
    ["too many bytes", `${json({ operations: [put("k", 5)] })}abcdef`, "InvalidRequest"],
    [
      "a line break in metadata",
      json({ operations: [put("k", 0, { metadata: { a: "b\r\nc: d" } })] }),
      "InvalidRequest",
    ],
    [
      "a name no header has",
      json({ operations: [put("k", 0, { metadata: { "a b": "c" } })] }),
      "InvalidRequest",
    ],
    [
      "two conditions",
      json({ operations: [put("k", 0, { ifMatch: "*", ifNoneMatch: "*" })] }),
      "NotImplemented",
    ],
    [
      "a version id that is none",
      json({ operations: [remove("k", { versionId: "v1" })] }),
      "InvalidArgument",
    ],
    [
      "a version with a condition",
      json({ operations: [remove("k", { versionId: "null", ifMatch: "*" })] }),
      "NotImplemented",
    ],
    [
      "a copy of what a deleted version leaves",
      json({ operations: [remove("k", { versionId: "null" }), { op: "copy", key: "c", source: "k" }] }),
      "InvalidRequest",
    ],
    ["tags on a deletion", json({ operations: [remove("k", { tags: {} })] }), "InvalidRequest"],
    ["a list of tags", json({ operations: [put("k", 0, { tags: ["a"] })] }), "InvalidRequest"],
    ["a tag that is a number", json({ operations: [put("k", 0, { tags: { a: 1 } })] }), "InvalidRequest"],
    ["a tag of AWS", json({ operations: [put("k", 0, { tags: { "aws:a": "1" } })] }), "InvalidTag"],
    ["a head without end", "x".repeat(3_000_000), "MaxMessageLengthExceeded"],
    ["more than the bound", Buffer.alloc(BATCH_BYTES_MAX + 1), "EntityTooLarge"],
  ])("WriteBatch_that_is_%s is refused and writes nothing", async (_, body, code) => {
    await using bucket = await RealBucket.open();
    await bucket.put("k", "stays");
    const answer = await post(bucket, body);
    expect([answer.status < 500 || code === "NotImplemented", answer.code]).toEqual([true, code]);
    expect(await text(bucket, "k")).toBe("stays");
  });

  test("WriteBatch_whose_bytes_are_not_those_that_were_signed is refused", async () => {
    await using bucket = await RealBucket.open();
    const headers = { ...TYPE, "content-md5": Buffer.alloc(16).toString("base64") };
    const answer = await bucket.call("POST", "/bucket?batch", headers, json({ operations: [put("k", 0)] }));
    expect([answer.code, await text(bucket, "k")]).toEqual(["BadDigest", "404"]);
  });
});

type Head = {
  readonly objects: readonly (Operation & { readonly status: number; readonly size?: number })[];
};

function parse({ body }: Reply): { readonly head: Head; readonly bodies: readonly Buffer[] } {
  const end = body.indexOf("\n");
  const head: Head = JSON.parse(body.toString("utf8", 0, end));
  let at = end + 1;
  const bodies = head.objects.map(({ status, size = 0 }) => {
    const length = status === 200 ? size : 0;
    at += length;
    return body.subarray(at - length, at);
  });
  expect(at).toBe(body.length);
  return { head, bodies };
}

const getMany = (bucket: RealBucket, keys: unknown): Promise<Reply> =>
  bucket.call("POST", "/bucket?batch-get", {}, JSON.stringify(keys));

describe("GetObjects", () => {
  test("GetObjects_present_and_absent come in the order they were asked for", async () => {
    await using bucket = await RealBucket.open();
    const large = randomBytes(3_000_000);
    await bucket.put("small", "small", { "content-type": "text/plain", "x-amz-meta-a": "1" });
    await bucket.put("large", large);
    await bucket.put("empty", "");
    const answer = await getMany(bucket, ["large", "absent", "small", "empty", "small"]);
    expect([answer.status, answer.headers["content-type"]]).toEqual([200, "application/x-thermocline-batch"]);
    const { head, bodies } = parse(answer);
    expect(head.objects.map(({ status }) => status)).toEqual([200, 404, 200, 200, 200]);
    expect(head.objects[1]).toEqual({ status: 404, code: "NoSuchKey", key: "absent" });
    expect(head.objects[2]).toMatchObject({
      key: "small",
      size: 5,
      etag: md5("small"),
      contentType: "text/plain",
      metadata: { a: "1" },
    });
    expect(bodies[0]?.equals(large)).toBe(true);
    expect(bodies.slice(1).map(String)).toEqual(["", "small", "", "small"]);
  });

  test("GetObjects_beyond_the_bound names what does not fit, without its body", async () => {
    await using bucket = await RealBucket.open();
    const large = randomBytes(5_000_000);
    await bucket.put("a", large);
    await bucket.put("b", "b");
    const { head, bodies } = parse(await getMany(bucket, ["a", "a", "b"]));
    expect(head.objects.map(({ status, code, size }) => [status, code, size])).toEqual([
      [200, undefined, 5_000_000],
      [413, "EntityTooLarge", 5_000_000],
      [200, undefined, 1],
    ]);
    expect([bodies[0]?.equals(large), String(bodies[2])]).toEqual([true, "b"]);
  });

  test.each([
    ["no list", {}, "InvalidRequest"],
    ["an empty list", [], "InvalidRequest"],
    ["a list of numbers", [1], "InvalidRequest"],
    ["more than a thousand", Array(1001).fill("k"), "InvalidRequest"],
    ["an empty key", [""], "InvalidArgument"],
  ])("GetObjects_of_%s is refused", async (_, keys, code) => {
    await using bucket = await RealBucket.open();
    const answer = await getMany(bucket, keys);
    expect([answer.status, answer.code]).toEqual([400, code]);
  });
});

test("x-thermocline-consistency is a word that means something, or the request is refused", async () => {
  await using bucket = await RealBucket.open();
  await bucket.put("k", "k");
  const asked = (word: string) => bucket.get("k", { "x-thermocline-consistency": word });
  expect([(await asked("linearizable")).status, (await asked("eventual")).status]).toEqual([200, 200]);
  for (const word of ["strong", "", "Eventual"]) {
    const answer = await asked(word);
    expect([word, answer.status, answer.code]).toEqual([word, 400, "InvalidArgument"]);
  }
});
