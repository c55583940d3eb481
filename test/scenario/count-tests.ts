/**
 * Runs the tests of one vitest configuration and counts them from the report, not from what is printed: a
 * file that cannot be loaded is a failure, and so is a test that was left out, because CI has everything that
 * a test may need. What failed is told line by line, in the order of the report.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type TestCount = { readonly passed: number; readonly failed: number };

type Report = {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[] | null;
    }[];
  }[];
};

export function countTests(
  config: string,
  options: { readonly env?: NodeJS.ProcessEnv; readonly filters?: readonly string[] } = {},
): TestCount {
  const { env = process.env, filters = [] } = options;
  const folder = mkdtempSync(join(tmpdir(), "thermocline-tests-"));
  const path = join(folder, "report.json");
  const vitest = ["node_modules/vitest/vitest.mjs", "run", "--config", config, ...filters];
  const run = spawnSync(process.execPath, [...vitest, "--reporter=json", `--outputFile=${path}`], {
    encoding: "utf8",
    maxBuffer: 256 * 1024 * 1024,
    env,
  });
  const report: Report = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : { testResults: [] };
  rmSync(folder, { recursive: true, force: true });
  const { passed, failures } = countReport(report);
  if (passed + failures.length === 0 || (run.status !== 0 && failures.length === 0)) {
    failures.push(["the test runner", `exit ${run.status}: ${run.stdout}\n${run.stderr}`.slice(-4000)]);
  }
  for (const [name, reason] of failures) {
    process.stdout.write(`FAIL  ${name}\n      ${reason.slice(0, 2000).replaceAll("\n", "\n      ")}\n`);
  }
  return { passed, failed: failures.length };
}

function countReport({ testResults }: Report): { passed: number; failures: [string, string][] } {
  let passed = 0;
  const failures: [string, string][] = [];
  for (const file of testResults) {
    if (file.assertionResults.length === 0) failures.push([file.name, file.message || "it holds no test"]);
    for (const { fullName, status, failureMessages } of file.assertionResults) {
      if (status === "passed") passed++;
      else {
        const reason = failureMessages?.join("\n") || `it is ${status}, not passed`;
        failures.push([`${file.name}: ${fullName}`, reason]);
      }
    }
    const blamed = file.assertionResults.some(({ status }) => status !== "passed");
    if (file.status === "failed" && file.assertionResults.length > 0 && !blamed) {
      failures.push([file.name, file.message]);
    }
  }
  return { passed, failures };
}
