/**
 * A disk that fails on purpose: the real one, asked before each operation whether it may. The hook throws
 * what the system would; nothing of the refused operation happens.
 */
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import type { Disk, DiskFile, DirectoryLock, OpenMode } from "../../src/ports/disk.ts";

export type DiskOperation = {
  readonly kind: "open" | "write" | "sync" | "read" | "space";
  readonly path: string;
};

export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: on purpose`), { code });
}

class WatchedFile implements DiskFile {
  readonly #file: DiskFile;
  readonly #path: string;
  readonly #disk: FailingDisk;
  #closed = false;

  constructor(file: DiskFile, path: string, disk: FailingDisk) {
    this.#file = file;
    this.#path = path;
    this.#disk = disk;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    await this.#disk.before({ kind: "read", path: this.#path });
    return await this.#file.read(target, position);
  }

  readSync(target: Uint8Array, position: number): number {
    return this.#file.readSync(target, position);
  }

  async write(source: Uint8Array, position: number): Promise<void> {
    await this.#disk.before({ kind: "write", path: this.#path });
    await this.#file.write(source, position);
    this.#disk.written.push({ path: this.#path, bytes: source.length, position });
  }

  async truncate(size: number): Promise<void> {
    await this.#file.truncate(size);
  }

  async sync(): Promise<void> {
    await this.#disk.before({ kind: "sync", path: this.#path });
    await this.#file.sync();
  }

  size(): Promise<number> {
    return this.#file.size();
  }

  async close(): Promise<void> {
    if (!this.#closed) this.#disk.openFiles--;
    this.#closed = true;
    await this.#file.close();
  }
}

export class FailingDisk implements Disk {
  readonly #disk = new NodeDisk();
  readonly written: { readonly path: string; readonly bytes: number; readonly position: number }[] = [];
  openFiles = 0;
  /** May throw, or wait. */
  before: (operation: DiskOperation) => void | Promise<void> = () => undefined;
  freeBytes: { readonly freeBytes: number; readonly totalBytes: number } | undefined;

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    await this.before({ kind: "open", path });
    const file = await this.#disk.open(path, mode);
    this.openFiles++;
    return new WatchedFile(file, path, this);
  }

  readFile(path: string): Promise<Uint8Array | undefined> {
    return this.#disk.readFile(path);
  }

  list(directory: string): Promise<readonly string[]> {
    return this.#disk.list(directory);
  }

  makeDirectory(path: string): Promise<void> {
    return this.#disk.makeDirectory(path);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#disk.rename(from, to);
  }

  remove(path: string): Promise<void> {
    return this.#disk.remove(path);
  }

  removeDirectory(path: string): Promise<void> {
    return this.#disk.removeDirectory(path);
  }

  async syncDirectory(path: string): Promise<void> {
    await this.before({ kind: "sync", path });
    await this.#disk.syncDirectory(path);
  }

  lock(directory: string): Promise<DirectoryLock | undefined> {
    return this.#disk.lock(directory);
  }

  async space(path: string): Promise<{ readonly freeBytes: number; readonly totalBytes: number }> {
    await this.before({ kind: "space", path });
    return this.freeBytes ?? (await this.#disk.space(path));
  }
}
