/**
 * What a power cut leaves of a recorded disk. Walks an operation log, keeps apart what is stable and what is
 * not, and makes images: new disks that hold everything stable and a choice of the rest. Any subset of the
 * volatile effects may have arrived, writes torn at the boundaries of sectors; index stores may lose whole
 * batches.
 */
import { applyRows } from "./sim-index-state.ts";
import { directoryOf } from "./disk-operation.ts";
import type { DiskOperation, IndexRows, OperationLog } from "./disk-operation.ts";
import { PagedBytes } from "./paged-bytes.ts";
import { SimDisk } from "./sim-disk.ts";
import type { SimRandom } from "./sim-random.ts";

export const SECTOR_BYTES = 512;

export type CrashChoices = {
  /** Which of the volatile effects reached the disk. */
  readonly effects: "all" | "none" | "some";
  /** How those writes arrived: as a whole, cut off, or as any set of their sectors. */
  readonly tears: "whole" | "prefix" | "sectors";
  /**
   * Which index batches are lost beside one that was under way: none, the last ones, some from the middle.
   */
  readonly batches: "kept" | "lostEnd" | "lostMiddle";
};

type Write = Extract<DiskOperation, { kind: "write" }>;
type Change = Write | Extract<DiskOperation, { kind: "truncate" }>;
type NameChange = Extract<DiskOperation, { kind: "create" | "rename" | "remove" }>;

/** `doomed`: a sync failed over it, so no later one makes it stable. */
type Pending<Kind> = { readonly at: number; readonly operation: Kind; doomed: boolean };
type File = { readonly stable: PagedBytes; pending: Pending<Change>[] };
type Batch = { readonly at: number; readonly rows: IndexRows; done: boolean };
type Store = { path: string; batches: Batch[] };

export class DiskHistory {
  readonly #operations: readonly DiskOperation[];
  #position = 0;
  readonly #files = new Map<number, File>();
  readonly #names = new Map<string, number>();
  #pendingNames: Pending<NameChange>[] = [];
  readonly #stores = new Map<number, Store>();

  constructor(log: OperationLog) {
    this.#operations = log.operations;
  }

  get position(): number {
    return this.#position;
  }

  /** Takes in the operations before `position`. Only forwards. */
  advanceTo(position: number): void {
    for (; this.#position < position; this.#position++) {
      this.#take(this.#operations[this.#position] as DiskOperation, this.#position);
    }
  }

  #take(operation: DiskOperation, at: number): void {
    switch (operation.kind) {
      case "create":
        this.#files.set(operation.inode, { stable: new PagedBytes(), pending: [] });
        this.#pendingNames.push({ at, operation, doomed: false });
        return;
      case "rename":
        if (this.#renameStore(operation)) return;
        this.#pendingNames.push({ at, operation, doomed: false });
        return;
      case "remove":
        this.#pendingNames.push({ at, operation, doomed: false });
        return;
      case "write":
      case "truncate":
        this.#file(operation.inode).pending.push({ at, operation, doomed: false });
        return;
      case "syncFailed":
        for (const pending of this.#file(operation.inode).pending) pending.doomed = true;
        return;
      case "removeDirectory":
        for (const [id, store] of this.#stores) if (store.path === operation.path) this.#stores.delete(id);
        return;
      case "openIndex":
        this.#stores.set(operation.store, { path: operation.path, batches: [] });
        return;
      case "batch":
        this.#stores.get(operation.store)?.batches.push({ at, rows: operation.rows, done: false });
        return;
      case "killed":
        for (const store of this.#stores.values()) store.batches = store.batches.filter(({ done }) => done);
        return;
      case "sync":
      case "syncDirectory":
        return;
      case "done":
        this.#finish(this.#operations[operation.operation] as DiskOperation, operation.operation);
    }
  }

  #file(inode: number): File {
    return this.#files.get(inode) as File;
  }

  /** Index directories are renamed as a whole; that counts as stable at once. */
  #renameStore({ from, to }: { readonly from: string; readonly to: string }): boolean {
    const store = [...this.#stores.values()].find(({ path }) => path === from);
    if (store === undefined) return false;
    store.path = to;
    return true;
  }

  #finish(operation: DiskOperation, at: number): void {
    if (operation.kind === "write" && operation.durable) {
      this.#settle(operation.inode, (pending) => pending.at === at);
    } else if (operation.kind === "sync") {
      this.#settle(operation.inode, (pending) => pending.at < at && !pending.doomed);
    } else if (operation.kind === "batch") {
      const batch = this.#stores.get(operation.store)?.batches.find((candidate) => candidate.at === at);
      if (batch !== undefined) batch.done = true;
    } else if (operation.kind === "syncDirectory") {
      const settled = (pending: Pending<NameChange>): boolean =>
        pending.at < at && directoryOf(pathOf(pending.operation)) === operation.path;
      for (const pending of this.#pendingNames) {
        if (settled(pending)) applyName(this.#names, pending.operation);
      }
      this.#pendingNames = this.#pendingNames.filter((pending) => !settled(pending));
    }
  }

  /** What becomes stable now, in the order of the log. */
  #settle(inode: number, becomesStable: (pending: Pending<Change>) => boolean): void {
    const file = this.#file(inode);
    for (const pending of file.pending) {
      if (becomesStable(pending)) applyChange(file.stable, pending.operation);
    }
    file.pending = file.pending.filter((pending) => !becomesStable(pending));
  }

  /** Effects that a power cut now may take. */
  get volatileCount(): number {
    let count = this.#pendingNames.length;
    for (const file of this.#files.values()) count += file.pending.length;
    for (const store of this.#stores.values()) count += store.batches.filter(({ done }) => !done).length;
    return count;
  }

  /**
   * A disk as it may be found after a power cut at this position; `batches` tells what its index is made of.
   */
  image(choices: CrashChoices, random: SimRandom): { readonly disk: SimDisk; readonly batches: string } {
    const arrives = (): boolean =>
      choices.effects === "all" || (choices.effects === "some" && random.chance(0.5));
    const names = new Map(this.#names);
    for (const { operation } of this.#pendingNames) if (arrives()) applyName(names, operation);
    const disk = new SimDisk();
    for (const [path, inode] of names) {
      const { stable, pending } = this.#file(inode);
      const bytes = stable.fork();
      for (const { operation } of pending) {
        if (arrives()) arrive(bytes, operation, choices.tears, random);
      }
      disk.plant(path, bytes);
    }
    const surviving: string[] = [];
    for (const { path, batches } of this.#stores.values()) {
      const rows = new Map<string, Uint8Array>();
      const finished = batches.filter((batch) => batch.done || arrives());
      surviving.push(path);
      for (const batch of survivors(finished, choices.batches, random)) {
        applyRows(rows, batch.rows);
        surviving.push(String(batch.at));
      }
      disk.plantIndex(path, rows);
    }
    return { disk, batches: surviving.join(" ") };
  }
}

function pathOf(change: NameChange): string {
  return change.kind === "rename" ? change.to : change.path;
}

function applyName(names: Map<string, number>, change: NameChange): void {
  if (change.kind === "create") names.set(change.path, change.inode);
  else if (change.kind === "remove") names.delete(change.path);
  else {
    const inode = names.get(change.from);
    if (inode === undefined) return;
    names.delete(change.from);
    names.set(change.to, inode);
  }
}

function applyChange(bytes: PagedBytes, change: Change): void {
  if (change.kind === "truncate") bytes.truncate(change.size);
  else bytes.write(change.bytes, change.offset);
}

function arrive(bytes: PagedBytes, change: Change, tears: CrashChoices["tears"], random: SimRandom): void {
  if (change.kind === "truncate" || tears === "whole") {
    applyChange(bytes, change);
    return;
  }
  const { offset } = change;
  const end = offset + change.bytes.length;
  const firstSector = Math.floor(offset / SECTOR_BYTES);
  const sectors = Math.ceil(end / SECTOR_BYTES) - firstSector;
  const cut = tears === "prefix" ? random.below(sectors + 1) : sectors;
  for (let sector = 0; sector < cut; sector++) {
    if (tears === "sectors" && random.chance(0.5)) continue;
    const from = Math.max(offset, (firstSector + sector) * SECTOR_BYTES);
    const to = Math.min(end, (firstSector + sector + 1) * SECTOR_BYTES);
    bytes.write(change.bytes.subarray(from - offset, to - offset), from);
  }
  // The size may have arrived without the bytes: they read as zeros then.
  if (bytes.size < end && random.chance(0.3)) bytes.truncate(end);
}

function survivors(
  batches: readonly Batch[],
  losses: CrashChoices["batches"],
  random: SimRandom,
): readonly Batch[] {
  if (losses === "kept" || batches.length === 0) return batches;
  const lost = random.between(1, Math.min(batches.length, 8) + 1);
  if (losses === "lostEnd") return batches.slice(0, batches.length - lost);
  const first = random.below(batches.length);
  return batches.filter((_, at) => at < first || at >= first + lost);
}
