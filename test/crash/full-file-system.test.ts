/**
 * A file system of 64 MiB that really fills up, under the real disk and LevelDB. Mounting one needs root,
 * which the project's CI has; elsewhere the simulated disk of full-disk.test.ts has to do.
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { rm, statfs, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { systemClock } from "../../src/adapters/system-clock.ts";
import { BusyError } from "../../src/base/errors.ts";
import { NO_ATTRIBUTES } from "../../src/state/attributes.ts";
import { openStore, temporaryDirectory } from "../support/open-store.ts";
import type { OpenStore } from "../support/open-store.ts";
import { md5 } from "./recorded-client.ts";

const MIB = 1024 * 1024;

async function smallFileSystem(): Promise<AsyncDisposable & { readonly path: string }> {
  const directory = await temporaryDirectory();
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m", "tmpfs", directory.path]);
  return {
    path: directory.path,
    [Symbol.asyncDispose]: async () => {
      execFileSync("umount", ["-l", directory.path]);
      await directory[Symbol.asyncDispose]();
    },
  };
}

async function put({ service }: OpenStore, key: string, bytes: Buffer): Promise<"put" | "busy"> {
  try {
    const { kind } = await service.objects.put({
      bucket: "b",
      key,
      etag: md5(bytes),
      attributes: NO_ATTRIBUTES,
      body: { kind: "bytes", bytes },
      condition: { kind: "none" },
    });
    if (kind !== "put") throw new Error(kind);
    return kind;
  } catch (error) {
    if (error instanceof BusyError) return "busy";
    throw error;
  }
}

async function expectAll({ service }: OpenStore, written: ReadonlyMap<string, Buffer>): Promise<void> {
  for (const [key, bytes] of written) {
    const found = await service.objects.find(`b/${key}`);
    expect(found?.bytes?.length, key).toBe(bytes.length);
    expect(bytes.equals(found?.bytes as Uint8Array), key).toBe(true);
  }
}

/** Takes all the space there is; that the store took some meanwhile is no matter. */
async function takeRest(path: string): Promise<void> {
  const { bavail, bsize } = await statfs(path);
  try {
    await writeFile(`${path}/rest`, Buffer.alloc(bavail * bsize));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  }
}

const isRoot = process.platform === "linux" && process.getuid?.() === 0;

test.runIf(isRoot)(
  "a full file system refuses writes, reads on, and recovers",
  { timeout: 60_000 },
  async () => {
    await using fileSystem = await smallFileSystem();
    const { path } = fileSystem;
    const fatal: unknown[] = [];
    const changes = {
      segmentBytes: 2 * MIB,
      cacheBytesMax: 1,
      onFatal: (error: unknown) => fatal.push(error),
    };
    const written = new Map<string, Buffer>();
    {
      await using store = await openStore(`${path}/data`, changes);
      await store.service.buckets.create({ name: "b", owner: "root", location: "" });
      for (let at = 0; at < 100; at++) {
        const bytes = randomBytes(60_000);
        expect(await put(store, `k${at}`, bytes)).toBe("put");
        written.set(`k${at}`, bytes);
      }
      await takeRest(path);
      // Those that were admitted already wait for space; later ones are refused.
      const more = Array.from({ length: 100 }, async (_, at) => {
        const bytes = randomBytes(60_000);
        if ((await put(store, `more${at}`, bytes)) === "put") written.set(`more${at}`, bytes);
      });
      await systemClock.sleep(2500);
      expect(await put(store, "late", randomBytes(10))).toBe("busy");
      await expectAll(store, written);
      await rm(`${path}/rest`);
      await Promise.all(more);
      await systemClock.sleep(2500);
      expect(await put(store, "again", Buffer.from("again"))).toBe("put");
      written.set("again", Buffer.from("again"));
      await expectAll(store, written);
    }
    expect(fatal).toEqual([]);
    await takeRest(path);
    // Whether it starts on a full disk or says that it cannot: nothing may be thrown away for it.
    const started = await openStore(`${path}/data`, changes).catch((error: unknown) => error as Error);
    if (started instanceof Error) expect(started.message).toMatch(/space|full/i);
    else await started[Symbol.asyncDispose]();
    await rm(`${path}/rest`);
    await using store = await openStore(`${path}/data`, changes);
    expect(store.node.indexRebuilt).toBeUndefined();
    await expectAll(store, written);
    expect(await put(store, "last", randomBytes(10))).toBe("put");
  },
);
