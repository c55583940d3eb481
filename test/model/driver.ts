/**
 * Does the operations of a run: each is asked of the model and sent to the server, and what comes back is
 * compared. At the end everything that the model has is read once more.
 */
import { checkListing } from "./check-listing.ts";
import { same, sameObject, sameRefusal } from "./compare.ts";
import { BUCKETS, KEYS, PREFIXES } from "./operations.ts";
import type { Operation, Where } from "./operations.ts";
import type { Answer } from "./vocabulary.ts";
import { bodyOf, conditionHeaders, conditionOf, detailsOf, headersOf } from "./requests.ts";
import { placeOf, rangeHeader, sliceOf, TAGS } from "./requests.ts";
import { elementsOf, encodePath, textOf } from "./s3-client.ts";
import type { Call, S3Client } from "./s3-client.ts";
import { ManySteps } from "./many-steps.ts";
import { resolve } from "./resolve.ts";
import { Session } from "./session.ts";
import { namesOf } from "./tally.ts";
import type { Tally } from "./tally.ts";
import { UploadSteps } from "./upload-steps.ts";

type Of<Kind extends Operation["kind"]> = Extract<Operation, { readonly kind: Kind }>;

const PART_OF = 500_000;

export type DriverOptions = {
  /** Whether there was anything to start again. */
  readonly restart: () => Promise<boolean>;
  readonly tally: Tally;
};

export class Driver {
  readonly #session: Session;
  readonly #uploads: UploadSteps;
  readonly #many: ManySteps;
  readonly #restart: () => Promise<boolean>;
  readonly #tally: Tally;

  constructor(client: S3Client, options: DriverOptions) {
    this.#session = new Session(client);
    this.#uploads = new UploadSteps(this.#session);
    this.#many = new ManySteps(this.#session);
    this.#restart = options.restart;
    this.#tally = options.tally;
  }

  async run(operations: readonly (Operation | undefined)[]): Promise<void> {
    for (const bucket of BUCKETS.keys()) await this.step({ kind: "createBucket", bucket });
    // Something to begin with, for what needs an object.
    for (const [key, size] of [3, 1000, 200_000, 300_000].entries()) await this.step(plainPut(key, size));
    for (const operation of operations) if (operation !== undefined) await this.step(operation);
    await this.#checkEverything();
  }

  async step(picked: Operation): Promise<void> {
    const operation = resolve(picked, this.#session);
    const names = namesOf(operation, this.#session);
    this.#session.client.lastStatus = 0;
    await this.#do(operation);
    this.#tally.note(names, this.#session.client.lastStatus);
  }

  async #do(operation: Operation): Promise<void> {
    switch (operation.kind) {
      case "put":
        return await this.#put(operation);
      case "read":
        return await this.#read(operation);
      case "delete":
        return await this.#delete(operation);
      case "deleteMany":
        return await this.#many.deleteMany(operation);
      case "batch":
        return await this.#many.batch(operation);
      case "getMany":
        return await this.#many.getMany(operation);
      case "copy":
        return await this.#copy(operation);
      case "rename":
        return await this.#rename(operation);
      case "append":
        return await this.#append(operation);
      case "tagging":
        return await this.#tagging(operation);
      case "versioning":
        return await this.#versioning(operation);
      case "createBucket":
        return await this.#createBucket(operation);
      case "deleteBucket":
        return await this.#deleteBucket(operation);
      case "createUpload":
        return await this.#uploads.createUpload(operation);
      case "part":
        return await this.#uploads.part(operation);
      case "copyPart":
        return await this.#uploads.copyPart(operation);
      case "complete":
        return await this.#uploads.complete(operation);
      case "upload":
        return await this.#upload(operation);
      case "abort":
        return await this.#uploads.abort(operation);
      case "listParts":
        return await this.#uploads.listParts(operation);
      case "listUploads":
        return await this.#uploads.listUploads(operation);
      case "list":
        return await this.#list(operation);
      case "restart":
        if (await this.#restart()) this.#tally.note(["restart"], 200);
        return;
      default:
        return operation satisfies never;
    }
  }

  async #put(operation: Of<"put">): Promise<void> {
    const place = placeOf(operation);
    const body = bodyOf(operation.body);
    const details = detailsOf(operation);
    const condition = conditionOf(operation.condition, this.#session.model.current(place));
    const headers = { ...headersOf(details), ...conditionHeaders(condition) };
    const answer = this.#session.model.put(place, body, details, condition);
    await this.#session.written({ method: "PUT", ...place, headers, body }, answer);
  }

  async #append(operation: Of<"append">): Promise<void> {
    const place = placeOf(operation);
    const body = bodyOf(operation.body);
    const details = detailsOf(operation);
    const offset = (this.#session.model.current(place)?.body.length ?? 0) + operation.off;
    const headers = { ...headersOf(details), "x-amz-write-offset-bytes": String(offset) };
    const answer = this.#session.model.append(place, offset, body, details);
    await this.#session.written({ method: "PUT", ...place, headers, body }, answer);
  }

  async #read(operation: Of<"read">): Promise<void> {
    const place = placeOf(operation);
    const name = this.#session.versionName(place, operation.version);
    const found = this.#session.model.find({ ...place, name });
    const condition = conditionOf(operation.condition, "kind" in found ? undefined : found);
    const range = rangeHeader(operation.range);
    const call: Call = {
      method: operation.head ? "HEAD" : "GET",
      ...place,
      query: { versionId: name },
      headers: { range, ...conditionHeaders(condition) },
    };
    const asked = await this.#session.ask(call);
    const versioned = this.#session.isVersioned(place.bucket);
    if ("kind" in found) return void sameRefusal(asked, found, versioned);
    const isSame =
      condition.kind === "absent" || (condition.kind === "differ" && condition.etag === found.etag);
    if (isSame) return same(asked, "the status", asked.reply.status, 304);
    const refuse = (code: string): void =>
      void sameRefusal(asked, { kind: "refused", codes: [code] }, versioned);
    const { kind } = condition;
    if (kind === "match" && condition.etag !== "*" && condition.etag !== found.etag) {
      return refuse("PreconditionFailed");
    }
    const slice = sliceOf(operation.range, found.body.length);
    if (slice === "unsatisfiable") return refuse("InvalidRange");
    sameObject(asked, found, { slice, versioned });
  }

  async #delete(operation: Of<"delete">): Promise<void> {
    const place = placeOf(operation);
    const name = this.#session.versionName(place, operation.version);
    const condition = conditionOf(operation.condition, this.#session.model.current(place));
    const answer = this.#session.model.deleteAny({ ...place, name }, condition);
    const headers = conditionHeaders(condition);
    const call: Call = { method: "DELETE", ...place, query: { versionId: name }, headers };
    const asked = await this.#session.expect(call, answer, 204);
    if (asked === undefined || answer.kind !== "done") return;
    const isMarker = answer.version?.isMarker === true ? "true" : undefined;
    same(asked, "x-amz-delete-marker", asked.reply.headers["x-amz-delete-marker"], isMarker);
  }

  async #copy(operation: Of<"copy">): Promise<void> {
    const to = placeOf(operation);
    const source = this.#session.copySource(operation);
    const condition = conditionOf(operation.condition, this.#session.model.current(to));
    const { contentType, metadata, tags } = detailsOf(operation);
    const { replaceMetadata, replaceTags } = operation;
    const details = {
      ...(replaceMetadata ? { contentType, metadata } : {}),
      ...(replaceTags ? { tags } : {}),
    };
    const own = { contentType: "binary/octet-stream", metadata: {}, tags: [], ...details };
    const headers = {
      ...source.headers,
      ...headersOf(own),
      ...conditionHeaders(condition),
      "x-amz-metadata-directive": replaceMetadata ? "REPLACE" : undefined,
      "x-amz-tagging-directive": replaceTags ? "REPLACE" : undefined,
    };
    const answer = this.#session.model.copy({ ...source, to, condition, details });
    const asked = await this.#session.expect({ method: "PUT", ...to, headers }, answer, 200, source.from);
    if (asked !== undefined) this.#session.sameXmlEtag(asked, answer);
  }

  async #rename(operation: Of<"rename">): Promise<void> {
    const { bucket, key } = placeOf(operation);
    const source = placeOf({ bucket: operation.bucket, key: operation.fromKey });
    const condition = conditionOf(operation.condition, this.#session.model.current({ bucket, key }));
    const sourceCondition = conditionOf(operation.sourceCondition, this.#session.model.current(source));
    const headers = {
      "x-amz-rename-source": encodePath("", source.key).slice(2),
      ...conditionHeaders(condition),
      ...conditionHeaders(sourceCondition, "x-amz-rename-source-"),
    };
    const answer = this.#session.model.rename({
      bucket,
      fromKey: source.key,
      key,
      condition,
      sourceCondition,
    });
    await this.#session.expect(
      { method: "PUT", bucket, key, query: { renameObject: "" }, headers },
      answer,
      200,
    );
  }

  async #tagging(operation: Of<"tagging">): Promise<void> {
    const { method } = operation;
    const place = placeOf(operation);
    const name = this.#session.versionName(place, operation.version);
    const query = { tagging: "", versionId: name };
    if (method === "GET") {
      const found = this.#session.model.find({ ...place, name });
      const answer: Answer = "kind" in found ? found : { kind: "done", version: found };
      const asked = await this.#session.expect({ method, ...place, query }, answer, 200);
      if (asked === undefined || "kind" in found) return;
      const shown = elementsOf(asked.reply.body.toString("utf8"), "Tag");
      const tags = shown.map((tag) => [textOf(tag, "Key"), textOf(tag, "Value")]);
      return same(asked, "the tags", tagText(tags), tagText(found.details.tags));
    }
    const tags = method === "PUT" ? (TAGS[operation.tags] ?? []) : [];
    const elements = tags.map(([key, value]) => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`);
    const xml = `<Tagging><TagSet>${elements.join("")}</TagSet></Tagging>`;
    const answer = this.#session.model.setTags({ ...place, name }, tags);
    const body = method === "PUT" ? { body: Buffer.from(xml) } : {};
    await this.#session.expect({ method, ...place, query, ...body }, answer, method === "PUT" ? 200 : 204);
  }

  async #versioning({ bucket: at, status }: Of<"versioning">): Promise<void> {
    const bucket = BUCKETS[at] ?? "";
    const xml = `<VersioningConfiguration><Status>${status}</Status></VersioningConfiguration>`;
    const call: Call = { method: "PUT", bucket, query: { versioning: "" }, body: Buffer.from(xml) };
    const asked = await this.#session.ask(call);
    const answer = this.#session.model.setVersioning(bucket, status);
    if (!sameRefusal(asked, answer, false)) same(asked, "the status", asked.reply.status, 200);
  }

  async #createBucket({ bucket: at }: Of<"createBucket">): Promise<void> {
    const bucket = BUCKETS[at] ?? "";
    this.#session.model.createBucket(bucket);
    const asked = await this.#session.ask({ method: "PUT", bucket });
    same(asked, "the status", asked.reply.status, 200);
  }

  async #deleteBucket({ bucket: at, emptied }: Of<"deleteBucket">): Promise<void> {
    const bucket = BUCKETS[at] ?? "";
    if (emptied) await this.#empty(bucket);
    const answer = this.#session.model.deleteBucket(bucket);
    const asked = await this.#session.ask({ method: "DELETE", bucket });
    if (!sameRefusal(asked, answer, false)) same(asked, "the status", asked.reply.status, 204);
  }

  async #empty(bucket: string): Promise<void> {
    // Learns the names of markers that nobody was told.
    const whole = { how: "versions" as const, bucket, prefix: "", delimiter: "", after: "", pageMax: 1000 };
    await checkListing(this.#session.client, this.#session.model, whole);
    const items = this.#session.model.versionsOf(bucket).map(({ key, version }) => {
      return { place: { bucket, key }, name: version.name, condition: { kind: "none" as const } };
    });
    if (items.length > 0) await this.#many.deleteItems(bucket, items, false);
  }

  async #upload(operation: Of<"upload">): Promise<void> {
    const { parts, condition } = operation;
    await this.step({ ...operation, kind: "createUpload" });
    for (const [at, part] of parts.entries()) {
      const number = at + 1;
      const copy = {
        from: part as Where,
        version: undefined,
        sourceCondition: "none" as const,
        range: undefined,
      };
      if ("size" in part) await this.step({ kind: "part", upload: 0, number, body: part });
      else await this.step({ kind: "copyPart", upload: 0, number, ...copy });
    }
    await this.step({ kind: "complete", upload: 0, how: "all", condition });
  }

  async #list(operation: Of<"list">): Promise<void> {
    const { how, pageMax, delimited, after } = operation;
    await checkListing(this.#session.client, this.#session.model, {
      how,
      bucket: BUCKETS[operation.bucket] ?? "",
      prefix: PREFIXES[operation.prefix] ?? "",
      delimiter: delimited ? "/" : "",
      after: after === undefined ? "" : (KEYS[after] ?? ""),
      pageMax,
    });
  }

  /** At the end of a run: each version of each key, and the listings that name them. */
  async #checkEverything(): Promise<void> {
    const read = new Set<Buffer>();
    for (const [at, bucket] of BUCKETS.entries()) {
      const whole = { bucket, prefix: "", delimiter: "", after: "", pageMax: 1000 };
      await checkListing(this.#session.client, this.#session.model, { ...whole, how: "versions" });
      await checkListing(this.#session.client, this.#session.model, { ...whole, how: "V2" });
      await this.#uploads.listUploads({ kind: "listUploads", bucket: at });
      const isVersioned = this.#session.isVersioned(bucket);
      for (const { key, version } of this.#session.model.versionsOf(bucket)) {
        if (version.isMarker) continue;
        const query = { versionId: isVersioned ? version.name : undefined };
        // Large bodies that have been read once already are shown to be there by their ends.
        const { length } = version.body;
        const isKnown = length > PART_OF && read.has(version.body);
        const slice = isKnown ? { start: length - PART_OF, end: length } : undefined;
        const range = slice && `bytes=${slice.start}-${slice.end - 1}`;
        const asked = await this.#session.ask({ method: "GET", bucket, key, query, headers: { range } });
        sameObject(asked, version, { slice, versioned: isVersioned });
        read.add(version.body);
      }
    }
  }
}

function plainPut(key: number, size: number): Operation {
  const body = { size, fill: 0 };
  return { kind: "put", bucket: 0, key, body, metadata: 0, tags: 0, condition: "none" };
}

/** S3 promises no order. */
function tagText(tags: readonly (readonly (string | undefined)[])[]): readonly string[] {
  return tags.map((tag) => tag.join("=")).toSorted();
}
