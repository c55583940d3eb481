/**
 * What `tier audit` found when it compared the bucket with the state and the manifests, and what can be done
 * about each: plain facts, and lines for people.
 */

/** Why a finding is one, those first that matter most. */
export const AUDIT_KINDS = [
  /** The state or a retained manifest names it, and it is not there or has another length. */
  "missing",
  /** It is there, and its bytes are not those that were put. */
  "corrupt",
  /** Nothing that this store ever names so: somebody else's. Never touched. */
  "unknown",
  /** It is ours, and nobody names it. */
  "orphaned",
] as const;
export type AuditKind = (typeof AUDIT_KINDS)[number];

export type AuditRepair =
  /** The file of the segment is here: it is put again, under its name or a new one of this lineage. */
  | "upload"
  /** Everything live in it is here or intact there: a new copy of that is made. */
  | "pack"
  /** Manifests that name it are replaced by a new one, and go with their age. */
  | "newManifest"
  /** Nobody needs it: tails go at once, everything else is condemned, and deleted at the end of its grace. */
  | "delete"
  /** Nothing in it is live any more: it goes with its row. */
  | "forget"
  /** It is somebody else's, or nothing is known of it. */
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

/** Of users, with bytes of which there is no copy left. */
export type LostObjects = {
  readonly segmentIds: readonly number[];
  /** Current objects, older versions and parts of open uploads. */
  readonly count: number;
  /** `bucket/key`, with what it is if it is no current object: the first of them. */
  readonly first: readonly string[];
};

export type AuditReport = {
  readonly place: string;
  /** Whether everything that is named was read back. */
  readonly isDeep: boolean;
  readonly objects: number;
  readonly bytes: number;
  /** Read back. */
  readonly readBytes: number;
  readonly counts: { readonly [Kind in AuditKind]: number };
  /** A bounded number, those that matter most first. */
  readonly findings: readonly AuditFinding[];
  readonly lost: LostObjects;
  /** Lineages and manifests because of which nothing is deleted. */
  readonly blockedBy: readonly string[];
  /** Nothing is missing or corrupt, or all of it was mended. */
  readonly isSound: boolean;
};

export const FINDINGS_MAX = 1000;
const LINES_MAX = 50;

export type AuditFacts = Omit<AuditReport, "counts" | "isSound">;

export function reportOf({ findings, ...facts }: AuditFacts): AuditReport {
  const counts = { missing: 0, corrupt: 0, unknown: 0, orphaned: 0 };
  for (const { kind } of findings) counts[kind]++;
  const rank = (kind: AuditKind): number => AUDIT_KINDS.indexOf(kind);
  const sorted = findings.toSorted((a, b) => rank(a.kind) - rank(b.kind) || (a.key < b.key ? -1 : 1));
  const isHarm = ({ kind, isRepaired }: AuditFinding): boolean =>
    (kind === "missing" || kind === "corrupt") && !isRepaired;
  return { ...facts, counts, findings: sorted.slice(0, FINDINGS_MAX), isSound: !findings.some(isHarm) };
}

/** As the admin API and the command line show it. */
export function auditOutcome(report: AuditReport): {
  readonly ok: boolean;
  readonly lines: readonly string[];
  readonly facts: Readonly<Record<string, unknown>>;
} {
  const { place, objects, bytes, counts, findings, lost, blockedBy, isSound, isDeep, readBytes } = report;
  const total = AUDIT_KINDS.reduce((sum, kind) => sum + counts[kind], 0);
  const shown = findings.slice(0, LINES_MAX);
  const lines = [
    `${place}: ${objects} objects, ${bytes} bytes${isDeep ? `, ${readBytes} of them read back` : ""}`,
    AUDIT_KINDS.map((kind) => `${counts[kind]} ${kind}`).join(", "),
    ...shown.map(lineOf),
    ...(total > shown.length ? [`and ${total - shown.length} more`] : []),
    ...lostLines(lost),
    ...blockedBy.map((name) => `nothing is deleted because of ${name}`),
  ];
  return { ok: isSound, lines, facts: { ...report } };
}

function lineOf({ kind, key, why, repair, isRepaired, segmentId }: AuditFinding): string {
  const whose = segmentId === undefined ? "" : ` (segment ${segmentId})`;
  return `${kind}: ${key}${whose}: ${why}; ${isRepaired ? "mended: " : ""}${REPAIR_TEXTS[repair]}`;
}

const REPAIR_TEXTS: { readonly [Repair in AuditRepair]: string } = {
  upload: "it is put again from the file on this disk",
  pack: "what is live in it is put anew",
  newManifest: "a new manifest takes the place of those that name it",
  delete: "the collector deletes it, after its grace",
  forget: "nothing in it is live",
  none: "it is left alone",
  lost: "there is no other copy",
};

function lostLines({ segmentIds, count, first }: LostObjects): readonly string[] {
  if (segmentIds.length === 0) return [];
  const what = `${count} objects have lost bytes, in segments ${segmentIds.slice(0, LINES_MAX).join(", ")}`;
  const more = count > first.length ? [`  and ${count - first.length} more`] : [];
  return [what, ...first.map((name) => `  ${name}`), ...more];
}
