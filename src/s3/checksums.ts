/**
 * The checksums S3 knows, as incremental hashers with one face, and the checksum of a multipart object from
 * those of its parts. What clients say about checksums in headers is read by checksum-headers.ts.
 *
 * CRC64NVME comes from WebAssembly, which has to be compiled before it can be used: whoever starts a server
 * awaits initChecksums() once. There is one instance with one state, so every hasher loads its own state,
 * updates and saves it again; that costs 2 µs per update and keeps the hashers independent.
 */

import { createHash, hash } from "node:crypto";
import type { Hash } from "node:crypto";
import { crc32 } from "node:zlib";

import { crc32c } from "@node-rs/crc32";
import { createCRC64 } from "hash-wasm";
import type { IHasher } from "hash-wasm";

import { unreachable } from "../base/assert.ts";
import { CrcCombiner } from "./crc-combine.ts";

export const CHECKSUM_ALGORITHMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] as const;
export type ChecksumAlgorithm = (typeof CHECKSUM_ALGORITHMS)[number];
export type ChecksumType = "FULL_OBJECT" | "COMPOSITE";

/** In bytes, before base64. */
export const CHECKSUM_BYTES: Readonly<Record<ChecksumAlgorithm, number>> = {
  CRC32: 4,
  CRC32C: 4,
  CRC64NVME: 8,
  SHA1: 20,
  SHA256: 32,
};

export interface ChecksumHasher {
  readonly algorithm: ChecksumAlgorithm;
  update(data: Uint8Array): void;
  /** Big-endian, as S3 encodes it. Call once, at the end. */
  digest(): Buffer;
  digestBase64(): string;
}

function bigEndian32(value: number): Buffer {
  const digest = Buffer.alloc(4);
  digest.writeUInt32BE(value >>> 0, 0);
  return digest;
}

class Crc32Hasher implements ChecksumHasher {
  readonly algorithm: "CRC32" | "CRC32C";
  #value = 0;

  constructor(algorithm: "CRC32" | "CRC32C") {
    this.algorithm = algorithm;
  }

  update(data: Uint8Array): void {
    this.#value = this.algorithm === "CRC32" ? crc32(data, this.#value) : crc32c(data, this.#value);
  }

  digest(): Buffer {
    return bigEndian32(this.#value);
  }

  digestBase64(): string {
    return this.digest().toString("base64");
  }
}

class ShaHasher implements ChecksumHasher {
  readonly algorithm: "SHA1" | "SHA256";
  readonly #hash: Hash;

  constructor(algorithm: "SHA1" | "SHA256") {
    this.algorithm = algorithm;
    this.#hash = createHash(algorithm === "SHA1" ? "sha1" : "sha256");
  }

  update(data: Uint8Array): void {
    this.#hash.update(data);
  }

  digest(): Buffer {
    return this.#hash.digest();
  }

  digestBase64(): string {
    return this.#hash.digest("base64");
  }
}

/** CRC-64/NVME, polynomial ad93d23594c93659 reflected. */
const CRC64_NVME_REFLECTED = "9a6c9329ac4bc9b5";

type Crc64 = { readonly hasher: IHasher; readonly start: Uint8Array };
let crc64: Crc64 | undefined;

/** To be awaited once before the first CRC64NVME; later calls return at once. */
export async function initChecksums(): Promise<void> {
  if (crc64 !== undefined) return;
  const hasher = await createCRC64(CRC64_NVME_REFLECTED);
  hasher.init();
  crc64 = { hasher, start: hasher.save() };
}

function readyCrc64(): Crc64 {
  if (crc64 === undefined) throw new Error("initChecksums() was not awaited before the first CRC64NVME");
  return crc64;
}

class Crc64Hasher implements ChecksumHasher {
  readonly algorithm = "CRC64NVME";
  #state: Uint8Array = readyCrc64().start;

  update(data: Uint8Array): void {
    const { hasher } = readyCrc64();
    hasher.load(this.#state);
    hasher.update(data);
    this.#state = hasher.save();
  }

  digest(): Buffer {
    const { hasher } = readyCrc64();
    hasher.load(this.#state);
    return Buffer.from(hasher.digest("binary"));
  }

  digestBase64(): string {
    return this.digest().toString("base64");
  }
}

export function createChecksumHasher(algorithm: ChecksumAlgorithm): ChecksumHasher {
  switch (algorithm) {
    case "CRC32":
    case "CRC32C":
      return new Crc32Hasher(algorithm);
    case "SHA1":
    case "SHA256":
      return new ShaHasher(algorithm);
    case "CRC64NVME":
      return new Crc64Hasher();
    default:
      return unreachable(algorithm);
  }
}

/** The digest of data that is all there. */
export function checksumOf(algorithm: ChecksumAlgorithm, data: Uint8Array): Buffer {
  if (algorithm === "CRC32") return bigEndian32(crc32(data));
  if (algorithm === "CRC32C") return bigEndian32(crc32c(data));
  if (algorithm === "SHA1") return hash("sha1", data, "buffer");
  if (algorithm === "SHA256") return hash("sha256", data, "buffer");
  const hasher = new Crc64Hasher();
  hasher.update(data);
  return hasher.digest();
}

export type PartChecksum = {
  /** As stored with the part: base64. */
  readonly value: string;
  /** In bytes. */
  readonly size: number;
};

type CombinedAlgorithm = "CRC32" | "CRC32C" | "CRC64NVME";

function canCombine(algorithm: ChecksumAlgorithm): algorithm is CombinedAlgorithm {
  return algorithm === "CRC32" || algorithm === "CRC32C" || algorithm === "CRC64NVME";
}

/**
 * The checksum of an object from those of its parts, taken in their order. FULL_OBJECT: as if it had been
 * computed over the bytes; only CRCs can be combined, and what else asks for it is COMPOSITE. COMPOSITE: the
 * checksum of the parts' binary checksums, and their number: `<base64>-<parts>`.
 */
export class PartsChecksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly type: ChecksumType;
  readonly #combiner: CrcCombiner | undefined;
  readonly #digests: Buffer[] = [];

  constructor(wanted: { readonly algorithm: ChecksumAlgorithm; readonly type: ChecksumType }) {
    const { algorithm, type } = wanted;
    this.algorithm = algorithm;
    this.type = type === "FULL_OBJECT" && canCombine(algorithm) ? "FULL_OBJECT" : "COMPOSITE";
    this.#combiner =
      this.type === "FULL_OBJECT" && canCombine(algorithm) ? new CrcCombiner(algorithm) : undefined;
  }

  add(part: PartChecksum): void {
    const digest = Buffer.from(part.value, "base64");
    if (this.#combiner === undefined) this.#digests.push(digest);
    else this.#combiner.add({ digest, length: part.size });
  }

  value(): string {
    if (this.#combiner !== undefined) return this.#combiner.digest().toString("base64");
    const digest = checksumOf(this.algorithm, Buffer.concat(this.#digests));
    return `${digest.toString("base64")}-${this.#digests.length}`;
  }
}

export function compositeChecksum(algorithm: ChecksumAlgorithm, parts: readonly PartChecksum[]): string {
  const sum = new PartsChecksum({ algorithm, type: "COMPOSITE" });
  for (const part of parts) sum.add(part);
  return sum.value();
}

export function fullObjectChecksum(algorithm: CombinedAlgorithm, parts: readonly PartChecksum[]): string {
  const sum = new PartsChecksum({ algorithm, type: "FULL_OBJECT" });
  for (const part of parts) sum.add(part);
  return sum.value();
}
