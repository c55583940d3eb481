/**
 * Writing XML by hand: escaping, elements, the declaration, and the `encoding-type=url` form of names.
 *
 * Promise: a string goes in and the same string comes out of any XML 1.0 parser. Carriage returns and control
 * characters are written as references, since a parser would turn a bare CR into LF; code points that XML 1.0
 * does not have at all are written as references too, as AWS does, and clients that meet such keys ask for
 * `encoding-type=url`. Text without anything to escape costs one test of a regular expression.
 */

export const XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';
export const S3_NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';

/** Everything but TAB, LF and the plain characters: what is outside this class is looked at one by one. */
const NEEDS_ESCAPE = /[^\t\n !#-%'-;=?-\uFFFD]/;
const NEEDS_ESCAPE_ALL = /[^\t\n !#-%'-;=?-\uFFFD]/g;

function reference(character: string): string {
  switch (character) {
    case "&":
      return "&amp;";
    case "<":
      return "&lt;";
    case ">":
      return "&gt;";
    case '"':
      return "&quot;";
    case "\r":
      return "&#13;";
    default:
      return `&#x${character.charCodeAt(0).toString(16)};`;
  }
}

export function escapeXml(text: string): string {
  return NEEDS_ESCAPE.test(text) ? text.replace(NEEDS_ESCAPE_ALL, reference) : text;
}

/** `name` is written by us and never escaped. */
export function element(name: string, text: string): string {
  return `<${name}>${escapeXml(text)}</${name}>`;
}

/** Left out entirely when there is no value, which is how AWS writes optional elements. */
export function optionalElement(name: string, text: string | undefined): string {
  return text === undefined ? "" : element(name, text);
}

/** AWS writes these as an empty element when the request did not name them. */
export function elementOrEmpty(name: string, text: string): string {
  return text === "" ? `<${name}/>` : element(name, text);
}

export function documentStart(root: string): string {
  return `${XML_DECLARATION}<${root} ${S3_NAMESPACE}>`;
}

export function document(root: string, body: string): string {
  if (body === "") return `${XML_DECLARATION}<${root} ${S3_NAMESPACE}/>`;
  return `${documentStart(root)}${body}</${root}>`;
}

const URL_PLAIN = /^[A-Za-z0-9\-._*/]*$/;
const URL_ALSO_ENCODED = /[!'()~]/g;

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** `encoding-type=url` as S3 does it: form encoding (a space becomes `+`), but `/` stays readable. */
export function urlEncodeName(text: string): string {
  if (URL_PLAIN.test(text)) return text;
  return encodeURIComponent(text)
    .replaceAll("%20", "+")
    .replaceAll("%2F", "/")
    .replace(URL_ALSO_ENCODED, percent);
}

/** Long enough that a write costs little per character, short enough that its text is cheap to flatten. */
const PENDING_CHARACTERS = 4096;

/**
 * Collects a long document as bytes. One string of a quarter megabyte, concatenated and encoded at the end,
 * costs twice as much: most of it for flattening the string.
 */
export class XmlBytes {
  #buffer: Buffer;
  #length = 0;
  #pending = "";

  constructor(options: { readonly bytesExpected: number }) {
    this.#buffer = Buffer.allocUnsafeSlow(options.bytesExpected + 3 * PENDING_CHARACTERS);
  }

  add(text: string): void {
    this.#pending += text;
    if (this.#pending.length >= PENDING_CHARACTERS) this.#flush();
  }

  /** The document; nothing can be added after. */
  take(): Buffer {
    this.#flush();
    return this.#buffer.subarray(0, this.#length);
  }

  #flush(): void {
    // A UTF-16 unit becomes at most three bytes.
    const needed = this.#length + this.#pending.length * 3;
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    this.#length += this.#buffer.write(this.#pending, this.#length, "utf8");
    this.#pending = "";
  }
}
