/**
 * Writing and reading of the binary formats: little-endian, LEB128 varints (up to 2^53 - 1), length-prefixed
 * UTF-8. Every format of this project is written through these two classes, so bounds are checked in one
 * place: a reader that runs past its end throws FormatError, never returns garbage.
 */

export class FormatError extends Error {
  readonly code = "BAD_FORMAT";
  override readonly name = "FormatError";
}

/** Below this length (and a one-byte varint) a string is written by a loop. */
const SHORT_TEXT = 48;

/** Appends to one buffer that grows by doubling; `take()` copies the result out, `reset()` starts over. */
export class ByteWriter {
  buffer: Buffer;
  length = 0;

  constructor(initialBytes = 256) {
    this.buffer = Buffer.allocUnsafeSlow(initialBytes);
  }

  reset(): void {
    this.length = 0;
  }

  /** Makes room for `count` more bytes; callers that write many fields reserve once. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2));
    this.buffer.copy(grown, 0, 0, this.length);
    this.buffer = grown;
  }

  u8(value: number): void {
    this.reserve(1);
    this.buffer[this.length++] = value;
  }

  u32(value: number): void {
    this.reserve(4);
    this.buffer.writeUInt32LE(value, this.length);
    this.length += 4;
  }

  varint(value: number): void {
    this.reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.buffer[this.length++] = (rest % 0x80) | 0x80;
      rest = rest < 0x80000000 ? rest >>> 7 : Math.floor(rest / 0x80);
    }
    this.buffer[this.length++] = rest;
  }

  bytes(value: Uint8Array): void {
    this.reserve(value.length);
    this.buffer.set(value, this.length);
    this.length += value.length;
  }

  /** Length-prefixed bytes. */
  blob(value: Uint8Array): void {
    this.varint(value.length);
    this.bytes(value);
  }

  /** Length-prefixed UTF-8. */
  text(value: string): void {
    if (value.length < SHORT_TEXT && this.#shortAscii(value)) return;
    const bytes = Buffer.byteLength(value, "utf8");
    this.varint(bytes);
    this.reserve(bytes);
    this.length += this.buffer.write(value, this.length, bytes, "utf8");
  }

  /** A loop beats the call into the runtime for short strings; whether it was one of ASCII. */
  #shortAscii(value: string): boolean {
    const count = value.length;
    this.reserve(count + 1);
    const { buffer, length: start } = this;
    for (let at = 0; at < count; at++) {
      const unit = value.charCodeAt(at);
      if (unit >= 0x80) return false;
      buffer[start + 1 + at] = unit;
    }
    buffer[start] = count;
    this.length = start + 1 + count;
    return true;
  }

  /** ASCII without a length: the caller's format says where it ends. */
  ascii(value: string): void {
    const count = value.length;
    this.reserve(count);
    const { buffer, length: start } = this;
    for (let at = 0; at < count; at++) buffer[start + at] = value.charCodeAt(at);
    this.length = start + count;
  }

  take(): Buffer {
    return Buffer.from(this.buffer.subarray(0, this.length));
  }
}

/** Reads what ByteWriter wrote. Byte results are views, not copies. */
export class ByteReader {
  readonly buffer: Buffer;
  offset: number;
  readonly end: number;

  constructor(bytes: Uint8Array, offset = 0, end = bytes.length) {
    this.buffer = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.offset = offset;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.offset;
  }

  #advance(count: number): number {
    const start = this.offset;
    if (count < 0 || start + count > this.end) {
      throw new FormatError(`${count} bytes wanted at ${start}, the format ends at ${this.end}`);
    }
    this.offset = start + count;
    return start;
  }

  u8(): number {
    return this.buffer[this.#advance(1)] as number;
  }

  u32(): number {
    return this.buffer.readUInt32LE(this.#advance(4));
  }

  varint(): number {
    let result = 0;
    let scale = 1;
    for (let count = 0; count < 8; count++) {
      const byte = this.u8();
      result += (byte & 0x7f) * scale;
      if (byte < 0x80) return result;
      scale *= 0x80;
    }
    throw new FormatError(`a varint longer than 8 bytes at ${this.offset}`);
  }

  bytes(count: number): Buffer {
    const start = this.#advance(count);
    return this.buffer.subarray(start, start + count);
  }

  blob(): Buffer {
    return this.bytes(this.varint());
  }

  text(): string {
    const count = this.varint();
    const start = this.#advance(count);
    return this.buffer.toString("utf8", start, start + count);
  }
}
