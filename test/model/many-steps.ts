/**
 * The steps of a run that are about many objects in one request: DeleteObjects, batches, GETs of many.
 */
import { Difference, oneOf, same, sameEtag, unquote } from "./compare.ts";
import type { Asked } from "./compare.ts";
import { BUCKETS } from "./operations.ts";
import type { BatchPick, Operation } from "./operations.ts";
import { bodyOf, conditionHeaders, conditionOf, detailsOf, placeOf } from "./requests.ts";
import { elementsOf, escapeXml, textOf } from "./s3-client.ts";
import type { Call } from "./s3-client.ts";
import type { Session } from "./session.ts";
import type { Answer, BatchStep, Condition, Place, Version } from "./vocabulary.ts";

type Of<Kind extends Operation["kind"]> = Extract<Operation, { readonly kind: Kind }>;
type Item = { readonly place: Place; readonly name: string | undefined; readonly condition: Condition };
type Results = readonly Readonly<Record<string, unknown>>[];

const GET_BYTES_MAX = 8 * 1024 * 1024;

export class ManySteps {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async deleteMany({ bucket, quiet, items }: Of<"deleteMany">): Promise<void> {
    const picked = items.map(({ key, version, condition }): Item => {
      const place = placeOf({ bucket, key });
      const name = this.#session.versionName(place, version);
      return { place, name, condition: conditionOf(condition, this.#session.model.current(place)) };
    });
    // AWS promises no order within a request: where there are conditions, each key comes once.
    const isPlain = picked.every(({ condition }) => condition.kind === "none");
    const firsts = [...new Map(picked.toReversed().map((item) => [item.place.key, item])).values()];
    await this.deleteItems(BUCKETS[bucket] ?? "", isPlain ? picked : firsts, quiet);
  }

  async deleteItems(bucket: string, items: readonly Item[], quiet: boolean): Promise<void> {
    const objects = items.map(({ place, name, condition }) => {
      const version = name === undefined ? "" : `<VersionId>${name}</VersionId>`;
      const etag = condition.kind === "match" ? `<ETag>${condition.etag}</ETag>` : "";
      return `<Object><Key>${escapeXml(place.key)}</Key>${version}${etag}</Object>`;
    });
    const xml = `<Delete>${quiet ? "<Quiet>true</Quiet>" : ""}${objects.join("")}</Delete>`;
    const call: Call = { method: "POST", bucket, query: { delete: "" }, body: Buffer.from(xml) };
    const answers = items.map(({ place, name, condition }) =>
      this.#session.model.deleteAny({ ...place, name }, condition),
    );
    const asked = await this.#session.ask(call);
    const isThere = this.#session.model.bucket(bucket) !== undefined;
    same(asked, "the status", asked.reply.status, isThere ? 200 : 404);
    if (!isThere) return;
    const pairs = items.map((item, at) => [item, answers[at]] as const);
    this.#checkErrors(asked, pairs);
    this.#checkDeleted(asked, quiet ? [] : pairs);
  }

  #checkErrors(asked: Asked, pairs: readonly (readonly [Item, Answer | undefined])[]): void {
    const errors = elementsOf(asked.reply.body.toString("utf8"), "Error");
    const refused = pairs.filter(([, answer]) => answer?.kind === "refused");
    same(asked, "how many were refused", errors.length, refused.length);
    for (const [at, [item, answer]] of refused.entries()) {
      const inner = errors[at] ?? "";
      same(asked, "the key of an error", textOf(inner, "Key"), item.place.key);
      if (answer?.kind === "refused") oneOf(asked, "the code", textOf(inner, "Code"), answer.codes);
    }
  }

  #checkDeleted(asked: Asked, pairs: readonly (readonly [Item, Answer | undefined])[]): void {
    const deleted = elementsOf(asked.reply.body.toString("utf8"), "Deleted");
    const done = pairs.filter(([, answer]) => answer?.kind === "done");
    same(asked, "how many were deleted", deleted.length, done.length);
    for (const [at, [item, answer]] of done.entries()) {
      const inner = deleted[at] ?? "";
      same(asked, "the key", textOf(inner, "Key"), item.place.key);
      const version = answer?.kind === "done" ? answer.version : undefined;
      const isMarker = version?.isMarker === true;
      same(asked, "DeleteMarker", textOf(inner, "DeleteMarker"), isMarker ? "true" : undefined);
      const told = textOf(inner, "DeleteMarkerVersionId");
      if (version !== undefined && isMarker) version.name ??= told;
      same(asked, "DeleteMarkerVersionId", told, isMarker ? version?.name : undefined);
      this.#session.remember(item.place, version);
    }
  }

  async batch(operation: Of<"batch">): Promise<void> {
    const bucket = BUCKETS[operation.bucket] ?? "";
    const steps: BatchStep[] = [];
    for (const pick of operation.steps) {
      const step = this.#stepOf(operation.bucket, pick);
      // The ETag of a copy may be another one than its source's: nobody can name it yet.
      const isCopied = steps.some(({ op, key }) => op === "copy" && key === step.key);
      steps.push(isCopied && step.op !== "check" ? { ...step, condition: { kind: "none" } } : step);
      if (isCopied && step.op === "check") steps.pop();
    }
    const head = JSON.stringify({ operations: steps.map(jsonOf) });
    const bodies = steps.flatMap((step) => (step.op === "put" ? [step.body] : []));
    const body = Buffer.concat([Buffer.from(`${head}\n`), ...bodies]);
    const answer = this.#session.model.batch(bucket, steps);
    const asked = await this.#session.ask({ method: "POST", bucket, query: { batch: "" }, body });
    const { status } = asked.reply;
    if (answer.kind === "noSuchBucket") return same(asked, "the status", status, 404);
    const told = JSON.parse(asked.reply.body.toString("utf8"));
    if (answer.kind === "refused") {
      const { operation: at, code } = told.failed ?? {};
      const isOne = answer.by.some((by) => by.at === at && by.status === status && by.codes.includes(code));
      if (!isOne) throw new Difference(asked, "what failed", [at, status, code], answer.by);
      return;
    }
    same(asked, "the status", status, 200);
    this.#checkResults(asked, { bucket, steps, results: told.results, versions: answer.versions });
  }

  #stepOf(bucket: number, pick: BatchPick): BatchStep {
    const { key } = placeOf({ bucket, key: pick.key });
    // Conditions name what stands there before the batch.
    const condition = conditionOf(
      pick.condition,
      this.#session.model.current(placeOf({ bucket, key: pick.key })),
    );
    switch (pick.op) {
      case "put": {
        const { contentType, metadata } = detailsOf({ metadata: pick.metadata, tags: 0 });
        return { op: "put", key, condition, body: bodyOf(pick.body), details: { contentType, metadata } };
      }
      case "copy":
        return { op: "copy", key, condition, source: placeOf({ bucket, key: pick.fromKey }).key };
      case "delete":
      case "check":
        return { op: pick.op, key, condition };
      default:
        return pick satisfies never;
    }
  }

  #checkResults(
    asked: Asked,
    batch: {
      readonly bucket: string;
      readonly steps: readonly BatchStep[];
      readonly results: Results;
      readonly versions: readonly (Version | undefined)[];
    },
  ): void {
    const { bucket, steps, results, versions } = batch;
    same(asked, "how many results", results.length, steps.length);
    for (const [at, { op, key }] of steps.entries()) {
      const [version, result = {}] = [versions[at], results[at]];
      same(asked, "a result", [result["op"], result["key"]], [op, key]);
      same(asked, "deleteMarker", result["deleteMarker"], version?.isMarker === true ? true : undefined);
      if (version === undefined) continue;
      const told = result["versionId"] as string | undefined;
      if (this.#session.isVersioned(bucket)) version.name ??= told;
      same(asked, "versionId", told, this.#session.isVersioned(bucket) ? version.name : undefined);
      if (!version.isMarker) sameEtag(asked, unquote(result["etag"] as string | undefined), version);
      this.#session.remember({ bucket, key }, version);
    }
  }

  async getMany({ bucket, keys }: Of<"getMany">): Promise<void> {
    const places = keys.map((key) => placeOf({ bucket, key }));
    const body = Buffer.from(JSON.stringify(places.map(({ key }) => key)));
    const call: Call = { method: "POST", bucket: BUCKETS[bucket] ?? "", query: { "batch-get": "" }, body };
    const asked = await this.#session.ask(call);
    const isThere = this.#session.model.bucket(call.bucket) !== undefined;
    same(asked, "the status", asked.reply.status, isThere ? 200 : 404);
    if (!isThere) return;
    const reply = asked.reply.body;
    let at = reply.indexOf("\n") + 1;
    const { objects } = JSON.parse(reply.toString("utf8", 0, at)) as { readonly objects: Results };
    same(asked, "how many objects", objects.length, places.length);
    const found = places.map((place) => this.#session.model.current(place));
    const isTooMuch = found.reduce((sum, each) => sum + (each?.body.length ?? 0), 0) > GET_BYTES_MAX;
    for (const [index, { key }] of places.entries()) {
      const [told = {}, version] = [objects[index], found[index]];
      same(asked, "the key", told["key"], key);
      if (isTooMuch && told["status"] === 413) continue;
      same(asked, "the status of one", told["status"], version === undefined ? 404 : 200);
      if (version === undefined) continue;
      sameEtag(asked, unquote(told["etag"] as string | undefined), version);
      const { length } = version.body;
      same(asked, "the size", told["size"], length);
      same(asked, "the body", version.body.equals(reply.subarray(at, at + length)), true);
      at += length;
    }
    same(asked, "how many bytes", reply.length, at);
  }
}

function jsonOf(step: BatchStep): object {
  const headers = conditionHeaders(step.condition);
  const { op, key } = step;
  const asked = { op, key, ifMatch: headers["if-match"], ifNoneMatch: headers["if-none-match"] };
  if (op === "copy") return { ...asked, source: step.source };
  if (op !== "put") return asked;
  return { ...asked, size: step.body.length, ...step.details };
}
