/**
 * The read-only start (`--salvage`) of a damaged log: everything that is whole is served byte for byte, what
 * is not is named and counted, and nothing in the directory changes, not even a time.
 */
import { readdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { describe, expect, test } from "vitest";
import { UnavailableError } from "../../src/base/errors.ts";
import { reportLines } from "../../src/replica/salvage-report.ts";
import { patternBytes } from "../segment/records.ts";
import {
  bytesOf,
  completeInput,
  createUpload,
  find,
  put,
  putPart,
  remove,
} from "../service/service-world.ts";
import { sizeOf } from "../store/bytes-of-files.ts";
import { FailingDisk, systemError } from "../store/failing-disk.ts";
import { openStore, temporaryDirectory } from "../support/open-store.ts";
import {
  HINT,
  flipIn,
  keysIn,
  segmentsOf,
  SEGMENT_BYTES,
  differences,
  filledWorld,
  refusalOf,
  salvage,
  snapshot,
  useOlderIndex,
} from "./salvage-world.ts";

describe("a store without damage", () => {
  test("is served as a whole, after a clean stop", async () => {
    await using world = await filledWorld();
    const before = await snapshot(world.directory);
    {
      await using salvaged = await salvage(world.directory);
      const { damages, lost, notes, source, appliedIndex } = salvaged.report;
      expect({ damages, lost, notes, source }).toEqual({
        damages: [],
        lost: undefined,
        notes: [],
        source: "index",
      });
      expect(appliedIndex).toBeGreaterThanOrEqual(world.lastEntry);
      expect(await differences(salvaged.service, world.objectsAt(world.lastEntry))).toEqual([]);
    }
    expect(await snapshot(world.directory)).toEqual(before);
  });

  test("is served as a whole from its log behind an index that was left behind", async () => {
    await using world = await filledWorld();
    await useOlderIndex(world);
    const before = await snapshot(world.directory);
    {
      await using salvaged = await salvage(world.directory);
      expect(salvaged.report).toMatchObject({ damages: [], lost: undefined, source: "index" });
      expect(await differences(salvaged.service, world.objectsAt(world.lastEntry))).toEqual([]);
    }
    expect(await snapshot(world.directory)).toEqual(before);
    expect(await refusalOf(world.directory)).toContain("opened");
  });

  test("takes no write, and what it served is there in the next start", async () => {
    await using world = await filledWorld();
    {
      await using salvaged = await salvage(world.directory);
      const { service, node } = salvaged;
      await expect(put(service, "k1", "new")).rejects.toThrow(UnavailableError);
      await expect(put(service, "large", patternBytes(300_000))).rejects.toThrow(UnavailableError);
      await expect(remove(service, "k1")).rejects.toThrow("read-only: started with --salvage");
      await expect(createUpload(service, "k1")).rejects.toThrow(UnavailableError);
      await expect(service.objects.deleteMany("b", ["k1"])).rejects.toThrow(UnavailableError);
      await expect(service.buckets.delete("b")).rejects.toThrow(UnavailableError);
      const status = service.status();
      expect(status).toMatchObject({ ready: false, writesRefused: "all", salvage: { lost: undefined } });
      expect(status.reason).toBe("read-only: started with --salvage");
      expect(node.replica.appliedIndex).toBe(status.appliedIndex);
    }
    await using store = await openStore(world.directory, { segmentBytes: SEGMENT_BYTES });
    expect(await differences(store.service, world.objectsAt(world.lastEntry))).toEqual([]);
  });

  test("shows its multipart uploads, open and completed", async () => {
    await using temporary = await temporaryDirectory();
    const directory = `${temporary.path}/data`;
    const body = patternBytes(150_000, 3);
    let open: string;
    {
      await using store = await openStore(directory, { segmentBytes: SEGMENT_BYTES });
      const { service } = store;
      await service.buckets.create({ name: "b", owner: "root", location: "" });
      open = await createUpload(service, "open");
      await putPart(service, open, 4, patternBytes(1000, 1));
      const uploadId = await createUpload(service, "whole");
      const part = await putPart(service, uploadId, 1, body);
      expect((await service.uploads.complete(completeInput("whole", uploadId, [part]))).kind).toBe(
        "completed",
      );
    }
    await using salvaged = await salvage(directory);
    const { uploads } = salvaged.service;
    const listed = await uploads.list({ bucket: "b", prefix: "", after: undefined, limit: 10 });
    expect(listed?.uploads.map(({ key, uploadId }) => ({ key, uploadId }))).toEqual([
      { key: "open", uploadId: open },
    ]);
    const { parts } = await uploads.listParts({ uploadId: open, after: 0, limit: 10 });
    expect(parts.map(({ partNumber, size }) => ({ partNumber, size }))).toEqual([
      { partNumber: 4, size: 1000 },
    ]);
    const found = await find(salvaged.service, "whole");
    expect(found === undefined ? undefined : await bytesOf(salvaged.service, found)).toEqual(body);
  });
});

describe("a flipped byte in an acknowledged record", () => {
  test("of the open segment, behind which the index has it all: only that object is damaged", async () => {
    await using world = await filledWorld();
    const last = (await segmentsOf(world.directory)).at(-1) as string;
    const inside = await keysIn(world, last);
    // Whole ones follow it in the same file.
    expect(inside.length).toBeGreaterThan(1);
    const [key = ""] = inside;
    const place = await flipIn(world, key);
    expect(await refusalOf(world.directory)).toContain(HINT);
    const before = await snapshot(world.directory);
    {
      await using salvaged = await salvage(world.directory);
      const { report, service } = salvaged;
      expect(report.lost).toBeUndefined();
      expect(report.damages).toMatchObject([{ path: place.path, firstIndex: world.entryOf(key) }]);
      expect(await differences(service, world.objectsAt(world.lastEntry), new Set([key]))).toEqual([]);
      expect(reportLines(report).join("\n")).toMatch(/LOST no entry/);
    }
    expect(await snapshot(world.directory)).toEqual(before);
  });

  test("that the index has not got yet: the state before it, and what follows is counted", async () => {
    await using world = await filledWorld();
    await useOlderIndex(world);
    const place = await flipIn(world, "k50");
    const entry = world.entryOf("k50");
    expect(entry).toBeGreaterThan(world.olderEntry);
    expect(await refusalOf(world.directory)).toContain(HINT);
    const before = await snapshot(world.directory);
    {
      await using salvaged = await salvage(world.directory);
      const { report, service } = salvaged;
      const damage = report.damages.find(({ path }) => path === place.path);
      expect(damage).toMatchObject({ firstIndex: entry });
      const segments = await segmentsOf(world.directory);
      const later = await Promise.all(segments.filter((path) => path > place.path).map(sizeOf));
      const bytes = later.reduce((sum, size) => sum + size, damage?.bytes ?? 0);
      const lastIndex = report.lost?.lastIndex ?? 0;
      expect(report).toMatchObject({ appliedIndex: entry - 1, source: "index" });
      expect(report.lost).toEqual({ firstIndex: entry, lastIndex, bytes });
      expect(lastIndex).toBeGreaterThanOrEqual(world.lastEntry);
      expect(reportLines(report).join("\n")).toContain(`LOST entries ${entry} to ${lastIndex}`);
      expect(await differences(service, world.objectsAt(entry - 1))).toEqual([]);
    }
    expect(await snapshot(world.directory)).toEqual(before);
  });

  test("of a sealed segment, through which the index would have to be made again", async () => {
    await using world = await filledWorld();
    const place = await flipIn(world, "k17");
    expect(place.path < ((await segmentsOf(world.directory)).at(-1) as string)).toBe(true);
    await rm(`${world.directory}/index`, { recursive: true });
    const entry = world.entryOf("k17");
    const before = await snapshot(world.directory);
    {
      await using salvaged = await salvage(world.directory);
      const { report, service } = salvaged;
      expect(report).toMatchObject({ appliedIndex: entry - 1, lost: { firstIndex: entry } });
      expect(report.damages).toMatchObject([{ path: place.path, firstIndex: entry }]);
      expect(await differences(service, world.objectsAt(entry - 1))).toEqual([]);
    }
    expect(await snapshot(world.directory)).toEqual(before);
    expect(await refusalOf(world.directory)).toContain(HINT);
  });

  test("that lies before the end of the index does not keep it from the log behind", async () => {
    await using world = await filledWorld();
    await useOlderIndex(world);
    // Of the segment in which the older index ends, so that the log goes on behind it in the same file.
    const inOlder = [...world.objectsAt(world.olderEntry)].filter(([key, bytes]) => {
      const stays = world.objectsAt(world.lastEntry).get(key)?.equals(bytes) === true;
      return stays && bytes.length > 1000 && bytes.length < 60_000;
    });
    const key = inOlder.at(-1)?.[0] as string;
    await flipIn(world, key);
    await using salvaged = await salvage(world.directory);
    expect(salvaged.report.lost).toBeUndefined();
    const all = world.objectsAt(world.lastEntry);
    expect(await differences(salvaged.service, all, new Set([key]))).toEqual([]);
  });

  test("which the disk cannot even read is damage like any other", async () => {
    await using world = await filledWorld();
    await useOlderIndex(world);
    const [, , path] = await segmentsOf(world.directory);
    const disk = new FailingDisk();
    disk.before = (operation) => {
      if (operation.kind === "read" && operation.path === path) throw systemError("EIO");
    };
    await using salvaged = await salvage(world.directory, { disk });
    const { report, service } = salvaged;
    expect(reportLines(report).join("\n")).toContain(`DAMAGED ${path}`);
    const { appliedIndex } = report;
    expect(appliedIndex).toBeGreaterThan(0);
    expect((await find(service, "k0"))?.size).toBe(world.objectsAt(appliedIndex).get("k0")?.length);
  });
});

describe("a missing segment", () => {
  test("in the middle: its objects answer an error, all others are whole", async () => {
    await using world = await filledWorld();
    const [, path = ""] = await segmentsOf(world.directory);
    const inside = new Set(await keysIn(world, path));
    expect(inside.size).toBeGreaterThan(2);
    await rm(path);
    expect(await refusalOf(world.directory)).toContain(HINT);
    const before = await snapshot(world.directory);
    {
      await using salvaged = await salvage(world.directory);
      const { report, service } = salvaged;
      expect(report.lost).toBeUndefined();
      expect(report.damages).toMatchObject([{ path, offset: 0, reason: "the file is missing" }]);
      const entries = [...inside].map(world.entryOf);
      const [{ firstIndex, lastIndex } = { firstIndex: 0, lastIndex: 0 }] = report.damages;
      expect(firstIndex).toBeLessThanOrEqual(Math.min(...entries));
      expect(lastIndex).toBeGreaterThanOrEqual(Math.max(...entries) - 1);
      expect(await differences(service, world.objectsAt(world.lastEntry), inside)).toEqual([]);
    }
    expect(await snapshot(world.directory)).toEqual(before);
  });

  test("and no index: everything before it", async () => {
    await using world = await filledWorld();
    const [, , path = ""] = await segmentsOf(world.directory);
    await rm(path);
    await rm(`${world.directory}/index`, { recursive: true });
    await using salvaged = await salvage(world.directory);
    const { report, service } = salvaged;
    const [damage] = report.damages;
    expect(damage).toMatchObject({ path, firstIndex: report.appliedIndex + 1 });
    expect(report.lost).toMatchObject({ firstIndex: report.appliedIndex + 1 });
    expect(report.appliedIndex).toBeGreaterThan(4);
    expect(await differences(service, world.objectsAt(report.appliedIndex))).toEqual([]);
  });

  test("at the end, which the index has and which was acknowledged", async () => {
    await using world = await filledWorld();
    const path = (await segmentsOf(world.directory)).at(-1) as string;
    const inside = new Set(await keysIn(world, path));
    await rm(path);
    for (const name of await readdir(dirname(path))) {
      if (`${dirname(path)}/${name}` > path) await rm(`${dirname(path)}/${name}`);
    }
    expect(await refusalOf(world.directory)).toContain(HINT);
    {
      await using salvaged = await salvage(world.directory);
      expect(salvaged.report.damages).toMatchObject([{ path, reason: "the file is missing" }]);
      expect(salvaged.report.lost).toBeUndefined();
      expect(await differences(salvaged.service, world.objectsAt(world.lastEntry), inside)).toEqual([]);
    }
    // Without the index nothing but the mark tells that there was more.
    await rm(`${world.directory}/index`, { recursive: true });
    await using salvaged = await salvage(world.directory);
    const { report, service } = salvaged;
    expect(report.lost).toMatchObject({ firstIndex: report.appliedIndex + 1, bytes: 0 });
    expect(report.lost?.lastIndex).toBeGreaterThanOrEqual(world.lastEntry);
    expect(report.notes.join()).toContain("segment files behind it are missing");
    expect(await differences(service, world.objectsAt(report.appliedIndex))).toEqual([]);
  });
});
