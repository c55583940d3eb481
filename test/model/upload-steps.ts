/**
 * The steps of a run that are about multipart uploads.
 */
import { Difference, same, sameRefusal, unquote } from "./compare.ts";
import { BUCKETS } from "./operations.ts";
import type { Operation } from "./operations.ts";
import type { Answer, Place, Upload, VersionPlace } from "./vocabulary.ts";
import { bodyOf, conditionHeaders, conditionOf, detailsOf, headersOf } from "./requests.ts";
import { namedParts, placeOf } from "./requests.ts";
import { elementsOf, textOf } from "./s3-client.ts";
import type { Session } from "./session.ts";

type Of<Kind extends Operation["kind"]> = Extract<Operation, { readonly kind: Kind }>;

export class UploadSteps {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async createUpload(operation: Of<"createUpload">): Promise<void> {
    const place = placeOf(operation);
    const details = detailsOf(operation);
    const answer = this.#session.uploads.createUpload(place, details);
    const headers = headersOf(details);
    const asked = await this.#session.ask({ method: "POST", ...place, query: { uploads: "" }, headers });
    if (sameRefusal(asked, answer, false) || answer.kind !== "done") return;
    same(asked, "the status", asked.reply.status, 200);
    const id = textOf(asked.reply.body.toString("utf8"), "UploadId");
    if (answer.upload === undefined || id === undefined) throw new Difference(asked, "UploadId", id, "an id");
    answer.upload.id = id;
    this.#session.began(answer.upload, place);
  }

  /** Of those that were begun, the newest first. */
  #upload(at: number): { readonly upload: Upload; readonly place: Place } | undefined {
    const upload = this.#session.uploads.all.at(-1 - at);
    const place = this.#session.placeOfUpload(upload);
    return upload && place && { upload, place };
  }

  async part(operation: Of<"part">): Promise<void> {
    const picked = this.#upload(operation.upload);
    if (picked === undefined) return;
    const { upload, place } = picked;
    const { number } = operation;
    const body = bodyOf(operation.body);
    const answer = this.#session.uploads.putPart(place, upload, number, { body, etag: undefined });
    const query = { uploadId: upload.id, partNumber: String(number) };
    await this.#session.written({ method: "PUT", ...place, query, body }, answer);
  }

  async copyPart(operation: Of<"copyPart">): Promise<void> {
    const picked = this.#upload(operation.upload);
    if (picked === undefined) return;
    const { upload, place } = picked;
    const { number } = operation;
    const source = this.#session.copySource(operation);
    const range = operation.range && this.#quarters(operation.range, source.from);
    const query = { uploadId: upload.id, partNumber: String(number) };
    const headers = {
      ...source.headers,
      "x-amz-copy-source-range": range && `bytes=${range.first}-${range.last}`,
    };
    const answer = this.#session.uploads.copyPart(place, upload, number, { ...source, range });
    const asked = await this.#session.expect(
      { method: "PUT", ...place, query, headers },
      answer,
      200,
      source.from,
    );
    if (asked !== undefined) this.#session.sameXmlEtag(asked, answer);
  }

  #quarters(
    quarters: { readonly from: number; readonly to: number },
    source: VersionPlace,
  ): { readonly first: number; readonly last: number } {
    const found = this.#session.model.find(source);
    const size = "kind" in found ? 0 : found.body.length;
    const beyond = quarters.to > 4 ? 10 : 0;
    const last = Math.max(0, Math.ceil((size * Math.min(quarters.to, 4)) / 4) - 1);
    return { first: Math.floor((size * quarters.from) / 4), last: last + beyond };
  }

  async complete(operation: Of<"complete">): Promise<void> {
    const picked = this.#upload(operation.upload);
    if (picked === undefined) return;
    const { upload, place } = picked;
    const named = namedParts(upload, operation.how);
    const condition = conditionOf(operation.condition, this.#session.model.current(place));
    const parts = named.map(
      ({ number, etag }) => `<Part><PartNumber>${number}</PartNumber><ETag>"${etag}"</ETag></Part>`,
    );
    const xml = `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
    const answer = this.#session.uploads.complete(place, upload, named, condition);
    const call = {
      method: "POST",
      ...place,
      query: { uploadId: upload.id },
      headers: conditionHeaders(condition),
      body: Buffer.from(xml),
    };
    const asked = await this.#session.expect(call, answer, 200);
    if (asked !== undefined) this.#session.sameXmlEtag(asked, answer);
  }

  async abort(operation: Of<"abort">): Promise<void> {
    const picked = this.#upload(operation.upload);
    if (picked === undefined) return;
    const { upload, place } = picked;
    const answer = this.#session.uploads.abort(place, upload);
    await this.#session.expect({ method: "DELETE", ...place, query: { uploadId: upload.id } }, answer, 204);
  }

  async listParts(operation: Of<"listParts">): Promise<void> {
    const picked = this.#upload(operation.upload);
    if (picked === undefined) return;
    const { upload, place } = picked;
    const codes = this.#session.uploads.refusalOf(place, upload);
    const answer: Answer = codes.length > 0 ? { kind: "refused", codes } : { kind: "done" };
    const asked = await this.#session.ask({ method: "GET", ...place, query: { uploadId: upload.id } });
    if (sameRefusal(asked, answer, false)) return;
    const shown = elementsOf(asked.reply.body.toString("utf8"), "Part").map((part) => [
      textOf(part, "PartNumber"),
      textOf(part, "Size"),
      unquote(textOf(part, "ETag")),
    ]);
    const parts = [...upload.parts].toSorted(([left], [right]) => left - right);
    const wanted = parts.map(([number, { body, etag }]) => [String(number), String(body.length), etag]);
    same(asked, "the parts", shown, wanted);
  }

  async listUploads({ bucket: at }: Of<"listUploads">): Promise<void> {
    const bucket = BUCKETS[at] ?? "";
    const asked = await this.#session.ask({ method: "GET", bucket, query: { uploads: "" } });
    const known = this.#session.model.bucket(bucket);
    same(asked, "the status", asked.reply.status, known === undefined ? 404 : 200);
    const shown = elementsOf(asked.reply.body.toString("utf8"), "Upload").map(
      (upload) => `${textOf(upload, "Key")} ${textOf(upload, "UploadId")}`,
    );
    const open = this.#session.uploads.all.filter((each) => each.bucket === known && each.state === "open");
    same(asked, "the uploads", shown.toSorted(), open.map(({ key, id }) => `${key} ${id}`).toSorted());
  }
}
