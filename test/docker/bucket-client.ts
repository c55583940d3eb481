/** An S3 client that gives its sockets back at the end of its block, and the calls that these tests make. */
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";

type Place = {
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
};

export type BucketClient = Disposable & {
  readonly s3: S3Client;
  readonly put: (key: string, text: string) => Promise<void>;
  readonly get: (key: string) => Promise<string | undefined>;
  /** Where Thermocline says that its bytes are: `hot` or `cold`. */
  readonly tierOf: (key: string) => Promise<string | undefined>;
};

/** Calls fail at once where they fail: nothing is repeated. */
export function openClient({ endpoint, credentials }: Place, Bucket = "cold"): BucketClient {
  const s3 = new S3Client({
    endpoint,
    credentials,
    region: "us-east-1",
    forcePathStyle: true,
    maxAttempts: 1,
  });
  return {
    s3,
    put: async (Key, Body) => void (await s3.send(new PutObjectCommand({ Bucket, Key, Body }))),
    get: async (Key) => {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
      return await Body?.transformToString();
    },
    tierOf: async (Key) => {
      const head = new HeadObjectCommand({ Bucket, Key });
      let tier: string | undefined;
      // The SDK hands on only the headers that it knows.
      head.middlewareStack.add(
        (next) => async (args) => {
          const result = await next(args);
          const { headers } = result.response as { readonly headers: Readonly<Record<string, string>> };
          tier = headers["x-thermocline-tier"];
          return result;
        },
        { step: "deserialize" },
      );
      await s3.send(head);
      return tier;
    },
    [Symbol.dispose]: () => s3.destroy(),
  };
}
