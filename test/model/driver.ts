/**
 * Does the operations of a run: each is asked of the model and sent to the server, and what comes back is
 * compared. At the end everything that the model has is read once more.
 */
import { checkListing } from "./check-listing.ts";
import { same, sameObject, sameRefusal } from "./compare.ts";
import { BUCKETS, KEYS, PREFIXES } from "./operations.ts";
import type { Operation } from "./operations.ts";
import type { Answer, Place } from "./reference-model.ts";
import { bodyOf, conditionHeaders, conditionOf, detailsOf, headersOf } from "./requests.ts";
import { placeOf, rangeHeader, sliceOf, TAGS } from "./requests.ts";
import { elementsOf, encodePath, escapeXml, textOf } from "./s3-client.ts";
import type { Call, S3Client } from "./s3-client.ts";
import { Session } from "./session.ts";
import { UploadSteps } from "./upload-steps.ts";

type Of<Kind extends Operation["kind"]> = Extract<Operation, { readonly kind: Kind }>;

export class Driver {
  readonly #session: Session;
  readonly #uploads: UploadSteps;
  readonly #restart: () => Promise<void>;

  constructor(client: S3Client, options: { readonly restart: () => Promise<void> }) {
    this.#session = new Session(client);
    this.#uploads = new UploadSteps(this.#session);
    this.#restart = options.restart;
  }

  async run(operations: readonly (Operation | undefined)[]): Promise<void> {
    for (const bucket of BUCKETS.keys()) await this.step({ kind: "createBucket", bucket });
    for (const operation of operations) if (operation !== undefined) await this.step(operation);
    await this.#checkEverything();
  }

  async step(operation: Operation): Promise<void> {
    switch (operation.kind) {
      case "put":
        return await this.#put(operation);
      case "read":
        return await this.#read(operation);
      case "delete":
        return await this.#delete(operation);
      case "deleteMany":
        return await this.#deleteMany(operation);
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
      case "abort":
        return await this.#uploads.abort(operation);
      case "listParts":
        return await this.#uploads.listParts(operation);
      case "listUploads":
        return await this.#uploads.listUploads(operation);
      case "list":
        return await this.#list(operation);
      case "restart":
        return await this.#restart();
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
    // Of a version by its id AWS compares the current one, if anything: nobody can rely on it.
    const picked = name === undefined ? operation.condition : "none";
    const condition = conditionOf(picked, this.#session.model.current(place));
    const isMarked = this.#session.model.newest(place)?.isMarker === true;
    const answer =
      name === undefined
        ? this.#session.model.delete(place, condition)
        : this.#session.model.deleteVersion({ ...place, name });
    const headers = conditionHeaders(condition);
    const call: Call = { method: "DELETE", ...place, query: { versionId: name }, headers };
    // With `*` a marker is something that is there and is no object: both refusals are known of AWS.
    const isEither = answer.kind === "refused" && condition.kind === "match" && isMarked;
    const wanted = isEither ? { ...answer, codes: [...answer.codes, "PreconditionFailed"] } : answer;
    const asked = await this.#session.expect(call, wanted, 204);
    if (asked === undefined || answer.kind !== "done") return;
    const isMarker = answer.version?.isMarker === true ? "true" : undefined;
    same(asked, "x-amz-delete-marker", asked.reply.headers["x-amz-delete-marker"], isMarker);
  }

  async #deleteMany(operation: Of<"deleteMany">): Promise<void> {
    const { bucket, quiet } = operation;
    const items = operation.items.map(({ key, version }) => {
      const place = placeOf({ bucket, key });
      return { place, name: this.#session.versionName(place, version) };
    });
    await this.#deleteItems(BUCKETS[bucket] ?? "", items, quiet);
  }

  async #deleteItems(
    bucket: string,
    items: readonly { readonly place: Place; readonly name: string | undefined }[],
    quiet: boolean,
  ): Promise<void> {
    const objects = items.map(({ place, name }) => {
      const version = name === undefined ? "" : `<VersionId>${name}</VersionId>`;
      return `<Object><Key>${escapeXml(place.key)}</Key>${version}</Object>`;
    });
    const xml = `<Delete>${quiet ? "<Quiet>true</Quiet>" : ""}${objects.join("")}</Delete>`;
    const answers = items.map(({ place, name }) =>
      name === undefined
        ? this.#session.model.delete(place, { kind: "none" })
        : this.#session.model.deleteVersion({ ...place, name }),
    );
    const call: Call = { method: "POST", bucket, query: { delete: "" }, body: Buffer.from(xml) };
    const asked = await this.#session.ask(call);
    const isThere = this.#session.model.bucket(bucket) !== undefined;
    same(asked, "the status", asked.reply.status, isThere ? 200 : 404);
    if (!isThere) return;
    const reply = asked.reply.body.toString("utf8");
    same(asked, "errors", elementsOf(reply, "Error").length, 0);
    const deleted = elementsOf(reply, "Deleted");
    same(asked, "how many were deleted", deleted.length, quiet ? 0 : items.length);
    for (const [at, inner] of deleted.entries()) {
      const [item, answer] = [items[at], answers[at]];
      same(asked, "the key", textOf(inner, "Key"), item?.place.key);
      const version = answer?.kind === "done" ? answer.version : undefined;
      const isMarker = version?.isMarker === true;
      same(asked, "DeleteMarker", textOf(inner, "DeleteMarker"), isMarker ? "true" : undefined);
      const told = textOf(inner, "DeleteMarkerVersionId");
      if (version !== undefined && isMarker) version.name ??= told;
      same(asked, "DeleteMarkerVersionId", told, isMarker ? version?.name : undefined);
      if (item !== undefined) this.#session.remember(item.place, version);
    }
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
      return { place: { bucket, key }, name: version.name };
    });
    if (items.length > 0) await this.#deleteItems(bucket, items, false);
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
    for (const [at, bucket] of BUCKETS.entries()) {
      const whole = { bucket, prefix: "", delimiter: "", after: "", pageMax: 1000 };
      await checkListing(this.#session.client, this.#session.model, { ...whole, how: "versions" });
      await checkListing(this.#session.client, this.#session.model, { ...whole, how: "V2" });
      await this.#uploads.listUploads({ kind: "listUploads", bucket: at });
      const isVersioned = this.#session.isVersioned(bucket);
      for (const { key, version } of this.#session.model.versionsOf(bucket)) {
        if (version.isMarker) continue;
        const query = { versionId: isVersioned ? version.name : undefined };
        const asked = await this.#session.ask({ method: "GET", bucket, key, query });
        sameObject(asked, version, { slice: undefined, versioned: isVersioned });
      }
    }
  }
}

/** S3 promises no order. */
function tagText(tags: readonly (readonly (string | undefined)[])[]): readonly string[] {
  return tags.map((tag) => tag.join("=")).toSorted();
}
