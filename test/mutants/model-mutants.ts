/** Planted bugs of S3's rules, which the model of S3 notices from outside. */
import type { Mutant } from "./mutant.ts";

const killedBy = ["test/model/fixed-seed.test.ts"];

export const modelMutants: readonly Mutant[] = [
  {
    name: "if-none-match-not-asked",
    what: "a write that must not overwrite anything overwrites",
    file: "src/state/apply-object.ts",
    find: 'if (condition.kind === "absent") return old === undefined ? undefined',
    replace: 'if (condition.kind === "absent") return old !== null ? undefined',
    killedBy,
  },
  {
    name: "copy-drops-metadata",
    what: "a copy that keeps its source's metadata has the request's, which is none",
    file: "src/http/operations/copy-object.ts",
    find: "const attributes = directives.replacesMetadata\n",
    replace: "const attributes = directives !== undefined\n",
    killedBy,
  },
  {
    name: "copy-drops-tags",
    what: "a copy has no tags, though nobody said so",
    file: "src/state/apply-copy.ts",
    find: "isOwn ? writeNewTags(context, place.sub, tags) : copyTags(context, source, place.sub);",
    replace: "writeNewTags(context, place.sub, isOwn ? tags : undefined);",
    killedBy,
  },
  {
    name: "old-version-cannot-be-brought-back",
    what: "copying an older version over its own key is refused as a copy that changes nothing",
    file: "src/http/operations/copy-object.ts",
    find: "source.key === key && source.version === undefined;",
    replace: "source.key === key;",
    killedBy,
  },
  {
    name: "rename-leaves-its-source",
    what: "after a rename the object is there twice",
    file: "src/state/apply-copy.ts",
    find: "removeObject(context, bucket, { bucketName, key: sourceKey, old: source, sub: place.sub });",
    replace: "void removeObject; void sourceKey;",
    killedBy,
  },
  {
    name: "part-copy-short-by-a-byte",
    what: "a part that is copied from a range lacks the last byte of it",
    file: "src/s3/copy-source.ts",
    find: "return { start: first, end: last + 1 };",
    replace: "return { start: first, end: Math.max(first + 1, last) };",
    killedBy,
  },
  {
    name: "small-parts-are-let-through",
    what: "an upload is completed with parts below 5 MiB in its middle",
    file: "src/service/complete-upload.ts",
    find: "if (part.size < PART_BYTES_MIN && !place.isLast) {",
    replace: "if (part.size < 1 && !place.isLast) {",
    killedBy,
  },
  {
    name: "common-prefix-on-two-pages",
    what: "a page that ended with a common prefix is followed by one that begins with it",
    file: "src/s3/listing.ts",
    find: "if (group !== undefined) return this.#seekPast(group);",
    replace: "",
    killedBy,
  },
];
