/**
 * The Scratch port on the system's temporary directory (TMPDIR). Two things make it work, both measured:
 * LevelDB locks its file LOCK by fcntl and opens it through a symbolic link, so the lock is one on the
 * original, which is neither made nor written; and tables never change, so links to them are as good as
 * copies. Only tables that the manifest names are linked: the number of any other is given out again, and
 * LevelDB would write through the link. What does change (manifest, log) is copied.
 */
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve, sep } from "node:path";
import { ClassicLevel } from "classic-level";
import { RefusedError } from "../base/errors.ts";
import { systemErrorCode } from "../ports/disk.ts";
import type { Disk } from "../ports/disk.ts";
import type { ReadersLock, Scratch } from "../ports/scratch.ts";
import { readManifest } from "../store/level-manifest.ts";
import { systemErrorOf } from "./level-error.ts";

export class ScratchDirectory implements Scratch {
  readonly path: string;
  readonly #disk: Disk;
  #made = 0;

  private constructor(path: string, disk: Disk) {
    this.path = path;
    this.#disk = disk;
  }

  /** Throws RefusedError where it would lie inside of `reserved`. */
  static async make(disk: Disk, reserved: string): Promise<ScratchDirectory> {
    const root = await fs.realpath(tmpdir());
    const forbidden = await fs.realpath(reserved).catch(() => resolve(reserved));
    if (`${root}${sep}`.startsWith(`${forbidden}${sep}`)) {
      throw new RefusedError(
        `the temporary directory ${root} lies in ${reserved}: set TMPDIR to another one`,
      );
    }
    return new ScratchDirectory(await fs.mkdtemp(join(root, "thermocline-salvage-")), disk);
  }

  async lock(directory: string): Promise<ReadersLock> {
    const original = resolve(directory, "lock", "LOCK");
    try {
      await fs.stat(original);
    } catch (error) {
      if (systemErrorCode(error) !== "ENOENT") throw error;
      return { kind: "impossible", reason: `there is no ${original}, which every server makes and holds` };
    }
    const shadow = await this.emptyDirectory();
    await fs.symlink(original, join(shadow, "LOCK"));
    const level = new ClassicLevel(shadow);
    try {
      await level.open();
    } catch (error) {
      const cause = (error as { readonly cause?: unknown }).cause ?? error;
      if (systemErrorCode(cause) === "LEVEL_LOCKED") return { kind: "busy" };
      if (String(cause).includes("Read-only file system")) {
        return { kind: "impossible", reason: `${original} is on a file system that is mounted read-only` };
      }
      throw systemErrorOf(error);
    }
    return { kind: "held", lock: { release: () => level.close() } };
  }

  async shadowIndex(directory: string): Promise<string> {
    const source = resolve(directory);
    const shadow = await this.emptyDirectory();
    const manifest = await readManifest(this.#disk, source);
    if (manifest === undefined) return shadow;
    for (const name of await fs.readdir(source)) {
      const table = /^0*(\d+)\.(?:ldb|sst)$/.exec(name)?.[1];
      if (table !== undefined && manifest.tables.has(Number(table))) {
        await fs.symlink(join(source, name), join(shadow, name));
      } else if (name === "CURRENT" || name === manifest.name || /^\d+\.log$/.test(name)) {
        await fs.copyFile(join(source, name), join(shadow, name));
      }
    }
    return shadow;
  }

  async emptyDirectory(): Promise<string> {
    const path = join(this.path, String(++this.#made));
    await fs.mkdir(path);
    return path;
  }

  async remove(): Promise<void> {
    await fs.rm(this.path, { recursive: true, force: true });
  }
}
