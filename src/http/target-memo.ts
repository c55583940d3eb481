/**
 * Remembers parsed request targets. Parsing is a pure function of the raw text (and of the host, where buckets may
 * be named by it), and hot objects are asked for by the same text again and again; for a presigned one the parse
 * costs more than everything else that is done for it. Also, strings that are found again keep their hash, which
 * makes every later lookup by one of them cheaper.
 */
import { BoundedMemo } from "../s3/bounded-memo.ts";
import { parseRequestTarget } from "../s3/request-target.ts";
import type { RequestTarget } from "../s3/request-target.ts";

const ENTRIES_MAX = 8192;
/** Together with the bound on entries this bounds the memory. */
const CHARACTERS_MAX = 1024;

export class TargetMemo {
  readonly #domain: string | undefined;
  readonly #memo = new BoundedMemo<RequestTarget>({ entriesMax: ENTRIES_MAX });

  constructor(options: { readonly domain: string | undefined }) {
    this.#domain = options.domain;
  }

  parse(url: string, host: string | undefined): RequestTarget {
    const domain = this.#domain;
    // Neither can hold a space: the parser would have ended it there.
    const name = domain === undefined ? url : `${host ?? ""} ${url}`;
    const known = this.#memo.get(name);
    if (known !== undefined) return known;
    const target = parseRequestTarget({ url, host, domain });
    if (name.length <= CHARACTERS_MAX) this.#memo.set(name, target);
    return target;
  }
}
