/** Planted bugs of copies, renames, appends, tags and forms. */
import type { Mutant } from "./mutant.ts";

const model = "test/state/apply-model.test.ts";
const copies = ["test/service/copies.test.ts"];
const appends = ["test/service/appends.test.ts"];

export const copyMutants: readonly Mutant[] = [
  {
    name: "copy-not-counted",
    what: "the copy of a large object loses its bytes when the original is deleted",
    file: "src/state/shared-body.ts",
    find: "rows.body.encode({ ...row, refs: row.refs + 1 })",
    replace: "rows.body.encode(row)",
    killedBy: copies,
  },
  {
    name: "copy-source-not-compared",
    what: "a copy has the metadata of one object and the bytes of the one that replaced it",
    file: "src/state/standing-object.ts",
    find: "if (birthIndex !== source.birthIndex || birthSub !== source.birthSub) return undefined;",
    replace: "",
    killedBy: copies,
  },
  {
    name: "rename-leaves-the-source",
    what: "after a rename the object is there under both keys",
    file: "src/state/apply-copy.ts",
    find: "removeObject(context, bucket, { bucketName, key: sourceKey, old: source, sub: place.sub });",
    replace: "void removeObject;",
    killedBy: copies,
  },
  {
    name: "stretch-read-from-the-start",
    what: "a part that was copied from the middle of an object has the bytes of its beginning",
    file: "src/store/object-reader.ts",
    find: "{ start: body.start + range.start, end: body.start + range.end }",
    replace: "{ start: range.start, end: range.end }",
    killedBy: copies,
  },
  {
    name: "copies-nested-without-bound",
    what: "a few hundred requests make an object that takes minutes to read",
    file: "src/state/apply-copy.ts",
    find: 'if (nesting > NESTING_MAX) return { kind: "tooDeep" };',
    replace: "void NESTING_MAX;",
    killedBy: copies,
  },
  {
    name: "append-ignores-the-offset",
    what: "of two writers that append at the same place the slower one lands behind the other",
    file: "src/service/appends.ts",
    find: 'if ((source?.size ?? 0) !== offset) return { kind: "wrongOffset", size: source?.size };',
    replace: "",
    killedBy: appends,
  },
  {
    name: "list-grows-under-a-copy",
    what: "appending to an object and to its copy mixes their bytes",
    file: "src/state/apply-append.ts",
    find: "if (rows.append.decode(bytes).refs > 1 || staysAsVersion(bucket, source)) return undefined;",
    replace: "if (staysAsVersion(bucket, source)) return undefined;",
    killedBy: appends,
  },
  {
    name: "tags-not-copied",
    what: "a rename loses the tags of its object",
    file: "src/state/standing-object.ts",
    find: "  return tagCount;",
    replace: "  return 0;",
    killedBy: [model, ...copies],
  },
  {
    name: "policy-condition-skipped",
    what: "whoever has a signed form uploads what he likes wherever he likes",
    file: "src/s3/post-policy.ts",
    find: "if (!holds) {",
    replace: "if (!holds && field === field.toUpperCase()) {",
    killedBy: ["test/http/post-object.test.ts"],
  },
  {
    name: "policy-covers-no-fields",
    what: "a form that somebody else signed is sent with metadata that he never saw",
    file: "src/s3/post-policy.ts",
    find: "throw denied(`Extra input fields: ${name}`);",
    replace: "continue;",
    killedBy: ["test/http/post-object.test.ts"],
  },
];
