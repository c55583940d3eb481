/**
 * Makes the data directory that every later version must open: objects of each kind of body, overwrites,
 * deletes, uploads open and completed, work left for housekeeping, over several segments. Time and
 * randomness are fixed.
 */
import { readdir, rm, writeFile } from "node:fs/promises";
import { LevelIndexStore } from "../../src/adapters/level-index-store.ts";
import type { StoreService } from "../../src/service/store-service.ts";
import { CHECKSUM_ALGORITHMS, NO_ATTRIBUTES, STORED_HEADERS } from "../../src/state/attributes.ts";
import type { Attributes } from "../../src/state/attributes.ts";
import { patternBytes } from "../segment/records.ts";
import { bodyOf, createUpload, md5, put, putPart, remove } from "../service/service-world.ts";
import { ManualClock } from "../store/manual-clock.ts";
import { openStore } from "../support/open-store.ts";
import type { OpenStore } from "../support/open-store.ts";
import { describeStore } from "./describe-store.ts";

/** 2026-11-21, the day of version 1. */
export const GOLDEN_TIME_MS = Date.UTC(2026, 10, 21);
const SEGMENT_BYTES = 256 * 1024;

function countingRandom(): { readonly bytes: (count: number) => Uint8Array } {
  let next = 0;
  return { bytes: (count) => patternBytes(count, ++next) };
}

const everyAttribute: Attributes = {
  headers: STORED_HEADERS.map((name) => [name, `value of ${name}`] as const),
  metadata: [
    ["short", "x"],
    ["long", "y".repeat(1500)],
    ["grün", "😀"],
  ],
  checksum: undefined,
};

async function putObjects(service: StoreService): Promise<void> {
  for (const size of [0, 1, 255, 256, 257, 1000, 30_000, 65_536, 65_537, 200_000]) {
    await put(service, `sizes/${size}`, patternBytes(size, size + 1));
  }
  for (const key of ["..", "a b", "a+b", "%2e%2e", "trailing/", "ключ", "👍🏿", "\u{10ffff}", "e\u0301"]) {
    await put(service, `odd/${key}`, `content of ${key}`);
  }
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    const checksum = { algorithm, type: "FULL_OBJECT" as const, value: `value of ${algorithm}` };
    await put(service, `checksums/${algorithm}`, algorithm, { attributes: { ...NO_ATTRIBUTES, checksum } });
  }
  await put(service, "attributes", "all of them", { attributes: everyAttribute });
}

async function replaceAndDelete(service: StoreService): Promise<void> {
  for (const size of [10, 5000, 100_000]) {
    await put(service, `replaced/${size}`, patternBytes(size, 1), { attributes: everyAttribute });
    await put(service, `replaced/${size}`, patternBytes(size + 1, 2));
    await put(service, `deleted/${size}`, patternBytes(size, 3));
    await remove(service, `deleted/${size}`);
  }
  await service.buckets.create({ name: "gone", owner: "root", location: "" });
  await service.buckets.delete("gone");
  await service.buckets.create({ name: "second", owner: "other", location: "eu-central-1" });
  await put(service, "k", "in the second bucket", { bucket: "second" });
}

async function makeUploads({ service, node }: OpenStore): Promise<void> {
  const checksum = { algorithm: "CRC32C", type: "FULL_OBJECT" } as const;
  const open = await createUpload(service, "open", { checksum, attributes: everyAttribute });
  await putPart(service, open, 1, patternBytes(70_000, 5), { ...checksum, value: "AAAAAA==" });
  await putPart(service, open, 7, patternBytes(300, 6), { ...checksum, value: "AAAAAA==" });
  const aborted = await createUpload(service, "aborted");
  await putPart(service, aborted, 1, patternBytes(70_000, 7));
  await service.uploads.abort({ bucket: "b", key: "aborted", uploadId: aborted });
  // Smaller parts than a client may complete, to keep the directory small: so past the checks of the service.
  const uploadId = await createUpload(service, "completed");
  const sizes = [70_000, 70_000, 500, 9];
  for (const [at, size] of sizes.entries()) await putPart(service, uploadId, at + 1, patternBytes(size, at));
  const runs = [
    { firstPart: 1, count: 2, size: 70_000 },
    { firstPart: 4, count: 1, size: 9 },
  ];
  const etag = `${md5(Buffer.from("parts"))}-3`;
  const target = {
    uploadId,
    revision: 4,
    bucket: "b",
    key: "completed",
    condition: { kind: "none" },
  } as const;
  const rest = { runs, size: 140_009, etag, checksum: undefined };
  await node.replica.propose({ kind: "completeUpload", ...target, ...rest });
  // A body that its writer left lying.
  await bodyOf(service, patternBytes(70_000, 8));
}

/** Without the lock, LevelDB's diary, which names the day, and its log, which an open moves into a table. */
async function leaveEssentials(directory: string): Promise<void> {
  await rm(`${directory}/lock`, { recursive: true, force: true });
  await (await LevelIndexStore.open(`${directory}/index`)).close();
  for (const name of await readdir(`${directory}/index`)) {
    if (name.startsWith("LOG") || name.endsWith(".log")) await rm(`${directory}/index/${name}`);
  }
}

/** Makes `directory` anew, and its manifest beside it. */
export async function makeDataDirectory(directory: string, manifestPath: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  const clock = new ManualClock(GOLDEN_TIME_MS);
  const options = { segmentBytes: SEGMENT_BYTES, clock, random: countingRandom() };
  {
    await using store = await openStore(directory, options);
    await store.service.buckets.create({ name: "b", owner: "root", location: "" });
    await putObjects(store.service);
    clock.advanceNow(1000);
  }
  {
    await using store = await openStore(directory, options);
    await replaceAndDelete(store.service);
    await makeUploads(store);
    const manifest = await describeStore(store.service);
    await writeFile(manifestPath, `${JSON.stringify(manifest, undefined, 1)}\n`);
  }
  await leaveEssentials(directory);
}
