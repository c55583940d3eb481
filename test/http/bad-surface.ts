/**
 * A store with something of everything in it, to which bad requests are sent, and a picture of all that it
 * holds: what is refused has to leave that picture as it was.
 */
import { createServer } from "../../src/index.ts";
import type { EmbeddedServer } from "../../src/index.ts";
import { elementOf, rawHead, send, sendRaw } from "./client.ts";
import type { Answer, Call } from "./client.ts";

export type Refusal = { readonly status: number; readonly code: string | undefined };

export type BadKind = {
  readonly group: string;
  readonly what: string;
  /** Status and code; none where an answer has no document. */
  readonly answer: string;
  readonly send: (world: BadWorld) => Promise<Refusal>;
};

const CORS =
  "<CORSConfiguration><CORSRule><AllowedOrigin>https://a.example</AllowedOrigin>" +
  "<AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>";
const TAGS = "<Tagging><TagSet><Tag><Key>team</Key><Value>1</Value></Tag></TagSet></Tagging>";
const ENABLED = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";

/** What is looked at before and after: settings, versions, uploads, parts, bytes. */
const PICTURE = [
  "/",
  "/bucket?versions",
  "/bucket?list-type=2&fetch-owner=true",
  "/bucket?uploads",
  "/bucket?cors",
  "/bucket?versioning",
  "/bucket?tagging",
  "/bucket/kept?tagging",
  "/bucket/kept",
  "/bucket/12",
  "/plain",
  "/plain/kept",
];

export class BadWorld implements AsyncDisposable {
  readonly server: EmbeddedServer;
  uploadId = "";
  partEtag = "";
  etag = "";
  versionId = "";

  private constructor(server: EmbeddedServer) {
    this.server = server;
  }

  static async open(): Promise<BadWorld> {
    const world = new BadWorld(await createServer({ memory: true, buckets: ["bucket", "plain"] }));
    const made = [
      { url: "/bucket?versioning", body: ENABLED },
      { url: "/bucket?cors", body: CORS },
      { url: "/bucket?tagging", body: TAGS },
      { url: "/bucket/kept", body: "older" },
      { url: "/bucket/12", body: "twelve" },
      { url: "/bucket/kept", body: "newer", headers: { "x-amz-tagging": "a=b" } },
      { url: "/plain/kept", body: "plain" },
    ];
    let last: Answer | undefined;
    for (const call of made) last = await world.call({ method: "PUT", ...call });
    if (last?.status !== 200) throw new Error("the bad world was not made");
    const kept = await world.call({ method: "HEAD", url: "/bucket/kept" });
    world.etag = String(kept.headers["etag"]);
    world.versionId = String(kept.headers["x-amz-version-id"]);
    await world.call({ method: "DELETE", url: "/bucket/marked" });
    const begun = await world.call({ method: "POST", url: "/bucket/upload?uploads" });
    world.uploadId = elementOf(begun.text, "UploadId") ?? "";
    const part = {
      method: "PUT",
      url: `/bucket/upload?partNumber=1&uploadId=${world.uploadId}`,
      body: "part",
    };
    world.partEtag = String((await world.call(part)).headers["etag"]);
    return world;
  }

  get port(): number {
    return Number(new URL(this.server.endpoint).port);
  }

  get credentials(): { readonly accessKey: string; readonly secretKey: string } {
    const { accessKeyId: accessKey, secretAccessKey: secretKey } = this.server.credentials;
    return { accessKey, secretKey };
  }

  /** Signed as it should be, if the call does not say otherwise. */
  async call(call: Call): Promise<Answer> {
    return await send(this.port, { credentials: this.credentials, ...call });
  }

  /** The same with lines that nobody signed, or with others in the place of what was signed. */
  async raw(call: Call, change: (head: string) => string): Promise<Refusal> {
    const body = String(call.body ?? "");
    const headers = { "content-length": String(Buffer.byteLength(body)), ...call.headers };
    const head = rawHead(this.port, { credentials: this.credentials, ...call, headers });
    const changed = change(head.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"));
    const answer = await sendRaw(this.port, `${changed}${body}`);
    return { status: Number(answer.slice(9, 12)), code: elementOf(answer, "Code") };
  }

  async picture(): Promise<readonly string[]> {
    const parts = `/bucket/upload?uploadId=${this.uploadId}`;
    const answers = await Promise.all([...PICTURE, parts].map((url) => this.call({ url })));
    const odd = answers.findIndex(({ status }) => status !== 200);
    if (odd >= 0) throw new Error(`the picture lacks ${[...PICTURE, parts][odd]}`);
    return answers.map(({ text, headers }) => [headers["etag"], headers["x-amz-version-id"], text].join(" "));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close();
  }
}

/** One more header line, behind those that are signed. */
export function withLine(line: string): (head: string) => string {
  return (head) => head.replace("\r\n\r\n", `\r\n${line}\r\n\r\n`);
}
