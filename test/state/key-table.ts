/**
 * Every key prefix that the state writes, from the functions that make keys; and the look into the map of
 * src.
 */
import { keys } from "../../src/state/keys.ts";

/** One key of each kind. A new kind without a sample does not compile. */
const samples = {
  meta: keys.meta("logTime"),
  bucket: keys.bucket("b"),
  bucketCounters: keys.bucketCounters(1),
  setting: keys.setting(1, "cors"),
  account: keys.account("a"),
  objectPrefix: keys.objectPrefix(1),
  object: keys.object(1, "k"),
  markerPrefix: keys.markerPrefix(1),
  marker: keys.marker(1, "k"),
  versionPrefix: keys.versionPrefix(1),
  version: keys.version(1, "k", { birthIndex: 1, birthSub: 0 }),
  history: keys.history(1, "k"),
  detail: keys.detail(1, 0),
  tags: keys.tags(1, 0),
  append: keys.append("n1.1-0"),
  body: keys.body("n1.1-0"),
  bodyExtents: keys.bodyExtents("n1.1-0", 1),
  stage: keys.stage("n1.1-0"),
  uploadsPrefix: keys.uploadsPrefix(1),
  uploads: keys.uploads(1, "k", "u"),
  upload: keys.upload("u"),
  partPrefix: keys.partPrefix("u"),
  part: keys.part("u", 1),
  reap: keys.reap("body", "n1.1-0"),
  segment: keys.segment(1),
  condemned: keys.condemned("c/l/packed/1-n1.1.seg"),
} satisfies { readonly [Kind in keyof typeof keys]: string };

/**
 * "object/", "bucket/", ... each once. The ring of flush marks belongs to the store and stands in the table
 * too.
 */
export const keyPrefixes: readonly string[] = [
  ...new Set([...Object.values(samples).map((key) => key.slice(0, key.indexOf("/") + 1)), "mark/"]),
];

/** Prefixes that `readme` does not name in code spans at the start of a table row. */
export function missingFromTable(readme: string): readonly string[] {
  const rows = readme.split("\n").filter((line) => line.startsWith("|"));
  return keyPrefixes.filter((prefix) => !rows.some((row) => row.split("|")[1]?.includes(`\`${prefix}`)));
}
