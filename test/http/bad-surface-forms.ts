/**
 * Browser forms whose policy, signature or fields are not what somebody signed.
 */
import { BOUNDARY, formOf, post, signed } from "./signed-form.ts";
import type { Condition, Fields } from "./signed-form.ts";
import type { BadKind, BadWorld } from "./bad-surface.ts";

const FILE = Buffer.from("of the form");
const POLICY: readonly Condition[] = [
  { bucket: "bucket" },
  ["starts-with", "$key", "user/"],
  ["content-length-range", 1, 20],
];

type Change = {
  readonly policy?: readonly Condition[];
  readonly fields?: Fields;
  readonly ageMs?: number;
  /** Of the signed fields. */
  readonly spoil?: (fields: Fields) => Fields;
  readonly file?: Buffer | undefined;
  readonly bucket?: string;
};

function form(what: string, answer: string, change: Change): BadKind {
  const send = async (world: BadWorld): ReturnType<BadKind["send"]> => {
    const { policy = POLICY, fields = { key: "user/a" }, ageMs = 0, spoil = (same) => same } = change;
    const file = "file" in change ? change.file : FILE;
    const made = spoil(signed(world, policy, fields, ageMs));
    const body = formOf(Object.entries(made), file);
    return await post(world, body, body.length, change.bucket ?? "bucket");
  };
  return { group: "forms", what: `a form with ${what}`, answer, send };
}

function without(...names: readonly string[]): (fields: Fields) => Fields {
  return (fields) => Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));
}

/** Another policy under the old signature. */
function policyOf(text: string): (fields: Fields) => Fields {
  return (fields) => ({ ...fields, policy: Buffer.from(text).toString("base64") });
}

function forged(fields: Fields): Fields {
  const policy = JSON.parse(Buffer.from(fields["policy"] ?? "", "base64").toString()) as object;
  return policyOf(JSON.stringify({ ...policy, conditions: [] }))(fields);
}

const set =
  (name: string, value: string): ((fields: Fields) => Fields) =>
  (fields) => ({ ...fields, [name]: value });

export const badForms: readonly BadKind[] = [
  form("a policy that was changed after it was signed", "403 SignatureDoesNotMatch", { spoil: forged }),
  form("a signature of nothing", "403 SignatureDoesNotMatch", {
    spoil: set("x-amz-signature", "0".repeat(64)),
  }),
  form("an empty signature", "400 InvalidArgument", { spoil: set("x-amz-signature", "") }),
  form("a key nobody has", "403 InvalidAccessKeyId", {
    spoil: (fields) =>
      set(
        "x-amz-credential",
        `NOBODY/${(fields["x-amz-credential"] ?? "").split("/").slice(1).join("/")}`,
      )(fields),
  }),
  form("the policy of another bucket", "403 AccessDenied", { bucket: "plain" }),
  form("a policy that has expired", "403 AccessDenied", { ageMs: 120_000 }),
  form("a key outside of its policy", "403 AccessDenied", { fields: { key: "kept" } }),
  form("a field that its policy does not know", "403 AccessDenied", {
    fields: { key: "user/a", "x-amz-meta-a": "1" },
  }),
  form("tags that its policy does not know", "403 AccessDenied", {
    fields: { key: "user/a", tagging: "<Tagging><TagSet/></Tagging>" },
  }),
  form("a file above its range", "400 EntityTooLarge", { file: Buffer.alloc(21) }),
  form("a file below its range", "400 EntityTooSmall", { file: Buffer.alloc(0) }),
  form("no file", "400 InvalidArgument", { file: undefined }),
  form("no key", "400 InvalidArgument", { spoil: without("key") }),
  form("no policy", "403 AccessDenied", { spoil: without("policy") }),
  form("no signature", "400 InvalidArgument", { spoil: without("x-amz-signature") }),
  form("no credential", "400 InvalidArgument", { spoil: without("x-amz-credential") }),
  form("no date", "400 InvalidArgument", { spoil: without("x-amz-date") }),
  form("another algorithm", "400 InvalidArgument", { spoil: set("x-amz-algorithm", "AWS4-HMAC-SHA1") }),
  form("a condition of an unknown kind", "400 InvalidPolicyDocument", {
    policy: [...POLICY, ["ends-with", "$key", "a"]],
  }),
  form("a range of words", "400 InvalidPolicyDocument", {
    policy: [...POLICY, ["content-length-range", "one", "two"]],
  }),
  form("a condition on what is no field", "400 InvalidPolicyDocument", {
    policy: [...POLICY, ["eq", "key", "a"]],
  }),
  {
    group: "forms",
    what: "a form with a field that is given twice",
    answer: "400 InvalidArgument",
    send: async (world) => {
      const made = Object.entries(signed(world, POLICY, { key: "user/a" }));
      return await post(world, formOf([["key", "user/b"], ...made], FILE));
    },
  },
  {
    group: "forms",
    what: "a form that ends in the middle of its file",
    answer: "400 IncompleteBody",
    send: async (world) => {
      const whole = formOf(Object.entries(signed(world, POLICY, { key: "user/a" })), FILE);
      return await post(world, whole.subarray(0, whole.length - BOUNDARY.length - 8));
    },
  },
];
