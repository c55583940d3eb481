/**
 * Archives that are unpacked on arrival, as MinIO does it: a PUT with `x-amz-meta-snowball-auto-extract:
 * true`. Which keys and which metadata the entries of the archive get. No I/O.
 */
import { HEADER_NAME, wireText } from "./batch.ts";
import { headerText } from "./canonical-request.ts";
import type { RequestHeaders } from "./canonical-request.ts";
import { headerNotImplemented, invalidArgument, s3Error } from "./errors.ts";
import { decodeHeaderText, parseStorageClass, refuseUnbuiltHeaders } from "./headers.ts";
import { checkKey } from "./names.ts";
import type { TarEntry } from "./tar.ts";

export type ArchiveTerms = {
  /** Before every key; empty, or ends with a slash. */
  readonly prefix: string;
  /** Entries that are directories become empty objects with a slash at the end unless this is so. */
  readonly ignoresDirectories: boolean;
  /** An entry that cannot become an object is passed over. */
  readonly ignoresErrors: boolean;
  /** Of the objects that name none. */
  readonly storageClass: string | undefined;
};

const EXTRACT = "x-amz-meta-snowball-auto-extract";
const OF_ENTRY = "minio.metadata.";
/** They would have to hold for each of the objects, or for none. */
const OF_ONE_OBJECT = ["if-match", "if-none-match", "x-amz-tagging"] as const;

export function isArchive(headers: RequestHeaders): boolean {
  return headers[EXTRACT] === "true";
}

function isOn(headers: RequestHeaders, name: string): boolean {
  return headerText(headers, name)?.toLowerCase() === "true";
}

export function parseArchiveTerms(headers: RequestHeaders): ArchiveTerms {
  refuseUnbuiltHeaders(headers);
  for (const name of OF_ONE_OBJECT) if (headers[name] !== undefined) throw headerNotImplemented(name);
  const storageClass = headerText(headers, "x-amz-storage-class");
  parseStorageClass(storageClass);
  const prefix = cleanPath(decodeHeaderText(headerText(headers, "x-amz-meta-minio-snowball-prefix") ?? ""));
  return {
    prefix: prefix === "" ? "" : `${prefix}/`,
    ignoresDirectories: isOn(headers, "x-amz-meta-minio-snowball-ignore-dirs"),
    ignoresErrors: isOn(headers, "x-amz-meta-minio-snowball-ignore-errors"),
    storageClass,
  };
}

/** Without empty and dotted steps, relative to the root, which nothing gets above. */
function cleanPath(path: string): string {
  const steps: string[] = [];
  for (const step of path.split("/")) {
    if (step === "" || step === ".") continue;
    if (step !== "..") steps.push(step);
    else if (steps.pop() === undefined) {
      throw invalidArgument("A path of the archive leads out of it", "path", path);
    }
  }
  return steps.join("/");
}

/** `undefined`: the entry is no object. */
export function keyOfEntry(entry: TarEntry, terms: ArchiveTerms): string | undefined {
  if (entry.kind === "directory" && terms.ignoresDirectories) return undefined;
  const path = cleanPath(entry.path);
  if (path === "") {
    if (entry.kind === "directory") return undefined;
    throw invalidArgument("A file of the archive has no name", "path", entry.path);
  }
  const key = terms.prefix + path + (entry.kind === "directory" ? "/" : "");
  checkKey(key);
  return key;
}

/** MinIO's clients write the metadata of an entry as pax records; as headers of a PUT of its own. */
export function headersOfEntry({ records }: TarEntry, terms: ArchiveTerms): RequestHeaders {
  const headers: Record<string, string> = Object.create(null);
  if (terms.storageClass !== undefined) headers["x-amz-storage-class"] = terms.storageClass;
  for (const [name, value] of records) {
    if (!name.startsWith(OF_ENTRY)) continue;
    const header = name.slice(OF_ENTRY.length).toLowerCase();
    if (!HEADER_NAME.test(header)) throw invalidArgument("No header is called so", "name", name);
    headers[header] = wireText(value, name);
  }
  return headers;
}

export type Compression = "none" | "gzip" | "zstd";

const MAGICS = [
  ["gzip", "1f8b08"],
  ["zstd", "28b52ffd"],
  ["lz4", "04224d18"],
  ["snappy", "ff060000"],
  ["bzip2", "425a68"],
  ["xz", "fd377a58"],
] as const;
export const MAGIC_BYTES = 4;

/** By how it begins, as MinIO tells; a tar begins with a name. */
export function compressionOf(start: Buffer): Compression {
  const hex = start.toString("hex", 0, MAGIC_BYTES);
  const found = MAGICS.find(([, magic]) => hex.startsWith(magic))?.[0] ?? "none";
  if (found === "none" || found === "gzip" || found === "zstd") return found;
  throw s3Error("NotImplemented", {
    message: `The archive is compressed with ${found}; gzip, zstd and none are implemented`,
  });
}
