/**
 * Lists in the settings of the cold tier: storage classes by kind of object, and what stays hot.
 *
 * Classes that answer hours later are refused by name: whatever is in the cold tier is read at once, by
 * clients and by a restore. Names of other stores' classes pass; whether a bucket knows one, it says itself.
 */

const KINDS = ["segment", "packed", "snapshot", "tail", "manifest"] as const;
export type StoredKind = (typeof KINDS)[number];
export type StorageClasses = { readonly [Kind in StoredKind]?: string };

/** Every key of `bucket` that begins with `prefix`, which may be empty. */
export type KeyPrefix = { readonly bucket: string; readonly prefix: string };

type Parsed<T> = { readonly value: T } | { readonly wrong: string };

/** Of one class for all: tails and manifests live for minutes and hours, cheap classes bill whole months. */
const LASTING: readonly StoredKind[] = ["segment", "packed", "snapshot"];
const SLOW = new Set(["GLACIER", "DEEP_ARCHIVE"]);

export function parseStorageClasses(text: string): Parsed<StorageClasses> {
  const classes: { [Kind in StoredKind]?: string } = {};
  for (const item of text.split(",").map((part) => part.trim())) {
    const match = /^(?:([a-z]+)=)?([A-Z][A-Z0-9_]{0,63})$/.exec(item);
    const [, kind, storageClass = ""] = match ?? [];
    const kinds = kind === undefined ? LASTING : KINDS.filter((known) => known === kind);
    if (match === null || kinds.length === 0) {
      return {
        wrong: `holds ${JSON.stringify(item)}; write STANDARD_IA, or a list such as segment=STANDARD_IA`,
      };
    }
    if (SLOW.has(storageClass)) {
      return { wrong: `names ${storageClass}, which takes hours to answer; objects are read at once` };
    }
    const twice = kinds.find((known) => classes[known] !== undefined);
    if (twice !== undefined) return { wrong: `names a class for ${twice} twice; write one` };
    for (const known of kinds) classes[known] = storageClass;
  }
  return { value: classes };
}

export function parseKeyPrefixes(text: string): Parsed<readonly KeyPrefix[]> {
  const prefixes: KeyPrefix[] = [];
  for (const item of text.split(",").map((part) => part.trim())) {
    const match = /^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(item);
    if (match?.[1] === undefined) {
      return {
        wrong: `holds ${JSON.stringify(item)}; write buckets such as photos, or prefixes such as photos/new/`,
      };
    }
    prefixes.push({ bucket: match[1], prefix: match[2] ?? "" });
  }
  return { value: prefixes };
}
