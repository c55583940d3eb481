/**
 * Segment files by id: names, and open read handles. Handles are shared and bounded; one that a read is using
 * is never closed under it, and a file is deleted only when nobody reads it. Of some segments it is known
 * that there is no file here, because it was given up for a copy elsewhere.
 */
import type { Disk, DiskFile } from "../ports/disk.ts";
import { openSegmentFile } from "./open-segment-file.ts";

const SUFFIX = ".seg";
const OPEN_FILES_MAX = 256;
/** Tables of packed segments are held as long as their files are open. */
const TABLE_BYTES_MAX = 64 * 1024 * 1024;

type Handle = {
  readonly file: Promise<DiskFile>;
  opened: DiskFile | undefined;
  tableBytes: number;
  users: number;
  /** To be told when `users` has come down to 0. */
  unused: (() => void) | undefined;
};

export class SegmentFiles {
  readonly #disk: Disk;
  readonly #directory: string;
  /** In order of use, the longest unused first. */
  readonly #handles = new Map<number, Handle>();
  #tableBytes = 0;
  readonly #gone = new Set<number>();

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

  async size(id: number): Promise<number> {
    const file = await this.#disk.open(this.path(id), "read");
    try {
      return await file.size();
    } finally {
      await file.close();
    }
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

  /**
   * From now on nobody opens the file of this segment, whether it is still there or not. Who has it open
   * reads on; `retire` waits for them.
   */
  markGone(id: number): void {
    this.#gone.add(id);
  }

  /** The file is there again, whole and stable. */
  markHere(id: number): void {
    this.#gone.delete(id);
  }

  /** Whether its bytes are to be had elsewhere only. */
  isGone(id: number): boolean {
    return this.#gone.has(id);
  }

  /** Whether any segment is gone: without one nobody needs to ask which. */
  get hasGone(): boolean {
    return this.#gone.size > 0;
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
      if (--handle.users === 0) handle.unused?.();
    }
  }

  #forget(id: number, handle: Handle): void {
    if (this.#handles.get(id) !== handle) return;
    this.#handles.delete(id);
    this.#tableBytes -= handle.tableBytes;
  }

  #lend(id: number): Handle {
    let handle = this.#handles.get(id);
    if (handle === undefined) {
      const created: Handle = {
        file: this.#open(id, () => created),
        opened: undefined,
        tableBytes: 0,
        users: 0,
        unused: undefined,
      };
      created.file.catch(() => this.#forget(id, created));
      handle = created;
    } else this.#handles.delete(id);
    this.#handles.set(id, handle);
    handle.users++;
    this.#evict();
    return handle;
  }

  async #open(id: number, handle: () => Handle): Promise<DiskFile> {
    // A handle that outlives the name would keep the bytes on the disk.
    if (this.#gone.has(id))
      throw Object.assign(new Error(`${this.path(id)} was given up`), { code: "ENOENT" });
    const { file, tableBytes } = await openSegmentFile(this.#disk, this.path(id));
    const created = handle();
    created.opened = file;
    if (this.#handles.get(id) === created) {
      created.tableBytes = tableBytes;
      this.#tableBytes += tableBytes;
    }
    return file;
  }

  #evict(): void {
    if (this.#handles.size <= OPEN_FILES_MAX && this.#tableBytes <= TABLE_BYTES_MAX) return;
    for (const [id, handle] of this.#handles) {
      if (handle.users > 0 || handle.opened === undefined) continue;
      this.#forget(id, handle);
      // Nobody uses it and nobody can get it any more: a failing close of a read handle loses nothing.
      handle.opened.close().catch(() => undefined);
      return;
    }
  }

  /**
   * Deletes the file once nobody reads it. Names are stable when the caller has synced the directory.
   */
  async remove(id: number): Promise<void> {
    await this.retire(id);
    await this.#disk.remove(this.path(id));
  }

  /** Forgets the open handle; returns when the last of its readers is done with it (RULES.md R12). */
  async retire(id: number): Promise<void> {
    const handle = this.#handles.get(id);
    if (handle === undefined) return;
    this.#forget(id, handle);
    if (handle.users > 0) await new Promise<void>((resolve) => (handle.unused = resolve));
    const file = await handle.file.catch(() => undefined);
    await file?.close();
  }

  async syncNames(): Promise<void> {
    await this.#disk.syncDirectory(this.#directory);
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
