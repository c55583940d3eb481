/** Request documents read strictly, response documents read back by a strict parser. */

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { finishAtOnce } from "../../src/base/steps.ts";
import { listBucketsXml, listObjectsV1Xml, listObjectsV2Xml } from "../../src/s3/list-xml.ts";
import type { ListingV2 } from "../../src/s3/list-xml.ts";
import {
  completeMultipartUploadXml,
  deleteResultXml,
  initiateMultipartUploadXml,
  listMultipartUploadsXml,
  listPartsXml,
} from "../../src/s3/multipart-xml.ts";
import type { PartToComplete } from "../../src/s3/request-documents.ts";
import {
  PARTS_PER_STEP,
  parseCompleteMultipartUpload,
  parseCreateBucketConfiguration,
  parseDelete,
} from "../../src/s3/request-documents.ts";
import { XML_STEP_BYTES, readXml, XmlReader } from "../../src/s3/xml-read.ts";
import type { XmlElement } from "../../src/s3/xml-read.ts";
import { escapeXml, urlEncodeName } from "../../src/s3/xml-write.ts";

const OPTIONS = { bytesMax: 1024 * 1024 };
const MALFORMED = expect.objectContaining({ code: "MalformedXML" }) as unknown;

function read(xml: string): XmlElement {
  return finishAtOnce(readXml(Buffer.from(xml), OPTIONS));
}

function parseComplete(root: XmlElement): readonly PartToComplete[] {
  return finishAtOnce(parseCompleteMultipartUpload(root));
}

function texts(root: XmlElement, name: string): readonly string[] {
  const own = root.children.filter((child) => child.name === name).map((child) => child.text);
  return own.concat(root.children.flatMap((child) => texts(child, name)));
}

describe("the strict reader", () => {
  test("DeleteObjects_keys_are_kept_exactly", () => {
    const xml =
      '<?xml version="1.0" encoding="UTF-8"?>\n<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
      "<Object><Key>0012</Key></Object><Object><Key> x </Key></Object>" +
      "<Object><Key>a&#13;&#10;b</Key></Object>" +
      "<Object><Key>&lt;&amp;&gt;&quot;&apos;</Key></Object><Object><Key><![CDATA[<c>]]>d</Key></Object>" +
      "<Object><Key>\t1e3</Key><VersionId>null</VersionId></Object><Quiet>true</Quiet></Delete>";
    const { objects, isQuiet } = parseDelete(read(xml));
    expect(objects.map((object) => object.key)).toEqual(["0012", " x ", "a\r\nb", "<&>\"'", "<c>d", "\t1e3"]);
    expect(objects[5]?.versionId).toBe("null");
    expect(isQuiet).toBe(true);
  });

  test("DeleteObjects_documents_that_are_no_XML_are_MalformedXML", () => {
    const bad = [
      "<Delete><Object><Key>a</Key></Object>",
      "<Delete><Object><Key>a</Object></Key></Delete>",
      "<Delete><Object><Key>a & b</Key></Object></Delete>",
      "<Delete><Object><Key>&nbsp;</Key></Object></Delete>",
      "<Delete><Object><Key>&#0;</Key></Object></Delete>",
      '<!DOCTYPE Delete [<!ENTITY a "b">]><Delete><Object><Key>&a;</Key></Object></Delete>',
      "<Delete><?php x?><Object><Key>a</Key></Object></Delete>",
      '<?xml version="1.0" encoding="UTF-16"?><Delete><Object><Key>a</Key></Object></Delete>',
      "<Delete>text<Object><Key>a</Key></Object></Delete>",
      "<Delete><Object><Key>a</Key></Object></Delete>trailing",
      "<Delete><Object><Key>a</Key></Object></Delete><Delete/>",
      "leading<Delete/>",
      "plain",
      " ",
      "{}",
      `${"<a>".repeat(11)}${"</a>".repeat(11)}`,
      "<s3:Delete><Object><Key>a</Key></Object></s3:Delete>",
    ];
    for (const xml of bad) expect(() => parseDelete(read(xml)), xml).toThrow(MALFORMED);
    expect(() =>
      finishAtOnce(readXml(Buffer.from([0x3c, 0x61, 0x3e, 0xff, 0x3c, 0x2f, 0x61, 0x3e]), OPTIONS)),
    ).toThrow(MALFORMED);
    expect(() => read("")).toThrow(expect.objectContaining({ code: "MissingRequestBodyError" }));
    expect(() => finishAtOnce(readXml(Buffer.alloc(11, " "), { bytesMax: 10 }))).toThrow(
      expect.objectContaining({ code: "MaxMessageLengthExceeded" }),
    );
  });

  test("bytes in any pieces give the same tree", () => {
    const keys = fc.array(fc.string({ unit: "grapheme", maxLength: 20 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(keys, fc.integer({ min: 1, max: 7 }), (names, size) => {
        const valid = names.filter(
          (name) => name !== "" && !/[^\t\n\r -\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(name),
        );
        const objects = valid.map((name) => `<Object><Key>${escapeXml(name)}</Key></Object>`).join("");
        const bytes = Buffer.from(
          `\ufeff<p:Delete xmlns:p="urn:x">${objects.replaceAll("</", "</")}</p:Delete>`,
        );
        const reader = new XmlReader(OPTIONS);
        for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
        const root = reader.end();
        expect(texts(root, "Key")).toEqual(valid);
        if (valid.length > 0) expect(parseDelete(root).objects.map((object) => object.key)).toEqual(valid);
      }),
      { seed: 10, numRuns: 200 },
    );
  });

  test("a document is read in steps of bounded length, and others run in between", () => {
    const numbers = Array.from({ length: 10_000 }, (_, at) => at + 1);
    const xml = completion(numbers);
    const reading = readXml(Buffer.from(xml), OPTIONS);
    let steps = 1;
    let step = reading.next();
    for (; step.done !== true; step = reading.next()) steps++;
    expect(steps).toBe(Math.ceil(xml.length / XML_STEP_BYTES));
    expect(XML_STEP_BYTES).toBeLessThanOrEqual(16 * 1024);
    const parsing = parseCompleteMultipartUpload(step.value);
    let yields = 0;
    let parsed = parsing.next();
    for (; parsed.done !== true; parsed = parsing.next()) yields++;
    expect(yields).toBe(numbers.length / PARTS_PER_STEP - 1);
    expect(parsed.value.map(({ partNumber }) => partNumber)).toEqual(numbers);
  });

  test("nothing in a document is so long that looking at it would take long", () => {
    const options = { bytesMax: 16 * 1024 * 1024 };
    const long = 90_000;
    const spaces = " ".repeat(long);
    for (const xml of [
      `<Delete>${spaces}<Object><Key>k</Key></Object></Delete>`,
      `<Delete><Object><Key>k</Key></Object>${spaces}${spaces}</Delete>`,
      `<Delete><Object><Key>${"k".repeat(long)}</Key></Object></Delete>`,
      `<Delete><Object><Key><![CDATA[${"<".repeat(long)}]]></Key></Object></Delete>`,
      `<Delete><Object><Key a="${"k".repeat(long)}">k</Key></Object></Delete>`,
      `<Delete>${"<Object/>".repeat(50_001)}</Delete>`,
    ]) {
      expect(() => finishAtOnce(readXml(Buffer.from(xml), options)), xml.slice(0, 60)).toThrow(MALFORMED);
    }
    const blank = " ".repeat(60_000);
    const fits = `<Delete>${blank}<Object>\n<Key>k</Key> </Object>${blank}</Delete>`;
    expect(parseDelete(read(fits)).objects.map(({ key }) => key)).toEqual(["k"]);
  });
});

function completion(numbers: readonly number[]): string {
  const parts = numbers.map((number) => `<Part><PartNumber>${number}</PartNumber><ETag>a</ETag></Part>`);
  return `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
}

function partsNumbered(...numbers: readonly number[]): XmlElement {
  return read(completion(numbers));
}

function parseConfiguration(body: string): unknown {
  return parseCreateBucketConfiguration(
    read(`<CreateBucketConfiguration>${body}</CreateBucketConfiguration>`),
  );
}

describe("request documents", () => {
  const object = "<Object><Key>a</Key></Object>";

  test("DeleteObjects_structure", () => {
    expect(parseDelete(read(`<Delete>${object}</Delete>`)).isQuiet).toBe(false);
    expect(parseDelete(read(`<Delete>${object.repeat(1000)}</Delete>`)).objects.length).toBe(1000);
    const bad = [
      "<Delete/>",
      "<Delete>text</Delete>",
      `<Delete>${object.repeat(1001)}</Delete>`,
      `<Remove>${object}</Remove>`,
      "<Delete><Object/></Delete>",
      "<Delete><Object><Key/></Object></Delete>",
      "<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>",
      "<Delete><Object><Key><b>a</b></Key></Object></Delete>",
      "<Delete><Object><Key>a</Key><Other>1</Other></Object></Delete>",
      "<Delete><Object>a</Object></Delete>",
      `<Delete>${object}<Quiet>maybe</Quiet></Delete>`,
      `<Delete>${object}<Quiet>true</Quiet><Quiet>false</Quiet></Delete>`,
    ];
    for (const xml of bad) expect(() => parseDelete(read(xml)), xml.slice(0, 80)).toThrow(MALFORMED);
  });

  test("CompleteMultipartUpload_structure", () => {
    const xml =
      "<CompleteMultipartUpload>\n  <Part>\n    <PartNumber>1</PartNumber>" +
      "<ETag>&quot;abc&quot;</ETag>\n  </Part>" +
      "<Part><ETag>def</ETag><PartNumber>10000</PartNumber>" +
      "<ChecksumCRC64NVME>AAAAAAAAAAA=</ChecksumCRC64NVME></Part>" +
      "</CompleteMultipartUpload>";
    expect(parseComplete(read(xml))).toEqual([
      { partNumber: 1, etag: "abc", checksum: undefined },
      { partNumber: 10_000, etag: "def", checksum: { algorithm: "CRC64NVME", value: "AAAAAAAAAAA=" } },
    ]);
    const part = (body: string) =>
      read(`<CompleteMultipartUpload><Part>${body}</Part></CompleteMultipartUpload>`);
    for (const body of [
      "",
      "<PartNumber>1</PartNumber>",
      "<ETag>a</ETag>",
      "<PartNumber>x</PartNumber><ETag>a</ETag>",
    ]) {
      expect(() => parseComplete(part(body)), body).toThrow(MALFORMED);
    }
    expect(() => parseComplete(read("<CompleteMultipartUpload/>"))).toThrow(MALFORMED);
    expect(() => parseComplete(part("<PartNumber>0</PartNumber><ETag>a</ETag>"))).toThrow(
      expect.objectContaining({ code: "InvalidArgument" }),
    );
    const two = "<ChecksumCRC32>a</ChecksumCRC32><ChecksumSHA1>b</ChecksumSHA1>";
    expect(() => parseComplete(part(`<PartNumber>1</PartNumber><ETag>a</ETag>${two}`))).toThrow(
      expect.objectContaining({ code: "InvalidArgument" }),
    );
  });

  test("CompleteMultipartUpload_parts_must_ascend", () => {
    expect(parseComplete(partsNumbered(1, 5, 9)).length).toBe(3);
    for (const numbers of [
      [2, 1],
      [1, 1],
    ]) {
      expect(() => parseComplete(partsNumbered(...numbers))).toThrow(
        expect.objectContaining({ code: "InvalidPartOrder" }),
      );
    }
  });

  test("CreateBucket_configuration", () => {
    expect(parseConfiguration("")).toEqual({ locationConstraint: undefined });
    expect(parseConfiguration("<LocationConstraint/>")).toEqual({ locationConstraint: undefined });
    expect(parseConfiguration("<LocationConstraint>eu-west-1</LocationConstraint>")).toEqual({
      locationConstraint: "eu-west-1",
    });
    expect(() => parseConfiguration("<Foo/>")).toThrow(MALFORMED);
    expect(() => parseConfiguration("<Tags><Tag/></Tags>")).toThrow(
      expect.objectContaining({ code: "NotImplemented" }),
    );
    expect(() => parseCreateBucketConfiguration(read("<Other/>"))).toThrow(MALFORMED);
  });
});

describe("writing", () => {
  test("escaped text comes back from a strict parser", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const clean = text
          .toWellFormed()
          .replaceAll(/[^\t\n\r -\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "");
        expect(read(`<a>${escapeXml(clean)}</a>`).text).toBe(clean);
        expect(read(`<a><b>${escapeXml(clean)}</b></a>`).children[0]?.text).toBe(clean);
      }),
      { seed: 11, numRuns: 1000 },
    );
    expect(escapeXml('a\r\n\t<>&"\u0001\uffff😀')).toBe("a&#13;\n\t&lt;&gt;&amp;&quot;&#x1;&#xffff;😀");
  });

  test("ListObjects_encoding_type_url", () => {
    expect(urlEncodeName("a/b c+d*e~f(g)é\u0001😀!'")).toBe(
      "a/b+c%2Bd*e%7Ef%28g%29%C3%A9%01%F0%9F%98%80%21%27",
    );
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(decodeURIComponent(urlEncodeName(text).replaceAll("+", "%20"))).toBe(text);
      }),
      { seed: 12 },
    );
  });

  const owner = { id: "o", displayName: "O" };
  const listing: ListingV2 = {
    bucket: "b",
    prefix: "p<",
    delimiter: "/",
    maxKeys: 10,
    isTruncated: true,
    isUrlEncoded: false,
    startAfter: undefined,
    continuationToken: "t",
    nextContinuationToken: "n",
    commonPrefixes: ["p</a&b/"],
    contents: [
      {
        key: "p<k\r",
        lastModifiedMs: Date.UTC(2026, 10, 21, 1, 2, 3, 456),
        etag: "e",
        size: 5,
        storageClass: "STANDARD",
        checksumAlgorithm: "CRC32",
        checksumType: "FULL_OBJECT",
      },
    ],
  };

  test("ListObjectsV2_document", () => {
    expect(listObjectsV2Xml(listing).toString().split("\n").slice(1).join("\n")).toBe(
      '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>' +
        "<Prefix>p&lt;</Prefix>" +
        "<ContinuationToken>t</ContinuationToken><NextContinuationToken>n</NextContinuationToken>" +
        "<KeyCount>2</KeyCount><MaxKeys>10</MaxKeys><Delimiter>/</Delimiter><IsTruncated>true</IsTruncated>" +
        "<Contents><Key>p&lt;k&#13;</Key><LastModified>2026-11-21T01:02:03.000Z</LastModified>" +
        "<ETag>&quot;e&quot;</ETag><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>" +
        "<ChecksumType>FULL_OBJECT</ChecksumType><Size>5</Size><StorageClass>STANDARD</StorageClass>" +
        "</Contents>" +
        "<CommonPrefixes><Prefix>p&lt;/a&amp;b/</Prefix></CommonPrefixes></ListBucketResult>",
    );
    const encoded = read(
      listObjectsV2Xml({ ...listing, isUrlEncoded: true, startAfter: "s t", owner }).toString(),
    );
    expect(texts(encoded, "Key")).toEqual(["p%3Ck%0D"]);
    expect(texts(encoded, "Prefix")).toEqual(["p%3C", "p%3C/a%26b/"]);
    expect(texts(encoded, "StartAfter")).toEqual(["s+t"]);
    expect(texts(encoded, "EncodingType")).toEqual(["url"]);
    expect(texts(encoded, "ID")).toEqual(["o"]);
  });

  test("ListObjects_document", () => {
    const root = read(
      listObjectsV1Xml({ ...listing, owner, marker: "", nextMarker: "p</a&b/", prefix: "" }).toString(),
    );
    expect(root.name).toBe("ListBucketResult");
    expect(texts(root, "Marker")).toEqual([""]);
    expect(texts(root, "NextMarker")).toEqual(["p</a&b/"]);
    expect(texts(root, "DisplayName")).toEqual(["O"]);
    const last = read(
      listObjectsV1Xml({ ...listing, owner, marker: "m", nextMarker: undefined, delimiter: "" }).toString(),
    );
    expect([texts(last, "NextMarker"), texts(last, "Delimiter"), texts(last, "Marker")]).toEqual([
      [],
      [],
      ["m"],
    ]);
  });

  test("ListBuckets_document", () => {
    const buckets = [{ name: "b1", createdMs: 0, region: "us-east-1" }];
    const root = read(listBucketsXml({ owner, buckets, prefix: "b", continuationToken: "c" }));
    expect(texts(root, "Name")).toEqual(["b1"]);
    expect(texts(root, "CreationDate")).toEqual(["1970-01-01T00:00:00.000Z"]);
    expect(texts(root, "BucketRegion")).toEqual(["us-east-1"]);
    expect([texts(root, "Prefix"), texts(root, "ContinuationToken")]).toEqual([["b"], ["c"]]);
    read(listBucketsXml({ owner, buckets: [], prefix: undefined, continuationToken: undefined }));
  });

  test("multipart and delete documents", () => {
    const upload = { bucket: "b", key: "k&", uploadId: "u" };
    expect(texts(read(initiateMultipartUploadXml(upload)), "UploadId")).toEqual(["u"]);
    const checksum = { algorithm: "CRC64NVME", value: "AAAAAAAAAAA=", type: "FULL_OBJECT" } as const;
    const completed = read(
      completeMultipartUploadXml({ ...upload, location: "http://h/b/k", etag: "e-1", checksum }),
    );
    expect(texts(completed, "ETag")).toEqual(['"e-1"']);
    expect(texts(completed, "ChecksumCRC64NVME")).toEqual(["AAAAAAAAAAA="]);
    const parts = read(
      listPartsXml({
        ...upload,
        initiator: { id: "begun", displayName: "by" },
        owner,
        storageClass: "STANDARD",
        partNumberMarker: 0,
        nextPartNumberMarker: 2,
        maxParts: 1000,
        isTruncated: false,
        isUrlEncoded: false,
        parts: [
          {
            partNumber: 2,
            lastModifiedMs: 0,
            etag: "x",
            size: 7,
            checksum: { algorithm: "SHA1", value: "v" },
          },
        ],
      }),
    );
    expect([texts(parts, "PartNumber"), texts(parts, "ChecksumSHA1"), texts(parts, "Key")]).toEqual([
      ["2"],
      ["v"],
      ["k&"],
    ]);
    const uploads = read(
      listMultipartUploadsXml({
        bucket: "b",
        owner,
        prefix: "",
        delimiter: "/",
        keyMarker: "",
        uploadIdMarker: "",
        nextKeyMarker: "k 1",
        nextUploadIdMarker: "u1",
        maxUploads: 1,
        isTruncated: true,
        isUrlEncoded: true,
        uploads: [{ initiator: owner, key: "k 1", uploadId: "u1", initiatedMs: 0, storageClass: "STANDARD" }],
        commonPrefixes: ["a b/"],
      }),
    );
    expect(texts(uploads, "Key")).toEqual(["k+1"]);
    expect(texts(uploads, "NextKeyMarker")).toEqual(["k+1"]);
    expect(texts(uploads, "Prefix")).toEqual(["", "a+b/"]);
  });

  test("DeleteObjects_result_quiet_shows_only_errors", () => {
    const outcomes = [
      { kind: "deleted", key: "a" },
      { kind: "error", key: "b", code: "AccessDenied", message: "Access Denied" },
    ] as const;
    const loud = read(deleteResultXml(outcomes, { isQuiet: false }));
    expect(loud.children.map((child) => child.name)).toEqual(["Deleted", "Error"]);
    const quiet = read(deleteResultXml(outcomes, { isQuiet: true }));
    expect(quiet.children.map((child) => child.name)).toEqual(["Error"]);
    expect(read(deleteResultXml([], { isQuiet: true })).children).toEqual([]);
  });
});
