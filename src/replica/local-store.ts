/**
 * What the cold tier may ask of this node, joined from who does it: files of segments, snapshots of the
 * index, and the end of the open segment. Nothing here decides when.
 */
import { BusyError, UnavailableError } from "../base/errors.ts";
import type { SegmentTable } from "../state/segment-table.ts";
import type { LocalFile, LocalSegments } from "../store/local-segments.ts";
import type { Log } from "../store/log.ts";
import type { SegmentFiles } from "../store/segment-files.ts";
import type { SnapshotInfo } from "../store/snapshot-file.ts";
import type { LocalValues } from "./local-values.ts";
import type { Replica } from "./replica.ts";
import type { SpaceKeeper } from "./space-keeper.ts";

export type LocalStoreOptions = {
  readonly values: LocalValues;
  readonly files: SegmentFiles;
  readonly keeper: SpaceKeeper;
  readonly replica: Replica;
  readonly log: Log;
  readonly segments: SegmentTable;
};

export class LocalStore implements LocalSegments {
  readonly #options: LocalStoreOptions;
  #sealing: Promise<unknown> = Promise.resolve();

  constructor(options: LocalStoreOptions) {
    this.#options = options;
  }

  get floorIndex(): number {
    return this.#options.values.floor.lastIndex;
  }

  get fileBytes(): number {
    return this.#options.values.fileBytes;
  }

  bytesOf(id: number): number {
    return this.#options.values.bytesOf(id);
  }

  withFile<Result>(id: number, work: (file: LocalFile) => Promise<Result>): Promise<Result | undefined> {
    return this.#options.values.withFile(id, work);
  }

  free(id: number): Promise<boolean> {
    return this.#options.values.free(id);
  }

  recall(id: number, fetch: (path: string) => Promise<void>): Promise<boolean> {
    return this.#options.values.recall(id, fetch);
  }

  replace(id: number, fetch: (path: string) => Promise<void>): Promise<boolean> {
    return this.#options.values.replace(id, fetch);
  }

  withSnapshot<Result>(minIndex: number, work: (snapshot: SnapshotInfo) => Promise<Result>): Promise<Result> {
    return this.#options.keeper.withSnapshot(minIndex, work);
  }

  raiseFloor(id: number): Promise<void> {
    return this.#options.keeper.raiseFloor(id);
  }

  async readLog(
    id: number,
    { start, end }: { readonly start: number; readonly end: number },
  ): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(end - start);
    const count = await this.#options.files.use(id, (file) => file.read(bytes, start));
    return bytes.subarray(0, count);
  }

  /** One after the other: who comes later means entries that the one before does not end. */
  seal(): Promise<number> {
    const sealed = this.#sealing.then(() => this.#seal());
    this.#sealing = sealed.catch(() => undefined);
    return sealed;
  }

  async #seal(): Promise<number> {
    const { replica, log, segments } = this.#options;
    await replica.seal();
    const lastCut = segments.all.findLast(({ cut }) => cut)?.id ?? 0;
    try {
      await log.sealThrough(replica.commitIndex);
    } catch (error) {
      replica.fail(error);
      throw new UnavailableError("this node writes no more", { cause: error });
    }
    if (log.firstUnsealedId <= lastCut) throw new BusyError("there is no room for a footer now");
    return log.firstUnsealedId - 1;
  }
}
