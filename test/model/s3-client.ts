/**
 * A small S3 client that shares nothing with `src`: requests signed in their headers (SigV4, as published by
 * AWS), connections that are kept, and just enough reading of XML for the documents that answers hold.
 */
import { createHash, createHmac } from "node:crypto";
import * as http from "node:http";

export type Reply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
};

export type Call = {
  readonly method: string;
  readonly bucket: string;
  readonly key?: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: Buffer;
};

export type Endpoint = {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
};

const REGION = "us-east-1";
const EMPTY = Buffer.alloc(0);
/** Beyond it the digest of a body would be most of what a test does. */
const SIGNED_BYTES_MAX = 1024 * 1024;

/** RFC 3986, of UTF-8. */
export function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

export function encodePath(bucket: string, key: string): string {
  return `/${bucket}/${key.split("/").map(percentEncode).join("/")}`;
}

function encodeQuery(query: Call["query"] = {}): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${percentEncode(name)}=${percentEncode(value)}`],
  );
  return pairs.toSorted().join("&");
}

const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();
const sha256 = (data: string | Buffer): string => createHash("sha256").update(data).digest("hex");

export class S3Client {
  /** Of the latest answer. */
  lastStatus = 0;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  #to: Endpoint;
  #signingKey: { readonly day: string; readonly key: Buffer } | undefined;

  constructor(to: Endpoint) {
    this.#to = to;
  }

  /** After a restart the server listens elsewhere. */
  moveTo(endpoint: Endpoint): void {
    this.#to = endpoint;
    this.#signingKey = undefined;
  }

  close(): void {
    this.#agent.destroy();
  }

  async send(call: Call): Promise<Reply> {
    const { method, bucket, key, body = EMPTY } = call;
    const path = key === undefined ? `/${bucket}` : encodePath(bucket, key);
    const query = encodeQuery(call.query);
    const { host, hostname, port } = new URL(this.#to.endpoint);
    const payload = body.length > SIGNED_BYTES_MAX ? "UNSIGNED-PAYLOAD" : sha256(body);
    const given = Object.entries(call.headers ?? {}).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as const],
    );
    const headers = this.#sign({ method, path, query, host, payload, given });
    if (method !== "GET" && method !== "HEAD") headers["content-length"] = String(body.length);
    const target = query === "" ? path : `${path}?${query}`;
    const options = { hostname, port, method, path: target, headers, agent: this.#agent };
    return await new Promise<Reply>((resolve, reject) => {
      const request = http.request(options, (response) => {
        const pieces: Buffer[] = [];
        response.on("data", (piece: Buffer) => pieces.push(piece));
        response.on("error", reject);
        response.on("end", () => {
          const { statusCode: status = 0 } = response;
          this.lastStatus = status;
          const received = response.headers as Readonly<Record<string, string | undefined>>;
          resolve({ status, headers: received, body: Buffer.concat(pieces) });
        });
      });
      request.on("error", reject);
      request.end(body.length === 0 ? undefined : body);
    });
  }

  #sign(request: {
    readonly method: string;
    readonly path: string;
    readonly query: string;
    readonly host: string;
    readonly payload: string;
    readonly given: readonly (readonly [string, string])[];
  }): Record<string, string> {
    const { method, path, query, host, payload, given } = request;
    const time = new Date().toISOString().replace(/[-:]|\.\d{3}/g, "");
    const day = time.slice(0, 8);
    const own = { host, "x-amz-content-sha256": payload, "x-amz-date": time };
    const headers: Record<string, string> = { ...Object.fromEntries(given), ...own };
    const names = Object.keys(headers).toSorted();
    const lines = names.map((name) => `${name}:${headers[name]?.trim()}\n`).join("");
    const signed = names.join(";");
    const canonical = [method, path, query, lines, signed, payload].join("\n");
    const scope = `${day}/${REGION}/s3/aws4_request`;
    const text = ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n");
    const signature = hmac(this.#keyOf(day), text).toString("hex");
    headers["authorization"] =
      `AWS4-HMAC-SHA256 Credential=${this.#to.accessKeyId}/${scope}, ` +
      `SignedHeaders=${signed}, Signature=${signature}`;
    return headers;
  }

  #keyOf(day: string): Buffer {
    if (this.#signingKey?.day !== day) {
      const ofDay = hmac(`AWS4${this.#to.secretAccessKey}`, day);
      this.#signingKey = { day, key: hmac(hmac(hmac(ofDay, REGION), "s3"), "aws4_request") };
    }
    return this.#signingKey.key;
  }
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  return text.replace(/&(#x?[0-9a-fA-F]+|\w+);/g, (whole, name: string) => {
    if (name.startsWith("#x")) return String.fromCodePoint(parseInt(name.slice(2), 16));
    if (name.startsWith("#")) return String.fromCodePoint(Number(name.slice(1)));
    return ENTITIES[name] ?? whole;
  });
}

/** What stands inside each element of that name, as it stands there. */
export function elementsOf(xml: string, name: string): readonly string[] {
  const pattern = new RegExp(`<${name}(?: [^>]*)?(?:/>|>([\\s\\S]*?)</${name}>)`, "g");
  return [...xml.matchAll(pattern)].map(([, inner = ""]) => inner);
}

/** The text of the first element of that name. */
export function textOf(xml: string, name: string): string | undefined {
  const [first] = elementsOf(xml, name);
  return first === undefined ? undefined : unescapeXml(first);
}

export function escapeXml(text: string): string {
  return text.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`);
}
