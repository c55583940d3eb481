/**
 * Ranged GETs past the SDK's machinery, which costs more than all the rest of a cold read (0.6 against 0.2 ms
 * of CPU). Where requests go and for which region they are signed is learned from the first one that the SDK
 * makes; from then on its own handler, with its sockets and time limits, sends what is signed here. Whatever
 * is unusual is left to the SDK: other ways to sign, keys with other characters, second attempts, and all of
 * it at an endpoint that refuses twice what is signed here.
 */
import { createHmac, hash } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { S3Client } from "@aws-sdk/client-s3";
import type { ColdRange } from "../ports/cold-store.ts";
import { deriveSigningKey } from "../s3/signing-keys.ts";
import type { Got } from "./s3-cold-read.ts";

/** Of a request as it leaves the SDK. */
type Sent = {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
};

type Learned = Pick<Sent, "protocol" | "hostname" | "port"> & {
  readonly host: string;
  /** Before the full key. */
  readonly path: string;
  readonly region: string;
};

type Answer = {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: IncomingMessage;
};

export type QuickGet = {
  readonly fullKey: string;
  readonly range: ColdRange;
  readonly signal: AbortSignal;
  readonly requestMs: number;
  /** Told of the request once it was answered, or was not. */
  readonly onEnd: (end: { readonly answer?: Answer; readonly error?: unknown }) => void;
};

const NO_BODY = hash("sha256", "");
const SCOPE = /^AWS4-HMAC-SHA256 Credential=[^/]+\/\d{8}\/([^/]+)\/s3\/aws4_request,/;
/** Of the documents that errors come with. */
const ERROR_BYTES_MAX = 64 * 1024;

export class QuickGets {
  readonly #client: S3Client;
  #learned: Learned | undefined;
  /** In a row. */
  #refusals = 0;
  #key: { readonly name: string; readonly key: KeyObject } | undefined;

  constructor(client: S3Client) {
    this.#client = client;
    client.middlewareStack.add(
      (next) => async (args) => {
        const { Key: fullKey } = args.input as { readonly Key?: string };
        if (this.#learned === undefined && fullKey !== undefined) this.#learn(args.request as Sent, fullKey);
        return await next(args);
      },
      // Where it is signed already.
      { step: "deserialize", priority: "low", name: "learnPlace" },
    );
  }

  #learn({ method, protocol, hostname, port, path, headers }: Sent, fullKey: string): void {
    const region = SCOPE.exec(headers["authorization"] ?? "")?.[1];
    const { host } = headers;
    // Another way to write the key would be another object.
    if (method !== "GET" || region === undefined || host === undefined || !path.endsWith(`/${fullKey}`))
      return;
    const base = path.slice(0, -fullKey.length);
    this.#learned = { protocol, hostname, host, region, path: base, ...(port === undefined ? {} : { port }) };
  }

  /** `undefined`: the SDK has to do it. Errors are as those of the SDK. */
  async get(get: QuickGet): Promise<Got | undefined> {
    const learned = this.#learned;
    if (learned === undefined || this.#refusals > 1 || !PLAIN_KEY.test(get.fullKey)) return undefined;
    const answer = await this.#send(await this.#sign(learned, get), get);
    const { statusCode: status, headers, body } = answer;
    if (status === 200 || status === 206) {
      this.#refusals = 0;
      const length = headers["content-length"];
      return {
        Body: body as never,
        ContentLength: length === undefined ? undefined : Number(length),
        ContentRange: headers["content-range"],
      };
    }
    const text = await textOf(body);
    if (status === 400 || status === 403) {
      // Once it may be that credentials or the place changed: the SDK finds out, and is listened to again.
      this.#refusals++;
      this.#learned = undefined;
      return undefined;
    }
    throw errorOf(answer, text);
  }

  async #sign({ host, path: base, region, ...place }: Learned, { fullKey, range }: QuickGet): Promise<Sent> {
    const { accessKeyId, secretAccessKey, sessionToken } = await this.#client.config.credentials();
    const now = new Date(Date.now() + this.#client.config.systemClockOffset);
    const time = now.toISOString().replaceAll(/[-:]|\.\d+/g, "");
    const date = time.slice(0, 8);
    const path = base + fullKey;
    const signed: Record<string, string> = {
      host,
      range: `bytes=${range.start}-${range.end - 1}`,
      "x-amz-content-sha256": NO_BODY,
      "x-amz-date": time,
      ...(sessionToken === undefined ? {} : { "x-amz-security-token": sessionToken }),
    };
    const names = Object.keys(signed).join(";");
    const lines = Object.entries(signed).map(([name, value]) => `${name}:${value}\n`);
    const canonical = `GET\n${path}\n\n${lines.join("")}\n${names}\n${NO_BODY}`;
    const scope = `${date}/${region}/s3/aws4_request`;
    const digest = hash("sha256", canonical);
    const key = this.#signingKey(secretAccessKey, date, region);
    const told = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${digest}`;
    const signature = createHmac("sha256", key).update(told).digest("hex");
    const credential = `Credential=${accessKeyId}/${scope}`;
    const authorization = `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names}, Signature=${signature}`;
    return { method: "GET", ...place, path, headers: { ...signed, authorization } };
  }

  #signingKey(secretKey: string, date: string, region: string): KeyObject {
    const name = `${date} ${region} ${secretKey}`;
    if (this.#key?.name !== name) this.#key = { name, key: deriveSigningKey(secretKey, date, region) };
    return this.#key.key;
  }

  async #send(request: Sent, { signal, requestMs, onEnd }: QuickGet): Promise<Answer> {
    const options = { abortSignal: signal, requestTimeout: requestMs };
    try {
      const { requestHandler } = this.#client.config;
      const { response } = await requestHandler.handle({ ...request, query: {} } as never, options);
      const answer = response as unknown as Answer;
      onEnd({ answer });
      return answer;
    } catch (error) {
      onEnd({ error });
      throw error;
    }
  }
}

/** Which are the same in a path and in what is signed. */
const PLAIN_KEY = /^[A-Za-z0-9._/-]+$/;

async function textOf(body: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of body as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > ERROR_BYTES_MAX) break;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

/** With what is looked at of an error of the SDK (s3-cold-errors.ts). */
function errorOf({ statusCode, headers }: Answer, text: string): Error {
  const told = (name: string): string | undefined => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1];
  const name = told("Code") ?? (statusCode === 404 ? "NotFound" : "UnknownError");
  const error = new Error(told("Message") ?? name);
  error.name = name;
  return Object.assign(error, { $metadata: { httpStatusCode: statusCode }, $response: { headers } });
}
