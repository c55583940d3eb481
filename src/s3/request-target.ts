/**
 * The raw request target, parsed once at the edge into everything that is later decided from it: bucket, key,
 * query and the two canonical strings of SigV4. Nothing else may look at a URL, because every URL parser
 * normalises `..`, `%2e` and doubled slashes, and then authorises another object than it serves.
 *
 * The path is decoded as a whole and split afterwards, so `path` (which is `bucket/key`) names one object,
 * however the client chose to encode it. `+` is a plus sign in a path and a space in a query.
 * Percent-encoding that is broken, or that does not decode to UTF-8, is InvalidURI. Whether names are allowed
 * is for names.ts to say.
 */

import { s3Error } from "./errors.ts";

export type RequestTarget = {
  readonly bucket: string;
  readonly key: string;
  /** `bucket/key`, decoded: the name under which caches may know the object. */
  readonly path: string;
  /** As on the wire, without scheme, authority and query. */
  readonly rawPath: string;
  /** As on the wire, without the question mark. */
  readonly rawQuery: string;
  readonly query: QueryParameters;
  readonly isVirtualHost: boolean;
};

export type RequestTargetOptions = {
  /** The request target exactly as on the wire (`req.url`). */
  readonly url: string;
  readonly host: string | undefined;
  /** Switches on virtual-host style for `<bucket>.<domain>`; lower case, without a port. */
  readonly domain?: string | undefined;
};

/** Decoded query parameters in the order of the wire. Few, so a scan beats a map. */
export class QueryParameters {
  readonly names: readonly string[];
  readonly values: readonly string[];

  constructor(names: readonly string[], values: readonly string[]) {
    this.names = names;
    this.values = values;
  }

  get size(): number {
    return this.names.length;
  }

  has(name: string): boolean {
    return this.names.includes(name);
  }

  /** The first of several equal names counts. */
  get(name: string): string | undefined {
    const index = this.names.indexOf(name);
    return index < 0 ? undefined : this.values[index];
  }
}

const NO_QUERY = new QueryParameters([], []);
const NEEDS_DECODING = /[^!-$&-~]/;
const NOT_ASCII = /[^!-~]/g;

/**
 * Node hands over each byte of the target as one character; what is not printable ASCII becomes `%XX` here.
 */
function percentByte(character: string): string {
  const code = character.charCodeAt(0);
  if (code > 0xff) throw s3Error("InvalidURI");
  return `%${code < 16 ? "0" : ""}${code.toString(16)}`;
}

function decode(raw: string): string {
  if (!NEEDS_DECODING.test(raw)) return raw;
  const ascii = raw.replace(NOT_ASCII, percentByte);
  try {
    return decodeURIComponent(ascii);
  } catch {
    // decodeURIComponent refuses broken escapes, overlong forms, surrogates and bytes that are not UTF-8.
    throw s3Error("InvalidURI");
  }
}

/** Percent-encoding, and plus for a space. */
export function decodeQuery(raw: string): string {
  return decode(raw.includes("+") ? raw.replaceAll("+", "%20") : raw);
}

export function parseQuery(rawQuery: string): QueryParameters {
  if (rawQuery === "") return NO_QUERY;
  const names: string[] = [];
  const values: string[] = [];
  for (let start = 0; start <= rawQuery.length;) {
    const ampersand = rawQuery.indexOf("&", start);
    const end = ampersand < 0 ? rawQuery.length : ampersand;
    if (end > start) {
      const equals = rawQuery.indexOf("=", start);
      const nameEnd = equals < 0 || equals > end ? end : equals;
      names.push(decodeQuery(rawQuery.slice(start, nameEnd)));
      values.push(nameEnd === end ? "" : decodeQuery(rawQuery.slice(nameEnd + 1, end)));
    }
    start = end + 1;
  }
  return new QueryParameters(names, values);
}

/** An absolute-form target (`http://host/path`) is cut down to its path; the Host header names the host. */
function withoutAuthority(url: string): string {
  if (url.startsWith("/")) return url;
  const scheme = /^https?:\/\/[^/?]*/i.exec(url);
  if (scheme === null) throw s3Error("InvalidURI");
  const rest = url.slice(scheme[0].length);
  return rest.startsWith("/") ? rest : `/${rest}`;
}

function bucketOfHost(host: string | undefined, domain: string | undefined): string | undefined {
  if (host === undefined || domain === undefined || domain === "") return undefined;
  const colon = host.lastIndexOf(":");
  const name = (colon > 0 && /^\d*$/.test(host.slice(colon + 1)) ? host.slice(0, colon) : host).toLowerCase();
  const suffix = `.${domain}`;
  return name.length > suffix.length && name.endsWith(suffix) ? name.slice(0, -suffix.length) : undefined;
}

export function parseRequestTarget(options: RequestTargetOptions): RequestTarget {
  const url = withoutAuthority(options.url);
  const mark = url.indexOf("?");
  const rawPath = mark < 0 ? url : url.slice(0, mark);
  const rawQuery = mark < 0 ? "" : url.slice(mark + 1);
  const query = parseQuery(rawQuery);
  const decoded = decode(rawPath);

  const hostBucket = bucketOfHost(options.host, options.domain);
  if (hostBucket !== undefined) {
    const path = hostBucket + decoded;
    return { bucket: hostBucket, key: decoded.slice(1), path, rawPath, rawQuery, query, isVirtualHost: true };
  }
  const path = decoded.slice(1);
  const slash = path.indexOf("/");
  const bucket = slash < 0 ? path : path.slice(0, slash);
  const key = slash < 0 ? "" : path.slice(slash + 1);
  // `//key` names no bucket: it must not be taken for a request to the service.
  if (bucket === "" && path !== "") throw s3Error("InvalidURI");
  return { bucket, key, path, rawPath, rawQuery, query, isVirtualHost: false };
}
