/** The contract of the cold tier, kept by our S3 adapter on the real MinIO in a container. */
import { coldStoreContract } from "../contract/cold-store-contract.ts";
import { once, s3Worlds } from "../contract/s3-worlds.ts";
import { startMinioContainer } from "./minio-container.ts";

coldStoreContract("S3ColdStore on MinIO in a container", s3Worlds(once(() => startMinioContainer())));
