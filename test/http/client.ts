/**
 * A bare S3 client for tests: one signed request over node:http, the answer read whole. And, for requests
 * that no client library would send, a raw socket.
 */
import { request } from "node:http";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { connect } from "node:net";
import { buffer } from "node:stream/consumers";
import { signRequest } from "../s3/signer.ts";
import type { Credentials, SignedHeaders } from "../s3/signer.ts";
import { OTHER, OTHER_SECRET, ROOT, ROOT_SECRET, THIRD, THIRD_SECRET } from "./fake-service.ts";

export const ROOT_CREDENTIALS: Credentials = { accessKey: ROOT.accessKey, secretKey: ROOT_SECRET };
export const OTHER_CREDENTIALS: Credentials = { accessKey: OTHER.accessKey, secretKey: OTHER_SECRET };

export const THIRD_CREDENTIALS: Credentials = { accessKey: THIRD.accessKey, secretKey: THIRD_SECRET };

export type Answer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
  /** Of an error document. */
  readonly code: string | undefined;
};

export type Call = {
  readonly method?: string;
  /** Path and query as on the wire. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  readonly payloadHash?: string;
  /** `null` sends no signature. */
  readonly credentials?: Credentials | null;
  readonly nowMs?: number;
  /** Bytes on the wire, where they are not those that are signed. */
  readonly wire?: (signed: SignedHeaders) => Buffer;
};

export function elementOf(xml: string, name: string): string | undefined {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
}

export function elementsOf(xml: string, name: string): readonly string[] {
  return [...xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, "g"))].map((match) => match[1] ?? "");
}

function signedHeaders(host: string, call: Call, body: Buffer): SignedHeaders {
  const { method = "GET", url, headers = {}, credentials = ROOT_CREDENTIALS } = call;
  const plain: SignedHeaders = { headers: { ...headers }, signature: "", timestamp: "", scope: "" };
  if (credentials === null) return plain;
  const nowMs = call.nowMs ?? Date.now();
  const { payloadHash } = call;
  return signRequest({
    method,
    url,
    host,
    nowMs,
    headers,
    body,
    credentials,
    ...(payloadHash ? { payloadHash } : {}),
  });
}

export async function send(port: number, call: Call): Promise<Answer> {
  const host = `127.0.0.1:${port}`;
  const { method = "GET", url } = call;
  const body = Buffer.from(call.body ?? "");
  const signed = signedHeaders(host, call, body);
  const wire = call.wire?.(signed) ?? body;
  const headers = { ...signed.headers };
  if (headers["content-length"] === undefined && headers["transfer-encoding"] === undefined) {
    if (wire.length > 0 || method === "PUT" || method === "POST")
      headers["content-length"] = String(wire.length);
  }
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request({ host: "127.0.0.1", port, method, path: url, headers, agent: false });
    outgoing.on("error", reject);
    outgoing.on("response", resolve);
    outgoing.end(wire);
  });
  const bytes = await buffer(incoming);
  const text = bytes.toString();
  const { statusCode: status = 0 } = incoming;
  return { status, headers: incoming.headers, body: bytes, text, code: elementOf(text, "Code") };
}

/** Sends bytes as they are and reads until the server closes; `finish` ends our side after the bytes. */
export async function sendRaw(
  port: number,
  bytes: string | Buffer,
  options: { readonly finish?: boolean; readonly deadlineMs?: number } = {},
): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    let received = "";
    const timer = setTimeout(() => socket.destroy(), options.deadlineMs ?? 10_000);
    socket.on("data", (chunk) => (received += chunk.toString("latin1")));
    socket.on("error", reject);
    socket.on("end", () => socket.end());
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(received);
    });
    socket.write(bytes);
    if (options.finish === true) socket.end();
  });
}

/** The head of a signed request as text, for `sendRaw`. */
export function rawHead(port: number, call: Call): string {
  const host = `127.0.0.1:${port}`;
  const signed = signedHeaders(host, call, Buffer.from(call.body ?? ""));
  const lines = Object.entries(signed.headers).map(([name, value]) => `${name}: ${value}`);
  return `${call.method ?? "GET"} ${call.url} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
}
