/**
 * What `tier audit` found when it compared the bucket with the state and the manifests, and what can be done
 * about each: plain facts, for people and for programs.
 */

/** Why a finding is one. */
export type AuditKind =
  /** The state or a retained manifest names it, and it is not there or has another length. */
  | "missing"
  /** It is there, and its bytes are not those that were put. */
  | "corrupt"
  /** It is ours, and nobody names it. */
  | "orphaned"
  /** Nothing that this store ever names so: somebody else's. Never touched. */
  | "unknown";

export type AuditRepair =
  /** The file of the segment is here: it is put again under its name, or a new one of this lineage. */
  | "upload"
  /** The file of the segment is here, and its copy is a packed one: a new one is made. */
  | "pack"
  /** A manifest that lacks something is replaced by a new one, and goes with its age. */
  | "newManifest"
  /** It is condemned, and deleted at the end of its grace. */
  | "delete"
  /** Nothing in it is live any more: it goes with its row. */
  | "forget"
  /** It is somebody else's. */
  | "none"
  /** There is no other copy: what was in it is lost, unless it comes back from elsewhere. */
  | "lost";

export type AuditFinding = {
  readonly kind: AuditKind;
  readonly key: string;
  /** One line for people. */
  readonly why: string;
  /** Whose copy it is, for segments that the state names. */
  readonly segmentId: number | undefined;
  readonly repair: AuditRepair;
  readonly isRepaired: boolean;
};

/** Of users, in segments of which there is no copy left. */
export type LostObjects = {
  readonly segmentIds: readonly number[];
  /** Current objects, older versions and parts of open uploads. */
  readonly count: number;
  /** `bucket/key`, with what it is if it is no current object: the first of them. */
  readonly first: readonly string[];
};

export type AuditReport = {
  readonly place: string;
  /** Whether everything was read back. */
  readonly isDeep: boolean;
  readonly objects: number;
  readonly bytes: number;
  /** Bytes that were read back. */
  readonly readBytes: number;
  readonly counts: { readonly [Kind in AuditKind]: number };
  /** Those that matter most first; a bounded number. */
  readonly findings: readonly AuditFinding[];
  readonly findingsLeftOut: number;
  readonly lost: LostObjects;
  /** Lineages and manifests because of which nothing is deleted. */
  readonly blockedBy: readonly string[];
  /** Whether all is as it should be, after what was repaired. */
  readonly isSound: boolean;
};
