/** An upload that stands still in the middle of its body until somebody lets it go on. */
import { once } from "node:events";
import { connect } from "node:net";
import { PassThrough } from "node:stream";
import { CreateBucketCommand, HeadObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { credentials as devPair } from "./server-process.ts";

export const UPLOAD_BYTES = 4 * 1024 * 1024;
const TARGET = { Bucket: "slow-uploads", Key: "slow" };

export type SlowUpload = AsyncDisposable & {
  readonly outcome: Promise<unknown>;
  /** Sends the other half; rejects unless the server takes it. */
  finish(): Promise<void>;
  /** Length of the object, asked of the server at `endpoint`. */
  lengthAt(endpoint: string): Promise<number | undefined>;
};

type Pair = { readonly accessKey: string; readonly secretKey: string };

function clientOf(endpoint: string, { accessKey, secretKey }: Pair): S3Client {
  return new S3Client({
    endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
  });
}

export async function halfAnUpload(endpoint: string, pair: Pair = devPair): Promise<SlowUpload> {
  const client = clientOf(endpoint, pair);
  await client.send(new CreateBucketCommand({ Bucket: TARGET.Bucket }));
  const body = new PassThrough();
  const outcome = client.send(new PutObjectCommand({ ...TARGET, Body: body, ContentLength: UPLOAD_BYTES }));
  // Whoever looks at the outcome late must not be too late.
  outcome.catch(() => undefined);
  const half = Buffer.alloc(UPLOAD_BYTES / 2, 7);
  // Taken from the stream means under way: the client has sent the headers and the first half.
  if (!body.write(half)) await once(body, "drain");
  return {
    outcome,
    finish: async () => {
      body.end(half);
      await outcome;
    },
    lengthAt: async (other) => {
      const reader = clientOf(other, pair);
      const { ContentLength } = await reader.send(new HeadObjectCommand(TARGET));
      reader.destroy();
      return ContentLength;
    },
    [Symbol.asyncDispose]: async () => {
      body.destroy();
      client.destroy();
      await outcome.catch(() => undefined);
    },
  };
}

/** Until nobody accepts connections there any more. */
export async function untilRefused(endpoint: string): Promise<void> {
  const { hostname, port } = new URL(endpoint);
  for (;;) {
    const socket = connect(Number(port), hostname);
    const refused = await Promise.race([
      once(socket, "connect").then(() => false),
      once(socket, "error").then(
        () => true,
        () => true,
      ),
    ]).catch(() => true);
    socket.destroy();
    if (refused) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
