/**
 * Files, as the store needs them. Every method that says "stable" returns only when a power cut can no longer
 * undo it; every other effect may be lost, in any subset, until a sync of the file (bytes and size) or of the
 * directory (names) returned. Errors carry the system's code (`ENOSPC`, `EIO`, ...) in `code`.
 * The crash tests record every call behind this interface and cut it everywhere.
 */
export interface DiskFile {
  /** Fills `target` from `position`; the number of bytes read is short only at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>;
  /** The same without a thread hop: for small reads that are likely in the page cache. */
  readSync(target: Uint8Array, position: number): number;
  /** Writes the whole of `source`, completing short writes at their offset. Stable if opened as `durable`. */
  write(source: Uint8Array, position: number): Promise<void>;
  /** Cuts (or extends with zeros) to `size`; not stable before `sync`. */
  truncate(size: number): Promise<void>;
  /** Makes bytes and size stable. */
  sync(): Promise<void>;
  size(): Promise<number>;
  /** Closing twice is harmless. */
  close(): Promise<void>;
}

/** For whoever only reads. */
export type FileReading = Pick<DiskFile, "read">;

export type OpenMode =
  /** The file must exist. */
  | "read"
  /** Created if absent; writes become stable at `sync`. */
  | "write"
  /** Created if absent; each write is stable when it returns (O_DSYNC where the system has it). */
  | "durable";

export interface Disk {
  open(path: string, mode: OpenMode): Promise<DiskFile>;
  /** Whole small file, `undefined` if absent. */
  readFile(path: string): Promise<Uint8Array | undefined>;
  /** Names in a directory, unordered; empty if the directory is absent. */
  list(directory: string): Promise<readonly string[]>;
  /** Creates the directory and its parents, if they are absent; their names are stable when it returns. */
  makeDirectory(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Removing what is absent is harmless. */
  remove(path: string): Promise<void>;
  removeDirectory(path: string): Promise<void>;
  /** Makes the names in a directory stable: creations, renames, removals. */
  syncDirectory(path: string): Promise<void>;
  /**
   * Takes the directory for this process alone; `undefined` if another one has it. The system releases the
   * lock when the process dies, however it dies.
   */
  lock(directory: string): Promise<DirectoryLock | undefined>;
  space(path: string): Promise<Space>;
  /** The same, of a disk that knows it without asking anybody: then it is looked at before each write. */
  spaceNow?(): Space;
}

export type Space = { readonly freeBytes: number; readonly totalBytes: number };

export interface DirectoryLock {
  release(): Promise<void>;
}

/** The system's error code of whatever was thrown, or `undefined`. */
export function systemErrorCode(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}

const OUT_OF_SPACE = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/**
 * Whether a disk, a quota or a limit on file sizes had no room. The system says so before it takes the bytes,
 * so nothing is in doubt: the same write may be made again once there is room.
 */
export function isOutOfSpace(error: unknown): boolean {
  const code = systemErrorCode(error);
  return code !== undefined && OUT_OF_SPACE.has(code);
}
