/**
 * The ColdStore port on a folder: each key is a file below it. A file appears under its key by one rename,
 * synced before (its bytes) and after (its name), so a crash at any point leaves the object whole or absent.
 * Sealed segments are linked where they lie on the same file system, which costs no bytes.
 *
 * What is on its way lies in `.incoming`, which no key can name; what a crash left there is removed a day
 * later, because another process may be writing through the same folder. Only `check` makes the folder: one
 * that has gone, with the disk it was on, must not look empty, nor be filled somewhere else.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { assert } from "../base/assert.ts";
import type { Clock } from "../ports/clock.ts";
import type {
  ColdCall,
  ColdEntry,
  ColdGet,
  ColdHead,
  ColdPut,
  ColdStore,
  ColdStored,
} from "../ports/cold-store.ts";
import {
  COLD_WHOLE_BYTES_MAX,
  ColdDamagedError,
  ColdMissingError,
  ColdRefusedError,
  ColdUnavailableError,
  isColdKey,
} from "../ports/cold-store.ts";
import type { Disk, DiskFile } from "../ports/disk.ts";
import { systemErrorCode } from "../ports/disk.ts";
import type { Random } from "../ports/random.ts";
import { bodyOfBytes, bodyOfFile, digestOf, untilAborted } from "./cold-body.ts";
import { folderError, isAbsence, readingErrors } from "./folder-cold-errors.ts";
import { listFolder } from "./folder-cold-list.ts";

const INCOMING = ".incoming";
const LEFT_BEHIND_MS = 24 * 3600 * 1000;
/** A directory that was just removed because it was empty has to be made again; not more often than this. */
const NAMING_ATTEMPTS = 10;
/** The file system cannot link these two; then bytes are copied. */
const CANNOT_LINK = new Set(["EXDEV", "EPERM", "EMLINK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EACCES"]);

export type FolderColdOptions = {
  readonly path: string;
  /** The real disk: files that are put are looked for there, and it makes things stable. */
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
};

/** Puts all bytes into the file of that name, stable. */
type Writing = (temporary: string, signal: AbortSignal) => Promise<ColdStored>;

export class FolderColdStore implements ColdStore {
  readonly place: string;
  readonly #root: string;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #closing = new AbortController();
  readonly #underWay = new Set<Promise<unknown>>();

  constructor({ path, disk, clock, random }: FolderColdOptions) {
    this.#root = resolve(path);
    this.place = `folder:${this.#root}`;
    this.#disk = disk;
    this.#clock = clock;
    this.#random = random;
  }

  async check({ signal }: ColdCall = {}): Promise<void> {
    const incoming = `${this.#root}/${INCOMING}`;
    await this.#tracked(undefined, signal, async () => {
      await this.#disk.makeDirectory(incoming);
      await fs.access(incoming, fs.constants.W_OK | fs.constants.X_OK);
      for (const name of await this.#disk.list(incoming)) {
        const found = await ifPresent(fs.stat(`${incoming}/${name}`));
        if (found === undefined || this.#clock.nowMs() - found.ctimeMs < LEFT_BEHIND_MS) continue;
        await this.#disk.remove(`${incoming}/${name}`);
      }
    });
  }

  async put(key: string, body: Uint8Array | readonly Uint8Array[], put: ColdPut): Promise<ColdStored> {
    const { pieces } = bodyOfBytes(body instanceof Uint8Array ? [body] : body);
    return await this.putStream(key, pieces(), put);
  }

  async putStream(key: string, source: AsyncIterable<Uint8Array>, put: ColdPut): Promise<ColdStored> {
    return await this.#store(key, put, (temporary, signal) => this.#write(temporary, source, signal));
  }

  async putFile(key: string, path: string, put: ColdPut): Promise<ColdStored> {
    const body = await bodyOfFile(this.#disk, path);
    return await this.#store(key, put, async (temporary, signal) => {
      if (!(await linked(path, temporary))) return await this.#write(temporary, body.pieces(), signal);
      const file = await this.#disk.open(temporary, "read");
      await closing(file, () => file.sync());
      return { bytes: body.bytes, sha256: await digestOf(body, this.#clock, signal) };
    });
  }

  async #write(path: string, source: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<ColdStored> {
    const hash = createHash("sha256");
    const file = await this.#disk.open(path, "write");
    let bytes = 0;
    await closing(file, async () => {
      for await (const piece of untilAborted(readingErrors(source), signal)) {
        hash.update(piece);
        await file.write(piece, bytes);
        bytes += piece.length;
      }
      await file.sync();
    });
    return { bytes, sha256: hash.digest("hex") };
  }

  /** Nothing here makes `.incoming`: where it is missing, the first step says that the folder is gone. */
  async #store(key: string, { sha256, signal }: ColdPut, writing: Writing): Promise<ColdStored> {
    const path = this.#pathOf(key);
    return await this.#tracked(key, signal, async (ended) => {
      const id = Buffer.from(this.#random.bytes(12)).toString("hex");
      const temporary = `${this.#root}/${INCOMING}/${id}`;
      try {
        const stored = await writing(temporary, ended);
        this.#requireDigest(key, stored.sha256, sha256);
        await this.#name(temporary, path);
        return stored;
      } finally {
        // Also after success: a rename onto another link of the same file leaves both names.
        await this.#disk.remove(temporary);
      }
    });
  }

  async #name(temporary: string, path: string): Promise<void> {
    const directory = dirname(path);
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#disk.makeDirectory(directory);
        await this.#disk.rename(temporary, path);
        break;
      } catch (error) {
        if (systemErrorCode(error) !== "ENOENT" || attempt >= NAMING_ATTEMPTS) throw error;
      }
    }
    // All of them: who made the upper ones may not have synced them yet.
    for (let at = directory; at.length >= this.#root.length; at = dirname(at)) {
      await this.#disk.syncDirectory(at);
    }
  }

  async get(key: string, { range, sha256, signal }: ColdGet = {}): Promise<Uint8Array> {
    assert(range === undefined || range.start < range.end, "an empty range of a cold object");
    const path = this.#pathOf(key);
    return await this.#tracked(key, signal, async (ended) => {
      const file = await this.#openObject(key, path);
      const bytes = await closing(file, async () => {
        const size = await file.size();
        const { start, end } = range ?? { start: 0, end: size };
        if (end > size) throw this.#damaged(key, `${size} bytes, asked for ${start} to ${end}`);
        const isTooMuch = range === undefined && size > COLD_WHOLE_BYTES_MAX;
        if (isTooMuch) throw this.#damaged(key, `${size} bytes, too many to be read at once`);
        const target = Buffer.allocUnsafeSlow(end - start);
        const count = await file.read(target, start);
        if (count < target.length) throw this.#damaged(key, `ended after ${start + count} bytes`);
        return target;
      });
      if (sha256 === undefined) return bytes;
      this.#requireDigest(key, await digestOf(bodyOfBytes([bytes]), this.#clock, ended), sha256);
      return bytes;
    });
  }

  async #openObject(key: string, path: string): Promise<DiskFile> {
    const found = await ifPresent(fs.stat(path));
    if (found?.isFile() === true) return await this.#disk.open(path, "read");
    await this.#requireFolder();
    throw new ColdMissingError(`${this.#what(key)}: there is no such object`);
  }

  async head(key: string, { signal }: ColdCall = {}): Promise<ColdHead | undefined> {
    const path = this.#pathOf(key);
    return await this.#tracked(key, signal, async () => {
      const found = await ifPresent(fs.stat(path));
      if (found?.isFile() !== true) {
        await this.#requireFolder();
        return undefined;
      }
      const { size: bytes, ctimeMs, ino } = found;
      const etag = `${ino.toString(36)}-${bytes.toString(36)}-${ctimeMs}`;
      return { bytes, modifiedMs: ctimeMs, sha256: undefined, etag, storageClass: undefined };
    });
  }

  async *list(
    prefix: string,
    { after = "", signal }: ColdCall & { readonly after?: string } = {},
  ): AsyncIterable<ColdEntry> {
    await this.#tracked(undefined, signal, () => this.#requireFolder());
    const entries = listFolder(this.#root, { prefix, after })[Symbol.asyncIterator]();
    for (;;) {
      const next = await this.#tracked(undefined, signal, () => entries.next());
      if (next.done === true) return;
      yield next.value;
    }
  }

  async delete(keys: readonly string[], { signal }: ColdCall = {}): Promise<void> {
    const paths = keys.map((key) => this.#pathOf(key));
    const directories = new Set(paths.map((path) => dirname(path)));
    await this.#tracked(undefined, signal, async (ended) => {
      await this.#requireFolder();
      for (const path of paths) {
        ended.throwIfAborted();
        await ifPresent(fs.unlink(path));
      }
      for (const directory of directories) await this.#settleDirectory(directory);
    });
  }

  /** Removals are stable when it returns; a directory that has nothing left in it goes too. */
  async #settleDirectory(directory: string): Promise<void> {
    await ifPresent(this.#disk.syncDirectory(directory));
    for (let at = directory; at.length > this.#root.length; at = dirname(at)) {
      const isGone = await fs.rmdir(at).then(
        () => true,
        // It is in use again, or has been; whoever removes the last object in it comes by here.
        () => false,
      );
      if (!isGone) return;
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#underWay);
  }

  #pathOf(key: string): string {
    if (isColdKey(key)) return `${this.#root}/${key}`;
    const shown = JSON.stringify(key.length > 100 ? `${key.slice(0, 97)}...` : key);
    throw new ColdRefusedError(`cold tier ${this.place}: ${shown} is no cold key`);
  }

  #what(key: string | undefined): string {
    return `cold tier ${this.place}${key === undefined ? "" : `, ${key}`}`;
  }

  #damaged(key: string, how: string): ColdDamagedError {
    return new ColdDamagedError(`${this.#what(key)}: ${how}`);
  }

  #requireDigest(key: string, found: string, wanted: string | undefined): void {
    if (wanted === undefined || found === wanted) return;
    throw this.#damaged(key, `the bytes have SHA-256 ${found}, not ${wanted}`);
  }

  async #requireFolder(): Promise<void> {
    if ((await ifPresent(fs.stat(`${this.#root}/${INCOMING}`))) !== undefined) return;
    const mend = "mount its disk, or mend cold.url";
    throw new ColdRefusedError(`cold tier ${this.place}: the folder is not there, or not ours; ${mend}`);
  }

  /** Runs `work` so that its errors are the port's, and `close` waits for it. */
  async #tracked<Result>(
    key: string | undefined,
    signal: AbortSignal | undefined,
    work: (ended: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    signal?.throwIfAborted();
    if (this.#closing.signal.aborted) throw this.#closed();
    const running = work(AbortSignal.any([this.#closing.signal, ...(signal === undefined ? [] : [signal])]));
    this.#underWay.add(running);
    try {
      return await running;
    } catch (error) {
      signal?.throwIfAborted();
      if (this.#closing.signal.aborted) throw this.#closed();
      throw folderError(error, this.#what(key));
    } finally {
      this.#underWay.delete(running);
    }
  }

  #closed(): ColdUnavailableError {
    return new ColdUnavailableError(`${this.#what(undefined)}: the store is closed`, { retryAfterMs: 0 });
  }
}

async function closing<Result>(file: DiskFile, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } finally {
    await file.close();
  }
}

async function ifPresent<Result>(work: Promise<Result>): Promise<Result | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

async function linked(path: string, temporary: string): Promise<boolean> {
  try {
    await fs.link(path, temporary);
    return true;
  } catch (error) {
    if (CANNOT_LINK.has(systemErrorCode(error) ?? "")) return false;
    throw error;
  }
}
