/**
 * Promises of CompleteMultipartUpload: its checks, its sums, its races, and the same answer when it is
 * repeated.
 */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { CompletePart } from "../../src/service/api.ts";
import { compositeChecksum, fullObjectChecksum } from "../../src/s3/checksums.ts";
import { PARTS_PER_STEP, checkParts } from "../../src/service/complete-upload.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import type { PartRow, UploadRow } from "../../src/state/rows.ts";
import { patternBytes } from "../segment/records.ts";
import {
  MIB,
  completeInput,
  createUpload,
  find,
  md5,
  openService,
  put,
  putPart,
  remove,
} from "./service-world.ts";

const FIVE = 5 * MIB;

/** The ETag of an object of parts: the MD5 of their MD5s, and their number. */
function etagOf(bodies: readonly Uint8Array[]): string {
  const hash = createHash("md5");
  for (const body of bodies) hash.update(Buffer.from(md5(body), "hex"));
  return `${hash.digest("hex")}-${bodies.length}`;
}

describe("what Complete makes", () => {
  test("has the size and the ETag of its parts, and the attributes of the upload", async () => {
    await using world = await openService();
    const { service } = world;
    const attributes = { headers: [], metadata: [["m", "v"] as const], checksum: undefined };
    const uploadId = await createUpload(service, "k", { attributes });
    const bodies = [patternBytes(FIVE, 1), patternBytes(FIVE + 1, 2), patternBytes(3, 3)];
    const parts = [];
    for (const [at, body] of bodies.entries()) parts.push(await putPart(service, uploadId, at + 1, body));
    const done = await service.uploads.complete(completeInput("k", uploadId, parts));
    const etag = etagOf(bodies);
    expect(done).toEqual({ kind: "completed", etag, size: 2 * FIVE + 4, checksum: undefined });
    expect(await find(service, "k")).toMatchObject({ etag, size: 2 * FIVE + 4, attributes });
  });

  test("is the chosen subset of the parts, by their numbers", async () => {
    await using world = await openService();
    const { service } = world;
    const uploadId = await createUpload(service, "k");
    const parts: CompletePart[] = [];
    for (const at of [1, 2, 3, 4]) parts.push(await putPart(service, uploadId, at, patternBytes(FIVE, at)));
    const chosen = [parts[1], parts[3]] as CompletePart[];
    const done = await service.uploads.complete(completeInput("k", uploadId, chosen));
    expect(done).toMatchObject({
      etag: etagOf([patternBytes(FIVE, 2), patternBytes(FIVE, 4)]),
      size: 2 * FIVE,
    });
  });

  test("has the checksum of the parts if the upload asked for one: the one expected", async () => {
    await using world = await openService();
    const { service } = world;
    const checksum = { algorithm: "SHA256", type: "COMPOSITE" } as const;
    const uploadId = await createUpload(service, "k", { checksum });
    const body = patternBytes(1000);
    const value = createHash("sha256").update(body).digest("base64");
    const part = await putPart(service, uploadId, 1, body, { ...checksum, value });
    const wanted = compositeChecksum("SHA256", [{ value, size: body.length }]);
    const wrong = { ...checksum, value: "AAAA-1" };
    const complete = (changes: object) =>
      service.uploads.complete(completeInput("k", uploadId, [part], changes));
    expect(await complete({ expectedChecksum: wrong })).toEqual({ kind: "badDigest", algorithm: "SHA256" });
    expect(await complete({ expectedSize: 999 })).toEqual({ kind: "wrongSize", size: 1000 });
    const right = { ...checksum, value: wanted };
    const done = { kind: "completed", etag: etagOf([body]), size: 1000, checksum: right };
    expect(await complete({ expectedChecksum: right, expectedSize: 1000 })).toEqual(done);
    expect((await find(service, "k"))?.attributes.checksum).toEqual(right);
    expect(await complete({})).toEqual(done);
  });
});

describe("what Complete refuses", () => {
  test("parts that are absent, or others than named", async () => {
    await using world = await openService();
    const { service } = world;
    const uploadId = await createUpload(service, "k");
    const part = await putPart(service, uploadId, 2, patternBytes(10));
    const complete = (parts: readonly CompletePart[]) =>
      service.uploads.complete(completeInput("k", uploadId, parts));
    const invalid = (partNumber: number) => ({ kind: "invalidPart", partNumber });
    expect(await complete([{ ...part, partNumber: 1 }, part])).toEqual(invalid(1));
    expect(await complete([{ ...part, etag: "0".repeat(32) }])).toEqual(invalid(2));
    const withSum = { ...part, checksum: { algorithm: "CRC32" as const, value: "AAAAAA==" } };
    expect(await complete([withSum])).toEqual(invalid(2));
    expect(await complete([part])).toMatchObject({ kind: "completed" });
  });

  test("a part that was replaced since", async () => {
    await using world = await openService();
    const { service } = world;
    const uploadId = await createUpload(service, "k");
    const old = await putPart(service, uploadId, 1, patternBytes(10, 1));
    await putPart(service, uploadId, 1, patternBytes(10, 2));
    expect(await service.uploads.complete(completeInput("k", uploadId, [old]))).toEqual({
      kind: "invalidPart",
      partNumber: 1,
    });
  });

  test("any part but the last below 5 MiB", async () => {
    await using world = await openService();
    const { service } = world;
    const uploadId = await createUpload(service, "k");
    const small = await putPart(service, uploadId, 1, patternBytes(FIVE - 1));
    const last = await putPart(service, uploadId, 2, patternBytes(1));
    const { etag } = small;
    expect(await service.uploads.complete(completeInput("k", uploadId, [small, last]))).toEqual({
      kind: "entityTooSmall",
      partNumber: 1,
      size: FIVE - 1,
      etag,
    });
    expect(await find(service, "k")).toBeUndefined();
    expect(await service.uploads.complete(completeInput("k", uploadId, [small]))).toMatchObject({
      kind: "completed",
    });
  });

  test("uploads of another key or bucket, and buckets that are not there", async () => {
    await using world = await openService();
    const { service } = world;
    const uploadId = await createUpload(service, "k");
    const part = await putPart(service, uploadId, 1, patternBytes(10));
    const complete = (changes: object) =>
      service.uploads.complete(completeInput("k", uploadId, [part], changes));
    expect(await complete({ key: "other" })).toEqual({ kind: "noSuchUpload" });
    expect(await complete({ uploadId: "0".repeat(32) })).toEqual({ kind: "noSuchUpload" });
    expect(await complete({ bucket: "absent" })).toEqual({ kind: "noSuchBucket" });
  });

  test("objects whose condition does not hold; the upload stays open", async () => {
    await using world = await openService();
    const { service } = world;
    await put(service, "k", "old");
    const uploadId = await createUpload(service, "k");
    const part = await putPart(service, uploadId, 1, patternBytes(10));
    const complete = (condition: object) =>
      service.uploads.complete(completeInput("k", uploadId, [part], { condition } as object));
    expect(await complete({ kind: "absent" })).toEqual({ kind: "preconditionFailed" });
    expect(await complete({ kind: "etag", etag: "0".repeat(32) })).toEqual({ kind: "preconditionFailed" });
    await remove(service, "k");
    expect(await complete({ kind: "etag", etag: "*" })).toEqual({ kind: "noSuchKey" });
    expect(await complete({ kind: "absent" })).toMatchObject({ kind: "completed" });
  });
});

describe("repeating Complete", () => {
  test("gives the same answer, one after the other, at the same time, and after a reopen", async () => {
    await using world = await openService();
    const uploadId = await createUpload(world.service, "k");
    const part = await putPart(world.service, uploadId, 1, patternBytes(10));
    const input = completeInput("k", uploadId, [part]);
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => world.service.uploads.complete(input)),
    );
    const [first] = answers;
    expect(first).toMatchObject({ kind: "completed", size: 10 });
    expect(answers.every((answer) => JSON.stringify(answer) === JSON.stringify(first))).toBe(true);
    const service = await world.reopen();
    expect(await service.uploads.complete(input)).toEqual(first);
  });

  test("does not bring an object back that was overwritten or deleted since", async () => {
    await using world = await openService();
    const { service } = world;
    const uploadId = await createUpload(service, "k");
    const input = completeInput("k", uploadId, [await putPart(service, uploadId, 1, patternBytes(10))]);
    await service.uploads.complete(input);
    await put(service, "k", "new");
    expect(await service.uploads.complete(input)).toEqual({ kind: "noSuchUpload" });
    expect((await find(service, "k"))?.size).toBe(3);
  });
});

describe("races", () => {
  test("with parts that keep arriving: the object is made of parts that were there together", async () => {
    await using world = await openService();
    const { service } = world;
    for (let round = 0; round < 5; round++) {
      const key = `k${round}`;
      const uploadId = await createUpload(service, key);
      const first = await putPart(service, uploadId, 1, patternBytes(100, 1));
      const arriving = Array.from({ length: 10 }, (_, at) =>
        putPart(service, uploadId, 2, patternBytes(50, at)),
      );
      const outcome = service.uploads
        .complete(completeInput(key, uploadId, [first]))
        .catch((error: unknown) => error);
      const ends = await Promise.allSettled(arriving);
      const done = await outcome;
      expect(
        ends.every((end) => end.status === "fulfilled" || String(end.reason).includes("noSuchUpload")),
      ).toBe(true);
      if (done instanceof Error) expect(done.name).toBe("BusyError");
      else expect(done).toMatchObject({ kind: "completed", etag: etagOf([patternBytes(100, 1)]), size: 100 });
    }
  });

  test("with an abort: either there is an object, or the upload is gone", async () => {
    await using world = await openService();
    const { service } = world;
    for (let round = 0; round < 10; round++) {
      const key = `k${round}`;
      const uploadId = await createUpload(service, key);
      const part = await putPart(service, uploadId, 1, patternBytes(10));
      const complete = () => service.uploads.complete(completeInput(key, uploadId, [part]));
      const abort = () => service.uploads.abort({ bucket: "b", key, uploadId });
      const outcomes = await Promise.all(round % 2 === 0 ? [complete(), abort()] : [abort(), complete()]);
      const kinds = outcomes.map(({ kind }) => kind).toSorted();
      expect([
        ["completed", "noSuchUpload"],
        ["aborted", "noSuchUpload"],
      ]).toContainEqual(kinds);
      expect((await find(service, key)) !== undefined).toBe(kinds[0] === "completed");
    }
  });

  test("of two uploads of one key that both want to create it: one does", async () => {
    await using world = await openService();
    const { service } = world;
    const uploads = await Promise.all(Array.from({ length: 6 }, () => createUpload(service, "k")));
    const condition = { kind: "absent" } as const;
    const race = uploads.map(async (uploadId, at) => {
      const part = await putPart(service, uploadId, 1, patternBytes(10, at));
      return await service.uploads.complete(completeInput("k", uploadId, [part], { condition }));
    });
    const kinds = (await Promise.all(race)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === "completed")).toHaveLength(1);
    expect(kinds.filter((kind) => kind === "preconditionFailed")).toHaveLength(5);
  });
});

describe("ten thousand parts", () => {
  const COUNT = 10_000;
  const upload: UploadRow = {
    bucketId: 1,
    key: "k",
    owner: "root",
    initiatedMs: 0,
    attributes: NO_ATTRIBUTES,
    checksum: { algorithm: "CRC64NVME", type: "FULL_OBJECT" },
    revision: COUNT,
    partCount: COUNT,
    lastTimeMs: 0,
    completed: undefined,
  };

  /** Each of another size, so that every CRC needs an operator of its own. */
  function partRow(partNumber: number): PartRow {
    return {
      size: FIVE + partNumber,
      etag: md5(Buffer.from(String(partNumber))),
      modifiedMs: 0,
      checksum: { algorithm: "CRC64NVME", value: md5Crc(partNumber) },
      body: { kind: "empty" },
      birthIndex: 1,
    };
  }

  function md5Crc(partNumber: number): string {
    return Buffer.from(md5(Buffer.from(`crc ${partNumber}`)).slice(0, 16), "hex").toString("base64");
  }

  const named: readonly CompletePart[] = Array.from({ length: COUNT }, (_, at) => ({
    partNumber: at + 1,
    etag: partRow(at + 1).etag,
    checksum: undefined,
  }));

  test("are checked and summed up a hundred at a time, and others run in between", async () => {
    const events: string[] = [];
    const checked = await checkParts(named, upload, {
      rowsOf: (step) => {
        events.push(`${step.length} rows`);
        return Promise.resolve(step.map(({ partNumber }) => partRow(partNumber)));
      },
      yieldToOthers: () => {
        events.push("others");
        return Promise.resolve();
      },
    });
    const step = [`${PARTS_PER_STEP} rows`, "others"];
    expect(PARTS_PER_STEP).toBeLessThanOrEqual(100);
    expect(events).toEqual(
      Array.from({ length: COUNT / PARTS_PER_STEP }, () => step)
        .flat()
        .slice(0, -1),
    );
    const parts = named.map(({ partNumber }) => partRow(partNumber));
    const crcs = parts.map(({ checksum, size }) => ({ value: checksum?.value ?? "", size }));
    expect(checked).toMatchObject({
      kind: "checked",
      size: parts.reduce((sum, { size }) => sum + size, 0),
      checksum: { type: "FULL_OBJECT", value: fullObjectChecksum("CRC64NVME", crcs) },
    });
  });

  test("are refused at the first that does not fit, and no more of them is read", async () => {
    let rowsRead = 0;
    const checked = await checkParts(named, upload, {
      rowsOf: (step) => {
        rowsRead += step.length;
        return Promise.resolve(
          step.map(({ partNumber }) => (partNumber === 250 ? undefined : partRow(partNumber))),
        );
      },
      yieldToOthers: () => Promise.resolve(),
    });
    expect(checked).toEqual({ kind: "invalidPart", partNumber: 250 });
    expect(rowsRead).toBe(300);
  });
});
