/**
 * The checks of CompleteMultipartUpload, made before the proposal: every named part is there, is the one that
 * was named, and is large enough. What they were made against is the revision that apply compares (RULES.md
 * R5). Ten thousand parts are looked at a hundred at a time, and others run in between.
 */
import { createHash } from "node:crypto";
import { PartsChecksum } from "../s3/checksums.ts";
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

/** Two milliseconds, if each is of another length and they have CRC64s to combine; else a tenth of that. */
export const PARTS_PER_STEP = 100;

export type PartsAccess = {
  /** The row of each of them, in order. */
  rowsOf(named: readonly CompletePart[]): Promise<readonly (PartRow | undefined)[]>;
  yieldToOthers(): Promise<void>;
};

export async function checkParts(
  named: readonly CompletePart[],
  upload: UploadRow,
  access: PartsAccess,
): Promise<CheckedParts | Refusal> {
  const sums = new PartsSums(upload);
  for (let at = 0; at < named.length; at += PARTS_PER_STEP) {
    if (at > 0) await access.yieldToOthers();
    const step = named.slice(at, at + PARTS_PER_STEP);
    const rows = await access.rowsOf(step);
    for (const [index, want] of step.entries()) {
      const isLast = at + index === named.length - 1;
      const checked = checkPart(want, rows[index], { upload, isLast });
      if ("kind" in checked) return checked;
      sums.add(want.partNumber, checked);
    }
  }
  return sums.finish();
}

function checkPart(
  want: CompletePart,
  part: PartRow | undefined,
  place: { readonly upload: UploadRow; readonly isLast: boolean },
): PartRow | Refusal {
  const { partNumber } = want;
  const { checksum } = place.upload;
  if (part === undefined || part.etag !== want.etag || !sameChecksum(want, part)) {
    return { kind: "invalidPart", partNumber };
  }
  // A composite of parts needs the checksum of each.
  if (checksum !== undefined && part.checksum?.algorithm !== checksum.algorithm) {
    return { kind: "invalidPart", partNumber };
  }
  if (part.size < PART_BYTES_MIN && !place.isLast) {
    return { kind: "entityTooSmall", partNumber, size: part.size, etag: part.etag };
  }
  return part;
}

function sameChecksum(want: CompletePart, part: PartRow): boolean {
  if (want.checksum === undefined) return true;
  const { algorithm, value } = want.checksum;
  return part.checksum?.algorithm === algorithm && part.checksum.value === value;
}

/** What parts in ascending order make together. */
class PartsSums {
  /** Consecutive numbers of equal size make one run. */
  readonly #runs: { firstPart: number; count: number; size: number }[] = [];
  readonly #etag = createHash("md5");
  readonly #checksum: PartsChecksum | undefined;
  #count = 0;
  #size = 0;

  constructor(upload: UploadRow) {
    this.#checksum = upload.checksum === undefined ? undefined : new PartsChecksum(upload.checksum);
  }

  add(partNumber: number, part: PartRow): void {
    const { size } = part;
    this.#count++;
    this.#size += size;
    this.#etag.update(Buffer.from(part.etag, "hex"));
    this.#checksum?.add({ value: part.checksum?.value ?? "", size });
    const last = this.#runs.at(-1);
    if (last !== undefined && last.size === size && last.firstPart + last.count === partNumber) last.count++;
    else this.#runs.push({ firstPart: partNumber, count: 1, size });
  }

  /** The ETag: MD5 over the parts' binary MD5s, and their number. */
  finish(): CheckedParts {
    const sum = this.#checksum;
    return {
      kind: "checked",
      runs: this.#runs,
      size: this.#size,
      etag: `${this.#etag.digest("hex")}-${this.#count}`,
      checksum: sum && { algorithm: sum.algorithm, type: sum.type, value: sum.value() },
    };
  }
}
