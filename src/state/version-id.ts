/**
 * The name of a version. A version is its birth position (log index, number within the entry), which never
 * changes and is written out as its id; one version of a key may be without an id, the one that was written
 * while versioning was not enabled, and is called "null".
 */

/** Where in the log something was born. */
export type Birth = { readonly birthIndex: number; readonly birthSub: number };

/** The version that a caller names. */
export type VersionName = { readonly kind: "null" } | ({ readonly kind: "birth" } & Birth);

export const NULL_VERSION: VersionName = { kind: "null" };
export const NULL_VERSION_ID = "null";

const INDEX_DIGITS = 10;
const VERSION_ID = /^[0-9a-z]{10}\.(?:0|[1-9][0-9]{0,6})$/;

export function birthText({ birthIndex, birthSub }: Birth): string {
  return `${birthIndex.toString(36).padStart(INDEX_DIGITS, "0")}.${birthSub}`;
}

/** `undefined` for what no version can be called. */
export function parseVersionId(text: string): VersionName | undefined {
  if (text === NULL_VERSION_ID) return NULL_VERSION;
  if (!VERSION_ID.test(text)) return undefined;
  const birthIndex = Number.parseInt(text.slice(0, INDEX_DIGITS), 36);
  return { kind: "birth", birthIndex, birthSub: Number(text.slice(INDEX_DIGITS + 1)) };
}

export function versionIdOf(version: Birth & { readonly hasVersionId: boolean }): string {
  return version.hasVersionId ? birthText(version) : NULL_VERSION_ID;
}

export function versionNameText(name: VersionName): string {
  return name.kind === "null" ? NULL_VERSION_ID : birthText(name);
}

export function isNamed(version: Birth & { readonly hasVersionId: boolean }, name: VersionName): boolean {
  if (name.kind === "null") return !version.hasVersionId;
  return version.hasVersionId && isSameBirth(version, name);
}

export function isSameBirth(left: Birth, right: Birth): boolean {
  return left.birthIndex === right.birthIndex && left.birthSub === right.birthSub;
}

/** Ten digits of base 36 are below 2^53, five hold any number within an entry. */
const INDEX_END = 36 ** INDEX_DIGITS - 1;
const SUB_DIGITS = 5;
const SUB_END = 36 ** SUB_DIGITS - 1;

/** Sorts versions newest first. */
export function invertedBirth({ birthIndex, birthSub }: Birth): string {
  const index = (INDEX_END - birthIndex).toString(36).padStart(INDEX_DIGITS, "0");
  return index + (SUB_END - birthSub).toString(36).padStart(SUB_DIGITS, "0");
}

export function birthOfInverted(text: string): Birth {
  return {
    birthIndex: INDEX_END - Number.parseInt(text.slice(0, INDEX_DIGITS), 36),
    birthSub: SUB_END - Number.parseInt(text.slice(INDEX_DIGITS), 36),
  };
}
