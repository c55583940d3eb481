/**
 * The Disk port in memory, with the manners of a real disk: bytes are volatile until their file's sync
 * returned (at once when the write returns, for a durable file), names until their directory's. Every effect
 * is recorded; disk-history.ts makes crash images of the record. Faults: `capacityBytes` fills up, `fault`
 * fails what it likes. Directories themselves are stable when `makeDirectory` returns, as the port says.
 */
import type { DirectoryLock, Disk, DiskFile, OpenMode } from "../../src/ports/disk.ts";
import { directoryOf } from "./disk-operation.ts";
import type { IndexRows, OperationLog } from "./disk-operation.ts";
import { PagedBytes } from "./paged-bytes.ts";
import { SimIndexState } from "./sim-index-state.ts";

export class SimDiskError extends Error {
  override readonly name = "SimDiskError";
  readonly code: string;

  constructor(code: string, what: string) {
    super(`${code}: ${what}`);
    this.code = code;
  }
}

export type DiskEffect =
  "create" | "write" | "truncate" | "sync" | "rename" | "remove" | "syncDirectory" | "batch";

/** The error code with which an effect fails, or `undefined`. */
export type DiskFault = (effect: DiskEffect, path: string) => "EIO" | NoRoom | undefined;

/** Refused before anything is done. */
type NoRoom = "ENOSPC" | "EDQUOT" | "EFBIG";

export type Inode = { readonly id: number; readonly bytes: PagedBytes };

const ENDLESS_BYTES = 2 ** 40;
const FOR_EVER = new Promise<never>(() => undefined);

export class SimDisk implements Disk {
  /** `undefined`: nobody will ask for a history. */
  readonly log: OperationLog | undefined;
  readonly #latency: () => Promise<void>;
  /** Unlimited unless set; may be set at any time. */
  capacityBytes: number | undefined;
  /** The same, but nobody is told before a write fails. */
  quotaBytes: number | undefined;
  fault: DiskFault = () => undefined;
  readonly #names = new Map<string, Inode>();
  readonly #directories = new Set<string>();
  readonly #indexes = new Map<string, SimIndexState>();
  readonly #locked = new Set<string>();
  #nextInode = 1;
  /** Counts the processes that used the disk one after the other. */
  #life = 0;
  #down = false;

  /** `latency`: time that passes between an effect's beginning and its return. */
  constructor(options: { readonly log?: OperationLog; readonly latency?: () => Promise<void> } = {}) {
    this.log = options.log;
    this.#latency = options.latency ?? (() => Promise.resolve());
  }

  /**
   * The process that used the disk dies at once: nothing it began returns, nothing it still tries has an
   * effect, its locks are free. What it wrote is there for the next process, and as volatile as before.
   */
  async kill(): Promise<void> {
    this.#down = true;
    this.#locked.clear();
    this.log?.add({ kind: "killed" });
    await new Promise((resolve) => setImmediate(resolve));
    this.#life++;
    this.#down = false;
  }

  /** To be given to `finish`; a process that is dying gets no further. */
  begin(): number | Promise<never> {
    return this.#down ? FOR_EVER : this.#life;
  }

  /** The effect takes its time, and returns unless the process died meanwhile. */
  async finish(life: number): Promise<void> {
    await this.#latency();
    if (this.#down || life !== this.#life) await FOR_EVER;
  }

  /** Throws what `fault` asks for. */
  failOn(effect: DiskEffect, path: string): void {
    const code = this.fault(effect, path);
    if (code !== undefined) throw new SimDiskError(code, `${effect} ${path}`);
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    const life = await this.begin();
    let inode = this.#names.get(path);
    if (inode === undefined) {
      if (mode === "read") throw new SimDiskError("ENOENT", path);
      this.failOn("create", path);
      inode = { id: this.#nextInode++, bytes: new PagedBytes() };
      this.#names.set(path, inode);
      this.log?.add({ kind: "create", path, inode: inode.id });
    }
    await this.finish(life);
    return new SimDiskFile(this, inode, { path, mode, life });
  }

  readFile(path: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.#names.get(path)?.bytes.toBuffer());
  }

  list(directory: string): Promise<readonly string[]> {
    const names = new Set<string>();
    for (const path of [...this.#names.keys(), ...this.#directories, ...this.#indexes.keys()]) {
      if (!path.startsWith(`${directory}/`)) continue;
      names.add(path.slice(directory.length + 1).split("/")[0] as string);
    }
    return Promise.resolve([...names]);
  }

  makeDirectory(path: string): Promise<void> {
    this.#directories.add(path);
    return Promise.resolve();
  }

  /** Of a file or of a whole directory. */
  async rename(from: string, to: string): Promise<void> {
    const life = await this.begin();
    this.failOn("rename", from);
    for (const map of [this.#names, this.#indexes] as readonly Map<string, unknown>[]) {
      for (const [path, target] of [...map]) {
        if (path !== from && !path.startsWith(`${from}/`)) continue;
        map.delete(path);
        map.set(to + path.slice(from.length), target);
      }
    }
    if (this.#directories.delete(from)) this.#directories.add(to);
    this.log?.add({ kind: "rename", from, to });
    await this.finish(life);
  }

  async remove(path: string): Promise<void> {
    const life = await this.begin();
    if (!this.#names.has(path)) return;
    this.failOn("remove", path);
    this.#names.delete(path);
    this.log?.add({ kind: "remove", path });
    await this.finish(life);
  }

  async removeDirectory(path: string): Promise<void> {
    const life = await this.begin();
    for (const map of [this.#names, this.#indexes] as readonly Map<string, unknown>[]) {
      for (const name of [...map.keys()]) if (isWithin(name, path)) map.delete(name);
    }
    for (const name of [...this.#directories]) if (isWithin(name, path)) this.#directories.delete(name);
    this.log?.add({ kind: "removeDirectory", path });
    await this.finish(life);
  }

  async syncDirectory(path: string): Promise<void> {
    const life = await this.begin();
    this.failOn("syncDirectory", path);
    const begun = this.log?.add({ kind: "syncDirectory", path });
    await this.finish(life);
    if (begun !== undefined) this.log?.done(begun);
  }

  async lock(directory: string): Promise<DirectoryLock | undefined> {
    await this.begin();
    if (this.#locked.has(directory)) return undefined;
    this.#locked.add(directory);
    return {
      release: async () => {
        await this.begin();
        this.#locked.delete(directory);
      },
    };
  }

  get usedBytes(): number {
    let bytes = 0;
    for (const inode of this.#names.values()) bytes += inode.bytes.size;
    return bytes;
  }

  /** Bytes that still fit. */
  get freeBytes(): number {
    return this.capacityBytes === undefined
      ? ENDLESS_BYTES
      : Math.max(0, this.capacityBytes - this.usedBytes);
  }

  /** Bytes that a write gets, and what refuses the rest. */
  get room(): { readonly bytes: number; readonly code: NoRoom } {
    const { freeBytes, quotaBytes = ENDLESS_BYTES } = this;
    const left = Math.max(0, quotaBytes - this.usedBytes);
    return left < freeBytes ? { bytes: left, code: "EDQUOT" } : { bytes: freeBytes, code: "ENOSPC" };
  }

  space(): Promise<{ readonly freeBytes: number; readonly totalBytes: number }> {
    return Promise.resolve({
      freeBytes: this.freeBytes,
      totalBytes: this.capacityBytes ?? ENDLESS_BYTES,
    });
  }

  /** State of the index store at `path`, empty if there is none. */
  indexState(path: string): SimIndexState {
    let state = this.#indexes.get(path);
    if (state === undefined) {
      state = new SimIndexState(this.#nextInode++);
      this.#indexes.set(path, state);
      this.log?.add({ kind: "openIndex", path, store: state.id });
    }
    return state;
  }

  /** What is on the disk, for images and comparisons. */
  *files(): Generator<readonly [path: string, bytes: PagedBytes]> {
    for (const path of [...this.#names.keys()].toSorted())
      yield [path, (this.#names.get(path) as Inode).bytes];
  }

  /** Rot: overwrites bytes behind everybody's back, under open handles too. */
  damage(path: string, position: number, bytes: Uint8Array): void {
    const inode = this.#names.get(path);
    if (inode === undefined) throw new SimDiskError("ENOENT", path);
    inode.bytes.write(bytes, position);
  }

  /** Rot of an index store, as a batch that nobody wrote. */
  damageIndex(path: string, rows: IndexRows): void {
    const state = this.indexState(path);
    state.apply(rows);
    const begun = this.log?.add({ kind: "batch", store: state.id, rows });
    if (begun !== undefined) this.log?.done(begun);
  }

  /** For images: a file that is there and stable. */
  plant(path: string, bytes: PagedBytes): void {
    this.#names.set(path, { id: this.#nextInode++, bytes });
    this.#directories.add(directoryOf(path));
  }

  /** For images: an index store that is there and stable. */
  plantIndex(path: string, rows: ReadonlyMap<string, Uint8Array>): void {
    this.#indexes.set(path, new SimIndexState(this.#nextInode++, rows));
    this.#directories.add(path);
  }
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

class SimDiskFile implements DiskFile {
  readonly #disk: SimDisk;
  readonly #inode: Inode;
  readonly #path: string;
  readonly #mode: OpenMode;
  readonly #life: number;
  #closed = false;

  constructor(
    disk: SimDisk,
    inode: Inode,
    how: { readonly path: string; readonly mode: OpenMode; readonly life: number },
  ) {
    this.#disk = disk;
    this.#inode = inode;
    this.#path = how.path;
    this.#mode = how.mode;
    this.#life = how.life;
  }

  #check(write: boolean): void {
    if (this.#closed || (write && this.#mode === "read")) throw new SimDiskError("EBADF", this.#path);
  }

  /** A handle of a dead process leads nowhere. */
  async #begin(): Promise<void> {
    if ((await this.#disk.begin()) !== this.#life) await FOR_EVER;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    this.#check(false);
    await this.#disk.finish(this.#life);
    return this.#inode.bytes.read(target, position);
  }

  readSync(target: Uint8Array, position: number): number {
    this.#check(false);
    return this.#inode.bytes.read(target, position);
  }

  async write(source: Uint8Array, position: number): Promise<void> {
    this.#check(true);
    await this.#begin();
    const disk = this.#disk;
    const code = disk.fault("write", this.#path);
    if (code !== undefined && code !== "EIO") throw new SimDiskError(code, this.#path);
    const grows = Math.max(0, position + source.length - this.#inode.bytes.size);
    const { room } = disk;
    const fits = source.length - Math.max(0, grows - room.bytes);
    const written = fits >= source.length ? source : source.subarray(0, Math.max(0, fits));
    this.#inode.bytes.write(written, position);
    const begun = disk.log?.add({
      kind: "write",
      inode: this.#inode.id,
      offset: position,
      // The caller uses its buffer again.
      bytes: Buffer.from(written),
      durable: this.#mode === "durable",
    });
    await disk.finish(this.#life);
    // Whether bytes of a failed write arrived, nobody knows: it is recorded, but never done.
    if (code !== undefined) throw new SimDiskError(code, `write ${this.#path}`);
    if (begun !== undefined) disk.log?.done(begun);
    if (written !== source) throw new SimDiskError(room.code, this.#path);
  }

  async truncate(size: number): Promise<void> {
    this.#check(true);
    await this.#begin();
    this.#disk.failOn("truncate", this.#path);
    this.#inode.bytes.truncate(size);
    this.#disk.log?.add({ kind: "truncate", inode: this.#inode.id, size });
    await this.#disk.finish(this.#life);
  }

  async sync(): Promise<void> {
    this.#check(false);
    await this.#begin();
    const { log } = this.#disk;
    const code = this.#disk.fault("sync", this.#path);
    if (code !== undefined) {
      log?.add({ kind: "syncFailed", inode: this.#inode.id });
      throw new SimDiskError(code, `sync ${this.#path}`);
    }
    const begun = log?.add({ kind: "sync", inode: this.#inode.id });
    await this.#disk.finish(this.#life);
    if (begun !== undefined) log?.done(begun);
  }

  size(): Promise<number> {
    this.#check(false);
    return Promise.resolve(this.#inode.bytes.size);
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }
}
