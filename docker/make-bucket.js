/**
 * Makes the bucket of the cold tier, for compose files whose cold tier is a fresh container: waits until it
 * answers, makes the bucket that THERMOCLINE_COLD_URL names unless it is there, and exits 0. Takes the same
 * variables as the server.
 */
import { CreateBucketCommand, HeadBucketCommand, S3Client } from "@aws-sdk/client-s3";

const WAIT_MS = 60_000;
const REPEAT_MS = 500;

function needed(name) {
  const value = process.env[name] ?? "";
  if (value !== "") return value;
  process.stderr.write(`make-bucket: ${name} is not set\n`);
  process.exit(2);
}

const url = needed("THERMOCLINE_COLD_URL");
const [, Bucket] = /^s3:\/\/([^/]+)/.exec(url) ?? [];
if (Bucket === undefined) {
  process.stderr.write(
    `make-bucket: THERMOCLINE_COLD_URL=${url} names no bucket; write s3://bucket/prefix\n`,
  );
  process.exit(2);
}
const endpoint = needed("THERMOCLINE_COLD_ENDPOINT");
const client = new S3Client({
  endpoint,
  credentials: {
    accessKeyId: needed("THERMOCLINE_COLD_ACCESS_KEY"),
    secretAccessKey: needed("THERMOCLINE_COLD_SECRET_KEY"),
  },
  region: process.env["THERMOCLINE_COLD_REGION"] ?? "us-east-1",
  forcePathStyle: true,
  maxAttempts: 1,
});

async function isThere() {
  try {
    await client.send(new HeadBucketCommand({ Bucket }));
    return true;
  } catch (error) {
    if (error.$metadata?.httpStatusCode === 404) return false;
    throw error;
  }
}

/** Whether asking again can help: it is not up yet, or not ready. */
function passes(error) {
  const status = error.$metadata?.httpStatusCode;
  return status === undefined || status >= 500;
}

const untilMs = performance.now() + WAIT_MS;
for (;;) {
  try {
    if (!(await isThere())) await client.send(new CreateBucketCommand({ Bucket }));
    process.stdout.write(`make-bucket: ${Bucket} is at ${endpoint}\n`);
    break;
  } catch (error) {
    if (!passes(error) || performance.now() > untilMs) {
      process.stderr.write(`make-bucket: ${Bucket} at ${endpoint}: ${error.name}: ${error.message}\n`);
      process.exit(1);
    }
    await new Promise((resolve) => setTimeout(resolve, REPEAT_MS));
  }
}
client.destroy();
