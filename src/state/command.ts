/**
 * Commands: everything that changes the state, as the log holds it. The proposer has already put time, ids
 * and randomness in; apply sees nothing else. Conditions travel in the command, because only apply can decide
 * them.
 */
import type { Attributes, StoredChecksum } from "./attributes.ts";
import type { ColdCommand } from "./cold-command.ts";
import type { PartRun } from "./object-row.ts";
import type { UploadChecksum, Versioning } from "./rows.ts";
import type { SettingCommand } from "./setting-command.ts";
import type { TagSet } from "./tags.ts";
import type { VersionName } from "./version-id.ts";

/** Body of a put as the command carries it. */
export type CommandBody =
  | { readonly kind: "empty" }
  /** They become inline or a `record` reference by size; `crc32c` is that of the bytes, or 0 if inline. */
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly crc32c: number }
  /** Chunk records before this entry brought the bytes. */
  | { readonly kind: "stored"; readonly bodyId: string; readonly size: number };

/** Decided against the current object in apply: of racing writers exactly one sees its condition hold. */
export type WriteCondition =
  { readonly kind: "none" } | { readonly kind: "absent" } | { readonly kind: "etag"; readonly etag: string };

export type PutObject = {
  readonly kind: "putObject";
  readonly bucket: string;
  readonly key: string;
  /** Hex digits without quotes. */
  readonly etag: string;
  readonly attributes: Attributes;
  readonly body: CommandBody;
  readonly condition: WriteCondition;
  /** Absent for none. */
  readonly tags?: TagSet | undefined;
};

/** Without a version id. */
export type DeleteObject = {
  readonly kind: "deleteObject";
  readonly bucket: string;
  readonly key: string;
  readonly condition: WriteCondition;
};

export type PutPart = {
  readonly kind: "putPart";
  readonly uploadId: string;
  readonly partNumber: number;
  readonly etag: string;
  readonly checksum: StoredChecksum | undefined;
  readonly body: CommandBody;
};

export type CompleteUpload = {
  readonly kind: "completeUpload";
  readonly uploadId: string;
  /** The revision of the upload that the parts were validated against. */
  readonly revision: number;
  readonly bucket: string;
  readonly key: string;
  readonly runs: readonly PartRun[];
  readonly size: number;
  readonly etag: string;
  readonly checksum: StoredChecksum | undefined;
  readonly condition: WriteCondition;
};

/** One version of an object, by its birth: if that is not what stands there any more, apply refuses. */
export type CopySource = {
  readonly bucket: string;
  readonly key: string;
  readonly birthIndex: number;
  readonly birthSub: number;
};

/** The source's own body is shared; bytes of small ones, which live in their record, are brought along. */
export type CopyBody = CommandBody | { readonly kind: "shared" };

export type CopyObject = {
  readonly kind: "copyObject";
  readonly source: CopySource;
  readonly bucket: string;
  readonly key: string;
  readonly etag: string;
  readonly attributes: Attributes;
  /** `undefined`: those of the source. */
  readonly tags: TagSet | undefined;
  readonly body: CopyBody;
  readonly condition: WriteCondition;
};

/** A part that is a stretch of an object. */
export type CopyPart = {
  readonly kind: "copyPart";
  readonly source: CopySource;
  readonly uploadId: string;
  readonly partNumber: number;
  readonly etag: string;
  readonly checksum: StoredChecksum | undefined;
  readonly start: number;
  readonly size: number;
  readonly body: CopyBody;
};

export type RenameObject = {
  readonly kind: "renameObject";
  readonly source: CopySource;
  /** In the bucket of the source. */
  readonly key: string;
  readonly body: CopyBody;
  readonly condition: WriteCondition;
};

export type AppendObject = {
  readonly kind: "appendObject";
  /** The object that grows. */
  readonly source: CopySource;
  /** Its size. */
  readonly offset: number;
  /** For a new list of pieces, should one be needed. */
  readonly listId: string;
  /** Stands for the bytes so far where those cannot be shared. */
  readonly base: Exclude<CommandBody, { readonly kind: "bytes" }>;
  readonly body: CommandBody;
  /** Of object and piece. */
  readonly etag: string;
  readonly pieceEtag: string;
  readonly attributes: Attributes;
};

export type CopyCommand = CopyObject | CopyPart | RenameObject | AppendObject;

/** Writes nothing: whether the condition holds. */
export type CheckObject = {
  readonly kind: "checkObject";
  readonly bucket: string;
  readonly key: string;
  readonly condition: WriteCondition;
};

type Unconditional = Extract<WriteCondition, { readonly kind: "none" }>;
type NotStaged<Body> = Exclude<Body, { readonly kind: "stored" }>;

/**
 * A step of a batch. None brings a staged body, which might be gone: what the steps' conditions allow can
 * be done.
 */
export type BatchStep =
  | (Omit<PutObject, "body"> & { readonly body: NotStaged<CommandBody> })
  | (Omit<CopyObject, "body"> & { readonly body: NotStaged<CopyBody> })
  | DeleteObject
  | (Omit<DeleteVersion, "condition"> & { readonly condition: Unconditional })
  | CheckObject;

/** All of its steps, one after the other, or none. Copies are of what stood there before the batch. */
export type Batch = { readonly kind: "batch"; readonly steps: readonly BatchStep[] };

export type PutObjectTags = {
  readonly kind: "putObjectTags";
  readonly bucket: string;
  readonly key: string;
  /** Of the version that is meant; `undefined` for the current one. */
  readonly version: { readonly birthIndex: number; readonly birthSub: number } | undefined;
  readonly tags: TagSet;
};

/** Exactly one version, for good. */
export type DeleteVersion = {
  readonly kind: "deleteVersion";
  readonly bucket: string;
  readonly key: string;
  readonly version: VersionName;
  readonly condition: WriteCondition;
};

export type SetVersioning = {
  readonly kind: "setVersioning";
  readonly bucket: string;
  readonly versioning: Versioning;
};

export type VersionCommand = DeleteVersion | SetVersioning;

export type Command =
  | {
      readonly kind: "createBucket";
      readonly name: string;
      readonly owner: string;
      readonly location: string;
    }
  | { readonly kind: "deleteBucket"; readonly name: string }
  | SettingCommand
  | PutObject
  | DeleteObject
  | {
      readonly kind: "createUpload";
      readonly bucket: string;
      readonly key: string;
      readonly uploadId: string;
      readonly owner: string;
      readonly attributes: Attributes;
      readonly checksum: UploadChecksum | undefined;
      readonly tags?: TagSet | undefined;
    }
  | PutPart
  | CompleteUpload
  | CopyCommand
  | CheckObject
  | Batch
  | PutObjectTags
  | VersionCommand
  | {
      readonly kind: "abortUpload";
      readonly uploadId: string;
      /** Of the bucket that the upload was made in: by name there may be another one today. */
      readonly bucketId: number;
      readonly key: string;
      /** Housekeeping of idle uploads: only if no part arrived after this log time. */
      readonly idleSinceMs: number | undefined;
    }
  /** Gives up a staged body (RULES.md R6). Harmless once the body is named. */
  | { readonly kind: "abortBody"; readonly bodyId: string }
  /** One step of reaping: a page of extents, or some parts of an upload. */
  | { readonly kind: "reapBody"; readonly bodyId: string; readonly page: number }
  | {
      readonly kind: "reapParts";
      readonly uploadId: string;
      readonly partNumbers: readonly number[];
      /** Whether these were the last ones. */
      readonly last: boolean;
      /** Whether the proposer saw the upload without references; otherwise unchosen parts are meant. */
      readonly dropped: boolean;
    }
  /** From this entry on users see this date (dates.ts): the leader's own, as its wall clock moves. */
  | { readonly kind: "setDate"; readonly dateMs: number }
  /** Nothing but its entry's log time, which the log thereby keeps. */
  | { readonly kind: "tick" }
  /** Rows of segments whose files are gone. One that is in use after all keeps its row. */
  | { readonly kind: "dropSegments"; readonly segmentIds: readonly number[] }
  | ColdCommand;

/** A chunk record: a piece of a body that is still private to its writer. */
export type Chunk = {
  readonly bodyId: string;
  /** Counted from 0 within the body. */
  readonly sequence: number;
  /** Of the gateway that streams the body: its stages are reaped when it is gone. */
  readonly incarnation: string;
  /** The bytes as they came, in order: they are joined only in the log. */
  readonly pieces: readonly Uint8Array[];
  /** Of all pieces together. */
  readonly length: number;
};

/** What apply answers, per command. */
export type CommandResult =
  | { readonly kind: "done" }
  | {
      readonly kind: "objectPut";
      readonly modifiedMs: number;
      readonly etag: string;
      /** `undefined` in a bucket that never had versioning. */
      readonly versionId: string | undefined;
    }
  /** In a bucket that has, or once had, versioning: of the new delete marker, or of what was removed. */
  | { readonly kind: "versionDeleted"; readonly versionId: string; readonly isMarker: boolean }
  | { readonly kind: "partPut"; readonly modifiedMs: number; readonly etag: string }
  | { readonly kind: "bucketExists"; readonly owner: string }
  | { readonly kind: "bucketNotEmpty" }
  | { readonly kind: "noSuchBucket" }
  | { readonly kind: "noSuchKey" }
  | { readonly kind: "noSuchUpload" }
  /** No segment has this id any more, or another one, or it is still open. */
  | { readonly kind: "noSuchSegment" }
  /** A part arrived or went between validation and apply: validate again. */
  | { readonly kind: "uploadChanged" }
  | { readonly kind: "preconditionFailed" }
  /** The source of a copy is another object by now, or gone: look again. */
  | { readonly kind: "sourceChanged" }
  /** Bodies of bodies of bodies: this one has to be copied byte by byte. */
  | { readonly kind: "tooDeep" }
  | { readonly kind: "tooManyPieces" }
  /** Of a batch: what each of its steps answered. */
  | { readonly kind: "batchDone"; readonly results: readonly CommandResult[] }
  /** Of a batch: the first step that cannot be done, and what it would have answered. Nothing was written. */
  | { readonly kind: "batchRefused"; readonly at: number; readonly reason: BatchRefusal }
  /** The staged body was given up meanwhile, or its chunks do not add up. */
  | { readonly kind: "bodyGone" };

export type BatchRefusal = "noSuchBucket" | "noSuchKey" | "preconditionFailed" | "sourceChanged";
