/**
 * What must be true of the rows after every entry, found by looking at all of them: counters and live bytes
 * agree with a recount, every reference is counted, and no row is left that nothing leads to.
 */
import { decodeObject } from "../../src/state/object-row.ts";
import type { BodyReference, ObjectFootprint } from "../../src/state/object-row.ts";
import { keys } from "../../src/state/keys.ts";
import { EXTENTS_PER_ROW, rows, unpackExtents } from "../../src/state/rows.ts";
import type { BodyRow, PartRow, UploadRow } from "../../src/state/rows.ts";
import { BUCKET_SETTING_NAMES } from "../../src/state/setting-command.ts";
import { recountVersions } from "./recount-versions.ts";

type Rows = ReadonlyMap<string, Uint8Array>;

/** Rows of one kind, by what follows their prefix. */
function rowsUnder<Row>(all: Rows, prefix: string, decode: (bytes: Uint8Array) => Row): Map<string, Row> {
  const found = [...all].filter(([key]) => key.startsWith(prefix));
  return new Map(found.map(([key, bytes]) => [key.slice(prefix.length), decode(bytes)]));
}

class Recount {
  readonly problems: string[] = [];
  readonly #all: Rows;
  readonly #live = new Map<number, number>();
  readonly #bodyRefs = new Map<string, number>();
  readonly #uploadRefs = new Map<string, number>();
  readonly #listRefs = new Map<string, number>();
  readonly #known = new Set<string>();
  readonly #reaps: ReadonlySet<string>;

  constructor(all: Rows) {
    this.#all = all;
    this.#reaps = new Set(rowsUnder(all, "reap/", rows.reap.decode).keys());
  }

  check(): readonly string[] {
    for (const key of this.#all.keys()) {
      if (key.startsWith("meta/") || key.startsWith("account/")) this.#known.add(key);
    }
    this.#buckets();
    const uploads = rowsUnder(this.#all, "upload/", rows.upload.decode);
    this.#parts(uploads);
    this.#uploads(uploads);
    this.#bodies();
    this.#lists();
    this.#segments();
    this.#reapRows();
    for (const key of this.#all.keys())
      if (!this.#known.has(key)) this.problems.push(`nothing leads to ${key}`);
    return this.problems;
  }

  #expect(what: string, actual: unknown, wanted: unknown): void {
    if (actual !== wanted) this.problems.push(`${what} is ${String(actual)}, should be ${String(wanted)}`);
  }

  #refer(body: BodyReference, birth: { readonly index: number; readonly size: number }): void {
    this.#count(body, birth);
    const enough = this.#sizeOf(body, birth.size);
    const isRight = body.kind === "slice" ? enough >= body.start + birth.size : enough === birth.size;
    if (!isRight) {
      this.problems.push(`a body that is ${body.kind} has ${enough} bytes, should have ${birth.size}`);
    }
  }

  #count(body: BodyReference, birth: { readonly index: number; readonly size: number }): void {
    if (body.kind === "record") this.#addLive(birth.index, birth.size);
    else if (body.kind === "stored") count(this.#bodyRefs, body.bodyId, 1);
    else if (body.kind === "parts") count(this.#uploadRefs, body.uploadId, 1);
    else if (body.kind === "appended") count(this.#listRefs, body.listId, 1);
    else if (body.kind === "slice") this.#count(body.base, birth);
  }

  /** Of the whole body; of a slice, that of what it is a slice of. */
  #sizeOf(body: BodyReference, size: number): number {
    switch (body.kind) {
      case "empty":
        return 0;
      case "inline":
        return body.bytes.length;
      case "record":
        return size;
      case "stored":
        return rows.body.decode(this.#row(keys.body(body.bodyId))).size;
      case "parts":
        return rows.upload.decode(this.#row(keys.upload(body.uploadId))).completed?.size ?? -1;
      case "slice":
        return this.#sizeOf(body.base, size);
      case "appended": {
        let total = 0;
        for (let number = 1; number <= body.pieces; number++) {
          const part = rows.part.decode(this.#row(keys.part(body.listId, number)));
          this.#expect(`start of piece ${number} of ${body.listId}`, part.start, total);
          total += part.size;
        }
        return total;
      }
      default:
        return -1;
    }
  }

  #row(key: string): Uint8Array {
    const bytes = this.#all.get(key);
    if (bytes === undefined) throw new Error(`${key} is named and absent`);
    return bytes;
  }

  #lists(): void {
    for (const [listId, { refs }] of rowsUnder(this.#all, "append/", rows.append.decode)) {
      this.#expect(`refs of list ${listId}`, refs, this.#listRefs.get(listId) ?? 0);
      this.#expect(`reap row of a named list ${listId}`, this.#reaps.has(`parts/${listId}`), false);
      if (refs > 0) this.#known.add(keys.append(listId));
    }
    for (const listId of this.#listRefs.keys()) {
      this.#expect(`list ${listId} of an object`, this.#all.has(keys.append(listId)), true);
    }
  }

  #addLive(index: number, bytes: number): void {
    count(this.#live, index, bytes);
  }

  #buckets(): void {
    for (const [name, { id }] of rowsUnder(this.#all, "bucket/", rows.bucket.decode)) {
      this.#known.add(keys.bucket(name)).add(keys.bucketCounters(id));
      for (const setting of BUCKET_SETTING_NAMES) this.#known.add(keys.setting(id, setting));
      const versions = recountVersions(this.#all, id);
      this.problems.push(...versions.problems);
      for (const key of versions.known) this.#known.add(key);
      for (const object of versions.objects) this.#hold(object);
      let bytes = 0;
      const prefix = keys.objectPrefix(id);
      const objects = rowsUnder(this.#all, prefix, decodeObject);
      for (const [key, object] of objects) {
        this.#known.add(prefix + key);
        bytes += object.size;
        this.#hold(object);
      }
      const counters = this.#all.get(keys.bucketCounters(id));
      const counted = counters === undefined ? undefined : rows.bucketCounters.decode(counters);
      this.#expect(`objects of ${name}`, counted?.objects, objects.size);
      this.#expect(`bytes of ${name}`, counted?.bytes, bytes);
      this.#expect(`versions of ${name}`, counted?.versions ?? 0, versions.count);
      this.#expect(`bytes of versions of ${name}`, counted?.versionBytes ?? 0, versions.bytes);
    }
  }

  #hold(object: ObjectFootprint): void {
    this.#refer(object.body, { index: object.birthIndex, size: object.size });
    if (object.hasDetail) this.#besides(keys.detail(object.birthIndex, object.birthSub));
    if (object.tagCount > 0) this.#besides(keys.tags(object.birthIndex, object.birthSub));
  }

  #besides(key: string): void {
    this.#expect(`presence of ${key}`, this.#all.has(key), true);
    this.#known.add(key);
  }

  /** Of open uploads, of completed ones as far as they were chosen, and those that wait to be reaped. */
  #parts(uploads: ReadonlyMap<string, UploadRow>): void {
    for (const [place, part] of rowsUnder<PartRow>(this.#all, "part/", rows.part.decode)) {
      const uploadId = place.slice(0, -6);
      const upload = uploads.get(uploadId);
      const number = Number(place.slice(-5));
      const chosen = upload?.completed?.runs.some(
        (run) => number >= run.firstPart && number < run.firstPart + run.count,
      );
      const ofList = this.#all.has(keys.append(uploadId));
      const kept = ofList || (upload !== undefined && (upload.completed === undefined || chosen === true));
      if (kept || this.#reaps.has(`parts/${uploadId}`)) this.#known.add(`part/${place}`);
      this.#refer(part.body, { index: part.birthIndex, size: part.size });
    }
  }

  #uploads(uploads: ReadonlyMap<string, UploadRow>): void {
    const numbers = [...this.#all.keys()].filter((key) => key.startsWith("part/"));
    for (const [uploadId, row] of uploads) {
      const refs = this.#uploadRefs.get(uploadId) ?? 0;
      const parts = numbers.filter((key) => key.startsWith(keys.partPrefix(uploadId))).length;
      const listed = keys.uploads(row.bucketId, row.key, uploadId);
      if (row.completed === undefined) {
        this.#expect(`listing row of ${uploadId}`, this.#all.has(listed), true);
        this.#expect(`parts of ${uploadId}`, row.partCount, parts);
        this.#known.add(keys.upload(uploadId)).add(listed);
        continue;
      }
      this.#expect(`refs of upload ${uploadId}`, row.completed.refs, refs);
      if (refs > 0 || this.#reaps.has(`parts/${uploadId}`)) this.#known.add(keys.upload(uploadId));
    }
    for (const uploadId of this.#uploadRefs.keys()) {
      this.#expect(`upload ${uploadId} of an object`, uploads.get(uploadId)?.completed !== undefined, true);
    }
  }

  #bodies(): void {
    const bodies = rowsUnder(this.#all, "body/", (bytes) => bytes);
    const stages = rowsUnder(this.#all, "stage/", rows.stage.decode);
    for (const [id, bytes] of bodies) {
      if (id.includes("/")) continue;
      const row = rows.body.decode(bytes);
      const refs = this.#bodyRefs.get(id) ?? 0;
      this.#expect(`refs of body ${id}`, row.refs, refs);
      if (refs > 0) this.#expect(`reap row of a named body ${id}`, this.#reaps.has(`body/${id}`), false);
      const led = refs > 0 || stages.has(id) || this.#reaps.has(`body/${id}`);
      if (led) this.#known.add(keys.body(id));
      this.#extents(id, row, led);
    }
    for (const id of this.#bodyRefs.keys()) this.#expect(`body ${id} of an object`, bodies.has(id), true);
    for (const id of stages.keys()) {
      if (bodies.has(id) && (this.#bodyRefs.get(id) ?? 0) === 0) this.#known.add(keys.stage(id));
    }
  }

  #extents(id: string, row: BodyRow, led: boolean): void {
    let extents = unpackExtents(row.extents);
    for (let page = 1; page * EXTENTS_PER_ROW < row.extentCount; page++) {
      const key = keys.bodyExtents(id, page);
      const bytes = this.#all.get(key);
      if (led) this.#known.add(key);
      if (bytes !== undefined)
        extents = extents.concat(unpackExtents(rows.bodyExtents.decode(bytes).extents));
    }
    this.#expect(`extents of body ${id}`, extents.length, row.extentCount);
    for (const { index, length } of extents) this.#addLive(index, length);
    const size = extents.reduce((sum, { length }) => sum + length, 0);
    if ((this.#bodyRefs.get(id) ?? 0) > 0) this.#expect(`size of body ${id}`, row.size, size);
  }

  #segments(): void {
    let nextId = 1;
    for (const [id, row] of rowsUnder(this.#all, "segment/", rows.segment.decode)) {
      this.#known.add(`segment/${id}`);
      this.#expect(`place of segment ${id}`, Number.parseInt(id, 36), nextId + (row.droppedBefore ?? 0));
      nextId = Number.parseInt(id, 36) + 1;
      let live = 0;
      for (const [index, bytes] of this.#live) {
        if (index >= row.firstIndex && index < row.firstIndex + row.entries) live += bytes;
      }
      this.#expect(`live bytes of segment ${id}`, row.liveBytes, live);
    }
  }

  /** A mark whose work is done already is harmless only while housekeeping will still take it away. */
  #reapRows(): void {
    for (const place of this.#reaps) {
      const [kind, id] = place.split("/") as [string, string];
      if (kind === "parts" || this.#all.has(keys.body(id))) this.#known.add(`reap/${place}`);
    }
  }
}

function count<Key>(into: Map<Key, number>, key: Key, more: number): void {
  into.set(key, (into.get(key) ?? 0) + more);
}

/** Everything that is wrong with the rows, in words. */
export function recount(all: Rows): readonly string[] {
  return new Recount(all).check();
}
