/**
 * The checks of CompleteMultipartUpload, made before the proposal: every named part is there, is the one that
 * was named, and is large enough. What they were made against is the revision that apply compares (RULES.md
 * R5).
 */
import { createHash } from "node:crypto";
import { compositeChecksum, fullObjectChecksum } from "../s3/checksums.ts";
import { PART_BYTES_MIN } from "../s3/names.ts";
import type { StoredChecksum } from "../state/attributes.ts";
import type { PartRun } from "../state/object-row.ts";
import type { PartRow, UploadRow } from "../state/rows.ts";
import type { CompleteOutcome, CompletePart } from "./api.ts";

export type CheckedParts = {
  readonly kind: "checked";
  readonly runs: readonly PartRun[];
  readonly size: number;
  readonly etag: string;
  readonly checksum: StoredChecksum | undefined;
};

type Refusal = Extract<CompleteOutcome, { kind: "invalidPart" | "entityTooSmall" }>;

/** `rows` holds the part of each element of `named`. */
export function checkParts(
  named: readonly CompletePart[],
  rows: readonly (PartRow | undefined)[],
  upload: UploadRow,
): CheckedParts | Refusal {
  const parts: PartRow[] = [];
  const { checksum } = upload;
  for (const [at, want] of named.entries()) {
    const part = rows[at];
    if (part === undefined || part.etag !== want.etag || !sameChecksum(want, part)) {
      return { kind: "invalidPart", partNumber: want.partNumber };
    }
    // A composite of parts needs the checksum of each.
    if (checksum !== undefined && part.checksum?.algorithm !== checksum.algorithm) {
      return { kind: "invalidPart", partNumber: want.partNumber };
    }
    if (part.size < PART_BYTES_MIN && at < named.length - 1) {
      return { kind: "entityTooSmall", partNumber: want.partNumber, size: part.size, etag: part.etag };
    }
    parts.push(part);
  }
  return {
    kind: "checked",
    runs: runsOf(named, parts),
    size: parts.reduce((sum, part) => sum + part.size, 0),
    etag: etagOf(parts),
    checksum: checksumOf(upload, parts),
  };
}

function sameChecksum(want: CompletePart, part: PartRow): boolean {
  if (want.checksum === undefined) return true;
  const { algorithm, value } = want.checksum;
  return part.checksum?.algorithm === algorithm && part.checksum.value === value;
}

/** Consecutive numbers of equal size make one run. */
function runsOf(named: readonly CompletePart[], parts: readonly PartRow[]): readonly PartRun[] {
  const runs: { firstPart: number; count: number; size: number }[] = [];
  for (const [at, { partNumber }] of named.entries()) {
    const { size } = parts[at] as PartRow;
    const last = runs.at(-1);
    if (last !== undefined && last.size === size && last.firstPart + last.count === partNumber) last.count++;
    else runs.push({ firstPart: partNumber, count: 1, size });
  }
  return runs;
}

/** MD5 over the parts' binary MD5s, and their number. */
function etagOf(parts: readonly PartRow[]): string {
  const hash = createHash("md5");
  for (const part of parts) hash.update(Buffer.from(part.etag, "hex"));
  return `${hash.digest("hex")}-${parts.length}`;
}

function checksumOf(upload: UploadRow, parts: readonly PartRow[]): StoredChecksum | undefined {
  if (upload.checksum === undefined) return undefined;
  const { algorithm, type } = upload.checksum;
  const sums = parts.map((part) => ({ value: part.checksum?.value ?? "", size: part.size }));
  if (
    type === "FULL_OBJECT" &&
    (algorithm === "CRC32" || algorithm === "CRC32C" || algorithm === "CRC64NVME")
  ) {
    return { algorithm, type, value: fullObjectChecksum(algorithm, sums) };
  }
  return { algorithm, type: "COMPOSITE", value: compositeChecksum(algorithm, sums) };
}
