/**
 * The folder as a cold tier: what makes an object survive a crash, links instead of copies, and what it says
 * about folders that are gone, full of other things, or not ours to write.
 */
import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { FolderColdStore } from "../../src/adapters/folder-cold-store.ts";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { systemClock } from "../../src/adapters/system-clock.ts";
import { systemRandom } from "../../src/adapters/system-random.ts";
import { isColdError } from "../../src/ports/cold-store.ts";
import type { Disk, DiskFile, OpenMode } from "../../src/ports/disk.ts";
import type { Clock } from "../../src/ports/clock.ts";
import { temporaryDirectory } from "../support/open-store.ts";

const segment = { kind: "segment" } as const;

type World = AsyncDisposable & { readonly path: string; readonly store: FolderColdStore };

async function openWorld(
  changes: { readonly disk?: (path: string) => Disk; readonly clock?: Clock } = {},
): Promise<World> {
  const directory = await temporaryDirectory();
  const { path } = directory;
  const disk = changes.disk?.(path) ?? new NodeDisk();
  const ports = { disk, clock: changes.clock ?? systemClock, random: systemRandom };
  const store = new FolderColdStore({ path: `${path}/cold`, ...ports });
  await store.check();
  return { path, store, [Symbol.asyncDispose]: directory[Symbol.asyncDispose] };
}

async function failureOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isColdError(error)) throw new Error("not an error of the port", { cause: error });
  return `${error.code} ${error.message}`;
}

/** The real disk, which writes down what changes stability, in order; names relative to `root`. */
function recordingDisk(root: string, steps: string[]): Disk {
  const disk = new NodeDisk();
  const short = (path: string): string =>
    path.slice(root.length + 1).replace(/\.incoming\/[0-9a-f]+/, "temporary");
  const recorded = new Proxy(disk, {
    get: (_, name: keyof Disk) => {
      if (name === "open") {
        return async (path: string, mode: OpenMode): Promise<DiskFile> =>
          recordingFile(await disk.open(path, mode), short(path), steps);
      }
      const method = Reflect.get(disk, name) as (...args: readonly string[]) => unknown;
      return async (...args: readonly string[]) => {
        if (name === "rename" || name === "syncDirectory") steps.push(`${name} ${args.map(short).join(" ")}`);
        return await method.call(disk, ...args);
      };
    },
  });
  return recorded;
}

function recordingFile(file: DiskFile, name: string, steps: string[]): DiskFile {
  return {
    read: (target, position) => file.read(target, position),
    readSync: (target, position) => file.readSync(target, position),
    truncate: (size) => file.truncate(size),
    size: () => file.size(),
    close: () => file.close(),
    write: async (source, position) => {
      steps.push(`write ${name}`);
      await file.write(source, position);
    },
    sync: async () => {
      await file.sync();
      steps.push(`sync ${name}`);
    },
  };
}

test("bytes are stable before they get their name, and the name before anybody is told", async () => {
  const steps: string[] = [];
  await using world = await openWorld({ disk: (path) => recordingDisk(path, steps) });
  steps.length = 0;
  await world.store.put("a/b/1.seg", Buffer.from("x"), segment);
  const naming = ["rename cold/temporary cold/a/b/1.seg", ...["cold/a/b", "cold/a", "cold"].map(syncOf)];
  expect(steps).toEqual(["write cold/temporary", "sync cold/temporary", ...naming]);
  steps.length = 0;
  await writeFile(`${world.path}/2.seg`, "y");
  await world.store.putFile("a/b/1.seg", `${world.path}/2.seg`, segment);
  expect(steps).toEqual(["sync cold/temporary", ...naming]);
});

const syncOf = (directory: string): string => `syncDirectory ${directory}`;

test("a sealed segment is linked, not copied, and putting it again leaves no second name", async () => {
  await using world = await openWorld();
  await writeFile(`${world.path}/1.seg`, "segment");
  const { ino } = await stat(`${world.path}/1.seg`);
  for (let time = 0; time < 2; time++) await world.store.putFile("s/1.seg", `${world.path}/1.seg`, segment);
  expect(await stat(`${world.path}/cold/s/1.seg`)).toMatchObject({ ino, nlink: 2 });
  expect(await readdir(`${world.path}/cold/.incoming`)).toEqual([]);
});

test("the time of a linked segment is that of its putting, however old the file is", async () => {
  await using world = await openWorld();
  await writeFile(`${world.path}/1.seg`, "segment");
  await utimes(`${world.path}/1.seg`, 1000, 1000);
  const before = Date.now() - 1000;
  await world.store.putFile("s/1.seg", `${world.path}/1.seg`, segment);
  expect((await world.store.head("s/1.seg"))?.modifiedMs).toBeGreaterThan(before);
  for await (const { modifiedMs } of world.store.list("")) expect(modifiedMs).toBeGreaterThan(before);
});

test("what failed leaves nothing behind, and what a crash left goes after a day, not before", async () => {
  const dayMs = 24 * 3600 * 1000;
  let nowMs = Date.now();
  await using world = await openWorld({ clock: { ...systemClock, nowMs: () => nowMs } });
  const incoming = `${world.path}/cold/.incoming`;
  async function* source(): AsyncIterable<Uint8Array> {
    yield Buffer.from("half");
    await Promise.reject(new Error("broken"));
  }
  await expect(world.store.putStream("key", source(), segment)).rejects.toThrow("broken");
  expect(await readdir(incoming)).toEqual([]);
  await writeFile(`${incoming}/of-a-crash`, "half");
  nowMs += dayMs - 60_000;
  await world.store.check();
  expect(await readdir(incoming)).toEqual(["of-a-crash"]);
  nowMs += 120_000;
  await world.store.check();
  expect(await readdir(incoming)).toEqual([]);
});

test("files that are nobody's objects are neither listed nor read, and stay", async () => {
  await using world = await openWorld();
  await mkdir(`${world.path}/cold/.trash/x`, { recursive: true });
  await writeFile(`${world.path}/cold/.trash/x/y`, "z");
  await writeFile(`${world.path}/cold/not a key`, "z");
  await world.store.put("key", Buffer.from("x"), segment);
  const keys: string[] = [];
  for await (const { key } of world.store.list("")) keys.push(key);
  expect(keys).toEqual(["key"]);
  expect((await readdir(`${world.path}/cold`)).toSorted()).toEqual([
    ".incoming",
    ".trash",
    "key",
    "not a key",
  ]);
});

test("empty folders go with their last object, and come back with the next", async () => {
  await using world = await openWorld();
  const keys = Array.from({ length: 40 }, (_, at) => `tail/${at % 2}/${at}`);
  const work = keys.map(async (key) => {
    await world.store.put(key, Buffer.from(key), segment);
    await world.store.delete([key]);
    await world.store.put(key, Buffer.from(key), segment);
  });
  await Promise.all(work);
  await world.store.delete(keys.slice(1));
  expect(await readdir(`${world.path}/cold/tail`)).toEqual(["0"]);
  await world.store.delete(keys);
  expect(await readdir(`${world.path}/cold`)).toEqual([".incoming"]);
});

test("a folder that is gone is neither empty nor made anew", async () => {
  await using world = await openWorld();
  await world.store.put("key", Buffer.from("x"), segment);
  await rename(`${world.path}/cold`, `${world.path}/elsewhere`);
  const list = async (): Promise<void> => {
    for await (const entry of world.store.list("")) expect(entry).toBeUndefined();
  };
  await writeFile(`${world.path}/file`, "x");
  const works = [
    world.store.get("key"),
    world.store.head("key"),
    list(),
    world.store.put("key", Buffer.from("x"), segment),
    world.store.putFile("key", `${world.path}/file`, segment),
    world.store.delete(["key"]),
  ];
  for (const failure of await Promise.all(works.map(failureOf))) {
    expect(failure).toMatch(/^COLD_REFUSED cold tier folder:\/.*mount its disk, or mend cold.url/);
  }
  expect((await readdir(world.path)).toSorted()).toEqual(["elsewhere", "file"]);
});

test("files and folders in each other's way are told by name", async () => {
  await using world = await openWorld();
  await world.store.put("a", Buffer.from("x"), segment);
  const put = world.store.put("a/b", Buffer.from("x"), segment);
  expect(await failureOf(put)).toMatch(/^COLD_REFUSED .*, a\/b: \w+; a file stands where a folder has to be/);
  await world.store.put("c/d", Buffer.from("x"), segment);
  expect(await failureOf(world.store.put("c", Buffer.from("x"), segment))).toMatch(/^COLD_REFUSED .*, c: /);
  await rm(`${world.path}/cold`, { recursive: true });
  await writeFile(`${world.path}/cold`, "a file");
  expect(await failureOf(world.store.check())).toMatch(/^COLD_REFUSED .*a file stands where a folder/);
});

test.each([
  ["EACCES", "COLD_REFUSED", "let this user write there"],
  ["EROFS", "COLD_REFUSED", "mount it for writing"],
  ["ENOSPC", "COLD_UNAVAILABLE", "make room there"],
  ["EDQUOT", "COLD_UNAVAILABLE", "make room there"],
  ["EIO", "COLD_UNAVAILABLE", "EIO"],
])("%s of the folder is %s, and nothing is left of the object", async (code, kind, mend) => {
  const failing = (): Disk => {
    const disk = new NodeDisk();
    const open = async (path: string, mode: OpenMode): Promise<DiskFile> => {
      const file = recordingFile(await disk.open(path, mode), "", []);
      return { ...file, write: () => Promise.reject(Object.assign(new Error(code), { code })) };
    };
    return new Proxy(disk, {
      get: (_, name: keyof Disk) => (name === "open" ? open : (Reflect.get(disk, name) as unknown)),
    });
  };
  await using world = await openWorld({ disk: failing });
  const failure = await failureOf(world.store.put("key", Buffer.from("x"), segment));
  expect(failure).toMatch(new RegExp(`^${kind} cold tier folder:/.*, key: ${code}`));
  expect(failure).toContain(mend);
  expect(await readdir(`${world.path}/cold/.incoming`)).toEqual([]);
  expect(await world.store.head("key")).toBeUndefined();
});
