/**
 * Remembers parsed request targets. Parsing is a pure function of the raw text (and of the host, where
 * buckets may be named by it), and hot objects are asked for by the same text again and again; for a
 * presigned one the parse costs more than everything else that is done for it. Also, strings that are found
 * again keep their hash, which makes every later lookup by one of them cheaper.
 */
import { BoundedMemo } from "../s3/bounded-memo.ts";
import type { Route } from "../s3/operations.ts";
import { parseRequestTarget } from "../s3/request-target.ts";
import type { RequestTarget } from "../s3/request-target.ts";

const ENTRIES_MAX = 8192;
/** Together with the bound on entries this bounds the memory. */
const CHARACTERS_MAX = 1024;

function isSelecting(name: string): boolean {
  return name === "partNumber" || name === "versionId" || name.startsWith("response-");
}

/** A target and what follows from it alone. */
export class KnownTarget {
  readonly target: RequestTarget;
  /** Whether a GET asks for a part or a version, or for other head lines than the object's own. */
  readonly isSelective: boolean;
  /** What a GET of it is; set by the first one. Of a GET, no header says more. */
  getRoute: Route | undefined = undefined;

  constructor(target: RequestTarget) {
    const { names } = target.query;
    this.target = target;
    this.isSelective = names.some(isSelecting);
  }
}

export class TargetMemo {
  readonly #domain: string | undefined;
  readonly #memo = new BoundedMemo<KnownTarget>({ entriesMax: ENTRIES_MAX });

  constructor(options: { readonly domain: string | undefined }) {
    this.#domain = options.domain;
  }

  parse(url: string, host: string | undefined): KnownTarget {
    const domain = this.#domain;
    // A target holds no space: it is what follows the last one.
    const name = domain === undefined ? url : `${host ?? ""} ${url}`;
    const known = this.#memo.get(name);
    if (known !== undefined) return known;
    const made = new KnownTarget(parseRequestTarget({ url, host, domain }));
    if (name.length <= CHARACTERS_MAX) this.#memo.set(name, made);
    return made;
  }
}
