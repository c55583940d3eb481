/**
 * The CRC of a concatenation from the CRCs of its parts and their lengths, for CRC32, CRC32C and CRC64NVME:
 * how a multipart object gets a FULL_OBJECT checksum without anybody reading it again.
 *
 * Appending n bytes multiplies a reflected CRC by x^(8n) modulo the polynomial; the pre- and
 * post-conditioning with ones cancels out (Mark Adler's crc32_combine in zlib). Numbers of 64 bits are pairs
 * of 32-bit halves: a Complete with 10,000 parts does this 10,000 times, and BigInt would be an order slower.
 * Parts are mostly of one length, so the last operator is kept.
 */

export type CrcAlgorithm = "CRC32" | "CRC32C" | "CRC64NVME";

/** A polynomial over GF(2), reflected: the highest bit is x^0. A CRC of 32 bits lives in `high` alone. */
type Polynomial = { readonly high: number; readonly low: number };

const MODULI: Readonly<Record<CrcAlgorithm, Polynomial>> = {
  CRC32: { high: 0xedb88320, low: 0 },
  CRC32C: { high: 0x82f63b78, low: 0 },
  CRC64NVME: { high: 0x9a6c9329, low: 0xac4bc9b5 },
};
const ONE: Polynomial = { high: 0x80000000, low: 0 };
const X_TO_THE_8: Polynomial = { high: 0x00800000, low: 0 };

/** The modulus without its leading term; `width` bits take part, the rest of a 32-bit CRC stays zero. */
function multiply(algorithm: CrcAlgorithm, left: Polynomial, right: Polynomial): Polynomial {
  const { high: modulusHigh, low: modulusLow } = MODULI[algorithm];
  const isWide = algorithm === "CRC64NVME";
  let { high, low } = right;
  let productHigh = 0;
  let productLow = 0;
  for (let bit = 0; bit < (isWide ? 64 : 32); bit++) {
    const word = bit < 32 ? left.high : left.low;
    if ((word & (0x80000000 >>> (bit & 31))) !== 0) {
      productHigh ^= high;
      productLow ^= low;
    }
    const carry = isWide ? low & 1 : high & 1;
    if (isWide) low = (low >>> 1) | (high << 31);
    high >>>= 1;
    if (carry !== 0) {
      high ^= modulusHigh;
      low ^= modulusLow;
    }
  }
  return { high: productHigh >>> 0, low: productLow >>> 0 };
}

/** x^(8 * 2^k) for k = 0..52, made on first use. */
const squares: Partial<Record<CrcAlgorithm, readonly Polynomial[]>> = {};

function squaresOf(algorithm: CrcAlgorithm): readonly Polynomial[] {
  const known = squares[algorithm];
  if (known !== undefined) return known;
  const table: Polynomial[] = [X_TO_THE_8];
  for (let power = X_TO_THE_8; table.length < 53; table.push(power))
    power = multiply(algorithm, power, power);
  squares[algorithm] = table;
  return table;
}

type Operator = { readonly algorithm: CrcAlgorithm; readonly length: number; readonly power: Polynomial };
let lastOperator: Operator | undefined;

/** x^(8 * length) */
function operatorOf(algorithm: CrcAlgorithm, length: number): Polynomial {
  if (lastOperator?.algorithm === algorithm && lastOperator.length === length) return lastOperator.power;
  const table = squaresOf(algorithm);
  let power = ONE;
  let rest = length;
  for (let k = 0; rest > 0; k++) {
    const square = table[k];
    if (square === undefined) break;
    if (rest % 2 === 1) power = multiply(algorithm, power, square);
    rest = Math.floor(rest / 2);
  }
  lastOperator = { algorithm, length, power };
  return power;
}

function fromBytes(bytes: Uint8Array): Polynomial {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { high: view.readUInt32BE(0), low: view.length === 8 ? view.readUInt32BE(4) : 0 };
}

export type CrcPart = {
  /** The digest as S3 writes it: big-endian, 4 or 8 bytes. */
  readonly digest: Uint8Array;
  /** In bytes, up to 2^53. */
  readonly length: number;
};

/** Takes the parts in their order. One of another length than the one before costs thirty times as much. */
export class CrcCombiner {
  readonly #algorithm: CrcAlgorithm;
  #high = 0;
  #low = 0;

  constructor(algorithm: CrcAlgorithm) {
    this.#algorithm = algorithm;
  }

  add(part: CrcPart): void {
    const before = { high: this.#high, low: this.#low };
    const moved = multiply(this.#algorithm, before, operatorOf(this.#algorithm, part.length));
    const own = fromBytes(part.digest);
    this.#high = (moved.high ^ own.high) >>> 0;
    this.#low = (moved.low ^ own.low) >>> 0;
  }

  /** The digest of all parts together; for no parts, that of nothing. */
  digest(): Buffer {
    const digest = Buffer.alloc(this.#algorithm === "CRC64NVME" ? 8 : 4);
    digest.writeUInt32BE(this.#high, 0);
    if (digest.length === 8) digest.writeUInt32BE(this.#low, 4);
    return digest;
  }
}

export function combineCrcs(algorithm: CrcAlgorithm, parts: readonly CrcPart[]): Buffer {
  const combiner = new CrcCombiner(algorithm);
  for (const part of parts) combiner.add(part);
  return combiner.digest();
}
