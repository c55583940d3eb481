/**
 * The first few of many in some order, without holding or sorting the many. No two items may be equal in it,
 * so that what is kept does not depend on the order in which they came.
 */
export class BestFew<Item> {
  readonly #max: number;
  readonly #compare: (one: Item, other: Item) => number;
  /** In order, at most `#max`. */
  readonly #items: Item[] = [];

  constructor(max: number, compare: (one: Item, other: Item) => number) {
    this.#max = max;
    this.#compare = compare;
  }

  get all(): readonly Item[] {
    return this.#items;
  }

  add(item: Item): void {
    const last = this.#items.at(-1);
    const isFull = this.#items.length >= this.#max;
    if (isFull && (last === undefined || this.#compare(item, last) >= 0)) return;
    if (isFull) this.#items.pop();
    this.#items.splice(this.#placeOf(item), 0, item);
  }

  #placeOf(item: Item): number {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(this.#items[middle] as Item, item) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
