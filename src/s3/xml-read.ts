/**
 * A strict reader for the few XML documents that requests carry. A lenient one deletes the wrong object: text
 * is kept exactly (spaces, leading zeros, references decoded), and everything a request document has no use
 * for is refused: DOCTYPE, processing instructions, unknown entities, text between elements, depth, size.
 *
 * Reading goes in steps of some kilobytes, so that a large document costs no long slice of the event loop.
 * The result is a small tree; request-documents.ts says what must be in it. Names are local: with the S3
 * namespace, another prefix for it, or none.
 */

import { SaxesParser } from "saxes";
import type { SaxesTagNS } from "saxes";

import type { Steps } from "../base/steps.ts";
import { S3Error, s3Error } from "./errors.ts";

export type XmlElement = {
  readonly name: string;
  /** Empty where there are children. */
  readonly text: string;
  readonly children: readonly XmlElement[];
};

type OpenElement = { readonly name: string; text: string; readonly children: XmlElement[] };

const DEPTH_MAX = 10;
/** A Complete of 10,000 parts has four for each. */
const ELEMENTS_MAX = 50_000;
/**
 * Of text, and of bytes without a tag: no name and no key comes near it, and what is longer would be looked
 * at in one go.
 */
const RUN_MAX = 64 * 1024;
/** One to two milliseconds of the densest document. */
export const XML_STEP_BYTES = 16 * 1024;
const LESS_THAN = 0x3c;
const NOT_BLANK = /[^ \t\r\n]/;

export function malformedXml(cause?: unknown): S3Error {
  return s3Error("MalformedXML", cause === undefined ? {} : { cause });
}

export class XmlReader {
  readonly #bytesMax: number;
  #bytes = 0;
  #elements = 0;
  #bytesSinceTag = 0;
  readonly #open: OpenElement[] = [];
  #root: XmlElement | undefined;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  readonly #parser = new SaxesParser({ xmlns: true, fragment: false });

  constructor(options: { readonly bytesMax: number }) {
    this.#bytesMax = options.bytesMax;
    const parser = this.#parser;
    // Six handlers and no more: saxes keeps each as a property of the parser, and with one more V8 turns the
    // object into a dictionary, with which parsing takes five times as long. Hence no handlers for errors
    // (they are thrown then) and for the declaration (which is looked at in the end).
    parser.on("doctype", () => {
      throw malformedXml();
    });
    parser.on("processinginstruction", () => {
      throw malformedXml();
    });
    parser.on("opentag", (tag) => this.#openElement(tag));
    parser.on("text", (text) => this.#addText(text));
    parser.on("cdata", (text) => this.#addText(text));
    parser.on("closetag", () => this.#closeElement());
  }

  push(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (this.#bytes > this.#bytesMax) {
      throw s3Error("MaxMessageLengthExceeded", {
        fields: { MaxMessageLengthBytes: String(this.#bytesMax) },
      });
    }
    const tagAt = bytes.lastIndexOf(LESS_THAN);
    this.#bytesSinceTag = tagAt < 0 ? this.#bytesSinceTag + bytes.length : bytes.length - tagAt;
    if (this.#bytesSinceTag > RUN_MAX) throw malformedXml();
    const text = this.#decode(bytes, true);
    this.#run(() => this.#parser.write(text));
  }

  end(): XmlElement {
    const rest = this.#decode(undefined, false);
    if (this.#bytes === 0) throw s3Error("MissingRequestBodyError");
    this.#run(() => this.#parser.write(rest));
    // The bytes were decoded as UTF-8, whatever the declaration says. close() forgets the declaration.
    const { encoding } = this.#parser.xmlDecl;
    this.#run(() => this.#parser.close());
    if (this.#root === undefined || (encoding !== undefined && encoding.toLowerCase() !== "utf-8")) {
      throw malformedXml();
    }
    return this.#root;
  }

  #run(parse: () => unknown): void {
    try {
      parse();
    } catch (error) {
      // What the handlers threw is an answer already; the rest is saxes saying what is not well-formed.
      throw error instanceof S3Error ? error : malformedXml(error);
    }
  }

  #decode(bytes: Uint8Array | undefined, stream: boolean): string {
    try {
      return this.#decoder.decode(bytes, { stream });
    } catch (error) {
      throw malformedXml(error);
    }
  }

  #openElement(tag: SaxesTagNS): void {
    if (this.#open.length >= DEPTH_MAX || ++this.#elements > ELEMENTS_MAX) throw malformedXml();
    this.#open.push({ name: tag.local, text: "", children: [] });
  }

  #addText(text: string): void {
    const top = this.#open.at(-1);
    if (top === undefined || top.children.length > 0) {
      // Between elements, and around them all.
      if (NOT_BLANK.test(text)) throw malformedXml();
    } else {
      top.text += text;
      if (top.text.length > RUN_MAX) throw malformedXml();
    }
  }

  #closeElement(): void {
    const closed = this.#open.pop();
    if (closed === undefined) throw malformedXml();
    const { name, children } = closed;
    if (children.length > 0 && NOT_BLANK.test(closed.text)) throw malformedXml();
    const element: XmlElement = { name, text: children.length > 0 ? "" : closed.text, children };
    const parent = this.#open.at(-1);
    if (parent === undefined) this.#root = element;
    else parent.children.push(element);
  }
}

/** For documents that are all there. */
export function* readXml(body: Uint8Array, options: { readonly bytesMax: number }): Steps<XmlElement> {
  const reader = new XmlReader(options);
  for (let at = 0; at < body.length; at += XML_STEP_BYTES) {
    if (at > 0) yield;
    reader.push(body.subarray(at, at + XML_STEP_BYTES));
  }
  return reader.end();
}
