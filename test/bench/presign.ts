/**
 * Pre-signed request targets (SigV4 in the query, unsigned payload), so that a load generator need not sign.
 */
import { createHash, createHmac } from "node:crypto";

export type Signer = {
  readonly host: string;
  readonly accessKey: string;
  readonly secretKey: string;
};

const REGION = "us-east-1";

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

export function presign(
  signer: Signer,
  method: string,
  path: string,
  query: Readonly<Record<string, string>> = {},
): string {
  const date = new Date().toISOString().replace(/[-:]|\.\d{3}/g, "");
  const day = date.slice(0, 8);
  const scope = `${day}/${REGION}/s3/aws4_request`;
  const parameters: Readonly<Record<string, string>> = {
    ...query,
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": `${signer.accessKey}/${scope}`,
    "X-Amz-Date": date,
    "X-Amz-Expires": "604800",
    "X-Amz-SignedHeaders": "host",
  };
  const canonicalQuery = Object.entries(parameters)
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .toSorted()
    .join("&");
  const canonical = `${method}\n${path}\n${canonicalQuery}\nhost:${signer.host}\n\nhost\nUNSIGNED-PAYLOAD`;
  const digest = createHash("sha256").update(canonical).digest("hex");
  let key = hmac(`AWS4${signer.secretKey}`, day);
  for (const part of [REGION, "s3", "aws4_request"]) key = hmac(key, part);
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${date}\n${scope}\n${digest}`).toString("hex");
  return `${path}?${canonicalQuery}&X-Amz-Signature=${signature}`;
}
