/**
 * Unmodified S3 clients against the real server, one scenario each:
 *
 *   node test/clients/run-clients.ts [aws-cli aws-cli-debian sdk rclone tls presigned]
 *
 * Ends with `N passed, N failed`, and with 1 unless everything passed. A client that is not there fails.
 * Where the clients are: CLIENT_AWS, CLIENT_AWS_DEBIAN, CLIENT_RCLONE, CLIENT_PYTHON; .ci/run installs and
 * names them.
 */
import { Tally } from "../scenario/tally.ts";
import { CURRENT_ALGORITHMS, OLDER_ALGORITHMS, awsCliScenario } from "./aws-cli-scenario.ts";
import { presignedScenario } from "./presigned-scenario.ts";
import { rcloneScenario } from "./rclone-scenario.ts";
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
  tls: (tally, { CLIENT_AWS = "aws" }) => tlsScenario(tally, CLIENT_AWS),
  presigned: (tally, { CLIENT_PYTHON = "python3" }) => presignedScenario(tally, CLIENT_PYTHON),
};

export async function runClients(names: readonly string[], tally: Tally, places: Places): Promise<void> {
  for (const name of names) {
    tally.title(name);
    const scenario = scenarios[name];
    // What escapes a scenario is one more failure, and the next client still has its turn.
    if (scenario === undefined) await tally.step(name, () => Promise.reject(new Error("no such client")));
    else {
      try {
        await scenario(tally, places);
      } catch (error) {
        await tally.step(`${name} runs to its end`, () => Promise.reject(error));
      }
    }
  }
}

if (import.meta.main) {
  const named = process.argv.slice(2);
  const tally = new Tally();
  await runClients(named.length > 0 ? named : Object.keys(scenarios), tally, process.env);
  process.exitCode = tally.close();
}
