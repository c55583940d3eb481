/**
 * The logic of LIST without the store: which entries of a sorted stream a page shows, where a delimiter rolls
 * keys up, where to seek next, and how the next page finds its place.
 *
 * The store offers entries in UTF-8 byte order from a position; ListingFold consumes them and answers with
 * the next position, or with nothing when the page is complete. A common prefix costs one seek, however many
 * keys it hides. As in S3, nothing is shown that does not sort after the marker, common prefixes included:
 * with the marker `a/b` the group `a/` is not shown again.
 */

export type ListingParameters = {
  readonly prefix: string;
  /** Empty for none. Any string, not only `/`. */
  readonly delimiter: string;
  /** Marker, start-after, or what a continuation token held. Empty for the beginning. */
  readonly after: string;
  /** Entries and common prefixes together. */
  readonly limit: number;
  /** For uploads, several of which may have one key: within `after`, only later ones than this are shown. */
  readonly afterId?: string | undefined;
};

/** Where the store shall read next. */
export type ListingSeek = {
  readonly key: string;
  readonly inclusive: boolean;
  /** Only for entries with ids, and then with `inclusive`: of this very key, those with a later id. */
  readonly afterId?: string;
};

export type ListingEntry = { readonly key: string; readonly id?: string };

/**
 * UTF-8 byte order, which is code point order. JavaScript compares UTF-16 units, which sorts the surrogates
 * of characters beyond U+FFFF before U+E000..U+FFFF; shifting both ranges mends that.
 */
export function compareUtf8(left: string, right: string): number {
  const shorter = Math.min(left.length, right.length);
  for (let index = 0; index < shorter; index++) {
    const leftUnit = left.charCodeAt(index);
    const rightUnit = right.charCodeAt(index);
    if (leftUnit === rightUnit) continue;
    if (leftUnit < 0xd800 || rightUnit < 0xd800) return leftUnit - rightUnit;
    return ((leftUnit + 0x2000) & 0xffff) - ((rightUnit + 0x2000) & 0xffff);
  }
  return left.length - right.length;
}

/**
 * The smallest string after everything that begins with `prefix`; undefined if there is none. Valid UTF-8 has
 * no character between a code point and its successor, so the result is text again, whatever the last byte
 * was.
 */
export function afterPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0);
  for (let point = points.pop(); point !== undefined; point = points.pop()) {
    if (point === 0x10ffff) continue;
    const next = point === 0xd7ff ? 0xe000 : point + 1;
    return String.fromCodePoint(...points, next);
  }
  return undefined;
}

/** The common prefix that hides `key`, or undefined where the key is shown itself. */
export function commonPrefixOf(key: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === "") return undefined;
  const at = key.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : key.slice(0, at + delimiter.length);
}

function seekAfter(entry: ListingEntry): ListingSeek {
  const { key, id } = entry;
  return id === undefined ? { key, inclusive: false } : { key, inclusive: true, afterId: id };
}

export class ListingFold<Entry extends ListingEntry> {
  readonly #parameters: ListingParameters;
  readonly #contents: Entry[] = [];
  readonly #commonPrefixes: string[] = [];
  #isTruncated = false;
  #last = "";
  #lastId: string | undefined;
  #next: ListingSeek | undefined;

  constructor(parameters: ListingParameters) {
    this.#parameters = parameters;
    this.#next = parameters.limit === 0 ? undefined : this.#firstSeek();
  }

  /** Where to read; undefined when the page is complete. */
  get seek(): ListingSeek | undefined {
    return this.#next;
  }

  get contents(): readonly Entry[] {
    return this.#contents;
  }

  get commonPrefixes(): readonly string[] {
    return this.#commonPrefixes;
  }

  get isTruncated(): boolean {
    return this.#isTruncated;
  }

  /** The last key or common prefix shown: the next page's `after`. Only when truncated. */
  get nextAfter(): string | undefined {
    return this.#isTruncated ? this.#last : undefined;
  }

  /** For uploads: the id of the last one shown, unless a common prefix came last. */
  get nextAfterId(): string | undefined {
    return this.#isTruncated ? this.#lastId : undefined;
  }

  /** How many entries are useful in one read: the rest of the page, and one to see whether more follows. */
  get wanted(): number {
    return this.#parameters.limit - this.#contents.length - this.#commonPrefixes.length + 1;
  }

  #firstSeek(): ListingSeek | undefined {
    const { prefix, delimiter, after, afterId } = this.#parameters;
    if (after === "" || compareUtf8(after, prefix) < 0) return { key: prefix, inclusive: true };
    if (!after.startsWith(prefix)) return undefined;
    const group = commonPrefixOf(after, prefix, delimiter);
    if (group !== undefined) return this.#seekPast(group);
    return afterId === undefined
      ? { key: after, inclusive: false }
      : { key: after, inclusive: true, afterId };
  }

  #seekPast(group: string): ListingSeek | undefined {
    const key = afterPrefix(group);
    return key === undefined ? undefined : { key, inclusive: true };
  }

  /**
   * Takes what the store read at `seek`. `isExhausted` says that nothing follows the batch. Afterwards `seek`
   * is where to go on, or undefined.
   */
  consume(batch: readonly Entry[], options: { readonly isExhausted: boolean }): void {
    const { prefix, delimiter } = this.#parameters;
    let group: string | undefined;
    for (const entry of batch) {
      const { key } = entry;
      // What is left of the batch after a common prefix was taken: skipped here, not sought again.
      if (group !== undefined && key.startsWith(group)) continue;
      if (!key.startsWith(prefix)) return this.#finish(false);
      if (this.wanted <= 1) return this.#finish(true);
      group = commonPrefixOf(key, prefix, delimiter);
      if (group === undefined) this.#take(entry);
      else this.#takeGroup(group);
    }
    const last = batch.at(-1);
    if (options.isExhausted || last === undefined) return this.#finish(false);
    this.#next = group !== undefined && last.key.startsWith(group) ? this.#seekPast(group) : seekAfter(last);
  }

  #take(entry: Entry): void {
    this.#contents.push(entry);
    this.#last = entry.key;
    this.#lastId = entry.id;
  }

  #takeGroup(group: string): void {
    this.#commonPrefixes.push(group);
    this.#last = group;
    this.#lastId = undefined;
  }

  #finish(isTruncated: boolean): void {
    this.#isTruncated = isTruncated;
    this.#next = undefined;
  }
}
