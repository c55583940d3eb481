/**
 * Versions over HTTP, against the real store: what a bucket keeps, what its readers are told, how versions
 * are removed and listed.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { send } from "../support/embedded.ts";
import { startEmbedded } from "../support/embedded.ts";
import type { Answer, TestServer } from "../support/embedded.ts";
import { elementOf, elementsOf } from "./client.ts";

let server: TestServer;
let buckets = 0;
beforeAll(async () => {
  server = await startEmbedded();
});
afterAll(() => server.close());

type Headers = Readonly<Record<string, string>>;

function call(method: string, url: string, body = "", headers: Headers = {}): Promise<Answer> {
  return send(server, { method, url, body: Buffer.from(body), headers });
}

const XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';
const configuration = (inner: string): string =>
  `<VersioningConfiguration ${XMLNS}>${inner}</VersioningConfiguration>`;

function setVersioning(bucket: string, status: string): Promise<Answer> {
  return call("PUT", `/${bucket}?versioning`, configuration(`<Status>${status}</Status>`));
}

async function newBucket(status?: "Enabled" | "Suspended"): Promise<string> {
  const bucket = `bucket-${++buckets}`;
  expect((await call("PUT", `/${bucket}`)).status).toBe(200);
  if (status !== undefined) expect((await setVersioning(bucket, status)).status).toBe(200);
  return bucket;
}

async function put(bucket: string, key: string, body: string, headers: Headers = {}): Promise<string> {
  const answer = await call("PUT", `/${bucket}/${key}`, body, headers);
  expect(answer.status).toBe(200);
  return String(answer.headers["x-amz-version-id"]);
}

async function remove(bucket: string, key: string): Promise<string> {
  const answer = await call("DELETE", `/${bucket}/${key}`);
  expect([answer.status, answer.headers["x-amz-delete-marker"]]).toEqual([204, "true"]);
  return String(answer.headers["x-amz-version-id"]);
}

const text = (answer: Answer): string => answer.body.toString();
const codeOf = (answer: Answer): string | undefined => elementOf(text(answer), "Code");
const versionOf = (answer: Answer): unknown => answer.headers["x-amz-version-id"];

/** Version ids in the order of a listing; delete markers behind a minus, the current one behind a star. */
async function versions(bucket: string, query = ""): Promise<readonly string[]> {
  const answer = await call("GET", `/${bucket}?versions${query}`);
  expect(answer.status).toBe(200);
  return shown(text(answer));
}

function keyOf(escaped: string | undefined): string {
  return (escaped ?? "").replaceAll("&#x1;", "\u0001");
}

function shown(xml: string): readonly string[] {
  return [...xml.matchAll(/<(Version|DeleteMarker)>(.*?)<\/\1>/g)].map(([, kind, body = ""]) => {
    const latest = elementOf(body, "IsLatest") === "true" ? "*" : "";
    const marker = kind === "DeleteMarker" ? "-" : "";
    return `${keyOf(elementOf(body, "Key"))} ${latest}${marker}${elementOf(body, "VersionId")}`;
  });
}

describe("the switch", () => {
  test("PutBucketVersioning_GetBucketVersioning: nothing, then Enabled, then Suspended", async () => {
    const bucket = await newBucket();
    const status = async (): Promise<string | undefined> =>
      elementOf(text(await call("GET", `/${bucket}?versioning`)), "Status");
    expect(await status()).toBeUndefined();
    await setVersioning(bucket, "Enabled");
    expect(await status()).toBe("Enabled");
    await setVersioning(bucket, "Suspended");
    expect(await status()).toBe("Suspended");
  });

  test.each([
    ["", "IllegalVersioningConfigurationException"],
    ["<Status>On</Status>", "MalformedXML"],
    ["<Status>Enabled</Status><Status>Enabled</Status>", "MalformedXML"],
    ["<Status><X/></Status>", "MalformedXML"],
    ["<Other>Enabled</Other>", "MalformedXML"],
    ["<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>", "NotImplemented"],
    ["<Status>Enabled</Status><MFADelete>Enabled</MFADelete>", "NotImplemented"],
    ["<Status>Enabled</Status><MfaDelete>Perhaps</MfaDelete>", "MalformedXML"],
  ])("PutBucketVersioning_%s is %s, and changes nothing", async (inner, code) => {
    const bucket = await newBucket();
    expect(codeOf(await call("PUT", `/${bucket}?versioning`, configuration(inner)))).toBe(code);
    expect(text(await call("GET", `/${bucket}?versioning`))).not.toContain("Status");
  });

  test("PutBucketVersioning_mfa_disabled with an x-amz-mfa header is taken", async () => {
    const bucket = await newBucket();
    const body = configuration("<MfaDelete>Disabled</MfaDelete><Status>Enabled</Status>");
    const answer = await call("PUT", `/${bucket}?versioning`, body, { "x-amz-mfa": "serial 123456" });
    expect(answer.status).toBe(200);
  });

  test("PutBucketVersioning_no_body, _no_bucket", async () => {
    const bucket = await newBucket();
    expect(codeOf(await call("PUT", `/${bucket}?versioning`))).toBe("MalformedXML");
    expect(codeOf(await setVersioning("absent", "Enabled"))).toBe("NoSuchBucket");
    expect(codeOf(await call("GET", "/absent?versioning"))).toBe("NoSuchBucket");
  });
});

describe("without versioning", () => {
  test("answers name no version, and null is the one there is", async () => {
    const bucket = await newBucket();
    expect(await put(bucket, "k", "1")).toBe("undefined");
    for (const url of [`/${bucket}/k`, `/${bucket}/k?versionId=null`]) {
      const got = await call("GET", url);
      expect([got.status, text(got), versionOf(got)]).toEqual([200, "1", undefined]);
    }
    const other = await call("GET", `/${bucket}/k?versionId=0000000001.0`);
    expect([other.status, codeOf(other)]).toEqual([404, "NoSuchVersion"]);
    expect(await versions(bucket)).toEqual(["k *null"]);
    const gone = await call("DELETE", `/${bucket}/k?versionId=null`);
    expect([gone.status, versionOf(gone), gone.headers["x-amz-delete-marker"]]).toEqual([
      204,
      undefined,
      undefined,
    ]);
    expect((await call("GET", `/${bucket}/k`)).status).toBe(404);
  });

  test("what was read before the switch is called null after it", async () => {
    const bucket = await newBucket();
    await put(bucket, "k", "1");
    expect(versionOf(await call("GET", `/${bucket}/k`))).toBeUndefined();
    await setVersioning(bucket, "Enabled");
    expect(versionOf(await call("GET", `/${bucket}/k`))).toBe("null");
    expect(versionOf(await call("HEAD", `/${bucket}/k`))).toBe("null");
  });
});

describe("reading", () => {
  test("GetObject_version: body, head, range and conditions of an older version", async () => {
    const bucket = await newBucket("Enabled");
    const first = await put(bucket, "k", "first body", { "x-amz-meta-n": "1" });
    const second = await put(bucket, "k", "second");
    expect(first).not.toBe(second);
    const current = await call("GET", `/${bucket}/k`);
    expect([text(current), versionOf(current)]).toEqual(["second", second]);
    const old = await call("GET", `/${bucket}/k?versionId=${first}`);
    expect([old.status, text(old), versionOf(old), old.headers["x-amz-meta-n"]]).toEqual([
      200,
      "first body",
      first,
      "1",
    ]);
    const head = await call("HEAD", `/${bucket}/k?versionId=${first}`);
    expect([head.status, head.headers["content-length"], versionOf(head)]).toEqual([200, "10", first]);
    const range = await call("GET", `/${bucket}/k?versionId=${first}`, "", { range: "bytes=6-9" });
    expect([range.status, text(range), versionOf(range)]).toEqual([206, "body", first]);
    const etag = String(old.headers["etag"]);
    const same = await call("GET", `/${bucket}/k?versionId=${first}`, "", { "if-none-match": etag });
    expect([same.status, versionOf(same)]).toEqual([304, first]);
    const other = await call("GET", `/${bucket}/k?versionId=${second}`, "", { "if-match": etag });
    expect([other.status, codeOf(other)]).toEqual([412, "PreconditionFailed"]);
  });

  test("GetObjectAttributes_version tells of that version, not of the current one", async () => {
    const bucket = await newBucket("Enabled");
    const first = await put(bucket, "k", "first body");
    await put(bucket, "k", "2");
    const headers = { "x-amz-object-attributes": "ObjectSize" };
    const got = await call("GET", `/${bucket}/k?attributes&versionId=${first}`, "", headers);
    expect([elementOf(text(got), "ObjectSize"), versionOf(got)]).toEqual(["10", first]);
  });

  test("GetObjectTagging_version never shows the tags of another version", async () => {
    const bucket = await newBucket("Enabled");
    const first = await put(bucket, "k", "1", { "x-amz-tagging": "of=first" });
    await put(bucket, "k", "2", { "x-amz-tagging": "of=second" });
    expect(text(await call("GET", `/${bucket}/k?tagging`))).toContain("second");
    expect(text(await call("GET", `/${bucket}/k?tagging&versionId=${first}`))).not.toContain("second");
  });

  test("GetObject_version of every size of body, whole and by its part", async () => {
    const bucket = await newBucket("Enabled");
    for (const size of [0, 200, 5000, 65_536, 200_000]) {
      const body = "0123456789".repeat(size / 10 + 1).slice(0, size);
      const id = await put(bucket, `k${size}`, body);
      await put(bucket, `k${size}`, "newer");
      const got = await call("GET", `/${bucket}/k${size}?versionId=${id}`);
      expect([got.status, got.body.length, text(got) === body]).toEqual([200, size, true]);
    }
  });

  test("GetObject_version_delete_marker: 405, with its time and what may be done", async () => {
    const bucket = await newBucket("Enabled");
    await put(bucket, "k", "1");
    const marker = await remove(bucket, "k");
    for (const method of ["GET", "HEAD"]) {
      const got = await call(method, `/${bucket}/k?versionId=${marker}`);
      expect(got.status).toBe(405);
      expect(got.headers["allow"]).toBe("DELETE");
      expect(got.headers["x-amz-delete-marker"]).toBe("true");
      expect(versionOf(got)).toBe(marker);
      expect(Date.parse(String(got.headers["last-modified"]))).toBeGreaterThan(Date.now() - 60_000);
      if (method === "GET") expect(codeOf(got)).toBe("MethodNotAllowed");
    }
  });

  test("GetObject_current_delete_marker: 404 that tells of the marker", async () => {
    const bucket = await newBucket("Enabled");
    const id = await put(bucket, "k", "1");
    expect(text(await call("GET", `/${bucket}/k`))).toBe("1");
    const marker = await remove(bucket, "k");
    for (const method of ["GET", "HEAD"]) {
      const got = await call(method, `/${bucket}/k`);
      expect([got.status, got.headers["x-amz-delete-marker"], versionOf(got)]).toEqual([404, "true", marker]);
      if (method === "GET") expect(codeOf(got)).toBe("NoSuchKey");
    }
    expect(text(await call("GET", `/${bucket}/k?versionId=${id}`))).toBe("1");
    const absent = await call("GET", `/${bucket}/never`);
    expect([absent.status, absent.headers["x-amz-delete-marker"]]).toEqual([404, undefined]);
  });

  test.each(["", "x", "0000000001", "null ", "0000000001.00"])(
    "GetObject_version_malformed_%j is InvalidArgument",
    async (id) => {
      const bucket = await newBucket("Enabled");
      await put(bucket, "k", "1");
      for (const method of ["GET", "DELETE"]) {
        const answer = await call(method, `/${bucket}/k?versionId=${encodeURIComponent(id)}`);
        expect([answer.status, codeOf(answer)]).toEqual([400, "InvalidArgument"]);
      }
      expect(text(await call("GET", `/${bucket}/k`))).toBe("1");
    },
  );

  test("GetObject_version_absent is NoSuchVersion, also of a version of another key", async () => {
    const bucket = await newBucket("Enabled");
    await put(bucket, "k", "1");
    const other = await put(bucket, "other", "2");
    for (const id of [other, "null", "zzzzzzzzzz.0"]) {
      const got = await call("GET", `/${bucket}/k?versionId=${id}`);
      expect([got.status, codeOf(got)]).toEqual([404, "NoSuchVersion"]);
    }
  });

  test("PutObject_with_version_id is refused and writes nothing", async () => {
    const bucket = await newBucket("Enabled");
    const id = await put(bucket, "k", "1");
    expect(codeOf(await call("PUT", `/${bucket}/k?versionId=${id}`, "2"))).toBe("InvalidArgument");
    expect(await versions(bucket)).toEqual([`k *${id}`]);
  });
});

describe("writing and removing", () => {
  test("PutObject_enabled_suspended: ids, then null, which is replaced wherever it is", async () => {
    const bucket = await newBucket();
    await put(bucket, "k", "0");
    await setVersioning(bucket, "Enabled");
    const first = await put(bucket, "k", "1");
    await setVersioning(bucket, "Suspended");
    expect(await put(bucket, "k", "2")).toBe("null");
    expect(await versions(bucket)).toEqual(["k *null", `k ${first}`]);
    expect(text(await call("GET", `/${bucket}/k?versionId=null`))).toBe("2");
    expect(await remove(bucket, "k")).toBe("null");
    expect(await versions(bucket)).toEqual(["k *-null", `k ${first}`]);
    expect((await call("DELETE", `/${bucket}/k?versionId=null`)).headers["x-amz-delete-marker"]).toBe("true");
    expect(text(await call("GET", `/${bucket}/k`))).toBe("1");
  });

  test("DeleteObject_version: exactly that one; the next older becomes current", async () => {
    const bucket = await newBucket("Enabled");
    const [a, b, c] = [await put(bucket, "k", "a"), await put(bucket, "k", "b"), await put(bucket, "k", "c")];
    expect((await call("DELETE", `/${bucket}/k?versionId=${b}`)).status).toBe(204);
    expect(await versions(bucket)).toEqual([`k *${c}`, `k ${a}`]);
    const gone = await call("DELETE", `/${bucket}/k?versionId=${c}`);
    expect([versionOf(gone), gone.headers["x-amz-delete-marker"]]).toEqual([c, undefined]);
    const got = await call("GET", `/${bucket}/k`);
    expect([text(got), versionOf(got)]).toEqual(["a", a]);
    const again = await call("DELETE", `/${bucket}/k?versionId=${c}`);
    expect([again.status, versionOf(again)]).toEqual([204, c]);
    await call("DELETE", `/${bucket}/k?versionId=${a}`);
    expect(await versions(bucket)).toEqual([]);
    expect((await call("DELETE", `/${bucket}`)).status).toBe(204);
  });

  test("DeleteObject_delete_marker_version undeletes", async () => {
    const bucket = await newBucket("Enabled");
    const id = await put(bucket, "k", "1");
    const [older, marker] = [await remove(bucket, "k"), await remove(bucket, "k")];
    expect(await versions(bucket)).toEqual([`k *-${marker}`, `k -${older}`, `k ${id}`]);
    const first = await call("DELETE", `/${bucket}/k?versionId=${marker}`);
    expect([first.headers["x-amz-delete-marker"], versionOf(first)]).toEqual(["true", marker]);
    expect((await call("GET", `/${bucket}/k`)).status).toBe(404);
    await call("DELETE", `/${bucket}/k?versionId=${older}`);
    expect(text(await call("GET", `/${bucket}/k`))).toBe("1");
  });

  test("DeleteObject_absent_key leaves a marker; the bucket is not empty until it is gone", async () => {
    const bucket = await newBucket("Enabled");
    const marker = await remove(bucket, "never");
    const answer = await call("DELETE", `/${bucket}`);
    expect([answer.status, codeOf(answer)]).toEqual([409, "BucketNotEmpty"]);
    await call("DELETE", `/${bucket}/never?versionId=${marker}`);
    expect((await call("DELETE", `/${bucket}`)).status).toBe(204);
  });

  test("a multipart upload becomes a version, and comes back whole when it is current again", async () => {
    const bucket = await newBucket("Enabled");
    const parts = ["x".repeat(5 * 1024 * 1024), "end"];
    const begun = await call("POST", `/${bucket}/k?uploads`);
    const uploadId = elementOf(text(begun), "UploadId");
    const etags: string[] = [];
    for (const [at, part] of parts.entries()) {
      const url = `/${bucket}/k?partNumber=${at + 1}&uploadId=${uploadId}`;
      etags.push(String((await call("PUT", url, part)).headers["etag"]));
    }
    const named = etags.map(
      (etag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${etag}</ETag></Part>`,
    );
    const document = `<CompleteMultipartUpload>${named.join("")}</CompleteMultipartUpload>`;
    const completed = await call("POST", `/${bucket}/k?uploadId=${uploadId}`, document);
    const id = String(versionOf(completed));
    expect([completed.status, await versions(bucket)]).toEqual([200, [`k *${id}`]]);
    const repeated = await call("POST", `/${bucket}/k?uploadId=${uploadId}`, document);
    expect([repeated.status, versionOf(repeated)]).toEqual([200, id]);
    const newer = await put(bucket, "k", "small");
    const second = await call("GET", `/${bucket}/k?versionId=${id}&partNumber=2`);
    expect([second.status, text(second), second.headers["x-amz-mp-parts-count"]]).toEqual([206, "end", "2"]);
    await call("DELETE", `/${bucket}/k?versionId=${newer}`);
    const back = await call("GET", `/${bucket}/k`);
    expect([text(back) === parts.join(""), versionOf(back)]).toEqual([true, id]);
    const part = await call("GET", `/${bucket}/k?partNumber=2`);
    expect([part.status, text(part)]).toEqual([206, "end"]);
  });

  test("PutObject_if_none_match_delete_marker counts as absent; If-Match on one is NoSuchKey", async () => {
    const bucket = await newBucket("Enabled");
    await put(bucket, "k", "1");
    expect((await call("PUT", `/${bucket}/k`, "2", { "if-none-match": "*" })).status).toBe(412);
    await remove(bucket, "k");
    const matched = await call("PUT", `/${bucket}/k`, "2", { "if-match": "*" });
    expect([matched.status, codeOf(matched)]).toEqual([404, "NoSuchKey"]);
    expect((await call("PUT", `/${bucket}/k`, "2", { "if-none-match": "*" })).status).toBe(200);
  });

  test("DeleteObjects_versions: markers, versions and what is not there, each with its answer", async () => {
    const bucket = await newBucket("Enabled");
    const id = await put(bucket, "a", "1");
    await put(bucket, "b", "1");
    const marker = await remove(bucket, "c");
    const objects =
      `<Object><Key>a</Key><VersionId>${id}</VersionId></Object><Object><Key>b</Key></Object>` +
      `<Object><Key>c</Key><VersionId>${marker}</VersionId></Object>` +
      "<Object><Key>d</Key><VersionId>nonsense</VersionId></Object>";
    const answer = await call("POST", `/${bucket}?delete`, `<Delete>${objects}</Delete>`);
    const xml = text(answer);
    const [a = "", b = "", c = ""] = elements(xml, "Deleted");
    expect(a).toBe(`<Key>a</Key><VersionId>${id}</VersionId>`);
    expect(b).toMatch(
      /^<Key>b<\/Key><DeleteMarker>true<\/DeleteMarker><DeleteMarkerVersionId>[0-9a-z]{10}\.\d+</,
    );
    expect(c).toBe(
      `<Key>c</Key><VersionId>${marker}</VersionId>` +
        `<DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>${marker}</DeleteMarkerVersionId>`,
    );
    expect(elements(xml, "Error")[0]).toContain("<Code>NoSuchVersion</Code>");
    expect((await versions(bucket)).map((line) => line.slice(0, 4))).toEqual(["b *-", "b 00"]);
  });
});

function elements(xml: string, name: string): readonly string[] {
  return [...xml.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, "g"))].map((match) => match[1] ?? "");
}

describe("ListObjectVersions", () => {
  const KEYS = ["a", "a/1", "a/2", "a\u0001", "b", "c/x/1", "é", "😀"];
  const path = (key: string): string => encodeURIComponent(key).replaceAll("%2F", "/");
  let bucket = "";
  let all: readonly string[] = [];

  beforeAll(async () => {
    bucket = await newBucket();
    for (const key of KEYS) await put(bucket, path(key), "old");
    await setVersioning(bucket, "Enabled");
    const newest = new Map<string, string[]>();
    for (const [at, key] of KEYS.entries()) {
      const found = [" null"];
      for (let round = 0; round < at % 4; round++) {
        const isMarker = (at + round) % 3 === 0;
        const id = isMarker ? await remove(bucket, path(key)) : await put(bucket, path(key), `${round}`);
        found.unshift(` ${isMarker ? "-" : ""}${id}`);
      }
      newest.set(key, [found[0]?.replace(" ", " *") ?? "", ...found.slice(1)]);
    }
    const sorted = KEYS.toSorted((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
    all = sorted.flatMap((key) => (newest.get(key) ?? []).map((line) => key + line));
  });

  test("shows all of them, keys in order of their bytes, of a key the newest first", async () => {
    expect(await versions(bucket)).toEqual(all);
    const xml = text(await call("GET", `/${bucket}?versions`));
    expect(elementsOf(xml, "DisplayName").length).toBe(all.length);
    expect(elementsOf(xml, "Size").length).toBe(all.filter((line) => !line.includes("-")).length);
    expect(elementOf(xml, "IsTruncated")).toBe("false");
  });

  async function paged(query: string, size: number): Promise<{ lines: string[]; prefixes: string[] }> {
    const [lines, prefixes]: [string[], string[]] = [[], []];
    for (let marker: string | undefined = ""; marker !== undefined;) {
      const page: Answer = await call("GET", `/${bucket}?versions&max-keys=${size}${query}${marker}`);
      const xml = text(page);
      const [shownLines, groups] = [shown(xml), elements(xml, "CommonPrefixes")];
      expect(shownLines.length + groups.length).toBeLessThanOrEqual(size);
      lines.push(...shownLines);
      prefixes.push(...groups);
      const [key, id] = [elementOf(xml, "NextKeyMarker"), elementOf(xml, "NextVersionIdMarker")];
      expect(elementOf(xml, "IsTruncated")).toBe(String(key !== undefined));
      marker =
        key === undefined ? undefined : `&key-marker=${path(keyOf(key))}&version-id-marker=${id ?? ""}`;
    }
    return { lines, prefixes };
  }

  test.each([1, 2, 3, 5, 1000])("pages of %i show everything once", async (size) => {
    expect((await paged("", size)).lines).toEqual(all);
    const under = await paged("&prefix=a", size);
    expect(under.lines).toEqual(all.filter((line) => line.startsWith("a")));
    const grouped = await paged("&delimiter=/", size);
    expect(grouped.prefixes).toEqual(["<Prefix>a/</Prefix>", "<Prefix>c/</Prefix>"]);
    expect(grouped.lines).toEqual(all.filter((line) => !/^[ac]\//.test(line)));
  });

  test("a key marker alone leaves its key out; with null it goes on behind that version", async () => {
    const behind = all.filter((line) => Buffer.compare(Buffer.from(line), Buffer.from("a/2!")) > 0);
    expect(await versions(bucket, "&key-marker=a/2")).toEqual(behind);
    expect(await versions(bucket, "&key-marker=a/2&version-id-marker=null")).toEqual(behind);
  });

  test("encoding-type=url, max-keys=0", async () => {
    const encoded = await versions(bucket, `&encoding-type=url&prefix=${path("é")}`);
    expect(encoded.every((line) => line.startsWith("%C3%A9 "))).toBe(true);
    const none = text(await call("GET", `/${bucket}?versions&max-keys=0`));
    expect([shown(none), elementOf(none, "IsTruncated")]).toEqual([[], "false"]);
  });

  test.each([
    ["&version-id-marker=null", "InvalidArgument"],
    ["&key-marker=a&version-id-marker=nonsense", "InvalidArgument"],
    ["&max-keys=x", "InvalidArgument"],
  ])("ListObjectVersions_%s is %s", async (query, code) => {
    expect(codeOf(await call("GET", `/${bucket}?versions${query}`))).toBe(code);
  });

  test("an absent bucket has none, and ListObjects shows no delete marker", async () => {
    expect(codeOf(await call("GET", "/absent?versions"))).toBe("NoSuchBucket");
    const keys = elementsOf(text(await call("GET", `/${bucket}?list-type=2`)), "Key");
    const current = all.filter((line) => line.includes("*") && !line.includes("-"));
    expect(keys.map(keyOf)).toEqual(current.map((line) => line.slice(0, line.lastIndexOf(" "))));
  });
});
