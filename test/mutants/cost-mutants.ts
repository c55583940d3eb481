/** Planted bugs of what the cold tier costs, and of who may ask it for what. */
import type { Mutant } from "./mutant.ts";

const requests = ["test/adapters/cold-requests.test.ts"];
const clients = ["test/http/client-usage.test.ts"];
const admin = ["test/http/admin-tier.test.ts"];

export const costMutants: readonly Mutant[] = [
  {
    name: "unanswered-requests-not-counted",
    what: "the bill is higher than `cost` says wherever connections break",
    file: "src/adapters/s3-cold-watch.ts",
    find: "if (!isUnsent(error)) onRequest(seen);",
    replace: "",
    killedBy: requests,
  },
  {
    name: "repeated-requests-not-counted",
    what: "requests that the bucket refused and that were made again cost nothing, says `cost`",
    file: "src/adapters/s3-cold-watch.ts",
    find: "onRequest({ ...seen, ...answerOf",
    replace: "if ((result.response as Answered).statusCode < 500) onRequest({ ...seen, ...answerOf",
    killedBy: requests,
  },
  {
    name: "archive-counted-beside-its-objects",
    what: "an archive makes the cold tier look cheaper than it is",
    file: "src/http/archive-objects.ts",
    find: "this.stored === 0 ? puts.length - 1 : puts.length",
    replace: "puts.length",
    killedBy: clients,
  },
  {
    name: "refused-batch-counted",
    what: "writes that were refused count as what S3 would have charged for",
    file: "src/http/operations/write-batch.ts",
    find: 'if (outcome.kind === "done") for (',
    replace: "for (",
    killedBy: clients,
  },
  {
    name: "parts-not-counted",
    what: "an upload in 10,000 parts counts as two requests, one by one",
    file: "src/http/client-usage.ts",
    find: '  UploadPart: "puts",',
    replace: '  UploadPart: "bundle",',
    killedBy: clients,
  },
  {
    name: "starts-before-forgotten",
    what: "`cost` says since when it counts, and forgets all but this start",
    file: "src/offload/cost-ledger.ts",
    find: "added(cold[kind], usage[kind])",
    replace: "usage[kind]",
    killedBy: ["test/offload/cost-ledger.test.ts"],
  },
  {
    name: "tried-policy-ignored",
    what: "a dry run shows the present policy twice",
    file: "src/service/cost-desk.ts",
    find: "facts.policyWith(change)",
    replace: "facts.policyWith({})",
    killedBy: ["test/service/cost-desk.test.ts"],
  },
  {
    name: "tier-open-to-every-account",
    what: "any account may offload, audit and adopt",
    file: "src/http/serve-admin.ts",
    find: "    requireRoot(exchange);\n",
    replace: "    authenticate(exchange);\n",
    killedBy: [...admin, "test/http/admin.test.ts"],
  },
  {
    name: "action-outlives-its-askers",
    what: "an audit that somebody ended with Ctrl-C goes on reading the whole bucket",
    file: "src/http/tier-runs.ts",
    find: "if (run.listeners.size === 0) run.ended.abort(signal.reason);",
    replace: "",
    killedBy: admin,
  },
  {
    name: "action-ended-by-the-first-to-go",
    what: "whoever joined an action loses it when another one hangs up",
    file: "src/http/tier-runs.ts",
    find: "if (run.listeners.size === 0) run.ended",
    replace: "run.ended",
    killedBy: admin,
  },
  {
    name: "ending-action-joined",
    what: "who asks again right after Ctrl-C waits for what was ended",
    file: "src/http/tier-runs.ts",
    find: "(run.terms === terms && !run.ended.signal.aborted)",
    replace: "run.terms === terms",
    killedBy: admin,
  },
  {
    name: "appended-pieces-not-recalled",
    what: "what was appended to an object stays in the bucket after `tier recall`, and unpinned",
    file: "src/offload/key-segments.ts",
    find: "return await this.#followParts(body.listId);",
    replace: "return;",
    killedBy: ["test/offload/key-segments.test.ts"],
  },
  {
    name: "older-versions-not-recalled",
    what: "older versions stay in the bucket after `tier recall`",
    file: "src/offload/key-segments.ts",
    find: "for (const start of [keys.objectPrefix(bucketId), keys.versionPrefix(bucketId)]) {",
    replace: "for (const start of [keys.objectPrefix(bucketId)]) {",
    killedBy: ["test/offload/key-segments.test.ts"],
  },
];
