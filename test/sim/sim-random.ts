/**
 * The Random port from a seed, and the draws that tests make. The same seed gives the same sequence for ever,
 * on every machine: a failing run is repeated by its seed alone. The generator is sfc32, which is small, fast
 * and passes the usual batteries.
 */
import type { Random } from "../../src/ports/random.ts";

export class SimRandom implements Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number | string) {
    const [a, b, c] = words(String(seed));
    this.#a = a;
    this.#b = b;
    this.#c = c;
    for (let round = 0; round < 12; round++) this.word();
  }

  /** 32 random bits, unsigned. */
  word(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** In [0, 1). */
  fraction(): number {
    return this.word() / 2 ** 32;
  }

  /** A whole number in [0, end). */
  below(end: number): number {
    return Math.floor(this.fraction() * end);
  }

  /** A whole number in [start, end). */
  between(start: number, end: number): number {
    return start + this.below(end - start);
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  pick<Item>(items: readonly Item[]): Item {
    if (items.length === 0) throw new RangeError("nothing to pick from");
    return items[this.below(items.length)] as Item;
  }

  bytes(count: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(count);
    let at = 0;
    for (; at + 4 <= count; at += 4) bytes.writeUInt32LE(this.word(), at);
    for (; at < count; at++) bytes[at] = this.word() & 0xff;
    return bytes;
  }

  /** A generator of its own: what it draws changes nothing here. */
  fork(name: string): SimRandom {
    return new SimRandom(`${this.word()}.${this.word()}.${name}`);
  }
}

/** Three words that differ for any two seeds a test would use: FNV-1a with three starts. */
function words(seed: string): readonly [number, number, number] {
  const word = (start: number): number => {
    let value = start;
    for (let at = 0; at < seed.length; at++) value = Math.imul(value ^ seed.charCodeAt(at), 0x01000193);
    return value;
  };
  return [word(0x811c9dc5), word(0x1234567), word(0x7654321)];
}
