/**
 * The contract of the cold tier: the folder, any S3 API (a second Thermocline; MinIO too where the variable
 * MINIO_BINARY names its program; in a container it is always tested, by test/docker), and the simulated one.
 */
import { NodeDisk } from "../../src/adapters/node-disk.ts";
import { FolderColdStore } from "../../src/adapters/folder-cold-store.ts";
import { systemClock } from "../../src/adapters/system-clock.ts";
import { systemRandom } from "../../src/adapters/system-random.ts";
import { createServer } from "../../src/index.ts";
import { startMinio } from "../support/minio-server.ts";
import type { BucketServer } from "../support/minio-server.ts";
import { temporaryDirectory } from "../support/open-store.ts";
import { SimColdStore } from "../sim/sim-cold-store.ts";
import { coldStoreContract } from "./cold-store-contract.ts";
import { once, s3Worlds } from "./s3-worlds.ts";

const ports = { disk: new NodeDisk(), clock: systemClock, random: systemRandom };

coldStoreContract("FolderColdStore", async () => {
  const directory = await temporaryDirectory();
  const store = new FolderColdStore({ path: `${directory.path}/cold`, ...ports });
  await store.check();
  const end = async (): Promise<void> => {
    await store.close();
    await directory[Symbol.asyncDispose]();
  };
  return { store, directory: directory.path, [Symbol.asyncDispose]: end };
});

coldStoreContract("SimColdStore", async () => {
  const directory = await temporaryDirectory();
  const store = new SimColdStore({ disk: ports.disk, clock: systemClock });
  return { store, directory: directory.path, [Symbol.asyncDispose]: directory[Symbol.asyncDispose] };
});

async function startThermocline(): Promise<BucketServer> {
  const server = await createServer({ memory: true, buckets: ["cold"] });
  return {
    endpoint: server.endpoint,
    credentials: server.credentials,
    bucket: "cold",
    [Symbol.asyncDispose]: server[Symbol.asyncDispose],
  };
}

coldStoreContract("S3ColdStore on Thermocline", s3Worlds(once(startThermocline)));

const minio = process.env["MINIO_BINARY"];
if (minio !== undefined && minio !== "") {
  coldStoreContract("S3ColdStore on MinIO", s3Worlds(once(() => startMinio(minio))));
}
