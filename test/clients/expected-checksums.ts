/** The five checksums of S3, computed by other code than the server's where there is any. */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { createCRC32, createCRC64 } from "hash-wasm";

export const CHECKSUM_ALGORITHMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] as const;
export type ChecksumAlgorithm = (typeof CHECKSUM_ALGORITHMS)[number];

/** Base64, as S3 shows it. */
export async function checksumOf(algorithm: ChecksumAlgorithm, bytes: Uint8Array): Promise<string> {
  switch (algorithm) {
    case "CRC32": {
      const buffer = Buffer.alloc(4);
      buffer.writeUInt32BE(crc32(bytes));
      return buffer.toString("base64");
    }
    case "CRC32C":
      return fromHex((await createCRC32(0x82f63b78)).init().update(bytes).digest("hex"));
    case "CRC64NVME":
      return fromHex((await createCRC64("9a6c9329ac4bc9b5")).init().update(bytes).digest("hex"));
    default:
      return createHash(algorithm).update(bytes).digest("base64");
  }
}

function fromHex(text: string): string {
  return Buffer.from(text, "hex").toString("base64");
}
