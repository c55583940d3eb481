/** Multipart uploads: opened, filled, listed, completed, aborted. */
import { BusyError } from "../base/errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import type { ReplicatedLog } from "../ports/replicated-log.ts";
import type { StateIndex } from "../store/state-index.ts";
import { storageClassOf } from "../state/attributes.ts";
import type { Attributes, StoredChecksum } from "../state/attributes.ts";
import type { BucketTable } from "../state/bucket-table.ts";
import type { Chunk, Command, CommandResult } from "../state/command.ts";
import { keys, prefixRange } from "../state/keys.ts";
import { rows } from "../state/rows.ts";
import type { UploadChecksum, UploadRow } from "../state/rows.ts";
import type { TagSet } from "../state/tags.ts";
import type { CompleteOutcome, PartInfo, PutBody, UploadInfo, UploadService } from "./api.ts";
import type { Bodies } from "./bodies.ts";
import { checkParts } from "./complete-upload.ts";
import type { CheckedParts } from "./complete-upload.ts";
import { OBJECT_BYTES_MAX } from "../s3/names.ts";
import { unexpected } from "./put-outcome.ts";

/** How often Complete is validated again because parts kept arriving. */
const COMPLETE_TRIES = 5;

type Target = { readonly bucket: string; readonly key: string; readonly uploadId: string };
type CompleteInput = Parameters<UploadService["complete"]>[0];

export class Uploads implements UploadService {
  readonly #log: ReplicatedLog<Command, Chunk, CommandResult>;
  readonly #index: StateIndex;
  readonly #table: BucketTable;
  readonly #bodies: Bodies;
  readonly #clock: Pick<Clock, "yieldToOthers">;
  readonly #logTimeMs: () => number;
  readonly #random: Random;

  constructor(parts: {
    readonly log: ReplicatedLog<Command, Chunk, CommandResult>;
    readonly index: StateIndex;
    readonly buckets: BucketTable;
    readonly bodies: Bodies;
    readonly clock: Pick<Clock, "yieldToOthers">;
    readonly logTimeMs: () => number;
    readonly random: Random;
  }) {
    this.#log = parts.log;
    this.#index = parts.index;
    this.#table = parts.buckets;
    this.#bodies = parts.bodies;
    this.#clock = parts.clock;
    this.#logTimeMs = parts.logTimeMs;
    this.#random = parts.random;
  }

  async create(input: {
    readonly bucket: string;
    readonly key: string;
    readonly owner: string;
    readonly attributes: Attributes;
    readonly checksum: UploadChecksum | undefined;
    readonly tags?: TagSet | undefined;
  }): Promise<{ readonly kind: "created"; readonly uploadId: string } | { readonly kind: "noSuchBucket" }> {
    const uploadId = this.#uploadId();
    const result = await this.#log.propose({ kind: "createUpload", uploadId, ...input });
    if (result.kind === "noSuchBucket") return { kind: "noSuchBucket" };
    return result.kind === "done" ? { kind: "created", uploadId } : unexpected(result);
  }

  /**
   * 32 hex digits of fixed width; log time first, which no clock turns back, so that uploads of one key list
   * in the order they began.
   */
  #uploadId(): string {
    const time = this.#logTimeMs().toString(16).padStart(12, "0");
    return time + Buffer.from(this.#random.bytes(10)).toString("hex");
  }

  /** The row of an upload of exactly this bucket and key, completed or not. */
  async #row(target: Target): Promise<UploadRow | undefined> {
    const bucket = this.#table.find(target.bucket);
    if (bucket === undefined) return undefined;
    const bytes = await this.#index.getLater(keys.upload(target.uploadId));
    if (bytes === undefined) return undefined;
    const row = rows.upload.decode(bytes);
    return row.bucketId === bucket.row.id && row.key === target.key ? row : undefined;
  }

  async find(target: Target): Promise<(UploadInfo & { readonly attributes: Attributes }) | undefined> {
    const row = await this.#row(target);
    if (row === undefined || row.completed !== undefined) return undefined;
    const { key, owner, initiatedMs, checksum, attributes } = row;
    const storageClass = storageClassOf(attributes);
    return { uploadId: target.uploadId, key, owner, initiatedMs, checksum, storageClass, attributes };
  }

  async putPart(input: {
    readonly uploadId: string;
    readonly partNumber: number;
    readonly etag: string;
    readonly checksum: StoredChecksum | undefined;
    readonly body: PutBody;
  }): Promise<{ readonly kind: "put" } | { readonly kind: "noSuchUpload" }> {
    const result = await this.#bodies.propose(input, (put, body) => ({ kind: "putPart", ...put, body }));
    if (result.kind === "noSuchUpload") return { kind: "noSuchUpload" };
    return result.kind === "partPut" ? { kind: "put" } : unexpected(result);
  }

  async listParts(query: {
    readonly uploadId: string;
    readonly after: number;
    readonly limit: number;
  }): Promise<{ readonly parts: readonly PartInfo[]; readonly truncated: boolean }> {
    const { to } = prefixRange(keys.partPrefix(query.uploadId));
    const iterator = await this.#index.iterate({ from: keys.part(query.uploadId, query.after + 1), to });
    try {
      const page = await iterator.next(query.limit + 1);
      const parts = page.slice(0, query.limit).map(([key, value]) => {
        const { size, etag, modifiedMs, checksum } = rows.part.decode(value);
        return { partNumber: Number(key.slice(-5)), size, etag, modifiedMs, checksum };
      });
      return { parts, truncated: page.length > query.limit };
    } finally {
      await iterator.close();
    }
  }

  async complete(input: CompleteInput): Promise<CompleteOutcome> {
    for (let attempt = 0; attempt < COMPLETE_TRIES; attempt++) {
      const row = await this.#row(input);
      if (row === undefined) {
        return { kind: this.#table.find(input.bucket) === undefined ? "noSuchBucket" : "noSuchUpload" };
      }
      if (row.completed !== undefined) return repeated(row);
      const checked = await this.#check(input, row);
      if (checked.kind !== "checked") return checked;
      const result = await this.#proposeComplete(input, row.revision, checked);
      // Completed by a request beside this one, or a part arrived: look again.
      if (result.kind === "uploadChanged" || result.kind === "noSuchUpload") continue;
      return this.#completed(result, checked);
    }
    throw new BusyError("parts of the upload keep changing while it is completed");
  }

  async #check(input: CompleteInput, row: UploadRow): Promise<CheckedParts | CompleteOutcome> {
    const checked = await checkParts(input.parts, row, {
      rowsOf: async (named) => {
        const wanted = named.map(({ partNumber }) => keys.part(input.uploadId, partNumber));
        const found = await this.#index.getManyLater(wanted);
        return found.map((bytes) => (bytes === undefined ? undefined : rows.part.decode(bytes)));
      },
      yieldToOthers: () => this.#clock.yieldToOthers(),
    });
    if (checked.kind !== "checked") return checked;
    if (checked.size > OBJECT_BYTES_MAX) return { kind: "entityTooLarge", size: checked.size };
    if (input.expectedSize !== undefined && input.expectedSize !== checked.size) {
      return { kind: "wrongSize", size: checked.size };
    }
    const expected = input.expectedChecksum;
    if (expected !== undefined && expected.value !== checked.checksum?.value) {
      return { kind: "badDigest", algorithm: expected.algorithm };
    }
    return checked;
  }

  async #proposeComplete(
    input: CompleteInput,
    revision: number,
    checked: CheckedParts,
  ): Promise<CommandResult> {
    const { bucket, key, uploadId, condition } = input;
    const { runs, size, etag, checksum } = checked;
    return await this.#log.propose({
      kind: "completeUpload",
      uploadId,
      revision,
      bucket,
      key,
      runs,
      size,
      etag,
      checksum,
      condition,
    });
  }

  #completed(result: CommandResult, checked: CheckedParts): CompleteOutcome {
    switch (result.kind) {
      case "objectPut":
        return completedAs(checked, result.versionId);
      case "noSuchBucket":
      case "noSuchKey":
      case "preconditionFailed":
        return { kind: result.kind };
      default:
        return unexpected(result);
    }
  }

  async abort(target: Target): Promise<{ readonly kind: "aborted" | "noSuchUpload" }> {
    const row = await this.#row(target);
    if (row === undefined || row.completed !== undefined) return { kind: "noSuchUpload" };
    const { bucketId, key } = row;
    const { uploadId } = target;
    const idleSinceMs = undefined;
    const result = await this.#log.propose({ kind: "abortUpload", uploadId, bucketId, key, idleSinceMs });
    if (result.kind === "noSuchUpload") return { kind: "noSuchUpload" };
    return result.kind === "done" ? { kind: "aborted" } : unexpected(result);
  }

  async list(query: {
    readonly bucket: string;
    readonly prefix: string;
    readonly after: { readonly key: string; readonly uploadId: string } | undefined;
    readonly limit: number;
  }): Promise<{ readonly uploads: readonly UploadInfo[]; readonly truncated: boolean } | undefined> {
    const bucket = this.#table.find(query.bucket);
    if (bucket === undefined) return undefined;
    const start = keys.uploadsPrefix(bucket.row.id);
    const { from: prefixFrom, to } = prefixRange(start + query.prefix);
    const iterator = await this.#index.iterate({ from: prefixFrom, to });
    try {
      if (query.after !== undefined) iterator.seek(afterKey(start, prefixFrom, query.after));
      const page = await iterator.next(query.limit + 1);
      const uploads = page
        .slice(0, query.limit)
        .map(([key, value]) => listed(key.slice(start.length), value));
      return { uploads, truncated: page.length > query.limit };
    } finally {
      await iterator.close();
    }
  }
}

/** No id sorts before the empty one: it stands before all uploads of its key. */
function afterKey(
  start: string,
  prefixFrom: string,
  after: { readonly key: string; readonly uploadId: string },
): string {
  const place = start + after.key + (after.uploadId === "" ? "" : `\0${after.uploadId}\0`);
  return Buffer.compare(Buffer.from(place), Buffer.from(prefixFrom)) < 0 ? prefixFrom : place;
}

function listed(place: string, value: Uint8Array): UploadInfo {
  const at = place.lastIndexOf("\0");
  const { initiatedMs, owner, checksum, storageClass = "STANDARD" } = rows.openUpload.decode(value);
  const [key, uploadId] = [place.slice(0, at), place.slice(at + 1)];
  return { uploadId, key, owner, initiatedMs, checksum, storageClass };
}

/** The answer of the first Complete, for as long as its object lives. */
function repeated(row: UploadRow): CompleteOutcome {
  const { completed, checksum } = row;
  if (completed === undefined || completed.refs === 0) return { kind: "noSuchUpload" };
  const { etag, size, versionId } = completed;
  const stored =
    checksum === undefined || completed.checksum === undefined
      ? undefined
      : { ...checksum, value: completed.checksum };
  return completedAs({ etag, size, checksum: stored }, versionId);
}

function completedAs(
  { etag, size, checksum }: Pick<CheckedParts, "etag" | "size" | "checksum">,
  versionId: string | undefined,
): CompleteOutcome {
  return { kind: "completed", etag, size, checksum, versionId };
}
