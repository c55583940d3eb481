/** Cold stores on an S3 server that they share, each under a prefix of its own. */
import { afterAll } from "vitest";
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { S3ColdStore } from "../../src/adapters/s3-cold-store.ts";
import { systemClock } from "../../src/adapters/system-clock.ts";
import { systemRandom } from "../../src/adapters/system-random.ts";
import type { BucketServer } from "../support/minio-server.ts";
import { temporaryDirectory } from "../support/open-store.ts";
import type { ColdWorld } from "./cold-store-contract.ts";

/** Every other world has no prefix's slash to lean on: `w1` and `w10` must not see each other. */
export function s3Worlds(server: () => Promise<BucketServer>): () => Promise<ColdWorld> {
  let worlds = 0;
  return async () => {
    const { endpoint, credentials, bucket } = await server();
    const directory = await temporaryDirectory();
    const prefix = `w${++worlds}`;
    const ports = { disk: new NodeDisk(), clock: systemClock, random: systemRandom };
    const how = { poolSize: 6, keepsChecksums: worlds % 2 === 0, ...ports };
    const store = new S3ColdStore({ bucket, prefix, endpoint, credentials, ...how });
    const end = async (): Promise<void> => {
      await store.close();
      await directory[Symbol.asyncDispose]();
    };
    return { store, directory: directory.path, [Symbol.asyncDispose]: end };
  };
}

/** Started by the first test that asks, ended after the last one. */
export function once(start: () => Promise<BucketServer>): () => Promise<BucketServer> {
  let running: Promise<BucketServer> | undefined;
  afterAll(async () => await (await running)?.[Symbol.asyncDispose]());
  return () => (running ??= start());
}
