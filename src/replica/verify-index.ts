/**
 * Reads every row of the index, holds it against its checksum and its neighbours, reads every body that an
 * object or part names, and counts again what apply keeps counting. Changes nothing.
 */
import { DamageError } from "../base/errors.ts";
import type { IndexStore } from "../ports/index-store.ts";
import type { Floor } from "../store/floor-file.ts";
import { RecordReader, isGone } from "../store/record-reader.ts";
import { openRow } from "../store/row-seal.ts";
import type { SegmentFiles } from "../store/segment-files.ts";
import { keys, ranges } from "../state/keys.ts";
import { decodeDetail, decodeObject } from "../state/object-row.ts";
import type { BodyReference, ObjectFootprint, SharedBody } from "../state/object-row.ts";
import { rows, unpackExtents } from "../state/rows.ts";
import { decodeTags } from "../state/tags.ts";
import { SegmentTable } from "../state/segment-table.ts";
import { decodeMarker, decodeVersion } from "../state/version-row.ts";
import { markGivenUp } from "./missing-values.ts";
import { VersionCheck } from "./verify-versions.ts";

export type IndexReport = {
  readonly rows: number;
  readonly objects: number;
  readonly bodiesRead: number;
  readonly bodiesGone: number;
  /** Given up for their copies: what lies in them is not read. */
  readonly coldSegments: number;
  readonly coldBytes: number;
  readonly problems: readonly string[];
};

type VerifyIndexOptions = {
  /**
   * The log goes on after what the index has applied. Then bodies that are not there any more may be of
   * objects that those entries overwrite: they are counted, and the start, which applies them, tells.
   */
  readonly behind: boolean;
  readonly floor: Floor;
};

const EVERYTHING = { from: "", to: "\u{10ffff}" };
const PAGE = 1000;
const PROBLEMS_MAX = 100;

export async function verifyIndex(
  store: IndexStore,
  files: SegmentFiles,
  options: VerifyIndexOptions,
): Promise<IndexReport> {
  const check = new IndexCheck(store, files, options);
  await check.loadSegments(options.floor);
  await check.visitAll();
  check.compareCounters();
  const { rowCount, objectCount, bodiesRead, bodiesGone, coldSegments, coldBytes, problems } = check;
  const counts = { bodiesRead, bodiesGone, coldSegments, coldBytes };
  return { rows: rowCount, objects: objectCount, ...counts, problems };
}

type Tally = { objects: number; bytes: number; versions: number; versionBytes: number };
const NOTHING: Tally = { objects: 0, bytes: 0, versions: 0, versionBytes: 0 };

class IndexCheck {
  readonly problems: string[] = [];
  rowCount = 0;
  objectCount = 0;
  bodiesRead = 0;
  bodiesGone = 0;
  coldSegments = 0;
  coldBytes = 0;
  readonly #files: SegmentFiles;
  readonly #behind: boolean;
  readonly #store: IndexStore;
  readonly #segments = new SegmentTable();
  readonly #records: RecordReader;
  readonly #live = new Map<number, number>();
  readonly #counted = new Map<string, Tally>();
  readonly #stored = new Map<string, Tally>();
  readonly #versions = new VersionCheck((key) => this.#need(key));

  constructor(store: IndexStore, files: SegmentFiles, options: { readonly behind: boolean }) {
    this.#store = store;
    this.#files = files;
    this.#behind = options.behind;
    this.#records = new RecordReader(files, this.#segments, { readsMax: 1 });
  }

  #problem(text: string): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push(text);
    else if (this.problems.length === PROBLEMS_MAX) this.problems.push("... and more");
  }

  async #each(
    range: { readonly from: string; readonly to: string },
    visit: (key: string, value: Uint8Array) => Promise<void> | void,
  ): Promise<void> {
    const iterator = this.#store.iterate(range);
    try {
      for (;;) {
        const page = await iterator.next(PAGE);
        if (page.length === 0) return;
        for (const [key, stored] of page) await this.#guarded(key, stored, visit);
      }
    } finally {
      await iterator.close();
    }
  }

  async #guarded(
    key: string,
    stored: Uint8Array,
    visit: (key: string, value: Uint8Array) => Promise<void> | void,
  ): Promise<void> {
    await this.#guardedCall(`row ${JSON.stringify(key)}`, () => visit(key, openRow(key, stored)));
  }

  async #guardedCall(what: string, call: () => Promise<void> | void): Promise<void> {
    try {
      await call();
    } catch (error) {
      this.#problem(error instanceof DamageError ? error.message : `${what}: ${String(error)}`);
    }
  }

  async loadSegments(floor: Floor): Promise<void> {
    await this.#each(ranges.segments, (key, value) => this.#segments.load(key, value));
    await markGivenUp(this.#files, this.#segments, floor);
    for (const { id, liveBytes } of this.#segments.all) {
      if (!this.#files.isGone(id)) continue;
      this.coldSegments++;
      this.coldBytes += liveBytes;
    }
  }

  async visitAll(): Promise<void> {
    await this.#each(EVERYTHING, async (key, value) => {
      this.rowCount++;
      const kind = key.slice(0, key.indexOf("/"));
      const rest = key.slice(kind.length + 1);
      if (kind === "object") await this.#visitObject(rest, value);
      else if (kind === "part") await this.#visitPart(value);
      else if (kind === "body") await this.#visitBody(rest, value);
      else if (kind === "setting") rows.setting.decode(value);
      else if (kind === "account") rows.account.decode(value);
      else if (kind === "version") await this.#visitVersion(rest, value);
      else if (kind === "marker") this.#visitMarker(rest, value);
      else if (kind === "history") this.#versions.visitHistory(value);
      else if (kind === "count") this.#stored.set(rest, { ...NOTHING, ...rows.bucketCounters.decode(value) });
    });
    await this.#guardedCall("the versions", () => this.#versions.finishKey());
    const { strayHistories } = this.#versions;
    if (strayHistories !== 0) this.#problem(`${strayHistories} keys have a history and no versions`);
  }

  async #visitVersion(rest: string, value: Uint8Array): Promise<void> {
    const row = decodeVersion(value);
    const { version } = row;
    const tally = this.#tallyOf(rest);
    tally.versions++;
    if (version.kind === "object") {
      const object = decodeObject(version.row);
      tally.versionBytes += object.size;
      await this.#visitHeld(object);
    }
    this.#versions.visitVersion(rest, row);
  }

  #visitMarker(rest: string, value: Uint8Array): void {
    decodeMarker(value);
    this.#tallyOf(rest).versions++;
    if (this.#store.getSync(`object/${rest}`) !== undefined) {
      throw new DamageError(`${JSON.stringify(rest)} has a delete marker and an object`);
    }
  }

  /** `rest` begins with the id of the bucket. */
  #tallyOf(rest: string): Tally {
    const bucketId = rest.slice(0, rest.indexOf("/"));
    const tally = this.#counted.get(bucketId) ?? { ...NOTHING };
    this.#counted.set(bucketId, tally);
    return tally;
  }

  async #visitObject(rest: string, value: Uint8Array): Promise<void> {
    this.objectCount++;
    const row = decodeObject(value);
    const tally = this.#tallyOf(rest);
    tally.objects++;
    tally.bytes += row.size;
    await this.#visitHeld(row);
  }

  async #visitHeld(row: ObjectFootprint): Promise<void> {
    if (row.hasDetail) decodeDetail(this.#need(keys.detail(row.birthIndex, row.birthSub)));
    this.#visitTags(row);
    await this.#visitReference(row.body, row.birthIndex, row.size);
  }

  #visitTags({ tagCount, birthIndex, birthSub }: ObjectFootprint): void {
    if (tagCount === 0) return;
    const key = keys.tags(birthIndex, birthSub);
    if (decodeTags(this.#need(key)).length !== tagCount) {
      throw new DamageError(`the index row ${key} has not the ${tagCount} tags of its object`);
    }
  }

  #need(key: string): Uint8Array {
    const stored = this.#store.getSync(key);
    if (stored === undefined) throw new DamageError(`the index row ${JSON.stringify(key)} is missing`);
    return openRow(key, stored);
  }

  async #visitReference(body: BodyReference, birthIndex: number, size: number): Promise<void> {
    if (body.kind === "record") {
      this.#addLive(birthIndex, size);
      const { offset, crc32c } = body;
      const read = () => this.#records.read({ index: birthIndex, offset, length: size, crc32c });
      await this.#readBody(birthIndex, read);
    } else if (body.kind === "stored") {
      const row = rows.body.decode(this.#need(keys.body(body.bodyId)));
      if (row.size !== size || row.refs < 1)
        throw new DamageError(`body ${body.bodyId} is not what names it`);
    } else if (body.kind === "parts") {
      const { completed } = rows.upload.decode(this.#need(keys.upload(body.uploadId)));
      if (completed?.size !== size) throw new DamageError(`upload ${body.uploadId} is not what names it`);
      for (const run of completed.runs) {
        for (let at = 0; at < run.count; at++) this.#need(keys.part(body.uploadId, run.firstPart + at));
      }
    } else if (body.kind === "slice") {
      this.#visitSlice(body.base, body.start + size);
    } else if (body.kind === "appended") {
      this.#visitList(body, size);
    }
  }

  /** What it is a slice of must reach as far as the slice does. */
  #visitSlice(base: SharedBody, end: number): void {
    let size = 0;
    if (base.kind === "stored") size = rows.body.decode(this.#need(keys.body(base.bodyId))).size;
    else if (base.kind === "parts") {
      size = rows.upload.decode(this.#need(keys.upload(base.uploadId))).completed?.size ?? 0;
    } else size = this.#sizeOfList(base);
    if (size < end) throw new DamageError(`a slice ends at ${end}, its body has ${size} bytes`);
  }

  #visitList(list: { readonly listId: string; readonly pieces: number }, size: number): void {
    const { refs } = rows.append.decode(this.#need(keys.append(list.listId)));
    if (refs < 1 || this.#sizeOfList(list) !== size) {
      throw new DamageError(`list ${list.listId} is not what names it`);
    }
  }

  #sizeOfList(list: { readonly listId: string; readonly pieces: number }): number {
    let end = 0;
    for (let number = 1; number <= list.pieces; number++) {
      const key = keys.part(list.listId, number);
      const part = rows.part.decode(this.#need(key));
      if (part.start !== end) throw new DamageError(`the index row ${key} does not follow the one before it`);
      end += part.size;
    }
    return end;
  }

  async #visitPart(value: Uint8Array): Promise<void> {
    const part = rows.part.decode(value);
    await this.#visitReference(part.body, part.birthIndex, part.size);
  }

  /** A body's own row, or a further page of its extents: each extent is read as a whole. */
  async #visitBody(rest: string, value: Uint8Array): Promise<void> {
    const packed = rest.includes("/")
      ? rows.bodyExtents.decode(value).extents
      : rows.body.decode(value).extents;
    for (const extent of unpackExtents(packed)) {
      this.#addLive(extent.index, extent.length);
      await this.#readBody(extent.index, () => this.#records.readExtent(extent, 0, extent.length));
    }
  }

  async #readBody(index: number, read: () => Promise<Uint8Array>): Promise<void> {
    if (this.#files.isGone(this.#segments.find(index)?.id ?? 0)) return;
    try {
      await read();
      this.bodiesRead++;
    } catch (error) {
      if (!this.#behind || !isGone(error)) throw error;
      this.bodiesGone++;
    }
  }

  #addLive(index: number, bytes: number): void {
    const segment = this.#segments.find(index);
    if (segment === undefined) throw new DamageError(`entry ${index} is named, but no segment holds it`);
    this.#live.set(segment.id, (this.#live.get(segment.id) ?? 0) + bytes);
  }

  compareCounters(): void {
    for (const segment of this.#segments.all) {
      const counted = this.#live.get(segment.id) ?? 0;
      if (counted !== segment.liveBytes) {
        this.#problem(`segment ${segment.id} counts ${segment.liveBytes} live bytes, there are ${counted}`);
      }
    }
    for (const bucketId of new Set([...this.#stored.keys(), ...this.#counted.keys()])) {
      const stored = this.#stored.get(bucketId) ?? NOTHING;
      const counted = this.#counted.get(bucketId) ?? NOTHING;
      if (stored.objects !== counted.objects || stored.bytes !== counted.bytes) {
        this.#problem(
          `bucket ${bucketId} counts ${stored.objects} objects of ${stored.bytes} bytes, ` +
            `there are ${counted.objects} of ${counted.bytes}`,
        );
      }
      if (stored.versions !== counted.versions || stored.versionBytes !== counted.versionBytes) {
        this.#problem(
          `bucket ${bucketId} counts ${stored.versions} versions of ${stored.versionBytes} bytes, ` +
            `there are ${counted.versions} of ${counted.versionBytes}`,
        );
      }
    }
  }
}
