/**
 * Multipart uploads over HTTP: from create to complete, part rules, listings, checksums of both kinds.
 */
import { hash } from "node:crypto";
import { crc32 } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { elementOf, elementsOf, send } from "./client.ts";
import type { Answer, Call } from "./client.ts";
import { startEdge } from "./start-edge.ts";
import type { StartedEdge } from "./start-edge.ts";

const FIVE_MIB = 5 * 1024 * 1024;
const FIRST = Buffer.alloc(FIVE_MIB, "first part ");
const SECOND = Buffer.from("the last part may be small");

type Part = { readonly number: number; readonly etag: string; readonly extra?: string };

function completion(parts: readonly Part[]): string {
  const items = parts.map(
    ({ number, etag, extra = "" }) =>
      `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag>${extra}</Part>`,
  );
  return `<CompleteMultipartUpload>${items.join("")}</CompleteMultipartUpload>`;
}

function crcBase64(data: Buffer): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(data));
  return bytes.toString("base64");
}

describe("multipart uploads", () => {
  let started: StartedEdge;
  const call = (request: Call): Promise<Answer> => send(started.port, request);
  beforeAll(async () => {
    started = await startEdge();
    await send(started.port, { method: "PUT", url: "/bucket" });
  });
  afterAll(() => started.close());

  async function create(key: string, headers: Record<string, string> = {}): Promise<string> {
    const answer = await call({ method: "POST", url: `/bucket/${key}?uploads`, headers });
    expect(answer.status).toBe(200);
    return elementOf(answer.text, "UploadId") ?? "";
  }

  function part(
    at: { readonly key: string; readonly uploadId: string; readonly number: number },
    body: Buffer,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const url = `/bucket/${at.key}?partNumber=${at.number}&uploadId=${at.uploadId}`;
    return call({ method: "PUT", url, body, headers });
  }

  function complete(key: string, uploadId: string, body: string, headers = {}): Promise<Answer> {
    return call({ method: "POST", url: `/bucket/${key}?uploadId=${uploadId}`, body, headers });
  }

  test("an upload of two parts becomes one object, and a repeated Complete the same answer", async () => {
    const key = "two";
    const uploadId = await create(key, { "content-type": "text/x", "x-amz-meta-a": "b" });
    const one = await part({ key, uploadId, number: 1 }, FIRST);
    const two = await part({ key, uploadId, number: 2 }, SECOND);
    const parts = [
      { number: 1, etag: one.headers["etag"] ?? "" },
      { number: 2, etag: two.headers["etag"] ?? "" },
    ];
    const done = await complete(key, uploadId, completion(parts));
    const digests = Buffer.concat([FIRST, SECOND].map((bytes) => hash("md5", bytes, "buffer")));
    const etag = `"${hash("md5", digests, "hex")}-2"`;
    expect(elementOf(done.text, "ETag")).toBe(etag.replaceAll('"', "&quot;"));
    const again = await complete(key, uploadId, completion(parts));
    expect([again.status, again.text]).toEqual([200, done.text]);
    const got = await call({ url: `/bucket/${key}` });
    expect(got.body.equals(Buffer.concat([FIRST, SECOND]))).toBe(true);
    expect(got.headers).toMatchObject({ etag, "content-type": "text/x", "x-amz-meta-a": "b" });
  });

  test("GetObject_partNumber serves a part and counts them", async () => {
    const key = "parts";
    const uploadId = await create(key);
    const one = await part({ key, uploadId, number: 1 }, FIRST);
    const two = await part({ key, uploadId, number: 7 }, SECOND);
    const etags = [one.headers["etag"] ?? "", two.headers["etag"] ?? ""] as const;
    await complete(
      key,
      uploadId,
      completion([
        { number: 1, etag: etags[0] },
        { number: 7, etag: etags[1] },
      ]),
    );
    const got = await call({ url: `/bucket/${key}?partNumber=2` });
    expect([got.status, got.text]).toEqual([206, SECOND.toString()]);
    expect(got.headers["x-amz-mp-parts-count"]).toBe("2");
    expect(got.headers["content-range"]).toBe(
      `bytes ${FIVE_MIB}-${FIVE_MIB + SECOND.length - 1}/${FIVE_MIB + SECOND.length}`,
    );
    const beyond = await call({ url: `/bucket/${key}?partNumber=3` });
    expect([beyond.status, beyond.code]).toEqual([416, "InvalidPartNumber"]);
    expect((await call({ url: `/bucket/${key}?partNumber=0` })).code).toBe("InvalidArgument");
  });

  test("Complete_with_small_part, wrong etag, wrong order, nothing", async () => {
    const key = "rules";
    const uploadId = await create(key);
    const one = (await part({ key, uploadId, number: 1 }, SECOND)).headers["etag"] ?? "";
    const two = (await part({ key, uploadId, number: 2 }, SECOND)).headers["etag"] ?? "";
    const codeOf = async (parts: readonly Part[]): Promise<string | undefined> =>
      (await complete(key, uploadId, completion(parts))).code;
    expect(
      await codeOf([
        { number: 1, etag: one },
        { number: 2, etag: two },
      ]),
    ).toBe("EntityTooSmall");
    expect(await codeOf([{ number: 1, etag: '"00000000000000000000000000000000"' }])).toBe("InvalidPart");
    expect(await codeOf([{ number: 3, etag: one }])).toBe("InvalidPart");
    expect(
      await codeOf([
        { number: 2, etag: two },
        { number: 1, etag: one },
      ]),
    ).toBe("InvalidPartOrder");
    expect(await codeOf([])).toBe("MalformedXML");
    expect((await complete(key, uploadId, "")).code).toBe("MalformedXML");
    expect((await call({ url: `/bucket/${key}` })).code).toBe("NoSuchKey");
  });

  test("AbortMultipartUpload, and what is gone is NoSuchUpload", async () => {
    const key = "abort";
    const uploadId = await create(key);
    const url = `/bucket/${key}?uploadId=${uploadId}`;
    expect((await call({ method: "DELETE", url })).status).toBe(204);
    expect((await call({ method: "DELETE", url })).code).toBe("NoSuchUpload");
    expect((await part({ key, uploadId, number: 1 }, SECOND)).code).toBe("NoSuchUpload");
    expect((await call({ url })).code).toBe("NoSuchUpload");
    expect((await complete(key, uploadId, completion([{ number: 1, etag: '"x"' }]))).code).toBe(
      "NoSuchUpload",
    );
  });

  test.each(["0", "10001", "x", "-1"])("UploadPart_with_part_number_%s", async (number) => {
    const uploadId = await create("number");
    const url = `/bucket/number?partNumber=${number}&uploadId=${uploadId}`;
    expect((await call({ method: "PUT", url, body: "x" })).code).toBe("InvalidArgument");
  });

  test("ListParts pages by part number", async () => {
    const key = "listed";
    const uploadId = await create(key);
    for (const number of [3, 1, 2]) await part({ key, uploadId, number }, SECOND);
    const first = await call({ url: `/bucket/${key}?uploadId=${uploadId}&max-parts=2` });
    expect(elementsOf(first.text, "PartNumber")).toEqual(["1", "2"]);
    expect(elementOf(first.text, "IsTruncated")).toBe("true");
    const marker = elementOf(first.text, "NextPartNumberMarker") ?? "";
    const rest = await call({ url: `/bucket/${key}?uploadId=${uploadId}&part-number-marker=${marker}` });
    expect(elementsOf(rest.text, "PartNumber")).toEqual(["3"]);
    expect(elementOf(rest.text, "IsTruncated")).toBe("false");
  });

  test("ListMultipartUploads pages by key and id, and rolls up prefixes", async () => {
    await call({ method: "PUT", url: "/uploads" });
    for (const key of ["a", "b", "b", "dir/1", "dir/2", "z"]) {
      await call({ method: "POST", url: `/uploads/${key}?uploads` });
    }
    const seen: string[] = [];
    for (let query = "uploads&max-uploads=2", pages = 0; query !== "" && pages < 9; pages++) {
      const { text } = await call({ url: `/uploads?${query}` });
      seen.push(...elementsOf(text, "Key"));
      const [key, id] = [elementOf(text, "NextKeyMarker"), elementOf(text, "NextUploadIdMarker")];
      const isTruncated = elementOf(text, "IsTruncated") === "true";
      query = isTruncated ? `uploads&max-uploads=2&key-marker=${key}&upload-id-marker=${id}` : "";
    }
    expect(seen).toEqual(["a", "b", "b", "dir/1", "dir/2", "z"]);
    const grouped = await call({ url: "/uploads?uploads&delimiter=/" });
    expect(elementsOf(grouped.text, "Key")).toEqual(["a", "b", "b", "z"]);
    expect(elementsOf(grouped.text, "Prefix")).toEqual(["dir/"]);
  });

  test("a COMPOSITE checksum is made of the parts' and returned", async () => {
    const key = "composite";
    const uploadId = await create(key, { "x-amz-checksum-algorithm": "CRC32" });
    const one = await part({ key, uploadId, number: 1 }, FIRST, { "x-amz-checksum-crc32": crcBase64(FIRST) });
    const two = await part({ key, uploadId, number: 2 }, SECOND);
    expect(two.headers["x-amz-checksum-crc32"]).toBe(crcBase64(SECOND));
    const extra = `<ChecksumCRC32>${crcBase64(FIRST)}</ChecksumCRC32>`;
    const parts = [
      { number: 1, etag: one.headers["etag"] ?? "", extra },
      { number: 2, etag: two.headers["etag"] ?? "" },
    ];
    const done = await complete(key, uploadId, completion(parts));
    // Base64 of four bytes ends in padding, so the two cannot be joined as text.
    const joined = Buffer.concat(
      [crcBase64(FIRST), crcBase64(SECOND)].map((text) => Buffer.from(text, "base64")),
    );
    expect(elementOf(done.text, "ChecksumCRC32")).toBe(`${crcBase64(joined)}-2`);
    expect(elementOf(done.text, "ChecksumType")).toBe("COMPOSITE");
    const head = await call({
      method: "HEAD",
      url: `/bucket/${key}`,
      headers: { "x-amz-checksum-mode": "ENABLED" },
    });
    expect(head.headers["x-amz-checksum-crc32"]).toBe(`${crcBase64(joined)}-2`);
    expect(head.headers["x-amz-checksum-type"]).toBe("COMPOSITE");
  });

  test("a FULL_OBJECT checksum is that of all bytes, and a wrong expectation is BadDigest", async () => {
    const key = "full";
    const uploadId = await create(key, {
      "x-amz-checksum-algorithm": "CRC32",
      "x-amz-checksum-type": "FULL_OBJECT",
    });
    const one = (await part({ key, uploadId, number: 1 }, FIRST)).headers["etag"] ?? "";
    const two = (await part({ key, uploadId, number: 2 }, SECOND)).headers["etag"] ?? "";
    const body = completion([
      { number: 1, etag: one },
      { number: 2, etag: two },
    ]);
    const wrong = await complete(key, uploadId, body, { "x-amz-checksum-crc32": "AAAAAA==" });
    expect([wrong.status, wrong.code]).toEqual([400, "BadDigest"]);
    const expected = crcBase64(Buffer.concat([FIRST, SECOND]));
    const done = await complete(key, uploadId, body, { "x-amz-checksum-crc32": expected });
    expect(elementOf(done.text, "ChecksumCRC32")).toBe(expected);
  });

  test("a part with another algorithm than its upload is refused", async () => {
    const key = "other";
    const uploadId = await create(key, { "x-amz-checksum-algorithm": "SHA256" });
    const answer = await part({ key, uploadId, number: 1 }, SECOND, {
      "x-amz-checksum-crc32": crcBase64(SECOND),
    });
    expect([answer.status, answer.code]).toEqual([400, "InvalidRequest"]);
  });

  test("Complete_If-None-Match sees what is there", async () => {
    const key = "conditional";
    const uploadId = await create(key);
    const etag = (await part({ key, uploadId, number: 1 }, SECOND)).headers["etag"] ?? "";
    await call({ method: "PUT", url: `/bucket/${key}`, body: "earlier" });
    const body = completion([{ number: 1, etag }]);
    const refused = await complete(key, uploadId, body, { "if-none-match": "*" });
    expect([refused.code, elementOf(refused.text, "Condition")]).toEqual([
      "PreconditionFailed",
      "If-None-Match",
    ]);
    expect((await complete(key, uploadId, body)).status).toBe(200);
  });
});
