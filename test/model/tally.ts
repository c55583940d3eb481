/**
 * What runs exercised: how often each kind of request was answered, and how often refused. A kind that only
 * ever fails proves nothing, so the tests ask for a number of successes of each.
 */
import { BUCKETS } from "./operations.ts";
import type { Condition, Operation } from "./operations.ts";
import { placeOf } from "./requests.ts";
import type { Session } from "./session.ts";

type Count = { done: number; refused: number };
type Of<Kind extends Operation["kind"]> = Extract<Operation, { readonly kind: Kind }>;

/** In each of so many runs, on average, every one of these has to have been answered once. */
const RUNS_PER_SUCCESS = 6;
const EACH = [
  ...["never", "Enabled", "Suspended"].flatMap((state) =>
    ["put", "copy", "rename", "append", "delete", "deleteMany", "complete", "batch"].map(
      (kind) => `${kind}, versions ${state}`,
    ),
  ),
  ...["put", "append", "part"].flatMap((kind) =>
    ["row", "record", "chunks"].map((in_) => `${kind} in ${in_}`),
  ),
  ...["put", "copy", "complete", "rename"].flatMap((kind) => [`${kind} if absent`, `${kind} if mine`]),
  ...["delete if mine", "delete if any", "deleteMany with conditions", "rename source if mine"],
  ...[
    "GET",
    "HEAD",
    "read of a range",
    "read of a version",
    "read if mine",
    "read if differ",
    "read if unlike",
  ],
  ...["read if absent", "rename source if unlike", "delete of a version", "deleteMany of versions"],
  ...["copy of a version", "copy of chunks", "copy of a large object", "copy source if mine"],
  ...["copy source if unlike", "copy onto itself", "copy between buckets", "copy replaces metadata"],
  ...["copy replaces tags", "append at the end", "append creates", "GET tags", "PUT tags", "DELETE tags"],
  ...["tags of a version", "versioning Enabled", "versioning Suspended", "createBucket", "deleteBucket"],
  ...["createUpload", "part again", "copyPart", "copyPart of a range", "copyPart of a range of chunks"],
  ...["complete of several parts", "complete over an object", "abort", "listParts", "listUploads"],
  ...["list V1", "list V2", "list versions", "list in groups", "list in pages"],
  ...["batch of several", "batch put", "batch copy", "batch delete", "batch check", "batch with a condition"],
  "getMany",
];
const REFUSED = [
  ...["put", "copy", "complete", "rename"].flatMap((kind) => [`${kind} if absent`, `${kind} if other`]),
  ...["delete if other", "delete of a version with a condition", "append at a wrong place", "batch"],
  ...["copy source if other", "copy source if absent", "rename source if other", "deleteBucket"],
  ...["complete of small parts", "complete with wrongEtag", "complete with unordered", "complete with none"],
];

export class Tally {
  readonly #counts = new Map<string, Count>();

  note(names: readonly string[], status: number): void {
    if (status === 0) return;
    for (const name of names) {
      const count = this.#counts.get(name) ?? { done: 0, refused: 0 };
      if (status < 300 || status === 304) count.done++;
      else count.refused++;
      this.#counts.set(name, count);
    }
  }

  /** What was not exercised as often as so many runs have to. */
  missing(runs: number): readonly string[] {
    const least = runs / RUNS_PER_SUCCESS;
    const few = (names: readonly string[], what: keyof Count): readonly string[] =>
      names
        .filter((name) => (this.#counts.get(name)?.[what] ?? 0) < least)
        .map((name) => `${name}: ${what} ${this.#counts.get(name)?.[what] ?? 0}, at least ${least}`);
    return [...few(EACH, "done"), ...few(REFUSED, "refused")];
  }

  done(name: string): number {
    return this.#counts.get(name)?.done ?? 0;
  }

  /** A line for each kind. */
  table(): readonly string[] {
    const rows = [...this.#counts].toSorted(([left], [right]) => (left < right ? -1 : 1));
    const line = (name: string, { done, refused }: Count): string =>
      `${name.padEnd(40)}${String(done).padStart(9)}${String(refused).padStart(9)}`;
    return [
      `${"".padEnd(40)}${"done".padStart(9)}${"refused".padStart(9)}`,
      ...rows.map(([n, c]) => line(n, c)),
    ];
  }
}

function placed(name: string, { size }: { readonly size: number }): string {
  return `${name} in ${size <= 256 ? "row" : size <= 65_536 ? "record" : "chunks"}`;
}

function asked(name: string, condition: Condition): readonly string[] {
  return condition === "none" ? [] : [`${name} if ${condition}`];
}

/** What a step is about to exercise, by the state that it meets. */
export function namesOf(operation: Operation, session: Session): readonly string[] {
  const { kind } = operation;
  const state = "bucket" in operation ? session.model.bucket(BUCKETS[operation.bucket] ?? "") : undefined;
  const versions = `${kind}, versions ${state?.versioning ?? "nowhere"}`;
  switch (kind) {
    case "put":
      return [versions, placed(kind, operation.body), ...asked(kind, operation.condition)];
    case "read":
      return namesOfRead(operation, session);
    case "delete":
      return namesOfDelete(operation, versions, session);
    case "deleteMany":
      return [
        versions,
        ...(operation.items.some(({ version }) => version !== undefined) ? ["deleteMany of versions"] : []),
        ...(operation.items.some(({ condition }) => condition !== "none")
          ? ["deleteMany with conditions"]
          : []),
      ];
    case "copy":
      return [versions, ...asked(kind, operation.condition), ...namesOfCopy(operation, session)];
    case "rename":
      return [
        versions,
        ...asked(kind, operation.condition),
        ...asked("rename source", operation.sourceCondition),
      ];
    case "append":
      return [versions, ...namesOfAppend(operation, session)];
    case "tagging":
      return [`${operation.method} tags`, ...(operation.version === undefined ? [] : ["tags of a version"])];
    case "versioning":
      return [`versioning ${operation.status}`];
    case "list":
      return [
        `list ${operation.how}`,
        ...(operation.delimited ? ["list in groups"] : []),
        ...(operation.pageMax < 1000 ? ["list in pages"] : []),
      ];
    case "batch":
      return [
        kind,
        versions,
        ...(operation.steps.length > 1 ? ["batch of several"] : []),
        ...(operation.steps.some(({ condition }) => condition !== "none") ? ["batch with a condition"] : []),
        ...new Set(operation.steps.map(({ op }) => `batch ${op}`)),
      ];
    case "part":
      return namesOfPart(operation, session);
    case "copyPart":
      return namesOfCopyPart(operation, session);
    case "complete":
      return namesOfComplete(operation, session);
    case "upload":
      // Its steps are counted one by one.
      return [];
    default:
      return [kind];
  }
}

function namesOfRead(operation: Of<"read">, session: Session): readonly string[] {
  const name = session.versionName(placeOf(operation), operation.version);
  return [
    operation.head ? "HEAD" : "GET",
    ...(operation.range === undefined ? [] : ["read of a range"]),
    ...(name === undefined ? [] : ["read of a version"]),
    ...asked("read", operation.condition),
  ];
}

function namesOfDelete(operation: Of<"delete">, versions: string, session: Session): readonly string[] {
  const place = placeOf(operation);
  const name = session.versionName(place, operation.version);
  if (name === undefined) return [versions, ...asked("delete", operation.condition)];
  if (operation.condition !== "none") return ["delete of a version with a condition"];
  const found = session.model.find({ ...place, name });
  return "kind" in found ? ["delete of no version"] : ["delete of a version"];
}

function sizeOf(from: Of<"copy">["from"], version: Of<"copy">["version"], session: Session): number {
  const place = placeOf(from);
  const found = session.model.find({ ...place, name: session.versionName(place, version) });
  return "kind" in found ? 0 : found.body.length;
}

function namesOfCopy(operation: Of<"copy">, session: Session): readonly string[] {
  const { from, version, bucket, key } = operation;
  const size = sizeOf(from, version, session);
  return [
    ...asked("copy source", operation.sourceCondition),
    ...(version === undefined ? [] : ["copy of a version"]),
    ...(size > 65_536 ? ["copy of chunks"] : []),
    ...(size > 4_000_000 ? ["copy of a large object"] : []),
    ...(from.bucket === bucket && from.key === key ? ["copy onto itself"] : []),
    ...(from.bucket === bucket ? [] : ["copy between buckets"]),
    ...(operation.replaceMetadata ? ["copy replaces metadata"] : []),
    ...(operation.replaceTags ? ["copy replaces tags"] : []),
  ];
}

function namesOfAppend(operation: Of<"append">, session: Session): readonly string[] {
  if (operation.off !== 0) return ["append at a wrong place"];
  const old = session.model.current(placeOf(operation));
  return [placed("append", operation.body), old === undefined ? "append creates" : "append at the end"];
}

function namesOfPart(operation: Of<"part">, session: Session): readonly string[] {
  const parts = session.uploads.all.at(-1 - operation.upload)?.parts;
  return [placed("part", operation.body), ...(parts?.has(operation.number) === true ? ["part again"] : [])];
}

function namesOfCopyPart(operation: Of<"copyPart">, session: Session): readonly string[] {
  if (operation.range === undefined) return ["copyPart"];
  const isOfChunks = sizeOf(operation.from, operation.version, session) > 65_536;
  return ["copyPart", "copyPart of a range", ...(isOfChunks ? ["copyPart of a range of chunks"] : [])];
}

function namesOfComplete(operation: Of<"complete">, session: Session): readonly string[] {
  const upload = session.uploads.all.at(-1 - operation.upload);
  const place = session.placeOfUpload(upload);
  if (upload === undefined || place === undefined) return [];
  const { how, condition } = operation;
  if (how !== "all" && how !== "last") return [`complete with ${how}`];
  const sizes = [...upload.parts].toSorted(([a], [b]) => a - b).map(([, part]) => part.body.length);
  const isSmall = how === "all" && sizes.slice(0, -1).some((size) => size < 5 * 1024 * 1024);
  const versions = session.model.bucket(place.bucket)?.versioning ?? "nowhere";
  return [
    `complete, versions ${versions}`,
    ...asked("complete", condition),
    ...(isSmall ? ["complete of small parts"] : []),
    ...(how === "all" && sizes.length > 1 ? ["complete of several parts"] : []),
    ...(session.model.current(place) === undefined ? [] : ["complete over an object"]),
  ];
}
