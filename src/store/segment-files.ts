/**
 * Segment files by id: names, and open read handles. Handles are shared and bounded; one that a read is using
 * is never closed under it.
 */
import type { Disk, DiskFile } from "../ports/disk.ts";

const SUFFIX = ".seg";
const OPEN_FILES_MAX = 256;

type Handle = { readonly file: Promise<DiskFile>; opened: DiskFile | undefined; users: number };

export class SegmentFiles {
  readonly #disk: Disk;
  readonly #directory: string;
  /** In order of use, the longest unused first. */
  readonly #handles = new Map<number, Handle>();

  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#directory = directory;
  }

  get directory(): string {
    return this.#directory;
  }

  path(id: number): string {
    return `${this.#directory}/${String(id).padStart(10, "0")}${SUFFIX}`;
  }

  /** Ids of the segment files in the directory, ascending. */
  async list(): Promise<readonly number[]> {
    const names = await this.#disk.list(this.#directory);
    const ids = names.filter((name) => /^\d{10}\.seg$/.test(name)).map((name) => Number.parseInt(name, 10));
    return ids.toSorted((a, b) => a - b);
  }

  /** Whether anything was ever written to the log: files made ahead are empty. */
  async hasBytes(): Promise<boolean> {
    for (const id of await this.list()) {
      const file = await this.#disk.open(this.path(id), "read");
      try {
        if ((await file.size()) > 0) return true;
      } finally {
        await file.close();
      }
    }
    return false;
  }

  /** The handle if it is open already, for a read without any waiting. */
  opened(id: number): DiskFile | undefined {
    return this.#handles.get(id)?.opened;
  }

  /** Lends a read handle for the duration of `work`. */
  async use<Result>(id: number, work: (file: DiskFile) => Promise<Result>): Promise<Result> {
    const handle = this.#lend(id);
    try {
      return await work(await handle.file);
    } finally {
      handle.users--;
    }
  }

  #lend(id: number): Handle {
    let handle = this.#handles.get(id);
    if (handle === undefined) {
      const created: Handle = { file: this.#disk.open(this.path(id), "read"), opened: undefined, users: 0 };
      created.file.then(
        (file) => (created.opened = file),
        () => this.#handles.delete(id),
      );
      handle = created;
    } else this.#handles.delete(id);
    this.#handles.set(id, handle);
    handle.users++;
    this.#evict();
    return handle;
  }

  #evict(): void {
    if (this.#handles.size <= OPEN_FILES_MAX) return;
    for (const [id, handle] of this.#handles) {
      if (handle.users > 0 || handle.opened === undefined) continue;
      this.#handles.delete(id);
      // Nobody uses it and nobody can get it any more: a failing close of a read handle loses nothing.
      handle.opened.close().catch(() => undefined);
      return;
    }
  }

  async close(): Promise<void> {
    const handles = [...this.#handles.values()];
    this.#handles.clear();
    for (const handle of handles) {
      const file = await handle.file.catch(() => undefined);
      await file?.close();
    }
  }
}
