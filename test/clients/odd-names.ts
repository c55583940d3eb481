/**
 * Keys that stores get wrong: dot segments, characters with a meaning in URLs, XML or shells, two spellings
 * of one letter, the longest key there is. All are different objects, and each must come back as it was.
 */

/** Names that a file system takes too. */
export const ODD_FILE_NAMES: readonly string[] = [
  "plain.txt",
  "two  spaces",
  " space at both ends ",
  "plus+plus",
  "a&b=c",
  "what?",
  "hash#tag",
  "%",
  "%2e%2e",
  "%2F",
  "100%25",
  "...",
  "..hidden",
  ".dot",
  "-dash",
  "~tilde",
  "semi;colon,comma:at@bang!",
  "(round)[square]{curly}",
  "star*",
  "'single' and \"double\"",
  "back\\slash",
  "$HOME`id`",
  "<tag>&amp;",
  "caf\u00e9 composed",
  "cafe\u0301 decomposed",
  "\u{1f986}\u{1fabf} ducks",
  "\u65e5\u672c\u8a9e",
  "\uff0e\uff0e fullwidth dots",
];

/** Keys that only an object store has: paths that a file system would resolve, and slashes at the ends. */
const ODD_PATHS: readonly string[] = [
  ".",
  "..",
  "a/../b",
  "../up",
  "a/..",
  "./here",
  "a/./b",
  "a/.../b",
  "%2e%2e/b",
  "folder/",
  "folder/sub/",
  "/leading",
  "//leading/two",
  "a//b",
  "a//",
  "line\nbreak\tand tab",
  "k".repeat(1024),
  // 1,024 bytes in 256 characters.
  "\u{1f986}".repeat(256),
];

export const ODD_KEYS: readonly string[] = [...ODD_FILE_NAMES, ...ODD_PATHS];

/** The order in which S3 lists keys. */
export function byUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
