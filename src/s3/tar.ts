/**
 * Reads a tar archive as it arrives: ustar, pax, GNU's long names and numbers, and what stood before them.
 * Bodies are handed on as they come; what is gathered (a head, the records before it) is bounded. What does
 * not add up is refused and never guessed at, since the names become keys: bytes that are no UTF-8, a record
 * of the wrong length, a number that is none. Holes of sparse files are not filled in: those are refused.
 */
import { unreachable } from "../base/assert.ts";
import { s3Error } from "./errors.ts";
import type { S3Error } from "./errors.ts";

export type TarEntry = {
  readonly kind: "file" | "directory";
  /** As it stands in the archive. */
  readonly path: string;
  readonly size: number;
  /** Of pax, those for all entries among them. */
  readonly records: ReadonlyMap<string, string>;
};

export type TarEvent =
  /** Its bytes follow, as many as its size says. Links and devices are passed over. */
  | { readonly kind: "entry"; readonly entry: TarEntry }
  | { readonly kind: "bytes"; readonly bytes: Buffer }
  | { readonly kind: "end" };

type Records = ReadonlyMap<string, string>;
type State = "head" | "body" | "records" | "skipped" | "padding" | "behind";

const BLOCK_BYTES = 512;
/** Of one head of records, and of all that hold for an entry: what an object may have is far below. */
const RECORDS_BYTES_MAX = 64 * 1024;
/** Likewise: each entry is looked at with all of its records. */
const RECORDS_COUNT_MAX = 500;
const NO_RECORDS: Records = new Map();
/** Nothing follows the head of these, whatever it says. */
const WITHOUT_BODY = "123456";
const END: TarEvent = { kind: "end" };

export function damagedArchive(what: string): S3Error {
  return s3Error("BadRequest", { message: `The archive is damaged: ${what}` });
}

function tooManyRecords(): S3Error {
  const most = `${RECORDS_BYTES_MAX} bytes and ${RECORDS_COUNT_MAX} records`;
  return s3Error("MetadataTooLarge", { message: `An entry of an archive has at most ${most} before it` });
}

/** As text, if it is; an object must not get a key that only looks like the name of its file. */
function utf8(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString("utf8");
  if (!Buffer.from(text, "utf8").equals(bytes)) throw damagedArchive("a name is not UTF-8");
  return text;
}

function untilNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

/** NaN for what is no number. */
function octalOf(field: Buffer): number {
  const text = untilNul(field).toString("latin1").trim();
  if (!/^[0-7]*$/.test(text)) return Number.NaN;
  return text === "" ? 0 : Number.parseInt(text, 8);
}

/** Where a size stands. */
function sizeField(head: Buffer): number {
  const field = head.subarray(124, 136);
  const first = field[0] ?? 0;
  if ((first & 0x80) === 0) return octalOf(field);
  // GNU's: what does not fit into digits stands there in binary; negative ones begin with all bits set.
  let value = first & 0x7f;
  for (const byte of field.subarray(1)) value = value * 256 + byte;
  return value;
}

function hasSum(head: Buffer): boolean {
  const said = octalOf(head.subarray(148, 156));
  let unsigned = 0;
  let signed = 0;
  head.forEach((byte, at) => {
    const counted = at >= 148 && at < 156 ? 0x20 : byte;
    unsigned += counted;
    // As some old programs summed.
    signed += counted > 127 ? counted - 256 : counted;
  });
  return said === unsigned || said === signed;
}

function nameIn(head: Buffer): string {
  const name = untilNul(head.subarray(0, 100));
  if (head.toString("latin1", 257, 263) !== "ustar\0") return utf8(name);
  const prefixEnd = head.toString("latin1", 508, 512) === "tar\0" ? 345 + 131 : 345 + 155;
  const prefix = untilNul(head.subarray(345, prefixEnd));
  return prefix.length === 0 ? utf8(name) : `${utf8(prefix)}/${utf8(name)}`;
}

const NEWLINE = 0x0a;

/** `<length> <name>=<value>\n`, one behind the other; without a value a record takes an earlier one back. */
function parseRecords(bytes: Buffer, before: Records): Records {
  const records = new Map(before);
  let count = 0;
  for (let at = 0; at < bytes.length;) {
    if (++count > RECORDS_COUNT_MAX) throw tooManyRecords();
    const space = bytes.indexOf(0x20, at);
    const digits = space < 0 ? "" : bytes.toString("latin1", at, space);
    const end = /^[1-9][0-9]{0,7}$/.test(digits) ? at + Number(digits) : 0;
    const equals = bytes.indexOf(0x3d, space);
    const fits = end > space && end <= bytes.length && bytes[end - 1] === NEWLINE;
    if (!fits || equals < 0 || equals >= end) throw damagedArchive("a pax record has another length");
    const name = utf8(bytes.subarray(space + 1, equals));
    const value = utf8(bytes.subarray(equals + 1, end - 1));
    if (value === "") records.delete(name);
    else records.set(name, value);
    at = end;
  }
  checkBounds(records);
  return records;
}

/** Of what successive heads have brought together. */
function checkBounds(records: Records): void {
  let characters = 0;
  for (const [name, value] of records) characters += name.length + value.length;
  if (records.size > RECORDS_COUNT_MAX || characters > RECORDS_BYTES_MAX) throw tooManyRecords();
}

function sizeOf(head: Buffer, records: Records): number {
  const given = records.get("size");
  if (given !== undefined && !/^[0-9]{1,16}$/.test(given))
    throw damagedArchive("a size in a pax record is no number");
  const size = given === undefined ? sizeField(head) : Number(given);
  if (!Number.isSafeInteger(size)) throw damagedArchive("a size is no number, or one that no file has");
  return size;
}

function isSparse(type: string, records: Records): boolean {
  if (type === "S") return true;
  for (const name of records.keys()) if (name.startsWith("GNU.sparse.")) return true;
  return false;
}

export class TarReader {
  #state: State = "head";
  readonly #head = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  #filled = 0;
  /** Of what the head says that it follows. */
  #left = 0;
  #padding = 0;
  #recordsType = "";
  #gathered = Buffer.alloc(0);
  #global = NO_RECORDS;
  #records: Records | undefined;
  #longName: string | undefined;
  #hasBegun = false;

  /** The bytes handed on are parts of these. */
  *push(bytes: Buffer): Generator<TarEvent, void, undefined> {
    for (let at = 0; at < bytes.length;) {
      const count = Math.min(bytes.length - at, this.#wanted());
      const part = bytes.subarray(at, at + count);
      at += count;
      yield* this.#take(part);
    }
  }

  /** After the last byte. As everywhere, an archive may do without the blocks of zeros behind it. */
  finish(): void {
    const isBetween = this.#state === "head" && this.#filled === 0 && !this.#isMidway;
    if (isBetween || this.#state === "behind") return;
    throw damagedArchive("it ends in the middle of an entry");
  }

  /** Whether an entry has to follow. */
  get #isMidway(): boolean {
    return this.#records !== undefined || this.#longName !== undefined;
  }

  #wanted(): number {
    if (this.#state === "behind") return Number.POSITIVE_INFINITY;
    if (this.#state === "head") return BLOCK_BYTES - this.#filled;
    return this.#state === "padding" ? this.#padding : this.#left;
  }

  *#take(part: Buffer): Generator<TarEvent, void, undefined> {
    switch (this.#state) {
      case "head":
        part.copy(this.#head, this.#filled);
        this.#filled += part.length;
        if (this.#filled === BLOCK_BYTES) yield* this.#endHead();
        return;
      case "behind":
        if (part.some((byte) => byte !== 0)) throw damagedArchive("something stands behind its end");
        return;
      case "padding":
        this.#padding -= part.length;
        if (this.#padding === 0) this.#state = "head";
        return;
      case "body":
        yield { kind: "bytes", bytes: part };
        return yield* this.#pass(part.length);
      case "records":
        part.copy(this.#gathered, this.#gathered.length - this.#left);
        return yield* this.#pass(part.length);
      case "skipped":
        return yield* this.#pass(part.length);
      default:
        unreachable(this.#state);
    }
  }

  *#pass(count: number): Generator<TarEvent, void, undefined> {
    this.#left -= count;
    if (this.#left === 0) yield* this.#endContent();
  }

  *#endHead(): Generator<TarEvent, void, undefined> {
    const head = this.#head;
    this.#filled = 0;
    if (head.every((byte) => byte === 0)) {
      if (this.#isMidway) throw damagedArchive("it ends in the middle of an entry");
      this.#state = "behind";
      return;
    }
    if (!hasSum(head)) throw damagedArchive(this.#hasBegun ? "a head has another checksum" : "it is no tar");
    this.#hasBegun = true;
    const type = String.fromCharCode(head[156] ?? 0);
    if ("xgLK".includes(type)) return this.#beginRecords(type, sizeOf(head, NO_RECORDS));
    yield* this.#beginEntry(type);
  }

  #beginRecords(type: string, size: number): void {
    if (size > RECORDS_BYTES_MAX) throw tooManyRecords();
    this.#recordsType = type;
    this.#gathered = Buffer.alloc(size);
    this.#begin("records", size);
    if (size === 0) this.#state = "head";
  }

  *#beginEntry(type: string): Generator<TarEvent, void, undefined> {
    const records = this.#records ?? this.#global;
    const path = records.get("path") ?? this.#longName ?? nameIn(this.#head);
    this.#records = undefined;
    this.#longName = undefined;
    if (isSparse(type, records)) {
      throw s3Error("NotImplemented", { message: `${path} is a sparse file: those are not implemented` });
    }
    const isFile = type === "0" || type === "\0" || type === "7";
    const size = WITHOUT_BODY.includes(type) ? 0 : sizeOf(this.#head, records);
    const isDirectory = type === "5" || (isFile && size === 0 && path.endsWith("/"));
    this.#begin(isFile ? "body" : "skipped", size);
    const kind = isDirectory ? "directory" : "file";
    if (isFile || isDirectory) yield { kind: "entry", entry: { kind, path, size, records } };
    if (size > 0) return;
    this.#state = "head";
    if (isFile || isDirectory) yield END;
  }

  #begin(state: State, size: number): void {
    this.#state = state;
    this.#left = size;
    const over = size % BLOCK_BYTES;
    this.#padding = over === 0 ? 0 : BLOCK_BYTES - over;
  }

  *#endContent(): Generator<TarEvent, void, undefined> {
    const ended = this.#state;
    this.#state = this.#padding === 0 ? "head" : "padding";
    if (ended === "body") yield END;
    if (ended === "records") this.#endRecords();
  }

  #endRecords(): void {
    const bytes = this.#gathered;
    this.#gathered = Buffer.alloc(0);
    if (this.#recordsType === "g") this.#global = parseRecords(bytes, this.#global);
    if (this.#recordsType === "x") this.#records = parseRecords(bytes, this.#records ?? this.#global);
    if (this.#recordsType === "L") this.#longName = utf8(untilNul(bytes));
    // K: where a link leads to is nothing that an object has.
  }
}
