/**
 * Browser forms with a signed policy, made as a page's server makes them, and their upload.
 */
import { createHmac } from "node:crypto";
import * as http from "node:http";
import { formatAmzDate, formatIsoDate } from "../../src/s3/dates.ts";
import { elementOf } from "./client.ts";

export type Target = {
  readonly server: {
    readonly endpoint: string;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  };
};
export type Fields = Readonly<Record<string, string>>;
export type Condition = Readonly<Record<string, string>> | readonly (string | number)[];

export const BOUNDARY = "----form-boundary";
export function formOf(
  fields: readonly (readonly [string, string])[],
  file: Buffer | undefined,
  name = "a.txt",
): Buffer {
  const parts = fields.map(
    ([field, value]) =>
      `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${field}"\r\n\r\n${value}\r\n`,
  );
  const disposition = `Content-Disposition: form-data; name="file"; filename="${name}"`;
  const head = `--${BOUNDARY}\r\n${disposition}\r\nContent-Type: text/x-file\r\n\r\n`;
  const pieces: Buffer[] = [Buffer.from(parts.join(""))];
  if (file !== undefined) pieces.push(Buffer.from(head), file, Buffer.from("\r\n"));
  return Buffer.concat([...pieces, Buffer.from(`--${BOUNDARY}--\r\n`)]);
}

/** The fields of a form that allows what `conditions` say. */
export function signed(bucket: Target, conditions: readonly Condition[], fields: Fields, ageMs = 0): Fields {
  const nowMs = Date.now() - ageMs;
  const { accessKeyId, secretAccessKey } = bucket.server.credentials;
  const date = formatAmzDate(nowMs);
  const scope = `${date.slice(0, 8)}/us-east-1/s3/aws4_request`;
  const signing = {
    "x-amz-algorithm": "AWS4-HMAC-SHA256",
    "x-amz-credential": `${accessKeyId}/${scope}`,
    "x-amz-date": date,
  };
  const own = Object.entries(signing).map(([name, value]) => ({ [name]: value }));
  const expiration = formatIsoDate(nowMs + 60_000);
  const document = JSON.stringify({ expiration, conditions: [...conditions, ...own] });
  const policy = Buffer.from(document).toString("base64");
  const key = [date.slice(0, 8), "us-east-1", "s3", "aws4_request"].reduce<string | Buffer>(
    (secret, text) => createHmac("sha256", secret).update(text).digest(),
    `AWS4${secretAccessKey}`,
  );
  const signature = createHmac("sha256", key).update(policy).digest("hex");
  return { ...fields, ...signing, policy, "x-amz-signature": signature };
}

export type Posted = {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  readonly code: string | undefined;
};

export async function post(
  bucket: Target,
  body: Buffer,
  chunkBytes = body.length,
  name = "bucket",
): Promise<Posted> {
  const base = new URL(bucket.server.endpoint);
  return await new Promise((resolve, reject) => {
    const headers = {
      "content-type": `multipart/form-data; boundary=${BOUNDARY}`,
      "content-length": String(body.length),
    };
    const { hostname, port } = base;
    const request = http.request({ hostname, port, method: "POST", path: `/${name}`, headers, agent: false });
    request.on("error", reject);
    request.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (piece: string) => (text += piece));
      response.on("end", () => {
        const { statusCode: status = 0, headers: answered } = response;
        resolve({ status, headers: answered, text, code: elementOf(text, "Code") });
      });
    });
    for (let at = 0; at < body.length; at += chunkBytes) request.write(body.subarray(at, at + chunkBytes));
    request.end();
  });
}
