/**
 * The read-only start (`--salvage`) and all that is not the log: the small files, the index, the lock, and
 * directories that are none. Nothing in them changes, not even a time.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { ScratchDirectory } from "../../src/adapters/scratch-directory.ts";
import { RefusedError } from "../../src/base/errors.ts";
import { reportLines } from "../../src/replica/salvage-report.ts";
import { patternBytes } from "../segment/records.ts";
import { put } from "../service/service-world.ts";
import { append, flipBit } from "../store/bytes-of-files.ts";
import { openStore, temporaryDirectory } from "../support/open-store.ts";
import { verifyDirectory } from "../support/verify-directory.ts";
import {
  HINT,
  segmentsOf,
  SEGMENT_BYTES,
  differences,
  filledWorld,
  placeOf,
  refusalOf,
  salvage,
  snapshot,
  spoilRow,
  useOlderIndex,
} from "./salvage-world.ts";

describe("small files", () => {
  test.each(["acked", "vote", "node.json"])(
    "%s, damaged: everything is served, and it is told",
    async (name) => {
      await using world = await filledWorld();
      const path = `${world.directory}/${name}`;
      const bytes = await readFile(path);
      const spoilt = Buffer.from(bytes).fill(0x55, 0, 16);
      // Its second slot, if it has one.
      await writeFile(path, spoilt.fill(0x55, Math.min(4096, bytes.length), Math.min(4112, bytes.length)));
      expect(await refusalOf(world.directory)).toContain(HINT);
      const before = await snapshot(world.directory);
      {
        await using salvaged = await salvage(world.directory);
        const { report, service } = salvaged;
        expect(report.notes.join()).toContain(path);
        expect(report.notes.join()).not.toContain(HINT);
        expect(report).toMatchObject({ damages: [], lost: undefined });
        expect(await differences(service, world.objectsAt(world.lastEntry))).toEqual([]);
      }
      expect(await snapshot(world.directory)).toEqual(before);
    },
  );

  test.each(["acked", "vote", "node.json"])("%s, missing: the same, and it is not made", async (name) => {
    await using world = await filledWorld();
    await rm(`${world.directory}/${name}`);
    await using salvaged = await salvage(world.directory);
    expect(salvaged.report.notes.join()).toContain(name);
    expect(await differences(salvaged.service, world.objectsAt(world.lastEntry))).toEqual([]);
    expect(existsSync(`${world.directory}/${name}`)).toBe(false);
  });

  test("a torn tail above the mark is told and left there; without the mark it is in doubt", async () => {
    await using world = await filledWorld();
    const path = (await segmentsOf(world.directory)).at(-1) as string;
    await append(path, patternBytes(500, 9));
    const before = await snapshot(world.directory);
    {
      await using salvaged = await salvage(world.directory);
      expect(salvaged.report).toMatchObject({ damages: [], lost: undefined });
      expect(salvaged.report.notes.join()).toContain("a torn tail");
      expect(await differences(salvaged.service, world.objectsAt(world.lastEntry))).toEqual([]);
    }
    expect(await snapshot(world.directory)).toEqual(before);
    await rm(`${world.directory}/acked`);
    await using salvaged = await salvage(world.directory);
    expect(salvaged.report.lost).toMatchObject({ lastIndex: undefined, bytes: 500 });
    expect(salvaged.report.damages).toMatchObject([{ path, bytes: 500 }]);
    expect(reportLines(salvaged.report).join("\n")).toContain("how many, nothing tells");
  });
});

describe("the index", () => {
  test("with a damaged table is not believed: the log has everything", async () => {
    await using world = await filledWorld();
    // LevelDB makes tables of its log when it is opened.
    expect(await refusalOf(world.directory)).toContain("opened");
    const table = (await readdir(`${world.directory}/index`)).find((name) => name.endsWith(".ldb"));
    await flipBit(`${world.directory}/index/${table}`, 200);
    const before = await snapshot(world.directory);
    {
      await using salvaged = await salvage(world.directory);
      const { report, service } = salvaged;
      expect(report).toMatchObject({ source: "log", damages: [], lost: undefined });
      expect(report.notes.join()).toContain("the index cannot be believed");
      expect(await differences(service, world.objectsAt(world.lastEntry))).toEqual([]);
    }
    expect(await snapshot(world.directory)).toEqual(before);
  });

  test.each(["CURRENT", "MANIFEST"])("with a damaged %s likewise", async (prefix) => {
    await using world = await filledWorld();
    const name = (await readdir(`${world.directory}/index`)).find((each) => each.startsWith(prefix));
    await flipBit(`${world.directory}/index/${name}`, 10);
    await using salvaged = await salvage(world.directory);
    expect(salvaged.report.source).toBe("log");
    expect(await differences(salvaged.service, world.objectsAt(world.lastEntry))).toEqual([]);
  });

  test("that is gone is made from the log in pieces, if memory does not hold it at once", async () => {
    await using world = await filledWorld();
    await rm(`${world.directory}/index`, { recursive: true });
    await using salvaged = await salvage(world.directory, { overlayRowsMax: 8 });
    expect(salvaged.report).toMatchObject({ source: "log", lost: undefined });
    expect(await differences(salvaged.service, world.objectsAt(world.lastEntry))).toEqual([]);
  });

  test("with a damaged row that the log behind it needs: the log alone knows it", async () => {
    await using world = await filledWorld();
    await useOlderIndex(world);
    await spoilRow(world.directory, "bucket/b");
    await using salvaged = await salvage(world.directory);
    expect(salvaged.report).toMatchObject({ source: "log", lost: undefined });
    expect(await differences(salvaged.service, world.objectsAt(world.lastEntry))).toEqual([]);
  });

  test("with such a row and a log damaged before: what the index has, and no half of an entry", async () => {
    await using temporary = await temporaryDirectory();
    const directory = `${temporary.path}/data`;
    {
      await using store = await openStore(directory, { segmentBytes: SEGMENT_BYTES });
      const { service } = store;
      for (const name of ["b", "bad"]) await service.buckets.create({ name, owner: "root", location: "" });
      await put(service, "old", patternBytes(3000, 1));
      await put(service, "kept", patternBytes(2000, 2));
    }
    await cp(`${directory}/index`, `${temporary.path}/older`, { recursive: true });
    {
      await using store = await openStore(directory, { segmentBytes: SEGMENT_BYTES });
      const both = ["b", "bad"].map((bucket) => ({
        bucket,
        key: "half",
        etag: "0".repeat(32),
        attributes: { headers: [], metadata: [], checksum: undefined },
        body: { kind: "bytes", bytes: patternBytes(100, 3) } as const,
        condition: { kind: "none" } as const,
      }));
      await store.service.objects.putMany(both);
    }
    await rm(`${directory}/index`, { recursive: true });
    await cp(`${temporary.path}/older`, `${directory}/index`, { recursive: true });
    await spoilRow(directory, "bucket/bad");
    const place = await placeOf(directory, patternBytes(3000, 1));
    await flipBit(place.path, place.offset + 50);
    const before = await snapshot(directory);
    {
      await using salvaged = await salvage(directory);
      const { report, service } = salvaged;
      expect(report.source).toBe("index");
      expect(report.notes.join()).toContain("could not be applied");
      expect(report.lost).toMatchObject({ firstIndex: report.appliedIndex + 1 });
      const objects = new Map([
        ["old", patternBytes(3000, 1)],
        ["kept", patternBytes(2000, 2)],
      ]);
      expect(await differences(service, objects, new Set(["old"]))).toEqual([]);
    }
    expect(await snapshot(directory)).toEqual(before);
  });

  test("with tables that no manifest names: LevelDB uses their numbers again, not over them", async () => {
    await using world = await filledWorld();
    for (let number = 1; number < 60; number++) {
      const path = `${world.directory}/index/${String(number).padStart(6, "0")}.ldb`;
      if (!existsSync(path)) await writeFile(path, `half of table ${number}`);
    }
    const before = await snapshot(world.directory);
    {
      await using salvaged = await salvage(world.directory);
      expect(salvaged.report.source).toBe("index");
      expect(await differences(salvaged.service, world.objectsAt(world.lastEntry))).toEqual([]);
    }
    expect(await snapshot(world.directory)).toEqual(before);
  });
});

describe("the directory", () => {
  /** A process that opens the directory as a server does; ended with its scope. */
  function holder(directory: string): AsyncDisposable & { readonly said: Promise<string> } {
    const script = new URL("hold-directory.ts", import.meta.url).pathname;
    const child = spawn(process.execPath, [script, directory], { stdio: ["ignore", "pipe", "pipe"] });
    const said = Promise.race([once(child.stdout, "data"), once(child.stderr, "data")]).then(String);
    const ended = once(child, "exit");
    const end = async (): Promise<void> => {
      child.kill("SIGKILL");
      await ended;
    };
    return { said, [Symbol.asyncDispose]: end };
  }

  test("that another process uses is refused, and free again when that one is gone", async () => {
    await using world = await filledWorld();
    {
      await using other = holder(world.directory);
      expect(await other.said).toBe("open\n");
      await expect(salvage(world.directory)).rejects.toThrow("another process uses");
      await expect(verifyDirectory(world.directory)).rejects.toThrow("another process uses");
    }
    await using salvaged = await salvage(world.directory);
    expect(salvaged.report.lost).toBeUndefined();
  });

  test("is locked while it is read, so that no server starts on it", async () => {
    await using world = await filledWorld();
    {
      await using _salvaged = await salvage(world.directory);
      await using other = holder(world.directory);
      expect(await other.said).not.toBe("open\n");
    }
    await using other = holder(world.directory);
    expect(await other.said).toBe("open\n");
  });

  test("that was copied without its lock is read all the same, with a warning", async () => {
    await using world = await filledWorld();
    await rm(`${world.directory}/lock`, { recursive: true });
    const before = await snapshot(world.directory);
    {
      await using salvaged = await salvage(world.directory);
      expect(salvaged.report.notes.join()).toContain("start no other server on it");
    }
    expect(await snapshot(world.directory)).toEqual(before);
  });

  test.each([
    ["that is not there", undefined],
    ["of somebody else", "letters.txt"],
  ])("%s is refused, and nothing is made", async (_, file) => {
    await using temporary = await temporaryDirectory();
    const directory = file === undefined ? `${temporary.path}/data` : temporary.path;
    if (file !== undefined) await writeFile(`${directory}/${file}`, "dear");
    await expect(salvage(directory)).rejects.toThrow(/is no data directory/);
    expect(await readdir(temporary.path)).toEqual(file === undefined ? [] : [file]);
  });

  test("of another node, or of a newer release, is refused", async () => {
    await using world = await filledWorld();
    await expect(salvage(world.directory, { nodeId: "n2" })).rejects.toThrow("belongs to node n1");
    const path = `${world.directory}/node.json`;
    const node = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
    await writeFile(path, JSON.stringify({ ...node, format: 2 }));
    await expect(salvage(world.directory)).rejects.toThrow("a newer release wrote it");
  });

  test("is no place for the scratch directory, which goes at the close", async () => {
    await using world = await filledWorld();
    const kept = process.env["TMPDIR"];
    try {
      process.env["TMPDIR"] = `${world.directory}/log`;
      await expect(salvage(world.directory)).rejects.toThrow(RefusedError);
    } finally {
      if (kept === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = kept;
    }
    const scratch = await ScratchDirectory.make(new NodeDisk(), world.directory);
    const makeScratch = (): Promise<ScratchDirectory> => Promise.resolve(scratch);
    {
      await using _salvaged = await salvage(world.directory, { makeScratch });
      expect(existsSync(scratch.path)).toBe(true);
    }
    expect(existsSync(scratch.path)).toBe(false);
  });

  const isRoot = process.platform === "linux" && process.getuid?.() === 0;

  /** Mounting needs root, which the project's CI has. */
  async function mounted(words: readonly string[]): Promise<AsyncDisposable & { readonly path: string }> {
    const place = await temporaryDirectory();
    execFileSync("mount", [...words, place.path]);
    return {
      path: place.path,
      [Symbol.asyncDispose]: async () => {
        execFileSync("umount", ["-l", place.path]);
        await place[Symbol.asyncDispose]();
      },
    };
  }

  test.runIf(isRoot)("on a file system that is mounted read-only is read, without a lock", async () => {
    await using world = await filledWorld();
    await using view = await mounted(["--bind", world.directory]);
    execFileSync("mount", ["-o", "remount,bind,ro", view.path]);
    await using salvaged = await salvage(view.path);
    expect(salvaged.report.notes.join()).toContain("mounted read-only");
    expect(await differences(salvaged.service, world.objectsAt(world.lastEntry))).toEqual([]);
  });

  test.runIf(isRoot)(
    "whose state does not fit into the temporary directory is refused with advice",
    async () => {
      await using world = await filledWorld();
      await rm(`${world.directory}/index`, { recursive: true });
      await using small = await mounted(["-t", "tmpfs", "-o", "size=32k", "tmpfs"]);
      const kept = process.env["TMPDIR"];
      try {
        process.env["TMPDIR"] = small.path;
        const refused = salvage(world.directory, { overlayRowsMax: 8 });
        await expect(refused).rejects.toThrow(/there is no room in .*: set TMPDIR to another directory/);
      } finally {
        if (kept === undefined) delete process.env["TMPDIR"];
        else process.env["TMPDIR"] = kept;
      }
      expect(await readdir(small.path)).toEqual([]);
    },
  );
});
