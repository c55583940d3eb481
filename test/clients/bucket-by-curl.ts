/** Buckets for clients that cannot make any: curl signs the request itself. */
import { mustRun } from "../scenario/run-program.ts";
import { credentials } from "../scenario/server-process.ts";
import type { ClientWorld } from "./client-world.ts";

export async function bucketByCurl(
  world: ClientWorld,
  method: "PUT" | "DELETE",
  bucket: string,
): Promise<void> {
  const signing = [
    ...["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "--aws-sigv4", "aws:amz:us-east-1:s3"],
    ...["-u", `${credentials.accessKey}:${credentials.secretKey}`],
  ];
  await mustRun("curl", ["-sSf", "-X", method, ...signing, `${world.endpoint}/${bucket}`]);
}
