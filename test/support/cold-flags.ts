/** The settings that make a bucket of a test the cold tier of a server. */
import type { BucketServer } from "./minio-server.ts";

export function coldFlags(server: BucketServer, prefix = "tier"): readonly string[] {
  const { endpoint, credentials, bucket } = server;
  return [
    ...["--cold-url", `s3://${bucket}/${prefix}`, "--cold-endpoint", endpoint, "--cold-region", "us-east-1"],
    ...["--cold-access-key", credentials.accessKeyId, "--cold-secret-key", credentials.secretAccessKey],
  ];
}
