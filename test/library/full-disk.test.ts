/** A server that is stopped while its disk is full: who waits for a write is told, and not cut off. */
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import { memoryStorage } from "../../src/adapters/memory-storage.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { startServer } from "../../src/start-server.ts";
import type { Storage } from "../../src/start-server.ts";
import { silentLogger } from "../support/open-store.ts";

const MIB = 1024 * 1024;
const credentials = { accessKeyId: "root", secretAccessKey: "root-secret" };

/** Memory, whose log has no room from a moment on. */
function fillingStorage(): { readonly storage: Storage; isFull: boolean } {
  const storage = memoryStorage({ bytesMax: 256 * MIB });
  const world = { storage, isFull: false };
  const { disk } = storage;
  const open = disk.open.bind(disk);
  disk.open = async (path, mode) => {
    const file = await open(path, mode);
    const write = file.write.bind(file);
    file.write = async (bytes, position) => {
      if (world.isFull) throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
      await write(bytes, position);
    };
    return file;
  };
  return world;
}

test("writes that wait for a full disk are answered 503 when the server stops", async () => {
  const world = fillingStorage();
  const { config } = loadConfig({
    argv: [],
    env: {},
    readFile: () => "",
    memoryBytes: 1024 * MIB,
    command: "dev",
    options: {
      s3: { addr: "127.0.0.1:0" },
      admin: { addr: "127.0.0.1:0" },
      dataDir: "/memory",
      rootAccessKey: credentials.accessKeyId,
      rootSecretKey: credentials.secretAccessKey,
      shutdown: { timeout: "200ms" },
    },
  });
  const server = await startServer(config, {
    logger: silentLogger,
    openStorage: () => world.storage,
    prepare: async ({ buckets }) => {
      await buckets.create({ name: "bucket", owner: "root", location: "" });
    },
  });
  const endpoint = `http://127.0.0.1:${server.s3.port}`;
  const region = "us-east-1";
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true, maxAttempts: 1 });
  const put = (): Promise<unknown> =>
    client.send(new PutObjectCommand({ Bucket: "bucket", Key: "key", Body: "body" }));
  await put();
  world.isFull = true;
  const waiting = put().catch((error: unknown) => error);
  await new Promise((resolve) => setTimeout(resolve, 300));
  await server.close();
  expect(await waiting).toMatchObject({ name: "ServiceUnavailable", $metadata: { httpStatusCode: 503 } });
  client.destroy();
});
