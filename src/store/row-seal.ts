/**
 * Rows at rest carry a CRC32C over key and value, because LevelDB's own checks cannot be switched on through
 * its binding: a flipped bit would come back as data (measured). The check stands behind the value.
 */
import { DamageError } from "../base/errors.ts";
import { crc32c } from "../base/crc.ts";

const CHECK_BYTES = 4;
let scratch = Buffer.allocUnsafeSlow(64 * 1024);

/** The row as it is stored. The result is a view into a shared scratch: use it before the next call. */
export function sealRow(key: string, value: Uint8Array): Uint8Array {
  const length = value.length + CHECK_BYTES;
  if (length > scratch.length) scratch = Buffer.allocUnsafeSlow(length * 2);
  scratch.set(value, 0);
  scratch.writeUInt32LE(crc32c(value, crc32c(key)), value.length);
  return scratch.subarray(0, length);
}

/** The value of a stored row; DamageError if it is not what was written under this key. */
export function openRow(key: string, stored: Uint8Array): Uint8Array {
  const end = stored.length - CHECK_BYTES;
  const value = stored.subarray(0, Math.max(0, end));
  if (end < 0 || crc32c(value, crc32c(key)) !== readUint32(stored, end)) {
    throw new DamageError(`the index row ${JSON.stringify(key)} does not match its checksum`);
  }
  return value;
}

function readUint32(bytes: Uint8Array, at: number): number {
  const [a, b, c, d] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]] as [
    number,
    number,
    number,
    number,
  ];
  return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
}
