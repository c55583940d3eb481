/**
 * The hashes of one body, compared with what the request declared: MD5 (the ETag) always, SHA-256 where it
 * is signed, one checksum where the client or the upload asks for it. Nothing is computed unasked:
 * CRC64NVME, which S3 adds to every object on its own, would cost 3 µs per 4 KiB.
 */
import { createHash, hash } from "node:crypto";
import type { Hash } from "node:crypto";
import { checkChecksum, checkContentMd5, trailerChecksumValue } from "../s3/checksum-headers.ts";
import { checksumOf, createChecksumHasher } from "../s3/checksums.ts";
import type { ChecksumHasher } from "../s3/checksums.ts";
import { payloadHashMismatch } from "../s3/payload-hash.ts";
import type { Trailers } from "../s3/aws-chunked.ts";
import type { StoredChecksum } from "../state/attributes.ts";
import type { BodyPlan } from "./body-plan.ts";

export type DigestResult = {
  /** Hex MD5; empty where nobody asked for it. */
  readonly etag: string;
  readonly checksum: StoredChecksum | undefined;
};

const NO_TRAILERS: Trailers = {};

function compareMd5(plan: BodyPlan, md5Hex: string): void {
  if (plan.contentMd5 === undefined) return;
  checkContentMd5(plan.contentMd5, Buffer.from(md5Hex, "hex").toString("base64"));
}

function compareSha256(plan: BodyPlan, computedHex: string): void {
  if (plan.sha256Hex !== undefined && plan.sha256Hex !== computedHex) {
    throw payloadHashMismatch(plan.sha256Hex, computedHex);
  }
}

/** `value` is what was computed, base64. */
function compareChecksum(plan: BodyPlan, value: string, trailers: Trailers): void {
  const { declared } = plan;
  if (declared.kind === "header") checkChecksum(declared.algorithm, declared.value, value);
  else if (declared.kind === "trailer") {
    checkChecksum(declared.algorithm, trailerChecksumValue(declared.algorithm, trailers), value);
  }
}

/** For a body that is all there: one-shot hashes cost half of incremental ones on small inputs. */
export function digestWhole(
  plan: BodyPlan,
  bytes: Uint8Array,
  trailers: Trailers = NO_TRAILERS,
): DigestResult {
  const etag = hash("md5", bytes, "hex");
  compareMd5(plan, etag);
  if (plan.sha256Hex !== undefined) compareSha256(plan, hash("sha256", bytes, "hex"));
  const { algorithm } = plan;
  if (algorithm === undefined) return { etag, checksum: undefined };
  const value = checksumOf(algorithm, bytes).toString("base64");
  compareChecksum(plan, value, trailers);
  return { etag, checksum: { algorithm, type: "FULL_OBJECT", value } };
}

/** For a body that passes by. */
export class BodyDigests {
  readonly #plan: BodyPlan;
  readonly #md5: Hash | undefined;
  readonly #sha256: Hash | undefined;
  readonly #checksum: ChecksumHasher | undefined;

  /** `isObject`: somebody asks for the ETag. */
  constructor(plan: BodyPlan, options: { readonly isObject: boolean } = { isObject: true }) {
    this.#plan = plan;
    const needsMd5 = options.isObject || plan.contentMd5 !== undefined;
    this.#md5 = needsMd5 ? createHash("md5") : undefined;
    this.#sha256 = plan.sha256Hex === undefined ? undefined : createHash("sha256");
    this.#checksum = plan.algorithm === undefined ? undefined : createChecksumHasher(plan.algorithm);
  }

  update(bytes: Uint8Array): void {
    this.#md5?.update(bytes);
    this.#sha256?.update(bytes);
    this.#checksum?.update(bytes);
  }

  /** Call once, after the last byte. Throws what does not match. */
  finish(trailers: Trailers): DigestResult {
    const etag = this.#md5?.digest("hex") ?? "";
    compareMd5(this.#plan, etag);
    if (this.#sha256 !== undefined) compareSha256(this.#plan, this.#sha256.digest("hex"));
    if (this.#checksum === undefined) return { etag, checksum: undefined };
    const value = this.#checksum.digestBase64();
    compareChecksum(this.#plan, value, trailers);
    return { etag, checksum: { algorithm: this.#checksum.algorithm, type: "FULL_OBJECT", value } };
  }
}
