/**
 * Reads multipart/form-data as it arrives (RFC 7578), for uploads from browsers: fields as text, then one
 * file, whose bytes are handed on as they come. What follows the file does not count. Everything before it is
 * bounded, and what is not well-formed is refused.
 */
import { s3Error } from "./errors.ts";
import type { S3Error } from "./errors.ts";

export type FormEvent =
  | { readonly kind: "field"; readonly name: string; readonly value: string }
  /** Its bytes follow. */
  | { readonly kind: "file"; readonly filename: string; readonly contentType: string | undefined }
  | { readonly kind: "bytes"; readonly bytes: Buffer };

/** Of all that precedes the file, as in S3. */
const BYTES_BEFORE_FILE_MAX = 20 * 1024;
/** Behind the file: AWS ignores fields there, this bounds how many. */
const BYTES_AFTER_FILE_MAX = 64 * 1024;
const BOUNDARY = /^[^\r\n]{1,70}$/;
const END_OF_HEADERS = Buffer.from("\r\n\r\n");

type State = "preamble" | "headers" | "field" | "file" | "after";

function malformed(): S3Error {
  return s3Error("MalformedPOSTRequest");
}

/** Of a Content-Type header; `undefined` if there is none. */
export function boundaryOf(contentType: string): string | undefined {
  const match = /;\s*boundary=(?:"([^"]*)"|([^;\s]+))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2];
  return boundary !== undefined && BOUNDARY.test(boundary) ? boundary : undefined;
}

type PartHead = {
  readonly name: string;
  readonly filename: string | undefined;
  readonly contentType: string | undefined;
};

/** Browsers write quotes and line ends in names as %22, %0D and %0A. */
function parameter(line: string, name: string): string | undefined {
  const match = new RegExp(`;\\s*${name}=(?:"([^"]*)"|([^;\\s]*))`, "i").exec(line);
  return (match?.[1] ?? match?.[2])?.replaceAll(/%22|%0D|%0A/gi, (escape) => decodeURIComponent(escape));
}

function parseHead(text: string): PartHead {
  let head: PartHead | undefined;
  let contentType: string | undefined;
  for (const line of text.split("\r\n")) {
    const [, header = "", value = ""] = /^([^:]+):\s*(.*)$/.exec(line) ?? [];
    if (header.toLowerCase() === "content-type") contentType = value;
    if (header.toLowerCase() !== "content-disposition" || !/^form-data\b/i.test(value)) continue;
    const name = parameter(value, "name");
    if (name !== undefined) head = { name, filename: parameter(value, "filename"), contentType: undefined };
  }
  if (head === undefined) throw malformed();
  return { ...head, contentType };
}

export class FormDataReader {
  readonly #delimiter: Buffer;
  #state: State = "preamble";
  /** As if a line had ended before the first boundary. */
  #rest: Buffer = Buffer.from("\r\n");
  #head: PartHead | undefined;
  #spent = 0;
  #bytesAfter = 0;

  constructor(boundary: string) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`);
  }

  /** Whether a file began and ended. */
  get isComplete(): boolean {
    return this.#state === "after" && this.#head !== undefined;
  }

  get #isBeforeFile(): boolean {
    return this.#state !== "file" && this.#state !== "after";
  }

  push(bytes: Buffer): readonly FormEvent[] {
    if (this.#state === "after") {
      this.#bytesAfter += bytes.length;
      if (this.#bytesAfter > BYTES_AFTER_FILE_MAX) throw malformed();
      return [];
    }
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const events: FormEvent[] = [];
    while (this.#step(events));
    // What waits for its end is a header or a field.
    if (this.#isBeforeFile && this.#rest.length > BYTES_BEFORE_FILE_MAX) throw tooMuchBeforeFile();
    return events;
  }

  /** Whether another step may be possible with the bytes that are there. */
  #step(events: FormEvent[]): boolean {
    switch (this.#state) {
      case "preamble":
        return this.#skipPreamble();
      case "headers":
        return this.#readHeaders(events);
      case "field":
        return this.#readField(events);
      case "file":
        return this.#readFile(events);
      default:
        return false;
    }
  }

  #skipPreamble(): boolean {
    return this.#rest.indexOf(this.#delimiter) === 0 ? this.#afterDelimiter(0) : this.#refuseOrWait();
  }

  /** Nothing may stand before the first boundary. */
  #refuseOrWait(): boolean {
    const { length } = this.#delimiter;
    const begun = this.#delimiter.subarray(0, this.#rest.length);
    if (this.#rest.length >= length || !this.#rest.equals(begun)) throw malformed();
    return false;
  }

  /** Behind a boundary: two dashes end the form, a line end begins a part. */
  #afterDelimiter(at: number): boolean {
    const end = at + this.#delimiter.length;
    if (this.#rest.length < end + 2) return false;
    const mark = this.#rest.toString("latin1", end, end + 2);
    if (mark !== "--" && mark !== "\r\n") throw malformed();
    this.#rest = this.#rest.subarray(end + 2);
    this.#state = mark === "--" || this.#state === "file" ? "after" : "headers";
    return true;
  }

  #readHeaders(events: FormEvent[]): boolean {
    const end = this.#rest.indexOf(END_OF_HEADERS);
    if (end < 0) return false;
    const head = parseHead(this.#rest.toString("utf8", 0, end));
    this.#rest = this.#rest.subarray(end + END_OF_HEADERS.length);
    this.#spend(end);
    const isFile = head.name.toLowerCase() === "file";
    this.#state = isFile ? "file" : "field";
    this.#head = head;
    if (isFile) events.push({ kind: "file", filename: head.filename ?? "", contentType: head.contentType });
    return true;
  }

  #spend(bytes: number): void {
    this.#spent += bytes;
    if (this.#spent > BYTES_BEFORE_FILE_MAX) throw tooMuchBeforeFile();
  }

  #readField(events: FormEvent[]): boolean {
    const end = this.#rest.indexOf(this.#delimiter);
    if (end < 0) return false;
    const value = this.#rest.toString("utf8", 0, end);
    const name = this.#head?.name ?? "";
    if (this.#rest.length < end + this.#delimiter.length + 2) return false;
    this.#spend(end);
    this.#head = undefined;
    events.push({ kind: "field", name, value });
    return this.#afterDelimiter(end);
  }

  #readFile(events: FormEvent[]): boolean {
    const end = this.#rest.indexOf(this.#delimiter);
    if (end < 0) {
      // The boundary may have begun in the last bytes.
      const sure = this.#rest.length - this.#delimiter.length + 1;
      if (sure <= 0) return false;
      events.push({ kind: "bytes", bytes: this.#rest.subarray(0, sure) });
      this.#rest = this.#rest.subarray(sure);
      return false;
    }
    if (this.#rest.length < end + this.#delimiter.length + 2) return false;
    if (end > 0) events.push({ kind: "bytes", bytes: this.#rest.subarray(0, end) });
    return this.#afterDelimiter(end);
  }
}

function tooMuchBeforeFile(): S3Error {
  return s3Error("MaxPostPreDataLengthExceeded");
}
