/**
 * A bucket on a real server: for operations that are about what one leaves for another, which a fake of the
 * service would have to do all over again.
 */
import { send } from "../support/embedded.ts";
import { startEmbedded } from "../support/embedded.ts";
import type { Call, TestServer } from "../support/embedded.ts";
import { elementOf } from "./client.ts";

export type Reply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Buffer;
  readonly text: string;
  /** Of an error document. */
  readonly code: string | undefined;
};

type Headers = Readonly<Record<string, string>>;

export class RealBucket implements AsyncDisposable {
  readonly server: TestServer;

  private constructor(server: TestServer) {
    this.server = server;
  }

  static async open(): Promise<RealBucket> {
    const bucket = new RealBucket(await startEmbedded());
    await bucket.call("PUT", "/bucket");
    return bucket;
  }

  async call(method: string, url: string, headers: Headers = {}, body?: Buffer | string): Promise<Reply> {
    const bytes = body === undefined && method !== "PUT" ? undefined : Buffer.from(body ?? "");
    const call: Call = { method, url, headers, ...(bytes === undefined ? {} : { body: bytes }) };
    const answer = await send(this.server, call);
    const text = answer.body.toString();
    return { ...answer, text, code: elementOf(text, "Code") };
  }

  /** Of a key in the bucket; `headers` may make something else of it. */
  put(key: string, body: Buffer | string = "", headers: Headers = {}): Promise<Reply> {
    return this.call("PUT", `/bucket/${key}`, headers, body);
  }

  get(key: string, headers: Headers = {}): Promise<Reply> {
    return this.call("GET", `/bucket/${key}`, headers);
  }

  copy(source: string, key: string, headers: Headers = {}): Promise<Reply> {
    return this.put(key, "", { "x-amz-copy-source": source, ...headers });
  }

  async createUpload(key: string, headers: Headers = {}): Promise<string> {
    const answer = await this.call("POST", `/bucket/${key}?uploads`, headers);
    return elementOf(answer.text, "UploadId") ?? "";
  }

  complete(key: string, uploadId: string, etags: readonly string[]): Promise<Reply> {
    const parts = etags.map(
      (etag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${etag}</ETag></Part>`,
    );
    const document = `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
    return this.call("POST", `/bucket/${key}?uploadId=${uploadId}`, {}, document);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close();
  }
}
