/**
 * A seed that is another one in every commit: what a test run only samples is covered by many of them, and a
 * run that fails is repeated by checking out its commit, or with the seed that it printed.
 */
import { execFileSync } from "node:child_process";

export function seedOfCommit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  } catch {
    return "no commit";
  }
}
