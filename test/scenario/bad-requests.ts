/**
 * The words in which bad requests are written: heads that are signed as a client would sign them, and then
 * whatever is to be wrong with them.
 */
import { createHash } from "node:crypto";
import { signRequest } from "../s3/signer.ts";
import type { SignedHeaders } from "../s3/signer.ts";
import type { Sent } from "./raw-lane.ts";
import { credentials } from "./server-process.ts";

/** Where attempts go. Nothing may ever be stored in `bucket`; `canary` holds one object. */
export type BadWorld = { readonly port: number; readonly bucket: string; readonly uploadId: string };

export type BadCall = {
  readonly method?: string;
  /** Path and query as on the wire. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  readonly payloadHash?: string;
  readonly secretKey?: string;
  readonly accessKey?: string;
  readonly nowMs?: number;
};

export const UNSIGNED = "UNSIGNED-PAYLOAD";

export function signed(world: BadWorld, call: BadCall): SignedHeaders {
  return signRequest({
    method: call.method ?? "PUT",
    url: call.url,
    host: `127.0.0.1:${world.port}`,
    nowMs: call.nowMs ?? Date.now(),
    headers: call.headers ?? {},
    body: Buffer.from(call.body ?? ""),
    credentials: {
      accessKey: call.accessKey ?? credentials.accessKey,
      secretKey: call.secretKey ?? credentials.secretKey,
    },
    ...(call.payloadHash === undefined ? {} : { payloadHash: call.payloadHash }),
  });
}

/** `more`: lines that nobody signed. `target`: what the request line names instead of what was signed. */
export function headOf(
  call: BadCall,
  headers: Readonly<Record<string, string>>,
  options: { readonly more?: readonly string[]; readonly target?: string } = {},
): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const all = [
    `${call.method ?? "PUT"} ${options.target ?? call.url} HTTP/1.1`,
    ...lines,
    ...(options.more ?? []),
  ];
  return `${all.join("\r\n")}\r\n\r\n`;
}

export function head(world: BadWorld, call: BadCall, options: Parameters<typeof headOf>[2] = {}): string {
  return headOf(call, signed(world, call).headers, options);
}

/** A whole request with an honest Content-Length. */
export function whole(world: BadWorld, call: BadCall, options: Parameters<typeof headOf>[2] = {}): Buffer {
  const body = Buffer.from(call.body ?? "");
  const more = [...(options.more ?? []), `content-length: ${body.length}`];
  return Buffer.concat([Buffer.from(head(world, call, { ...options, more }), "latin1"), body]);
}

export function waits(...pieces: readonly (Buffer | string)[]): Sent {
  return { pieces, ending: "wait" };
}

export function finishes(...pieces: readonly (Buffer | string)[]): Sent {
  return { pieces, ending: "finish" };
}

/** HTTP's own chunks, `bytesEach` long, and their end. */
export function httpChunks(body: Buffer, bytesEach: number): Buffer {
  const wire: Buffer[] = [];
  for (let at = 0; at < body.length; at += bytesEach) {
    const piece = body.subarray(at, at + bytesEach);
    wire.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n"));
  }
  return Buffer.concat([...wire, Buffer.from("0\r\n\r\n")]);
}

export function md5Base64(text: string | Buffer): string {
  return createHash("md5").update(text).digest("base64");
}

/** Which checksums there are, and a value of the right form that is wrong for nearly everything. */
const WRONG_CHECKSUMS: readonly (readonly [name: string, value: string])[] = [
  ["x-amz-checksum-crc32", Buffer.alloc(4, 7).toString("base64")],
  ["x-amz-checksum-crc32c", Buffer.alloc(4, 7).toString("base64")],
  ["x-amz-checksum-crc64nvme", Buffer.alloc(8, 7).toString("base64")],
  ["x-amz-checksum-sha1", Buffer.alloc(20, 7).toString("base64")],
  ["x-amz-checksum-sha256", Buffer.alloc(32, 7).toString("base64")],
];

export function wrongChecksum(at: number): readonly [name: string, value: string] {
  return WRONG_CHECKSUMS[at % WRONG_CHECKSUMS.length] as readonly [string, string];
}
