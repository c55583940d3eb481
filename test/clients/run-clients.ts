/**
 * Unmodified S3 clients against the real server, one scenario each:
 *
 *   node test/clients/run-clients.ts [aws-cli rclone boto3 ...]
 *
 * Ends with `N passed, N failed`, and with 1 unless everything passed. A client that is not there fails.
 * Where the clients are: CLIENT_AWS, CLIENT_AWS_DEBIAN, CLIENT_RCLONE, CLIENT_PYTHON, CLIENT_S3CMD,
 * CLIENT_RESTIC, CLIENT_DUPLICITY, CLIENT_S3FS; .ci/run installs and names them.
 */
import { Tally } from "../scenario/tally.ts";
import { CURRENT_ALGORITHMS, OLDER_ALGORITHMS, awsCliScenario } from "./aws-cli-scenario.ts";
import { boto3Scenario } from "./boto3-scenario.ts";
import { duplicityScenario, resticScenario } from "./backup-scenarios.ts";
import { minioScenario } from "./minio-scenario.ts";
import { presignedScenario } from "./presigned-scenario.ts";
import { rcloneScenario } from "./rclone-scenario.ts";
import { s3cmdScenario } from "./s3cmd-scenario.ts";
import { s3fsScenario } from "./s3fs-scenario.ts";
import { sdkScenario } from "./sdk-scenario.ts";
import { tlsScenario } from "./tls-scenario.ts";

type Places = Readonly<Record<string, string | undefined>>;

export const scenarios: Readonly<Record<string, (tally: Tally, places: Places) => Promise<void>>> = {
  "aws-cli": (tally, { CLIENT_AWS = "aws" }) =>
    awsCliScenario(tally, {
      program: CLIENT_AWS,
      version: /^aws-cli\/1\.46\.2 /,
      algorithms: CURRENT_ALGORITHMS,
    }),
  "aws-cli-debian": (tally, { CLIENT_AWS_DEBIAN = "/usr/bin/aws" }) =>
    awsCliScenario(tally, {
      program: CLIENT_AWS_DEBIAN,
      version: /^aws-cli\/2\.9\.19 /,
      algorithms: OLDER_ALGORITHMS,
    }),
  sdk: (tally) => sdkScenario(tally),
  rclone: (tally, { CLIENT_RCLONE = "rclone" }) =>
    rcloneScenario(tally, { program: CLIENT_RCLONE, version: /^rclone v1\.60\.1/ }),
  boto3: (tally, { CLIENT_PYTHON = "python3" }) =>
    boto3Scenario(tally, { python: CLIENT_PYTHON, version: "1.44.5" }),
  minio: (tally) => minioScenario(tally),
  s3cmd: (tally, { CLIENT_S3CMD = "/usr/bin/s3cmd" }) =>
    s3cmdScenario(tally, { program: CLIENT_S3CMD, version: /^s3cmd version 2\.3\.0$/m }),
  restic: (tally, { CLIENT_RESTIC = "/usr/bin/restic" }) =>
    resticScenario(tally, { program: CLIENT_RESTIC, version: /^restic 0\.14\.0 / }),
  duplicity: (tally, { CLIENT_DUPLICITY = "/usr/bin/duplicity" }) =>
    duplicityScenario(tally, { program: CLIENT_DUPLICITY, version: /^duplicity 0\.8\.22/ }),
  s3fs: (tally, { CLIENT_S3FS = "/usr/bin/s3fs" }) =>
    s3fsScenario(tally, { program: CLIENT_S3FS, version: / V1\.90 / }),
  tls: (tally, { CLIENT_AWS = "aws" }) => tlsScenario(tally, CLIENT_AWS),
  presigned: (tally, { CLIENT_PYTHON = "python3" }) => presignedScenario(tally, CLIENT_PYTHON),
};

/** Most of a client's time is its own start and its waiting for the disk. */
const AT_A_TIME = 3;

/** Each on a server and a count of its own; what it said comes as a whole when it has ended. */
export async function runClients(names: readonly string[], tally: Tally, places: Places): Promise<void> {
  const left = names.values();
  const worker = async (): Promise<void> => {
    for (const name of left) {
      const lines: string[] = [];
      const own = new Tally((line) => lines.push(line));
      await runClient(name, own, places);
      tally.add(own, lines);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
}

async function runClient(name: string, tally: Tally, places: Places): Promise<void> {
  tally.title(name);
  const scenario = scenarios[name];
  // What escapes a scenario is one more failure, and the next client still has its turn.
  await (scenario?.(tally, places) ?? Promise.reject(new Error("no such client"))).catch((error: unknown) =>
    tally.step(`${name} runs to its end`, () => Promise.reject(error)),
  );
}

if (import.meta.main) {
  const named = process.argv.slice(2);
  const tally = new Tally();
  await runClients(named.length > 0 ? named : Object.keys(scenarios), tally, process.env);
  process.exitCode = tally.close();
}
