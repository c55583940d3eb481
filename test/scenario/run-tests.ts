/**
 * Runs the tests and counts them from the report, not from what is printed: a file that cannot be loaded is a
 * failure, and so is a test that was left out, because CI has everything that a test may need.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

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

const folder = mkdtempSync(join(tmpdir(), "thermocline-tests-"));
const path = join(folder, "report.json");
const vitest = ["node_modules/vitest/vitest.mjs", "run", "--config", "test/vitest.config.ts"];
const run = spawnSync(process.execPath, [...vitest, "--reporter=json", `--outputFile=${path}`], {
  encoding: "utf8",
  maxBuffer: 256 * 1024 * 1024,
});

let passed = 0;
let failed = 0;

function fail(name: string, reason: string): void {
  failed++;
  process.stdout.write(`FAIL  ${name}\n      ${reason.slice(0, 2000).replaceAll("\n", "\n      ")}\n`);
}

if (existsSync(path)) {
  const { testResults }: Report = JSON.parse(readFileSync(path, "utf8"));
  for (const file of testResults) {
    if (file.assertionResults.length === 0) fail(file.name, file.message || "it holds no test");
    for (const { fullName, status, failureMessages } of file.assertionResults) {
      if (status === "passed") passed++;
      else fail(`${file.name}: ${fullName}`, failureMessages?.join("\n") || `it is ${status}, not passed`);
    }
    const blamed = file.assertionResults.some(({ status }) => status !== "passed");
    if (file.status === "failed" && file.assertionResults.length > 0 && !blamed)
      fail(file.name, file.message);
  }
}
if (passed + failed === 0 || (run.status !== 0 && failed === 0)) {
  fail("the test runner", `exit ${run.status}: ${run.stdout}\n${run.stderr}`.slice(-4000));
}
rmSync(folder, { recursive: true, force: true });
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
