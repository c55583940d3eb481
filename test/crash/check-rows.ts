/**
 * Recounts everything that apply keeps count of, by walking all rows: objects and bytes per bucket, live
 * bytes per segment, references per body and per completed upload, and that no row stands there which nothing
 * leads to. Returns what is wrong, one sentence each.
 */
import type { StorageNode } from "../../src/replica/storage-node.ts";
import { keys } from "../../src/state/keys.ts";
import { decodeObject } from "../../src/state/object-row.ts";
import type { BodyReference, ObjectFootprint } from "../../src/state/object-row.ts";
import { EXTENTS_PER_ROW, rows, unpackExtents } from "../../src/state/rows.ts";
import type { PartRow } from "../../src/state/rows.ts";
import { recountVersions } from "../state/recount-versions.ts";

type Rows = ReadonlyMap<string, Uint8Array>;

export async function checkRows(node: StorageNode): Promise<readonly string[]> {
  // Housekeeping may go on meanwhile.
  const before = node.index.appliedIndex;
  const all = await readAll(node);
  const count = new Recount(node, all);
  count.objects();
  count.parts();
  count.bodies();
  count.uploads();
  count.lists();
  count.buckets();
  count.segments(before);
  count.strays();
  return count.wrong;
}

async function readAll(node: StorageNode): Promise<Rows> {
  const all = new Map<string, Uint8Array>();
  const iterator = await node.index.iterate({ from: "", to: "~" });
  try {
    for (;;) {
      const page = await iterator.next(1000);
      if (page.length === 0) return all;
      for (const [key, value] of page) all.set(key, Buffer.from(value));
    }
  } finally {
    await iterator.close();
  }
}

class Recount {
  readonly wrong: string[] = [];
  readonly #node: StorageNode;
  readonly #all: Rows;
  readonly #live = new Map<number, number>();
  readonly #bodyRefs = new Map<string, number>();
  readonly #uploadRefs = new Map<string, number>();
  readonly #listRefs = new Map<string, number>();
  readonly #buckets = new Map<string, { objects: number; bytes: number }>();
  /** Keys that something leads to. */
  readonly #reached = new Set<string>();

  constructor(node: StorageNode, all: Rows) {
    this.#node = node;
    this.#all = all;
  }

  *#under(prefix: string): Generator<readonly [rest: string, value: Uint8Array]> {
    for (const [key, value] of this.#all) {
      if (key.startsWith(prefix)) yield [key.slice(prefix.length), value];
    }
  }

  #expect(condition: boolean, sentence: string): void {
    if (!condition) this.wrong.push(sentence);
  }

  #addLive(index: number, bytes: number): void {
    const id = this.#node.state.segments.find(index)?.id;
    this.#expect(id !== undefined, `entry ${index} is named and no segment holds it`);
    if (id !== undefined) this.#live.set(id, (this.#live.get(id) ?? 0) + bytes);
  }

  #name(body: BodyReference, birth: { readonly index: number; readonly size: number }): void {
    if (body.kind === "record") this.#addLive(birth.index, birth.size);
    else if (body.kind === "stored") add(this.#bodyRefs, body.bodyId);
    else if (body.kind === "parts") add(this.#uploadRefs, body.uploadId);
    else if (body.kind === "appended") add(this.#listRefs, body.listId);
    else if (body.kind === "slice") this.#name(body.base, birth);
  }

  objects(): void {
    for (const [place, value] of this.#under("object/")) {
      const row = decodeObject(value);
      const bucketId = place.slice(0, 6);
      const bucket = this.#buckets.get(bucketId) ?? { objects: 0, bytes: 0 };
      bucket.objects++;
      bucket.bytes += row.size;
      this.#buckets.set(bucketId, bucket);
      this.#hold(row);
    }
    for (const [, value] of this.#under("bucket/")) this.#versionsOf(rows.bucket.decode(value).id);
  }

  #hold(object: ObjectFootprint): void {
    this.#name(object.body, { index: object.birthIndex, size: object.size });
    if (object.hasDetail) this.#reached.add(keys.detail(object.birthIndex, object.birthSub));
    if (object.tagCount > 0) this.#reached.add(keys.tags(object.birthIndex, object.birthSub));
  }

  #versionsOf(id: number): void {
    const { problems, known, objects, count, bytes } = recountVersions(this.#all, id);
    this.wrong.push(...problems);
    for (const key of known) this.#reached.add(key);
    for (const object of objects) this.#hold(object);
    const row = this.#all.get(keys.bucketCounters(id));
    const { versions = 0, versionBytes = 0 } = row === undefined ? {} : rows.bucketCounters.decode(row);
    this.#expect(
      versions === count && versionBytes === bytes,
      `bucket ${id} counts ${versions} versions of ${versionBytes} bytes, it has ${count} of ${bytes}`,
    );
  }

  parts(): void {
    for (const [place, value] of this.#under("part/")) {
      const part: PartRow = rows.part.decode(value);
      const [uploadId = ""] = place.split("/");
      this.#name(part.body, { index: part.birthIndex, size: part.size });
      const owners = [`upload/${uploadId}`, `append/${uploadId}`, `reap/parts/${uploadId}`];
      const owned = owners.some((key) => this.#all.has(key));
      this.#expect(owned, `part ${place} belongs to no upload and is not reaped`);
    }
  }

  bodies(): void {
    for (const [place, value] of this.#under("body/")) {
      if (place.includes("/")) continue;
      const body = rows.body.decode(value);
      const refs = this.#bodyRefs.get(place) ?? 0;
      this.#expect(body.refs === refs, `body ${place} counts ${body.refs} references, ${refs} rows name it`);
      const staged = this.#all.has(`stage/${place}`);
      const reaped = this.#all.has(`reap/body/${place}`);
      this.#expect(refs > 0 ? !staged && !reaped : staged || reaped, `body ${place} is kept by nothing`);
      const extents = [...body.extents];
      for (let page = 1; page * EXTENTS_PER_ROW < body.extentCount; page++) {
        const key = `body/${place}/${page.toString(36).padStart(4, "0")}`;
        this.#reached.add(key);
        const bytes = this.#all.get(key);
        if (bytes !== undefined) extents.push(...rows.bodyExtents.decode(bytes).extents);
      }
      const unpacked = unpackExtents(extents);
      this.#expect(unpacked.length === body.extentCount, `body ${place} lacks extents`);
      for (const extent of unpacked) this.#addLive(extent.index, extent.length);
    }
    for (const [id] of this.#bodyRefs) {
      this.#expect(this.#all.has(`body/${id}`), `body ${id} is named and absent`);
    }
  }

  uploads(): void {
    for (const [uploadId, value] of this.#under("upload/")) {
      const upload = rows.upload.decode(value);
      const refs = this.#uploadRefs.get(uploadId) ?? 0;
      const bucketId = upload.bucketId.toString(36).padStart(6, "0");
      const listing = `uploads/${bucketId}/${upload.key}\0${uploadId}`;
      if (upload.completed === undefined) {
        this.#reached.add(listing);
        this.#expect(this.#all.has(listing), `open upload ${uploadId} is not listed`);
        const parts = [...this.#under(`part/${uploadId}/`)].length;
        this.#expect(
          parts === upload.partCount,
          `upload ${uploadId} has ${parts} of ${upload.partCount} parts`,
        );
      }
      const counted = upload.completed?.refs ?? 0;
      this.#expect(counted === refs, `upload ${uploadId} counts ${counted} references, ${refs} rows name it`);
    }
    for (const [id] of this.#uploadRefs) {
      this.#expect(this.#all.has(`upload/${id}`), `upload ${id} is named and absent`);
    }
  }

  lists(): void {
    for (const [listId, value] of this.#under("append/")) {
      const { refs } = rows.append.decode(value);
      const named = this.#listRefs.get(listId) ?? 0;
      this.#expect(refs === named, `list ${listId} counts ${refs} references, ${named} rows name it`);
    }
    for (const [id] of this.#listRefs) {
      this.#expect(this.#all.has(`append/${id}`), `list ${id} is named and absent`);
    }
  }

  buckets(): void {
    const known = new Set<string>();
    for (const [name, value] of this.#under("bucket/")) {
      const id = rows.bucket.decode(value).id.toString(36).padStart(6, "0");
      known.add(id);
      const row = this.#all.get(`count/${id}`);
      this.#reached.add(`count/${id}`);
      const counted = row === undefined ? { objects: 0, bytes: 0 } : rows.bucketCounters.decode(row);
      const real = this.#buckets.get(id) ?? { objects: 0, bytes: 0 };
      this.#expect(
        counted.objects === real.objects && counted.bytes === real.bytes,
        `bucket ${name} counts ${counted.objects} objects of ${counted.bytes} bytes, ` +
          `it has ${real.objects} of ${real.bytes}`,
      );
      const kept = this.#node.state.buckets.find(name)?.counters;
      this.#expect(
        kept?.objects === real.objects,
        `bucket ${name} counts ${kept?.objects} objects in memory`,
      );
    }
    for (const id of this.#buckets.keys()) this.#expect(known.has(id), `objects in absent bucket ${id}`);
  }

  segments(appliedBefore: number): void {
    let next = 1;
    let nextId = 1;
    for (const [place, value] of this.#under("segment/")) {
      const id = Number.parseInt(place, 36);
      const row = rows.segment.decode(value);
      const live = this.#live.get(id) ?? 0;
      this.#expect(
        row.liveBytes === live,
        `segment ${id} counts ${row.liveBytes} live bytes, it has ${live}`,
      );
      const { firstIndex, droppedBefore = 0 } = row;
      const follows = droppedBefore === 0 ? firstIndex === next : firstIndex > next;
      this.#expect(follows, `segment ${id} begins at ${firstIndex}, not at ${next}`);
      this.#expect(id === nextId + droppedBefore, `segment ${id} is not ${nextId}, ${droppedBefore} later`);
      nextId = id + 1;
      next = row.firstIndex + row.entries;
    }
    const { appliedIndex } = this.#node.index;
    const fits = next > appliedBefore && next <= appliedIndex + 1;
    this.#expect(fits, `segments end before ${next}, applied is ${appliedBefore}..${appliedIndex}`);
  }

  /** Rows that nothing leads to would stay for ever. */
  strays(): void {
    for (const kind of ["detail/", "tags/", "count/", "uploads/", "marker/", "version/", "history/"]) {
      for (const [rest] of this.#under(kind)) {
        this.#expect(this.#reached.has(kind + rest), `row ${kind}${JSON.stringify(rest)} belongs to nothing`);
      }
    }
    for (const [rest] of this.#under("setting/")) {
      const known = this.#all.has(`count/${rest.slice(0, 6)}`);
      this.#expect(known, `setting ${JSON.stringify(rest)} belongs to no bucket`);
    }
    for (const [id] of this.#under("stage/")) {
      this.#expect(this.#all.has(`body/${id}`), `stage ${id} has no body`);
    }
    for (const [rest] of this.#under("body/")) {
      if (rest.includes("/"))
        this.#expect(this.#reached.has(`body/${rest}`), `extents ${rest} belong to nothing`);
    }
  }
}

function add(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}
