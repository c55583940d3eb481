/** Whether a program is installed: tests that need one besides Node run where it is, and CI has them all. */
import { spawnSync } from "node:child_process";

export function hasProgram(name: string): boolean {
  return spawnSync(name, ["--version"], { stdio: "ignore" }).error === undefined;
}
