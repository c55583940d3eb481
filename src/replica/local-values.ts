/**
 * Segment files below the floor: values, each by itself (RULES.md R16). Knows which of them are here and how
 * large, lends them, and is the only one that takes one away or brings one back. A file goes for one of two
 * reasons: nothing in it is live, or the state names a verified copy elsewhere (promise P5).
 */
import { BusyError, DamageError, UnavailableError } from "../base/errors.ts";
import type { Disk, DiskFile } from "../ports/disk.ts";
import { isOutOfSpace } from "../ports/disk.ts";
import { PACKED_HEAD_BYTES, isPacked } from "../segment/packed-segment.ts";
import type { SegmentTable } from "../state/segment-table.ts";
import type { Floor } from "../store/floor-file.ts";
import type { LocalFile } from "../store/local-segments.ts";
import type { Log } from "../store/log.ts";
import type { SegmentFiles } from "../store/segment-files.ts";
import { UNFINISHED, removeUnfinished } from "../store/snapshot-files.ts";
import { FileTurns } from "./file-turns.ts";

export type LocalValuesOptions = {
  readonly disk: Disk;
  readonly files: SegmentFiles;
  readonly log: Pick<Log, "firstUnsealedId">;
  readonly segments: SegmentTable;
  readonly floor: Floor;
  /** A disk that fails ends the node (promise P7). */
  readonly fail: (error: unknown) => void;
};

export class LocalValues {
  readonly #options: LocalValuesOptions;
  readonly #turns = new FileTurns();
  readonly #stock = Promise.withResolvers<void>();
  /** Those that are here, with the bytes of their files. */
  readonly #sizes = new Map<number, number>();
  #floor: Floor;
  #ended = false;

  constructor(options: LocalValuesOptions) {
    this.#options = options;
    this.#floor = options.floor;
    // Who waits for it is told; perhaps nobody does.
    this.#stock.promise.catch(() => undefined);
  }

  get floor(): Floor {
    return this.#floor;
  }

  /** Of all segment files here. */
  get fileBytes(): number {
    let sum = 0;
    for (const bytes of this.#sizes.values()) sum += bytes;
    for (const { id, bytes } of this.#options.segments.all) {
      if (id > this.#floor.segmentId) sum += bytes;
    }
    return sum;
  }

  /** Of a value; `undefined` if it is not here. */
  sizeOf(id: number): number | undefined {
    return this.#sizes.get(id);
  }

  get ids(): readonly number[] {
    return [...this.#sizes.keys()];
  }

  /** Whether somebody uses its file, or waits for it. */
  isTaken(id: number): boolean {
    return this.#turns.isTaken(id);
  }

  bytesOf(id: number): number {
    const { segments } = this.#options;
    return this.#sizes.get(id) ?? (id > this.#floor.segmentId ? (segments.byId(id)?.bytes ?? 0) : 0);
  }

  /** Resolves once it is known what is here. */
  get stocked(): Promise<void> {
    return this.#stock.promise;
  }

  /** Nothing is begun any more; returns when no file changes any more. Who borrows one only reads it. */
  async end(): Promise<void> {
    this.#ended = true;
    this.#stock.reject(stopping());
    await this.#turns.changesEnded();
  }

  async #begin(): Promise<void> {
    await this.#stock.promise;
    if (this.#ended) throw stopping();
  }

  /** What earlier processes left. Nothing is lent or taken away before that is known. */
  async takeStock(spend: () => Promise<void>): Promise<void> {
    const { disk, files } = this.#options;
    await removeUnfinished(disk, files.directory);
    for (const id of await files.list()) {
      if (id > this.#floor.segmentId) break;
      this.#sizes.set(id, await files.size(id));
      await spend();
    }
    this.#stock.resolve();
  }

  /** The floor is stable already. */
  async raise(floor: Floor): Promise<void> {
    const sizes: [number, number][] = [];
    for (let id = this.#floor.segmentId + 1; id <= floor.segmentId; id++) {
      sizes.push([id, await this.#options.files.size(id)]);
    }
    // At once: in between a file would be neither a value nor part of the log.
    for (const [id, bytes] of sizes) this.#sizes.set(id, bytes);
    this.#floor = floor;
  }

  async withFile<Result>(
    id: number,
    work: (file: LocalFile) => Promise<Result>,
  ): Promise<Result | undefined> {
    await this.#begin();
    if (!this.#isSealedHere(id)) return undefined;
    return await this.#turns.shared(id, async () =>
      this.#isSealedHere(id) ? await work(await this.#describe(id)) : undefined,
    );
  }

  #isSealedHere(id: number): boolean {
    return id > this.#floor.segmentId ? id < this.#options.log.firstUnsealedId : this.#sizes.has(id);
  }

  async #describe(id: number): Promise<LocalFile> {
    const { disk, files } = this.#options;
    const path = files.path(id);
    return await withOpen(disk, path, async (file) => {
      const head = Buffer.alloc(PACKED_HEAD_BYTES);
      const count = await file.read(head, 0);
      const kind = isPacked(head.subarray(0, count)) ? "packed" : "verbatim";
      return { path, bytes: await file.size(), kind };
    });
  }

  /** Alone with a value, to write it anew; not at all if it is gone. `work` tells how large it has become. */
  async rewrite(id: number, work: (before: number) => Promise<number>): Promise<void> {
    await this.#turns.alone(id, async () => {
      const before = this.#sizes.get(id);
      if (before !== undefined) this.#sizes.set(id, await work(before));
    });
  }

  /** A value that nothing needs any more. Names are stable when the caller has synced the directory. */
  async delete(id: number): Promise<void> {
    await this.#turns.alone(id, async () => {
      await this.#options.files.remove(id);
      this.#sizes.delete(id);
    });
  }

  async free(id: number): Promise<boolean> {
    await this.#begin();
    if (!this.#mayFree(id)) return false;
    return await this.#turns.alone(id, async () => {
      // What was so before the wait need not be any more.
      if (!this.#mayFree(id)) return false;
      await this.#orFail(() => this.#giveUp(id));
      return true;
    });
  }

  /** What counts is the applied state: an entry that may still be lost frees nothing. */
  #mayFree(id: number): boolean {
    const { segments } = this.#options;
    return this.#sizes.has(id) && segments.byId(id)?.cold !== undefined;
  }

  async #giveUp(id: number): Promise<void> {
    const { files } = this.#options;
    // First: who opened it from here on would keep its bytes on the disk.
    files.markGone(id);
    await files.remove(id);
    this.#sizes.delete(id);
    await files.syncNames();
  }

  async recall(id: number, fetch: (path: string) => Promise<void>): Promise<boolean> {
    return await this.#bring(id, fetch, () => this.#mayRecall(id));
  }

  async replace(id: number, fetch: (path: string) => Promise<void>): Promise<boolean> {
    return await this.#bring(id, fetch, () => this.#mayFree(id));
  }

  #mayRecall(id: number): boolean {
    const { segments } = this.#options;
    const isMissing = id <= this.#floor.segmentId && !this.#sizes.has(id);
    return isMissing && segments.byId(id)?.cold !== undefined;
  }

  async #bring(
    id: number,
    fetch: (path: string) => Promise<void>,
    mayBring: () => boolean,
  ): Promise<boolean> {
    await this.#begin();
    if (!mayBring()) return false;
    return await this.#turns.alone(id, () => this.#bringBack(id, fetch, mayBring));
  }

  /** It gets its name when it is whole: a crash before that leaves what the next stock removes. */
  async #bringBack(
    id: number,
    fetch: (path: string) => Promise<void>,
    mayBring: () => boolean,
  ): Promise<boolean> {
    const { disk, files, segments } = this.#options;
    const unfinished = files.path(id) + UNFINISHED;
    try {
      if (!mayBring()) return false;
      const wanted = segments.byId(id)?.cold?.bytes;
      await fetch(unfinished);
      // Its row may have gone meanwhile: then nothing would ever read it.
      if (!mayBring()) return false;
      const bytes = await withOpen(disk, unfinished, (file) => file.size());
      // Another copy may have taken its place meanwhile: either has all that is live.
      if (bytes !== wanted && bytes !== segments.byId(id)?.cold?.bytes) {
        throw new DamageError(
          `what was brought for ${files.path(id)} has ${bytes} bytes, its copy ${wanted}`,
        );
      }
      await this.#orFail(async () => {
        await syncFile(disk, unfinished);
        await disk.rename(unfinished, files.path(id));
        await files.syncNames();
        this.#sizes.set(id, bytes);
        // Of a file that it took the place of.
        await files.retire(id);
        files.markHere(id);
      });
      return true;
    } finally {
      await disk.remove(unfinished);
    }
  }

  async #orFail(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof BusyError || isOutOfSpace(error))) this.#options.fail(error);
      throw error;
    }
  }
}

function stopping(): UnavailableError {
  return new UnavailableError("this node is stopping");
}

/** Whoever wrote it: a name must never be there without the bytes. */
async function syncFile(disk: Disk, path: string): Promise<void> {
  const file = await disk.open(path, "write");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function withOpen<Result>(
  disk: Disk,
  path: string,
  work: (file: DiskFile) => Promise<Result>,
): Promise<Result> {
  const file = await disk.open(path, "read");
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}
