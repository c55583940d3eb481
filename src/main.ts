/**
 * What the command line runs: a server over a data directory until a signal ends it, and `verify`. Joins
 * start-server.ts to the real disk, standard streams and signals; a node that found something broken ends the
 * process (promises P7, P9).
 */
import { cpus } from "node:os";
import { directoryStorage } from "./adapters/directory-storage.ts";
import { jsonLogger } from "./adapters/json-logger.ts";
import { ScratchDirectory } from "./adapters/scratch-directory.ts";
import { formatAddress } from "./config/address.ts";
import type { Config } from "./config/config.ts";
import { reportLines } from "./replica/salvage-report.ts";
import type { SalvageReport } from "./replica/salvage-report.ts";
import { verifyStore } from "./replica/verify-store.ts";
import type { RestoreReport } from "./offload/restore-report.ts";
import type { RestoreRequest } from "./restore-store.ts";
import { endpointOf, keptAlive, rootOf, startServer } from "./start-server.ts";
import type { RunningServer } from "./start-server.ts";

/** `thermocline dev` and `server`: serves until a signal or a failure; the answer is the exit code. */
export async function runServer(
  config: Config,
  options: { readonly banner: boolean; readonly command: "dev" | "server"; readonly salvage: boolean },
): Promise<number> {
  const logger = jsonLogger({ level: config.log.level, write: (line) => process.stderr.write(line) });
  const server = await startServer(config, {
    logger,
    salvage: options.salvage,
    openStorage: directoryStorage,
  });
  const { salvage } = server;
  logger.info("serving", {
    s3: formatAddress({ host: server.s3.host, port: server.s3.port }),
    admin: formatAddress({ host: server.admin.host, port: server.admin.port }),
    tls: server.s3.scheme === "https",
    dataDir: config.dataDir,
    cpus: cpus().length,
    ...(salvage === undefined ? {} : { readOnly: true }),
  });
  if (salvage !== undefined) {
    for (const line of reportLines(salvage)) logger.warn("salvage", { line });
    process.stdout.write(salvageBanner(server, salvage));
  } else if (options.banner) process.stdout.write(banner(config, server));
  const signal = new Promise<string>((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => resolve(name));
  });
  const cause = await Promise.race([signal, server.failed.then((error) => ({ error }))]);
  if (typeof cause === "object") {
    logger.error("the node stops: what it holds can no longer be vouched for", {
      reason: String((cause.error as Error | undefined)?.stack ?? cause.error),
    });
    // Nothing is flushed or tidied: the state in memory is what cannot be trusted.
    process.exit(1);
  }
  logger.info("stopping", { signal: cause });
  await server.close();
  logger.info("stopped");
  return 0;
}

/** Always shown: nobody may take this for a server as usual. */
function salvageBanner(server: RunningServer, report: SalvageReport): string {
  const endpoint = endpointOf(server.s3);
  return `
${reportLines(report).join("\n")}

Thermocline serves what is left at ${endpoint}. Copy it into a new store, bucket by bucket, with the
credentials of this one:

  aws --endpoint-url ${endpoint} s3 sync s3://BUCKET ./BUCKET
  rclone copy --s3-provider Other --s3-env-auth --s3-endpoint ${endpoint} :s3:BUCKET new:BUCKET

Keep ${report.directory} as it is until the copy was checked. Stop with Ctrl-C.
`;
}

function banner(config: Config, server: RunningServer): string {
  const endpoint = endpointOf(server.s3);
  const admin = endpointOf(server.admin);
  const { accessKey, secretKey } = rootOf(config);
  return `
Thermocline serves S3 at ${endpoint}, data in ${config.dataDir}

  export AWS_ENDPOINT_URL=${endpoint}
  export AWS_ACCESS_KEY_ID=${accessKey}
  export AWS_SECRET_ACCESS_KEY=${secretKey}
  export AWS_DEFAULT_REGION=${config.region}

  aws s3 mb s3://my-bucket
  echo hello | aws s3 cp - s3://my-bucket/hello.txt
  aws s3 cp s3://my-bucket/hello.txt -

Metrics at ${admin}/-/metrics. Stop with Ctrl-C.
`;
}

/** `thermocline verify`: reads everything there is, without a server. */
export async function runVerify(config: Config): Promise<{ ok: boolean; lines: readonly string[] }> {
  const { dataDir: directory } = config;
  const storage = directoryStorage();
  const makeScratch = () => ScratchDirectory.make(storage.disk, directory);
  return await verifyStore({ ...storage, directory, makeScratch });
}

/** `thermocline restore`: a data directory from the bucket alone. Late: it needs nothing of a server. */
export async function runRestore(config: Config, request: RestoreRequest): Promise<RestoreReport> {
  const { restoreStore } = await import("./restore-store.ts");
  return await keptAlive(restoreStore(config, request));
}
