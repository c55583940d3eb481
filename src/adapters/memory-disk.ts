/**
 * The Disk port in memory, for tests of programs that use the store: nothing is written anywhere, and
 * "stable" means until the last reference is gone. Bytes lie in pages that are made as they are written; what
 * the files take is drawn from a MemorySpace, and past it a write fails as on a full disk, before a byte of
 * it is taken.
 */
import type { DirectoryLock, Disk, DiskFile, OpenMode, Space } from "../ports/disk.ts";
import type { MemorySpace } from "./memory-space.ts";

const PAGE_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(PAGE_BYTES);

export class MemoryDiskError extends Error {
  override readonly name = "MemoryDiskError";
  readonly code: "ENOENT" | "EBADF";

  constructor(code: "ENOENT" | "EBADF", path: string) {
    super(`${code}: ${path}`);
    this.code = code;
  }
}

/** Bytes of one file. They outlive its name while a handle is open. */
class Inode {
  readonly #space: MemorySpace;
  /** A page that is not there is zeros. */
  readonly #pages: (Buffer | undefined)[] = [];
  #size = 0;
  /** Names and handles. */
  #users = 0;

  constructor(space: MemorySpace) {
    this.#space = space;
  }

  get size(): number {
    return this.#size;
  }

  hold(): void {
    this.#users++;
  }

  release(): void {
    this.#users--;
    if (this.#users === 0) this.truncate(0);
  }

  read(target: Uint8Array, position: number): number {
    const end = Math.min(position + target.length, this.#size);
    for (let at = position; at < end;) {
      const within = at % PAGE_BYTES;
      const count = Math.min(PAGE_BYTES - within, end - at);
      const page = this.#pages[Math.floor(at / PAGE_BYTES)] ?? ZEROS;
      target.set(page.subarray(within, within + count), at - position);
      at += count;
    }
    return Math.max(0, end - position);
  }

  write(source: Uint8Array, position: number): void {
    const end = position + source.length;
    this.#resize(Math.max(this.#size, end));
    for (let at = position; at < end;) {
      const within = at % PAGE_BYTES;
      const count = Math.min(PAGE_BYTES - within, end - at);
      this.#put(source.subarray(at - position, at - position + count), Math.floor(at / PAGE_BYTES), within);
      at += count;
    }
  }

  #put(bytes: Uint8Array, index: number, within: number): void {
    const page = this.#pages[index];
    if (page !== undefined) page.set(bytes, within);
    // The reserve for a full disk is nothing but zeros: they are counted, and take no memory.
    else if (bytes.length < PAGE_BYTES || !ZEROS.equals(bytes)) {
      const fresh = Buffer.alloc(PAGE_BYTES);
      fresh.set(bytes, within);
      this.#pages[index] = fresh;
    }
  }

  truncate(size: number): void {
    if (size < this.#size) {
      this.#pages.length = Math.min(this.#pages.length, Math.ceil(size / PAGE_BYTES));
      // What is cut off must not come back when the file grows again.
      this.#pages[Math.floor(size / PAGE_BYTES)]?.fill(0, size % PAGE_BYTES);
    }
    this.#resize(size);
  }

  #resize(size: number): void {
    const pages = Math.ceil(size / PAGE_BYTES) - Math.ceil(this.#size / PAGE_BYTES);
    if (pages > 0) this.#space.take(pages * PAGE_BYTES);
    else this.#space.count(pages * PAGE_BYTES);
    this.#size = size;
  }
}

class MemoryDiskFile implements DiskFile {
  readonly #inode: Inode;
  readonly #path: string;
  readonly #mode: OpenMode;
  #closed = false;

  constructor(inode: Inode, how: { readonly path: string; readonly mode: OpenMode }) {
    inode.hold();
    this.#inode = inode;
    this.#path = how.path;
    this.#mode = how.mode;
  }

  #use({ toWrite }: { readonly toWrite: boolean }): Inode {
    if (this.#closed || (toWrite && this.#mode === "read")) throw new MemoryDiskError("EBADF", this.#path);
    return this.#inode;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    return this.readSync(target, position);
  }

  readSync(target: Uint8Array, position: number): number {
    return this.#use({ toWrite: false }).read(target, position);
  }

  async write(source: Uint8Array, position: number): Promise<void> {
    this.#use({ toWrite: true }).write(source, position);
  }

  async truncate(size: number): Promise<void> {
    this.#use({ toWrite: true }).truncate(size);
  }

  async sync(): Promise<void> {
    this.#use({ toWrite: false });
  }

  async size(): Promise<number> {
    return this.#use({ toWrite: false }).size;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#inode.release();
  }
}

export class MemoryDisk implements Disk {
  readonly #space: MemorySpace;
  readonly #files = new Map<string, Inode>();
  readonly #directories = new Set<string>();
  readonly #locked = new Set<string>();

  constructor(space: MemorySpace) {
    this.#space = space;
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    let inode = this.#files.get(path);
    if (inode === undefined) {
      if (mode === "read") throw new MemoryDiskError("ENOENT", path);
      inode = new Inode(this.#space);
      inode.hold();
      this.#files.set(path, inode);
    }
    return new MemoryDiskFile(inode, { path, mode });
  }

  async readFile(path: string): Promise<Uint8Array | undefined> {
    const inode = this.#files.get(path);
    if (inode === undefined) return undefined;
    const bytes = Buffer.alloc(inode.size);
    inode.read(bytes, 0);
    return bytes;
  }

  async list(directory: string): Promise<readonly string[]> {
    const start = `${directory}/`;
    const names = new Set<string>();
    for (const path of [...this.#files.keys(), ...this.#directories]) {
      if (path.startsWith(start)) names.add(path.slice(start.length).split("/", 1)[0] as string);
    }
    return [...names];
  }

  async makeDirectory(path: string): Promise<void> {
    this.#directories.add(path);
  }

  async rename(from: string, to: string): Promise<void> {
    const moved = [...this.#files].filter(([path]) => isWithin(path, from));
    const directories = [...this.#directories].filter((path) => isWithin(path, from));
    if (moved.length === 0 && directories.length === 0) throw new MemoryDiskError("ENOENT", from);
    for (const [path, inode] of moved) {
      const target = to + path.slice(from.length);
      this.#files.get(target)?.release();
      this.#files.delete(path);
      this.#files.set(target, inode);
    }
    for (const path of directories) {
      this.#directories.delete(path);
      this.#directories.add(to + path.slice(from.length));
    }
  }

  async remove(path: string): Promise<void> {
    this.#files.get(path)?.release();
    this.#files.delete(path);
  }

  async removeDirectory(path: string): Promise<void> {
    for (const file of [...this.#files.keys()].filter((each) => isWithin(each, path)))
      await this.remove(file);
    for (const each of this.#directories) if (isWithin(each, path)) this.#directories.delete(each);
  }

  async syncDirectory(): Promise<void> {
    return undefined;
  }

  async lock(directory: string): Promise<DirectoryLock | undefined> {
    if (this.#locked.has(directory)) return undefined;
    this.#locked.add(directory);
    return { release: async () => void this.#locked.delete(directory) };
  }

  async space(): Promise<Space> {
    return this.spaceNow();
  }

  spaceNow(): Space {
    return { freeBytes: this.#space.freeBytes, totalBytes: this.#space.bytesMax };
  }
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}
