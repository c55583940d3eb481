/**
 * What every disk promises, as a suite over a factory: the real one and the simulated one pass the same
 * tests, so what a simulation shows is true of production. Stability after a crash is not part of it: that
 * is what the crash tests are for.
 */
import { describe, expect, test } from "vitest";
import { systemErrorCode } from "../../src/ports/disk.ts";
import type { Disk, DiskFile, OpenMode } from "../../src/ports/disk.ts";

/** A disk with a directory that exists, is empty, and belongs to one test. */
export type DiskWorld = AsyncDisposable & { readonly disk: Disk; readonly directory: string };
type Factory = () => Promise<DiskWorld>;

async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
  } catch (error) {
    return systemErrorCode(error) ?? "no code";
  }
  return undefined;
}

async function contents(disk: Disk, path: string): Promise<string | undefined> {
  const bytes = await disk.readFile(path);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString();
}

async function writeFile(disk: Disk, path: string, text: string, mode: OpenMode = "write"): Promise<void> {
  const file = await disk.open(path, mode);
  await file.write(Buffer.from(text), 0);
  await file.sync();
  await file.close();
}

async function readAt(file: DiskFile, count: number, position: number): Promise<string> {
  const target = Buffer.alloc(count, "?");
  return target.toString("latin1", 0, await file.read(target, position));
}

function reading(open: Factory): void {
  test("a file that is absent has no contents and cannot be opened for reading", async () => {
    await using world = await open();
    const { disk, directory } = world;
    expect(await disk.readFile(`${directory}/absent`)).toBeUndefined();
    expect(await codeOf(disk.open(`${directory}/absent`, "read"))).toBe("ENOENT");
    expect(await disk.list(directory)).toEqual([]);
  });

  test("a read is short only at the end of the file", async () => {
    await using world = await open();
    await writeFile(world.disk, `${world.directory}/a`, "0123456789");
    const file = await world.disk.open(`${world.directory}/a`, "read");
    const reads = [await readAt(file, 4, 0), await readAt(file, 4, 8), await readAt(file, 4, 10)];
    expect(reads).toEqual(["0123", "89", ""]);
    expect(await readAt(file, 4, 500)).toBe("");
    const target = Buffer.alloc(4);
    expect([file.readSync(target, 3), target.toString()]).toEqual([4, "3456"]);
    expect(file.readSync(target, 9)).toBe(1);
    await file.close();
  });

  test("a handle sees what another one has written", async () => {
    await using world = await open();
    const path = `${world.directory}/a`;
    await writeFile(world.disk, path, "first");
    const reader = await world.disk.open(path, "read");
    const writer = await world.disk.open(path, "durable");
    await writer.write(Buffer.from("other, and longer"), 0);
    expect(await readAt(reader, 30, 0)).toBe("other, and longer");
    expect(await reader.size()).toBe(17);
    await Promise.all([reader.close(), writer.close()]);
  });

  test("closing twice is harmless", async () => {
    await using world = await open();
    const file = await world.disk.open(`${world.directory}/a`, "write");
    await file.close();
    await file.close();
  });
}

function writing(open: Factory): void {
  test.each(["write", "durable"] as const)(
    "opening to %s makes an empty file and keeps an old one",
    async (mode) => {
      await using world = await open();
      const path = `${world.directory}/a`;
      await (await world.disk.open(path, mode)).close();
      expect(await contents(world.disk, path)).toBe("");
      await writeFile(world.disk, path, "kept", mode);
      await (await world.disk.open(path, mode)).close();
      expect(await contents(world.disk, path)).toBe("kept");
    },
  );

  test("bytes go where they are told, over old ones and behind the end, with zeros between", async () => {
    await using world = await open();
    const path = `${world.directory}/a`;
    const file = await world.disk.open(path, "durable");
    await file.write(Buffer.from("abcdef"), 0);
    await file.write(Buffer.from("XY"), 2);
    await file.write(Buffer.from("end"), 8);
    expect(await file.size()).toBe(11);
    await file.close();
    expect(await contents(world.disk, path)).toBe("abXYef\0\0end");
  });

  test("large writes arrive whole, also of views into larger buffers", async () => {
    await using world = await open();
    const path = `${world.directory}/a`;
    const large = Buffer.alloc(5 * 1024 * 1024 + 13);
    for (let at = 0; at < large.length; at += 997) large[at] = at % 251;
    const file = await world.disk.open(path, "durable");
    await file.write(large.subarray(7), 3);
    const back = Buffer.alloc(large.length - 7);
    expect(await file.read(back, 3)).toBe(back.length);
    expect(back.equals(large.subarray(7))).toBe(true);
    await file.close();
  });

  test("what is written later does not change what was written: the bytes were taken", async () => {
    await using world = await open();
    const path = `${world.directory}/a`;
    const source = Buffer.from("before");
    const file = await world.disk.open(path, "durable");
    await file.write(source, 0);
    source.write("after!");
    await file.close();
    expect(await contents(world.disk, path)).toBe("before");
  });

  test("truncating cuts, and extends with zeros", async () => {
    await using world = await open();
    const path = `${world.directory}/a`;
    await writeFile(world.disk, path, "abcdef");
    const file = await world.disk.open(path, "write");
    await file.truncate(2);
    expect(await file.size()).toBe(2);
    await file.truncate(4);
    await file.sync();
    await file.close();
    expect(await contents(world.disk, path)).toBe("ab\0\0");
  });
}

function names(open: Factory): void {
  test("directories are made with their parents, listed, and removed with what is in them", async () => {
    await using world = await open();
    const { disk, directory } = world;
    await disk.makeDirectory(`${directory}/a/b/c`);
    await disk.makeDirectory(`${directory}/a/b`);
    await writeFile(disk, `${directory}/a/b/file`, "x");
    expect((await disk.list(`${directory}/a/b`)).toSorted()).toEqual(["c", "file"]);
    expect(await disk.list(`${directory}/absent`)).toEqual([]);
    await disk.syncDirectory(`${directory}/a/b`);
    await disk.removeDirectory(`${directory}/a`);
    await disk.removeDirectory(`${directory}/a`);
    expect(await disk.list(directory)).toEqual([]);
  });

  test("a rename replaces its target in one step", async () => {
    await using world = await open();
    const { disk, directory } = world;
    await writeFile(disk, `${directory}/old`, "old");
    await writeFile(disk, `${directory}/new`, "new");
    await disk.rename(`${directory}/new`, `${directory}/old`);
    await disk.syncDirectory(directory);
    expect(await contents(disk, `${directory}/old`)).toBe("new");
    expect(await disk.list(directory)).toEqual(["old"]);
  });

  test("a directory is renamed with what is in it", async () => {
    await using world = await open();
    const { disk, directory } = world;
    await disk.makeDirectory(`${directory}/a`);
    await writeFile(disk, `${directory}/a/file`, "x");
    await disk.rename(`${directory}/a`, `${directory}/b`);
    expect(await contents(disk, `${directory}/b/file`)).toBe("x");
    expect(await disk.list(`${directory}/a`)).toEqual([]);
  });

  test("removing what is absent is harmless, removing a file is seen at once", async () => {
    await using world = await open();
    const { disk, directory } = world;
    await disk.remove(`${directory}/absent`);
    await writeFile(disk, `${directory}/a`, "x");
    await disk.remove(`${directory}/a`);
    expect(await disk.list(directory)).toEqual([]);
  });

  test("a handle goes on reading a file that was removed", async () => {
    await using world = await open();
    const path = `${world.directory}/a`;
    await writeFile(world.disk, path, "still here");
    const file = await world.disk.open(path, "read");
    await world.disk.remove(path);
    expect(await readAt(file, 20, 0)).toBe("still here");
    await file.close();
  });
}

function rest(open: Factory): void {
  test("a directory is locked by one at a time, and free again after", async () => {
    await using world = await open();
    const path = `${world.directory}/lock`;
    const first = await world.disk.lock(path);
    expect(first).toBeDefined();
    expect(await world.disk.lock(path)).toBeUndefined();
    await first?.release();
    const second = await world.disk.lock(path);
    expect(second).toBeDefined();
    await second?.release();
  });

  test("space is told in bytes", async () => {
    await using world = await open();
    const { freeBytes, totalBytes } = await world.disk.space(world.directory);
    expect(freeBytes).toBeGreaterThan(0);
    expect(totalBytes).toBeGreaterThanOrEqual(freeBytes);
  });
}

export function diskContract(name: string, open: Factory): void {
  describe(`${name}, as a disk`, () => {
    reading(open);
    writing(open);
    names(open);
    rest(open);
  });
}
