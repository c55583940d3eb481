/**
 * Rows in the order of their keys' UTF-8 bytes, with snapshots for nothing. The rows lie in blocks of a few
 * hundred; a snapshot is the list of blocks as it stands, and from then on a write copies the list once and
 * each block that it changes once (some microseconds per write for a million rows). Blocks split and vanish,
 * and are never merged: sparse ones cost a listing what full ones do.
 */
import { compareUtf8 } from "../s3/listing.ts";

const BLOCK_ROWS_MAX = 512;

type Block = {
  readonly keys: string[];
  readonly values: Uint8Array[];
  /** The generation that may change it: later ones share it with a snapshot. */
  readonly generation: number;
};

/** `row` may be behind the last one of the block: the place of a row that is not there. */
export type Place = { readonly block: number; readonly row: number };

/** What the rows were at one moment. */
export class SortedSnapshot {
  readonly #blocks: readonly Block[];

  constructor(blocks: readonly Block[]) {
    this.#blocks = blocks;
  }

  /** The first row at or after `key`. */
  placeOf(key: string): Place {
    return this.#settled(findPlace(this.#blocks, key));
  }

  at({ block, row }: Place): readonly [key: string, value: Uint8Array] | undefined {
    const found = this.#blocks[block];
    const key = found?.keys[row];
    return found === undefined || key === undefined ? undefined : [key, found.values[row] as Uint8Array];
  }

  next({ block, row }: Place): Place {
    return this.#settled({ block, row: row + 1 });
  }

  /** The row before; of the first one, a place without a row. */
  previous({ block, row }: Place): Place {
    if (row > 0) return { block, row: row - 1 };
    const before = this.#blocks[block - 1];
    return before === undefined ? { block: -1, row: 0 } : { block: block - 1, row: before.keys.length - 1 };
  }

  #settled(place: Place): Place {
    const block = this.#blocks[place.block];
    if (block === undefined || place.row < block.keys.length) return place;
    return { block: place.block + 1, row: 0 };
  }
}

export class SortedRows {
  #blocks: Block[] = [];
  #generation = 0;
  #isShared = false;

  get(key: string): Uint8Array | undefined {
    const { block, row } = findPlace(this.#blocks, key);
    const found = this.#blocks[block];
    return found?.keys[row] === key ? found.values[row] : undefined;
  }

  /** Keeps `value` itself. Returns what stood there. */
  put(key: string, value: Uint8Array): Uint8Array | undefined {
    const { block: index, row } = findPlace(this.#blocks, key);
    const block = this.#writable(index);
    if (block.keys[row] === key) {
      const before = block.values[row];
      block.values[row] = value;
      return before;
    }
    block.keys.splice(row, 0, key);
    block.values.splice(row, 0, value);
    if (block.keys.length > BLOCK_ROWS_MAX) this.#split(index, block);
    return undefined;
  }

  delete(key: string): Uint8Array | undefined {
    const { block: index, row } = findPlace(this.#blocks, key);
    if (this.#blocks[index]?.keys[row] !== key) return undefined;
    const block = this.#writable(index);
    block.keys.splice(row, 1);
    const [before] = block.values.splice(row, 1);
    if (block.keys.length === 0) this.#blocks.splice(index, 1);
    return before;
  }

  snapshot(): SortedSnapshot {
    this.#isShared = true;
    return new SortedSnapshot(this.#blocks);
  }

  /** The block, in a state that no snapshot sees. */
  #writable(index: number): Block {
    if (this.#isShared) {
      this.#blocks = [...this.#blocks];
      this.#generation++;
      this.#isShared = false;
    }
    const block = this.#blocks[index];
    if (block?.generation === this.#generation) return block;
    const own = {
      keys: [...(block?.keys ?? [])],
      values: [...(block?.values ?? [])],
      generation: this.#generation,
    };
    this.#blocks[index] = own;
    return own;
  }

  #split(index: number, block: Block): void {
    // Keys often come in ascending order: then full blocks stay behind.
    const isLast = index === this.#blocks.length - 1;
    const kept = isLast ? BLOCK_ROWS_MAX : BLOCK_ROWS_MAX / 2;
    const [keys, values] = [block.keys.splice(kept), block.values.splice(kept)];
    this.#blocks.splice(index + 1, 0, { keys, values, generation: this.#generation });
  }
}

/** The first row at or after `key`, in the last block that begins at or before it, or in the first one. */
function findPlace(blocks: readonly Block[], key: string): Place {
  const after = firstWhere(
    blocks.length,
    (at) => compareUtf8((blocks[at] as Block).keys[0] as string, key) > 0,
  );
  const block = Math.max(0, after - 1);
  const keys = blocks[block]?.keys ?? [];
  return { block, row: firstWhere(keys.length, (at) => compareUtf8(keys[at] as string, key) >= 0) };
}

/** The first of `count` places for which `holds` is true; it stays so for all that follow. */
function firstWhere(count: number, holds: (at: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
