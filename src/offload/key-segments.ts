/**
 * Which segments hold something of a bucket, or of what begins with a prefix in it: bodies of current objects
 * and of older versions, wherever their rows lead. Shared bodies are followed as a whole, so a copy of a
 * stretch may name a segment too many; none is missed. It reads every row there is of these keys, a page at a
 * time, and more than one entry may be applied meanwhile: what is written during it may be missed.
 */
import { unreachable } from "../base/assert.ts";
import { keys, prefixRange } from "../state/keys.ts";
import { namedBytes } from "../state/named-bytes.ts";
import { decodeObject } from "../state/object-row.ts";
import type { BodyReference } from "../state/object-row.ts";
import { rows } from "../state/rows.ts";
import type { SegmentTable } from "../state/segment-table.ts";
import { decodeVersion } from "../state/version-row.ts";
import type { StateIndex } from "../store/state-index.ts";

export type KeysOf = { readonly bucketId: number; readonly prefix: string };

type Parts = {
  readonly index: Pick<StateIndex, "iterate" | "getLater">;
  readonly segments: Pick<SegmentTable, "find">;
};

type Looking = {
  readonly signal: AbortSignal;
  /** How many rows of objects and versions were looked at so far. */
  readonly onRows?: (count: number) => void;
};

const PAGE_ROWS = 500;

export async function segmentsOfKeys(
  parts: Parts,
  { bucketId, prefix }: KeysOf,
  { signal, onRows }: Looking,
): Promise<ReadonlySet<number>> {
  const found = new KeySegments(parts, signal);
  let count = 0;
  for (const start of [keys.objectPrefix(bucketId), keys.versionPrefix(bucketId)]) {
    for await (const [key, value] of found.rows(start + prefix)) {
      await found.addRow(key, value);
      if (++count % PAGE_ROWS === 0) onRows?.(count);
    }
  }
  return found.ids;
}

class KeySegments {
  readonly ids = new Set<number>();
  readonly #parts: Parts;
  readonly #signal: AbortSignal;
  /** Shared bodies that were followed: copies and versions share them by thousands. */
  readonly #followed = new Set<string>();

  constructor(parts: Parts, signal: AbortSignal) {
    this.#parts = parts;
    this.#signal = signal;
  }

  async *rows(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]> {
    const iterator = await this.#parts.index.iterate(prefixRange(prefix));
    try {
      for (;;) {
        this.#signal.throwIfAborted();
        const page = await iterator.next(PAGE_ROWS);
        if (page.length === 0) return;
        yield* page;
      }
    } finally {
      await iterator.close();
    }
  }

  async addRow(key: string, value: Uint8Array): Promise<void> {
    this.#addNamed(key, value);
    if (key.startsWith("object/")) return await this.#follow(decodeObject(value).body);
    const { version } = decodeVersion(value);
    if (version.kind === "object") await this.#follow(decodeObject(version.row).body);
  }

  #addNamed(key: string, value: Uint8Array): void {
    for (const { index } of namedBytes(key, value)) {
      const segment = this.#parts.segments.find(index);
      if (segment !== undefined) this.ids.add(segment.id);
    }
  }

  async #follow(body: BodyReference): Promise<void> {
    switch (body.kind) {
      case "empty":
      case "inline":
      case "record":
        return;
      case "stored":
        return await this.#followStored(body.bodyId);
      case "parts":
        return await this.#followParts(body.uploadId);
      case "appended":
        return await this.#followParts(body.listId);
      case "slice":
        return await this.#follow(body.base);
      default:
        return unreachable(body);
    }
  }

  async #followStored(bodyId: string): Promise<void> {
    if (this.#isFollowed(bodyId)) return;
    const key = keys.body(bodyId);
    const first = await this.#parts.index.getLater(key);
    // Gone since its object was: then nothing of it is live.
    if (first === undefined) return;
    this.#addNamed(key, first);
    for await (const [page, value] of this.rows(`${key}/`)) this.#addNamed(page, value);
  }

  /** Of a completed upload, or of a list of appends. */
  async #followParts(id: string): Promise<void> {
    if (this.#isFollowed(id)) return;
    for await (const [key, value] of this.rows(keys.partPrefix(id))) {
      this.#addNamed(key, value);
      await this.#follow(rows.part.decode(value).body);
    }
  }

  #isFollowed(id: string): boolean {
    if (this.#followed.has(id)) return true;
    this.#followed.add(id);
    return false;
  }
}
