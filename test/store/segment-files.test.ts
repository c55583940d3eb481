/** A segment whose file was given up for a copy elsewhere: nobody opens it any more. */
import { expect, test } from "vitest";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { systemErrorCode } from "../../src/ports/disk.ts";
import type { DiskFile } from "../../src/ports/disk.ts";
import { SegmentFiles } from "../../src/store/segment-files.ts";
import { temporaryDirectory } from "../support/open-store.ts";

type World = AsyncDisposable & { readonly files: SegmentFiles };

async function openWorld(): Promise<World> {
  const directory = await temporaryDirectory();
  const disk = new NodeDisk();
  const files = new SegmentFiles(disk, directory.path);
  const file = await disk.open(files.path(7), "write");
  await file.write(Buffer.from("seven"), 0);
  await file.close();
  const close = async (): Promise<void> => {
    await files.close();
    await directory[Symbol.asyncDispose]();
  };
  return { files, [Symbol.asyncDispose]: close };
}

async function textOf(file: DiskFile): Promise<string> {
  const bytes = Buffer.alloc(5);
  await file.read(bytes, 0);
  return bytes.toString();
}

test("a file that is marked gone is not opened, though it is there, until it is marked here", async () => {
  await using world = await openWorld();
  const { files } = world;
  files.markGone(7);
  expect(files.isGone(7)).toBe(true);
  const failed = await files.use(7, (file) => textOf(file)).catch((error: unknown) => systemErrorCode(error));
  expect(failed).toBe("ENOENT");
  expect(files.opened(7)).toBeUndefined();
  files.markHere(7);
  expect(files.isGone(7)).toBe(false);
  expect(await files.use(7, (file) => textOf(file))).toBe("seven");
});

test("who reads it already reads to the end, and the removal waits for that", async () => {
  await using world = await openWorld();
  const { files } = world;
  const steps: string[] = [];
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const reading = files.use(7, async (file) => {
    begun.resolve();
    await gate.promise;
    steps.push(await textOf(file));
  });
  await begun.promise;
  files.markGone(7);
  const removing = files.remove(7).then(() => steps.push("removed"));
  gate.resolve();
  await Promise.all([reading, removing]);
  expect(steps).toEqual(["seven", "removed"]);
  expect(await files.list()).toEqual([]);
});
