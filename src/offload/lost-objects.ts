/**
 * Which objects of users have bytes that are nowhere any more: asked when a copy in the cold tier is lost and
 * no other one is left. Goes through the rows from what names bytes up to what people know: bodies, parts
 * and pieces of appends, then objects, their versions and open uploads. What shares a lost stretch of another
 * body may be told although its own stretch is whole.
 */
import type { Clock } from "../ports/clock.ts";
import { keys, prefixRange, ranges } from "../state/keys.ts";
import { namedBytes } from "../state/named-bytes.ts";
import type { NamedBytes } from "../state/named-bytes.ts";
import { decodeObject } from "../state/object-row.ts";
import type { BodyReference, PartRun } from "../state/object-row.ts";
import { rows } from "../state/rows.ts";
import { decodeVersion } from "../state/version-row.ts";
import type { TierRows } from "./tier-rows.ts";

const PAGE_ROWS = 500;
/** Bodies that share bodies are nested less deep than this. */
const ROUNDS_MAX = 16;
const BUCKET_ID_LENGTH = 6;

export type LostNames = {
  readonly count: number;
  /** `bucket/key`, with what it is if it is no current object. */
  readonly first: readonly string[];
};

type LostSearch = {
  readonly index: TierRows;
  readonly clock: Clock;
  readonly isLost: (named: NamedBytes) => boolean;
  readonly firstMax: number;
  readonly signal: AbortSignal;
};

export function findLostObjects(search: LostSearch): Promise<LostNames> {
  return new LostObjectFinder(search).find();
}

class LostObjectFinder {
  readonly #search: LostSearch;
  readonly #bodies = new Set<string>();
  /** By the id of their upload or list of appends: numbers of parts that lack something. */
  readonly #parts = new Map<string, Set<number>>();
  /** Of completed uploads, as far as they were asked for. */
  readonly #runs = new Map<string, readonly PartRun[]>();
  readonly #buckets = new Map<string, string>();
  readonly #first: string[] = [];
  #count = 0;

  constructor(search: LostSearch) {
    this.#search = search;
  }

  async find(): Promise<LostNames> {
    await this.#scan(prefixRange("body/"), (key, row) => {
      if (namedBytes(key, row).some(this.#search.isLost)) this.#bodies.add(key.split("/")[1] ?? "");
    });
    // A part may be a stretch of what has parts itself.
    for (let round = 0; round < ROUNDS_MAX && (await this.#findParts()); round++);
    await this.#scan(ranges.buckets, (key, row) => {
      const id = rows.bucket.decode(row).id.toString(36).padStart(BUCKET_ID_LENGTH, "0");
      this.#buckets.set(id, key.slice(ranges.buckets.from.length));
    });
    await this.#scan(prefixRange("object/"), async (key, row) => {
      if (await this.#lacks(row)) this.#tell(this.#nameOf(key));
    });
    await this.#scan(prefixRange("version/"), async (key, row) => {
      const { version } = decodeVersion(row);
      if (version.kind === "object" && (await this.#lacks(version.row))) {
        this.#tell(`${this.#nameOf(key.slice(0, key.indexOf("\0")))} (an older version)`);
      }
    });
    await this.#tellOpenUploads();
    return { count: this.#count, first: this.#first };
  }

  async #scan(
    range: { readonly from: string; readonly to: string },
    visit: (key: string, row: Uint8Array) => Promise<void> | void,
  ): Promise<void> {
    const { index, clock, signal } = this.#search;
    let { from } = range;
    for (;;) {
      const iterator = await index.iterate({ from, to: range.to });
      let page: Awaited<ReturnType<typeof iterator.next>>;
      try {
        page = await iterator.next(PAGE_ROWS);
      } finally {
        await iterator.close();
      }
      for (const [key, row] of page) {
        const visited = visit(key, row);
        if (visited !== undefined) await visited;
      }
      const last = page.at(-1)?.[0];
      if (last === undefined || page.length < PAGE_ROWS) return;
      from = `${last}\0`;
      await clock.yieldToOthers();
      signal.throwIfAborted();
    }
  }

  /** Whether there were some that were not known. */
  async #findParts(): Promise<boolean> {
    let isNew = false;
    await this.#scan(prefixRange("part/"), async (key, row) => {
      const [, id = "", number = ""] = key.split("/");
      const lost = this.#parts.get(id) ?? new Set();
      if (lost.has(Number(number))) return;
      const { body } = rows.part.decode(row);
      if (!namedBytes(key, row).some(this.#search.isLost) && !(await this.#lacksBody(body))) return;
      this.#parts.set(id, lost.add(Number(number)));
      isNew = true;
    });
    return isNew;
  }

  async #lacks(objectRow: Uint8Array): Promise<boolean> {
    const isNamed = namedBytes("object/", objectRow).some(this.#search.isLost);
    return isNamed || (await this.#lacksBody(decodeObject(objectRow).body));
  }

  async #lacksBody(body: BodyReference): Promise<boolean> {
    switch (body.kind) {
      case "stored":
        return this.#bodies.has(body.bodyId);
      case "parts":
        return await this.#lacksChosen(body.uploadId);
      case "appended":
        return [...(this.#parts.get(body.listId) ?? [])].some((number) => number <= body.pieces);
      case "slice":
        return await this.#lacksBody(body.base);
      default:
        return false;
    }
  }

  async #lacksChosen(uploadId: string): Promise<boolean> {
    const lost = this.#parts.get(uploadId);
    if (lost === undefined) return false;
    const runs = this.#runs.get(uploadId) ?? (await this.#runsOf(uploadId));
    this.#runs.set(uploadId, runs);
    return [...lost].some((number) =>
      runs.some(({ firstPart, count }) => firstPart <= number && number < firstPart + count),
    );
  }

  async #runsOf(uploadId: string): Promise<readonly PartRun[]> {
    const row = await this.#search.index.getLater(keys.upload(uploadId));
    return (row && rows.upload.decode(row).completed?.runs) ?? [];
  }

  async #tellOpenUploads(): Promise<void> {
    for (const [uploadId, lost] of this.#parts) {
      const row = await this.#search.index.getLater(keys.upload(uploadId));
      const upload = row && rows.upload.decode(row);
      if (upload === undefined || upload.completed !== undefined) continue;
      const bucket = this.#bucketOf(upload.bucketId.toString(36).padStart(BUCKET_ID_LENGTH, "0"));
      for (const number of lost) this.#tell(`${bucket}/${upload.key} (part ${number} of an open upload)`);
    }
  }

  #tell(name: string): void {
    this.#count++;
    if (this.#first.length < this.#search.firstMax) this.#first.push(name);
  }

  /** Of a row behind its prefix: bucket id and key. */
  #nameOf(rowKey: string): string {
    const [, bucketId = ""] = rowKey.split("/", 2);
    return `${this.#bucketOf(bucketId)}/${rowKey.slice(rowKey.indexOf(bucketId) + bucketId.length + 1)}`;
  }

  #bucketOf(id: string): string {
    return this.#buckets.get(id) ?? `(bucket ${id})`;
  }
}
